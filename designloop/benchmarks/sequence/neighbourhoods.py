"""What lies round a molecule in the latent, beside what a random edit of its SELFIES gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from designloop.molecules import corpus
from designloop.molecules.chemistry import descriptor, fingerprints, parse_all, tanimoto, without_stereo
from designloop.molecules.metrics import Activations, frechet_chemnet_distance
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.strategies.proposers import edited


def perturbed(vae: SequenceVAE, latents: torch.Tensor, radius: float, each: int, seed: int) -> list[list[str]]:
    """SMILES around each latent: ``each`` points z + radius · noise, decoded greedily, the decoder told the radius."""
    generator = torch.Generator(vae.device).manual_seed(seed)
    z = latents.repeat_interleave(each, 0)
    z = z + radius * torch.randn(z.shape, generator=generator, device=z.device)
    found = vae.codec.to_smiles_many(vae.write(z, radius))
    return [[one for one in found[at : at + each] if one] for at in range(0, len(found), each)]


def mutations(vae: SequenceVAE, selfies: Sequence[str], each: int, seed: int) -> list[list[str]]:
    """SMILES after one random edit of each SELFIES (substitution, insertion or deletion of a symbol)."""
    rng = np.random.default_rng(seed)
    rows = [edited(vae.codec, vae.codec.tokens(one), 1, rng) for one in selfies for _ in range(each)]
    found = vae.codec.to_smiles_many(vae.codec.selfies_of(vae.codec.pad(rows)))
    return [[one for one in found[at : at + each] if one] for at in range(0, len(found), each)]


def others(parents: Sequence[str], around: Sequence[Sequence[str]]) -> list[list[str]]:
    """Those that are another molecule than their parent, stereo marks left aside."""
    return [
        [one for one in found if without_stereo(one) != without_stereo(parent)]
        for parent, found in zip(parents, around, strict=True)
    ]


def share_different(parents: Sequence[str], around: Sequence[Sequence[str]]) -> float:
    """Share of all neighbours that are another molecule than their parent."""
    return sum(map(len, others(parents, around))) / max(sum(map(len, around)), 1)


def radius_of_half(vae: SequenceVAE, latents: torch.Tensor, parents: Sequence[str], seed: int) -> float:
    """The radius where half of the decodes differ from their parent, by bisection of its logarithm.

    Args:
        latents: (n, latent) of the parents.
    """
    low, high = np.log(1e-3), np.log(4.0)
    for _ in range(9):
        middle = (low + high) / 2
        different = share_different(parents, perturbed(vae, latents, float(np.exp(middle)), 10, seed))
        low, high = (middle, high) if different < 0.5 else (low, middle)
    return float(np.exp((low + high) / 2))


def described(parents: Sequence[str], around: Sequence[Sequence[str]], reference: Activations) -> dict[str, Any]:
    """Measures of the neighbours that differ from their parent."""
    differing = others(parents, around)
    near: list[float] = []
    for parent, found in zip(parents, differing, strict=True):
        if found:
            near += tanimoto(fingerprints([parent]), fingerprints(found))[0].tolist()
    every = [one for found in differing for one in found]
    mols = [mol for mol in parse_all(every) if mol is not None]
    return {
        "different": share_different(parents, around),
        "similarity": float(np.mean(near)),
        "fcd": frechet_chemnet_distance(Activations.of(every), reference),
        "qed": float(np.mean([descriptor("qed")(mol) for mol in mols])),
        "sa_score": float(np.mean([descriptor("sa_score")(mol) for mol in mols])),
        "distinct_a_parent": float(np.mean([len({without_stereo(one) for one in found}) for found in differing])),
    }


def measures(vae: SequenceVAE, rows: np.ndarray, each: int, held_out: Sequence[str], seed: int) -> dict[str, Any]:
    """Neighbours at the radius of half, at half of it and at twice it, and single mutations of the same parents.

    Args:
        rows: row numbers of ZINC 250k of the parents.
        each: neighbours a parent.
        held_out: molecules that FCDs are taken to.
    """
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))
    parents = [one or "C" for one in vae.codec.to_smiles_many(selfies)]
    latents, reference = vae.latents(selfies), Activations.of(held_out)
    radius = radius_of_half(vae, latents[:200], parents[:200], seed)
    found: dict[str, Any] = {"radius": radius}
    for name, factor in (("at_radius", 1.0), ("at_half_radius", 0.5), ("at_twice_radius", 2.0)):
        found[name] = described(parents, perturbed(vae, latents, factor * radius, each, seed), reference)
    found["mutation"] = described(parents, mutations(vae, selfies, each, seed), reference)
    return found
