"""Oracles that say the same of every molecule, found out before their values are paid for."""

from __future__ import annotations

from collections.abc import Sequence

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.molecule_scores import score_checks
from designloop.loop.preflight import KNOWN_MOLECULES, Check
from designloop.molecules.chemistry import standard_form
from designloop.tables.ledger import Ledger

_FEWEST = 3
"""Molecules that must have the same value: two may well be alike."""


def find_constant(campaign: Campaign, checks: Sequence[Check], ledger: Ledger) -> list[str]:
    """A sentence for each property whose oracle, one of the user's own, gave all molecules tried the same value.

    Where it was tried on one or two, it is asked about molecules that all know as well. What is built in is not looked
    at: a substructure that all molecules of the user's have is no fault.

    Args:
        checks: what ``preflight.check_oracles`` found; nothing of costly oracles, nor of those without any value.
        ledger: where further values are looked up, and kept.
    """
    values: dict[str, dict[str, float]] = {}
    for check in checks:
        if check.value is not None and not campaign.oracles[check.property].is_built_in:
            values.setdefault(check.property, {})[check.molecule] = check.value
    tried_on_few = {name for name, by_molecule in values.items() if len(by_molecule) < _FEWEST}
    for name, molecule, value in _values_of_known(campaign, tried_on_few, ledger):
        values[name][molecule] = value
    return [
        f"property {name!r}: its oracle gives {next(iter(by_molecule.values())):g} for each of "
        f"{', '.join(by_molecule)}: no molecule is better than another by what is always the same. See that it reads "
        "the molecule that it is given, and that its model is the trained one"
        for name, by_molecule in values.items()
        if len(by_molecule) >= _FEWEST and len(set(by_molecule.values())) == 1
    ]


def _values_of_known(campaign: Campaign, names: set[str], ledger: Ledger) -> list[tuple[str, str, float]]:
    """(property, molecule, value) of some properties and of the molecules that all know, but for what has no value."""
    narrowed = campaign.with_only(names)
    if narrowed is None:
        return []
    forms = [standard_form(smiles, campaign.standardize) for smiles in KNOWN_MOLECULES.values()]
    scored = score_checks(narrowed, ledger, forms)
    return [
        (name, molecule, result.value)
        for molecule, row in zip(KNOWN_MOLECULES, scored, strict=True)
        for name, result in row.evaluation.results.items()
        if result.value is not None
    ]
