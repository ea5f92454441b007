"""Whether a molecule comes back from its latent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from designloop.benchmarks.sequence_vae.limits import LONG
from designloop.molecules import corpus
from designloop.molecules.chemistry import without_stereo
from designloop.molecules.reconstruction import REFINE
from designloop.molecules.sequence_vae import SequenceVAE

LENGTHS = (0, 30, 35, 40, 45, 50, 60)
"""Lower ends of the ranges of SELFIES symbols."""

COUNTS = (0, 100, 1_000, 10_000, 100_000)
"""Lower ends of the ranges of how often a molecule's rarest token stands in the training corpus."""


def decode(vae: SequenceVAE, selfies: Sequence[str], refine: int = REFINE) -> list[str | None]:
    """Decodes posterior means greedily, after so many steps of refinement where they are needed."""
    return vae.codec.to_smiles_many(vae.write(vae.latents(list(selfies), refine)))


def measure(vae: SequenceVAE, rows: np.ndarray) -> dict[str, Any]:
    """Measures shares of exact reconstructions, also by length and rarest token.

    Args:
        rows: held-out row numbers of ZINC 250k.
    """
    tokens = corpus.zinc_tokens().take(rows)
    selfies = vae.codec.selfies_of(tokens)
    smiles, back = vae.codec.to_smiles_many(selfies), decode(vae, selfies)
    exact = np.array([original == decoded for original, decoded in zip(smiles, back, strict=True)])
    at_once = np.array([original == decoded for original, decoded in zip(smiles, decode(vae, selfies, 0), strict=True)])
    flat = [
        original is not None and decoded is not None and without_stereo(original) == without_stereo(decoded)
        for original, decoded in zip(smiles, back, strict=True)
    ]
    counts = np.bincount(corpus.zinc_tokens().flat, minlength=vae.codec.size)
    lengths = (tokens > 1).sum(1)
    rarest = np.where(tokens > 1, counts[tokens], np.iinfo(np.int64).max).min(1)
    return {
        "reconstruction": float(exact.mean()),
        "reconstruction_without_refinement": float(at_once.mean()),
        "reconstruction_without_stereo": float(np.mean(flat)),
        "reconstruction_by_length": count_by_range(exact, lengths, LENGTHS),
        "reconstruction_by_length_without_refinement": count_by_range(at_once, lengths, LENGTHS),
        "reconstruction_of_long": {
            "molecules": int((lengths > LONG).sum()),
            "exact": share_exact(exact[lengths > LONG]),
            "exact_without_refinement": share_exact(at_once[lengths > LONG]),
        },
        "reconstruction_by_rarest_token": count_by_range(exact, rarest, COUNTS),
    }


def share_exact(exact: np.ndarray) -> float | None:
    """Returns the share; None of no molecules."""
    return float(exact.mean()) if exact.size else None


def count_by_range(exact: np.ndarray, values: np.ndarray, starts: Sequence[int]) -> list[Mapping[str, Any]]:
    """Counts molecules and the share exact for each range of a value; ranges without any are left out."""
    ranges: list[Mapping[str, Any]] = []
    for low, high in zip(starts, [*starts[1:], None], strict=True):
        inside = (values >= low) & (values < high if high is not None else True)
        if inside.any():
            ranges.append(
                {"from": low, "below": high, "molecules": int(inside.sum()), "exact": float(exact[inside].mean())}
            )
    return ranges


def jtvae_protocol(vae: SequenceVAE, rows: np.ndarray, seed: int, encodings: int = 10, decodings: int = 10) -> float:
    """Measures the share exact when each molecule is encoded ten times and each latent decoded ten times, both drawn.

    Source: Jin et al. 2018, "Junction tree variational autoencoder", section 3.1.
    """
    generator = torch.Generator(vae.device).manual_seed(seed)
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))
    smiles = vae.codec.to_smiles_many(selfies)
    with torch.no_grad():
        posterior = vae.encode(vae.tokens(selfies))
    same = 0
    for _ in range(encodings):
        z = posterior.rsample(generator).repeat_interleave(decodings, 0)
        written = vae.write(z, 0.0, generator, temperature=1.0)
        # Most of the hundred strings of a molecule are one string: decode each to SMILES once.
        distinct = list(dict.fromkeys(written))
        as_smiles = dict(zip(distinct, vae.codec.to_smiles_many(distinct), strict=True))
        originals = [molecule for molecule in smiles for _ in range(decodings)]
        same += sum(as_smiles[string] == original for string, original in zip(written, originals, strict=True))
    return same / (encodings * decodings * len(rows))
