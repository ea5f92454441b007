"""Molecules of the user's own, scored outside any budget: what a campaign thinks of them before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.preflight import score_checks
from designloop.loop.screening.filters import Context, build
from designloop.molecules.chemistry import require, standard_form
from designloop.molecules.errors import MoleculeError
from designloop.records import Scored
from designloop.tables.ledger import Ledger


@dataclass(frozen=True, slots=True)
class OwnMolecule:
    """A molecule of the user's own, scored."""

    name: str
    written: str
    """As the user wrote it."""
    scored: Scored
    refused: str | None
    """The filter that would refuse it, and what it found."""


def score_own(campaign: Campaign, ledger: Ledger, written: Sequence[str], names: Sequence[str]) -> list[OwnMolecule]:
    """The molecules in the order given, scored by the campaign's oracles and looked at by its filters.

    Raises:
        MoleculeError: one of them is no molecule.
    """
    forms = [standard_form(one, campaign.standardize) for one in written]
    filters = build(campaign.filters, Context(campaign.folder, campaign.standardize, campaign.stereo))

    def refusal(form: str) -> str | None:
        return next((f"{one.name}: {why}" for one in filters if (why := one.refuses(require(form), form))), None)

    scored = score_checks(campaign, ledger, forms)
    return [OwnMolecule(*row) for row in zip(names, written, scored, map(refusal, forms), strict=True)]


def read_own(path: Path | str) -> tuple[list[str], list[str]]:
    """SMILES and names of a .smi, .csv or .parquet file.

    Raises:
        MoleculeError: a line holds no molecule; all such lines are named.
    """
    from designloop.molecules.corpus import read_molecules

    read = read_molecules(path)
    if read.problems:
        told = "; ".join(f"line {one.line}: {one.text!r} is {one.reason}" for one in read.problems[:10])
        raise MoleculeError(f"{path}: {len(read.problems)} bad lines ({told}); mend or delete them")
    return read.smiles, read.names
