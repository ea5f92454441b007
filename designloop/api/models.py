"""The verbs about oracles and models: what is built in, and what a model draws, reconstructs or learns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import designloop.oracles as oracle_package
from designloop.api.inputs import LARGEST_SEED, MOST_MOLECULES, MOST_STEPS, InputError, require_whole
from designloop.loop.molecule_scores import read_own
from designloop.molecules.chemistry import parse, require, standard_forms
from designloop.molecules.reconstruction import REFINE, Reconstruction
from designloop.molecules.shipped import DEFAULT_MODEL
from designloop.oracles import OracleCard
from designloop.words import silent

if TYPE_CHECKING:
    from designloop.molecules.pretrain import HeldOut
    from designloop.molecules.sequence_vae import SequenceVAE

MOST_BATCHES = 30
"""Batches of draws that are looked at for molecules that pass the filters."""

_BATCH_STRIDE = 1_000_003
"""Between the seeds of batches, so that those of neighbouring seeds differ."""


def oracles() -> list[OracleCard]:
    """Returns a card for each built-in oracle."""
    return oracle_package.available()


def oracle(reference: str) -> OracleCard:
    """Returns the card of one oracle: built in, ``my_module:my_function`` or ``./my_oracle.py:score``."""
    return oracle_package.describe(reference)


def load_model(model: str | Path = DEFAULT_MODEL, device: str = "cpu") -> SequenceVAE:
    """Loads a sequence VAE: a shipped one by name, or a file that ``pretrain`` wrote."""
    from designloop.molecules.sequence_vae import load

    return load(model, device)


def sample(n: int = 10, *, model: str = DEFAULT_MODEL, seed: int = 0, filtered: bool = False) -> list[str]:
    """Draws (n,) SMILES from a model's prior.

    Args:
        filtered: give distinct molecules in standard form that pass the filters which are on by default.
    Raises:
        InputError: too few of the model's draws pass them, or a number is out of its range.
    """
    from designloop.loop.pretrained import Pretrained
    from designloop.loop.screening.filters import FilterContext, Filters, build

    n, seed = require_whole("n", n, 1, MOST_MOLECULES), require_whole("seed", seed, 0, LARGEST_SEED)
    if not filtered:
        return Pretrained(model).draws(n, seed)
    rules = build(Filters(), FilterContext(Path.cwd()))
    passed: dict[str, None] = {}
    for batch in range(MOST_BATCHES):
        drawn = Pretrained(model).draws(max(n, 32), (seed + batch * _BATCH_STRIDE) % 2**63)
        for form in standard_forms(drawn):
            if form is not None and not any(rule.refuses(require(form), form) for rule in rules):
                passed[form] = None
        if len(passed) >= n:
            return list(passed)[:n]
    raise InputError(
        f"{len(passed):,} of {MOST_BATCHES * max(n, 32):,} draws pass the filters, expected {n:,}; ask for fewer, or "
        "leave --filter out"
    )


def reconstruct(
    molecules: Path | str | Sequence[str], *, model: str = DEFAULT_MODEL, refine: bool = True
) -> list[Reconstruction]:
    """Encodes molecules and decodes them again.

    Args:
        molecules: a file of molecules, or SMILES.
        refine: move latents that would decode to another molecule (``vae.refinement``); else take the encoder's means.

    Raises:
        InputError: none of them is a molecule.
    """
    from designloop.molecules.reconstruction import reconstruct as there_and_back

    if isinstance(molecules, str | Path):
        smiles = [molecule.text for molecule in read_own(molecules)[0]]
    else:
        smiles = list(molecules)
    if not any(parse(text) is not None for text in smiles):
        actual = ", ".join(map(repr, smiles[:3])) or "nothing"
        raise InputError(
            f"found {actual}, expected SMILES that RDKit can read; quote them, or give a file of molecules"
        )
    return there_and_back(load_model(model), smiles, REFINE if refine else 0)


def pretrain(
    output: Path | str,
    *,
    corpus: Path | str | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    on_measure: Callable[[HeldOut], None] = silent,
) -> Path:
    """Trains a sequence VAE on a corpus and returns its file, in a folder that is resumed if it was begun before.

    Args:
        output: the folder.
        corpus: a .smi, .csv or .parquet file; by default ZINC 250k, which gives the shipped `zinc250k`.
        steps: gradient steps; by default the recipe's.
        on_measure: told the held-out measures from time to time.
    Raises:
        InputError: a number is out of its range.
    """
    from designloop.molecules.pretrain import pretrain_corpus
    from designloop.molecules.recipe import Recipe

    recipe = Recipe(seed=require_whole("seed", seed, 0, LARGEST_SEED))
    if steps is not None:
        recipe = recipe.scale(require_whole("steps", steps, 1, MOST_STEPS))
    file = None if corpus is None else Path(corpus)
    return pretrain_corpus(Path(output), file, recipe, device=device, on_measure=on_measure)
