"""What lies round a molecule in the latent, beside what a random edit of its SELFIES gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from designloop.molecules import corpus
from designloop.molecules.chemistry import descriptor, fingerprints, parse_all, tanimoto, without_stereo
from designloop.molecules.metrics import Activations, frechet_chemnet_distance
from designloop.molecules.reconstruction import REFINE
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.strategies.proposers.selfies import edit

RANGE = (0.03, 4.0)
"""Radii between which that of half is looked for."""


@dataclass(frozen=True)
class Parents:
    """Molecules whose surroundings are looked at."""

    smiles: list[str]
    latents: torch.Tensor
    """(n, latent) refined, so that nearly all decode to their own molecule."""
    shape: torch.Tensor
    """(n, latent) of noise round each (``DiagonalNormal.relative_scale``)."""

    @classmethod
    def of(cls, vae: SequenceVAE, selfies: Sequence[str]) -> Parents:
        """Of SELFIES strings."""
        posterior = vae.posteriors(list(selfies), REFINE)
        smiles = [one or "C" for one in vae.codec.to_smiles_many(list(selfies))]
        return cls(smiles, posterior.mean, posterior.relative_scale)


def perturbed(vae: SequenceVAE, parents: Parents, radius: torch.Tensor, each: int, seed: int) -> list[list[str]]:
    """SMILES around each parent: ``each`` points z + radius · shape · noise, decoded greedily, the radius told.

    Args:
        radius: (n,) of each parent, as the root mean square over the latent's units.
    """
    generator = torch.Generator(vae.device).manual_seed(seed)
    z, shape, far = (one.repeat_interleave(each, 0) for one in (parents.latents, parents.shape, radius))
    noise = torch.randn(z.shape, generator=generator, device=z.device)
    found = vae.codec.to_smiles_many(vae.write(z + far.unsqueeze(1) * shape * noise, far))
    return [[one for one in found[at : at + each] if one] for at in range(0, len(found), each)]


def mutations(vae: SequenceVAE, selfies: Sequence[str], each: int, seed: int) -> list[list[str]]:
    """SMILES after one random edit of each SELFIES (substitution, insertion or deletion of a symbol)."""
    rng = np.random.default_rng(seed)
    rows = [edit(vae.codec, vae.codec.tokens(one), 1, rng) for one in selfies for _ in range(each)]
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


def radii_of_half(vae: SequenceVAE, parents: Parents, seed: int, each: int = 10, halvings: int = 8) -> torch.Tensor:
    """(n,) the radius at which half of a parent's decodes differ from it, by bisection of its logarithm.

    Each halving asks ``each`` fresh points, so what is found is a radius at which about half do.
    """
    n, device = len(parents.smiles), parents.latents.device
    low, high = (torch.full((n,), float(np.log(end)), device=device) for end in RANGE)
    for step in range(halvings):
        middle = (low + high) / 2
        around = perturbed(vae, parents, middle.exp(), each, seed + step)
        share = [share_different([parent], [found]) for parent, found in zip(parents.smiles, around, strict=True)]
        few = torch.tensor(share, device=device) < 0.5
        low, high = torch.where(few, middle, low), torch.where(few, high, middle)
    return ((low + high) / 2).exp()


def described(parents: Sequence[str], around: Sequence[Sequence[str]], reference: Activations) -> dict[str, Any]:
    """Measures of the neighbours that differ from their parent; None where there are too few to be measured."""
    differing = others(parents, around)
    near: list[float] = []
    for parent, found in zip(parents, differing, strict=True):
        if found:
            near += tanimoto(fingerprints([parent]), fingerprints(found))[0].tolist()
    every = [one for found in differing for one in found]
    if len(every) < 2:
        empty = dict.fromkeys(("similarity", "fcd", "qed", "sa_score", "distinct_a_parent"))
        return {"different": share_different(parents, around), **empty}
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
    """Neighbours at each parent's radius of half, at half of it and at twice it, and mutations of the same parents.

    Beside them neighbours at one radius for all, the median.

    Args:
        rows: row numbers of ZINC 250k of the parents.
        each: neighbours a parent.
        held_out: molecules that FCDs are taken to.
    """
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))
    parents, reference = Parents.of(vae, selfies), Activations.of(held_out)
    radii = radii_of_half(vae, parents, seed)
    quartiles = np.quantile(radii.cpu().numpy(), [0.25, 0.5, 0.75])
    found: dict[str, Any] = {"radius": float(quartiles[1]), "radius_quartiles": quartiles.tolist()}
    later = seed + 1000  # not the points by which the radii were found
    asked = (
        ("at_radius", radii),
        ("at_half_radius", radii / 2),
        ("at_twice_radius", radii * 2),
        ("at_median_radius", torch.full_like(radii, found["radius"])),
    )
    for name, radius in asked:
        found[name] = described(parents.smiles, perturbed(vae, parents, radius, each, later), reference)
    found["mutation"] = described(parents.smiles, mutations(vae, selfies, each, seed), reference)
    return found
