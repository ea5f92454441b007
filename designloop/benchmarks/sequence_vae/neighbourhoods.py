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
    def encode(cls, vae: SequenceVAE, selfies: Sequence[str]) -> Parents:
        """Encodes SELFIES strings and refines their latents."""
        posterior = vae.posteriors(list(selfies), REFINE)
        smiles = [molecule or "C" for molecule in vae.codec.to_smiles_many(list(selfies))]
        return cls(smiles, posterior.mean, posterior.relative_scale)


def perturb(vae: SequenceVAE, parents: Parents, radius: torch.Tensor, count: int, seed: int) -> list[list[str]]:
    """Decodes ``count`` points z + radius · shape · noise around each parent; the decoder is given the radius.

    Args:
        radius: (n,) of each parent, as the root mean square over the latent's units.
    """
    generator = torch.Generator(vae.device).manual_seed(seed)
    z, shape, radii = (values.repeat_interleave(count, 0) for values in (parents.latents, parents.shape, radius))
    noise = torch.randn(z.shape, generator=generator, device=z.device)
    smiles = vae.codec.to_smiles_many(vae.write(z + radii.unsqueeze(1) * shape * noise, radii))
    return [
        [molecule for molecule in smiles[start : start + count] if molecule] for start in range(0, len(smiles), count)
    ]


def mutate(vae: SequenceVAE, selfies: Sequence[str], count: int, seed: int) -> list[list[str]]:
    """Returns SMILES after one random edit of each SELFIES (substitution, insertion or deletion of a symbol)."""
    rng = np.random.default_rng(seed)
    rows = [edit(vae.codec, vae.codec.tokens(parent), 1, rng) for parent in selfies for _ in range(count)]
    smiles = vae.codec.to_smiles_many(vae.codec.selfies_of(vae.codec.pad(rows)))
    return [
        [molecule for molecule in smiles[start : start + count] if molecule] for start in range(0, len(smiles), count)
    ]


def select_different(parents: Sequence[str], neighbours: Sequence[Sequence[str]]) -> list[list[str]]:
    """Selects the neighbours that are another molecule than their parent, stereo marks left aside."""
    return [
        [molecule for molecule in of_parent if without_stereo(molecule) != without_stereo(parent)]
        for parent, of_parent in zip(parents, neighbours, strict=True)
    ]


def share_different(parents: Sequence[str], neighbours: Sequence[Sequence[str]]) -> float:
    """Returns the share of all neighbours that are another molecule than their parent."""
    return sum(map(len, select_different(parents, neighbours))) / max(sum(map(len, neighbours)), 1)


def find_half_radii(vae: SequenceVAE, parents: Parents, seed: int, count: int = 10, halvings: int = 8) -> torch.Tensor:
    """Finds (n,) radii at which half of a parent's decodes differ from it, by bisection of the logarithm.

    Each halving asks ``count`` fresh points, so that the result is a radius at which about half do.
    """
    n, device = len(parents.smiles), parents.latents.device
    low, high = (torch.full((n,), float(np.log(end)), device=device) for end in RANGE)
    for step in range(halvings):
        middle = (low + high) / 2
        neighbours = perturb(vae, parents, middle.exp(), count, seed + step)
        share = [
            share_different([parent], [of_parent]) for parent, of_parent in zip(parents.smiles, neighbours, strict=True)
        ]
        few = torch.tensor(share, device=device) < 0.5
        low, high = torch.where(few, middle, low), torch.where(few, high, middle)
    return ((low + high) / 2).exp()


def describe(parents: Sequence[str], neighbours: Sequence[Sequence[str]], reference: Activations) -> dict[str, Any]:
    """Measures the neighbours that differ from their parent; None where there are too few."""
    differing = select_different(parents, neighbours)
    similarities: list[float] = []
    for parent, of_parent in zip(parents, differing, strict=True):
        if of_parent:
            similarities += tanimoto(fingerprints([parent]), fingerprints(of_parent))[0].tolist()
    every = [molecule for of_parent in differing for molecule in of_parent]
    if len(every) < 2:
        empty = dict.fromkeys(("similarity", "fcd", "qed", "sa_score", "distinct_a_parent"))
        return {"different": share_different(parents, neighbours), **empty}
    mols = [mol for mol in parse_all(every) if mol is not None]
    return {
        "different": share_different(parents, neighbours),
        "similarity": float(np.mean(similarities)),
        "fcd": frechet_chemnet_distance(Activations.of(every), reference),
        "qed": float(np.mean([descriptor("qed")(mol) for mol in mols])),
        "sa_score": float(np.mean([descriptor("sa_score")(mol) for mol in mols])),
        "distinct_a_parent": float(
            np.mean([len({without_stereo(molecule) for molecule in of_parent}) for of_parent in differing])
        ),
    }


def measure(vae: SequenceVAE, rows: np.ndarray, count: int, held_out: Sequence[str], seed: int) -> dict[str, Any]:
    """Measures neighbours at each parent's radius of half, at half and twice that, and mutations of the same parents.

    Beside them neighbours at one radius for all, the median.

    Args:
        rows: row numbers of ZINC 250k of the parents.
        count: neighbours a parent.
        held_out: molecules that FCDs are taken to.
    """
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))
    parents, reference = Parents.encode(vae, selfies), Activations.of(held_out)
    radii = find_half_radii(vae, parents, seed)
    quartiles = np.quantile(radii.cpu().numpy(), [0.25, 0.5, 0.75])
    results: dict[str, Any] = {"radius": float(quartiles[1]), "radius_quartiles": quartiles.tolist()}
    later = seed + 1000  # not the points by which the radii were found
    radii_by_name = (
        ("at_radius", radii),
        ("at_half_radius", radii / 2),
        ("at_twice_radius", radii * 2),
        ("at_median_radius", torch.full_like(radii, results["radius"])),
    )
    for name, radius in radii_by_name:
        results[name] = describe(parents.smiles, perturb(vae, parents, radius, count, later), reference)
    results["mutation"] = describe(parents.smiles, mutate(vae, selfies, count, seed), reference)
    return results
