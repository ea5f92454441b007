"""Whether draws from the prior are molecules that a chemist would look at, and new ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch

from designloop.molecules import corpus
from designloop.molecules.chemistry import descriptor, parse_all, standard_forms, without_stereo
from designloop.molecules.metrics import (
    Activations,
    frechet_chemnet_distance,
    internal_diversity,
    novelty,
    uniqueness,
    validity,
)
from designloop.molecules.neighbours import highest_zinc_similarity
from designloop.molecules.sequence_vae import SequenceVAE

Say = Callable[[str], None]


@cache
def zinc_parents() -> tuple[str, ...]:
    """Returns ZINC 250k without stereo marks, row for row; it takes half a minute, once."""
    return tuple(without_stereo(molecule) for molecule in corpus.zinc())


def draw(vae: SequenceVAE, n: int, seed: int) -> list[str | None]:
    """Draws (n,) SMILES from the default prior, none rejected or drawn again; None where there is no atom."""
    generator = torch.Generator(vae.device).manual_seed(seed)
    return vae.codec.to_smiles_many(vae.draw(n, generator))


def decode_standard_normal(vae: SequenceVAE, n: int, seed: int) -> list[str | None]:
    """Decodes (n,) draws from N(0, I) greedily, the decoder told that there is no noise."""
    generator = torch.Generator(vae.device).manual_seed(seed)
    z = torch.randn(n, vae.architecture.latent, generator=generator, device=vae.device)
    return vae.codec.to_smiles_many(vae.write(z))


def profile(smiles: Sequence[str]) -> dict[str, float]:
    """Measures mean QED and SA score, and the diversity of a part."""
    mols = [mol for mol in parse_all(smiles) if mol is not None]
    means = {name: float(np.mean([descriptor(name)(mol) for mol in mols])) for name in ("qed", "sa_score")}
    return means | {"internal_diversity": internal_diversity(smiles[:2000])}


def measure(vae: SequenceVAE, held_out: Sequence[str], n: int, compared: int, seed: int, say: Say) -> dict[str, Any]:
    """Takes all measures of samples, and the same of real molecules.

    Args:
        held_out: canonical SMILES that nothing was trained on.
        n: samples.
        compared: molecules of each kind whose nearest training molecule is looked for, which takes longest.
    """
    say(f"{n:,} samples …")
    draws = draw(vae, n, seed)
    smiles = [molecule for molecule in draws if molecule]
    rng = np.random.default_rng(seed)
    train = [corpus.zinc()[row] for row in rng.choice(corpus.training_rows(), n, replace=False)]
    parents = zinc_parents()
    training_parents = {parents[row] for row in corpus.training_rows()}
    result: dict[str, Any] = {
        "validity": validity(draws),
        "uniqueness": uniqueness(smiles),
        "stereo_only_repeats": (len(set(smiles)) - len({without_stereo(molecule) for molecule in smiles}))
        / len(smiles),
        "novelty": novelty(smiles, training_parents),
    }
    say("their Fréchet ChemNet distance …")
    reference = Activations.of(held_out)
    sets: dict[str, Sequence[str]] = {
        "fcd": smiles,
        "fcd_floor": train,
        "fcd_standard_normal": [molecule for molecule in decode_standard_normal(vae, n, seed) if molecule],
    }
    for name, molecules in sets.items():
        result[name] = frechet_chemnet_distance(Activations.of(molecules), reference)
    say("their nearest training molecules …")
    near: dict[str, Sequence[str]] = {"nearest_training": smiles, "nearest_training_of_held_out": held_out}
    for name, molecules in near.items():
        forms = [
            form for form in standard_forms(molecules[:compared]) if form is not None
        ]  # as ZINC's fingerprints are made
        result[name] = float(highest_zinc_similarity(forms, corpus.training_rows(), say).mean())
    result["samples"] = profile(smiles)
    result["training"] = profile(train)
    return result
