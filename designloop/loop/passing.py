"""What a campaign's filters let pass, asked before anything is paid for: of ZINC, of the model's draws, of the user's.

A filter with a slip in it refuses what the user knows to be good; so a campaign whose filters refuse all of the user's
own molecules is stopped before it spends anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rdkit import Chem, rdBase

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.user_molecules import UserMolecule
from designloop.loop.pretrained import Pretrained
from designloop.loop.screening.filters import Filter, FilterContext, build, shares_passing
from designloop.molecules.chemistry import require

SAMPLE = 500
"""Molecules that a filter's share is taken of."""

_MEANT = frozenset({"exclude"})
"""Filters that may well be meant to refuse all of the user's own: what was made already is not to be proposed again."""

_EXAMPLES = 3
"""Molecules named for each filter."""


RUN_ANYWAY = "designloop run --anyway"
"""The command by which a campaign begins although the filters refuse all of its own molecules."""


class WrongFilter(ValueError):
    """The filters refuse every molecule of the user's own; the message says which and what they found."""


@dataclass(frozen=True, slots=True)
class FilterShare:
    """What a filter lets pass."""

    name: str
    """``all`` for all filters together."""
    setting: object
    """As the campaign file says, or the default; None for ``all``."""
    zinc: float
    """Share of ZINC 250k molecules."""
    prior: float
    """Share of the model's own draws."""
    own: float | None = None
    """Share of the user's own molecules; None where there are none."""


@dataclass(frozen=True, slots=True)
class OwnVerdict:
    """What the filters say of a molecule of the user's own."""

    molecule: UserMolecule
    is_reference: bool
    refused: Mapping[str, str]
    """Filter -> what it found, of each that refuses the molecule."""

    @property
    def passes(self) -> bool:
        return not self.refused


def filters_of(campaign: Campaign) -> list[Filter]:
    """The filters of a campaign that are switched on."""
    return build(campaign.filters, FilterContext(campaign.folder, campaign.standardize, campaign.stereo))


def filter_shares(campaign: Campaign, verdicts: Sequence[OwnVerdict]) -> list[FilterShare]:
    """Each filter that is on, with the shares of 500 ZINC molecules, 500 draws from the prior and the user's own."""
    from designloop.molecules.corpus import zinc

    filters = filters_of(campaign)
    rows = np.random.default_rng(0).choice(len(zinc()), SAMPLE, replace=False)
    of_zinc = shares_passing(filters, [zinc()[row] for row in rows], campaign.standardize)
    of_prior = shares_passing(filters, Pretrained.of(campaign).draws(SAMPLE, seed=0), campaign.standardize)
    settings = dict(campaign.filters)
    return [
        FilterShare(name, settings.get(name), share, of_prior[name], _share_of_own(verdicts, name))
        for name, share in of_zinc.items()
    ]


def judge_own(campaign: Campaign) -> list[OwnVerdict]:
    """What each filter says of the starting molecules and of the references."""
    filters = filters_of(campaign)
    molecules = [
        *((molecule, False) for molecule in campaign.starting()),
        *((molecule, True) for molecule in campaign.references()),
    ]
    with rdBase.BlockLogs():
        return [
            OwnVerdict(molecule, is_reference, refusals(filters, molecule.smiles))
            for molecule, is_reference in molecules
        ]


def refusals(filters: Sequence[Filter], smiles: str) -> dict[str, str]:
    """Filter -> what it found, of each that refuses a molecule in standard form."""
    mol = require(smiles)
    return {rule.name: why for rule in filters if (why := rule.refuses(mol, smiles)) is not None}


def describe_own(verdicts: Sequence[OwnVerdict]) -> list[str]:
    """How many of the user's own molecules pass, and a line for each filter that refuses any; empty if all pass."""
    if all(verdict.passes for verdict in verdicts):
        return []
    counts = [
        f"{sum(verdict.passes for verdict in group):,} of {len(group):,} {kind}"
        for kind, group in (
            ("starting molecules", [verdict for verdict in verdicts if not verdict.is_reference]),
            ("references", [verdict for verdict in verdicts if verdict.is_reference]),
        )
        if group
    ]
    lines = [f"the filters let {' and '.join(counts)} pass"]
    for name in dict.fromkeys(name for verdict in verdicts for name in verdict.refused):
        refused = [verdict for verdict in verdicts if name in verdict.refused]
        examples = [f"{_called(verdict.molecule)} ({verdict.refused[name]})" for verdict in refused[:_EXAMPLES]]
        more = ", …" if len(refused) > _EXAMPLES else ""
        lines.append(f"  {name} refuses {len(refused):,}: {', '.join(examples)}{more}")
    return lines


def refuse_wrong_filters(verdicts: Sequence[OwnVerdict], notes: Sequence[str] = ()) -> None:
    """Returns if a molecule of the user's own passes the filters, or there is none.

    Args:
        notes: what is to be known of the campaign file, said with the error, as it may be the reason.
    Raises:
        WrongFilter: none passes.
    """
    if (sentence := find_wrong_filters(verdicts)) is not None:
        raise WrongFilter("\n".join([f"{sentence}. Nothing was charged", *(f"note: {note}" for note in notes)]))


def find_wrong_filters(verdicts: Sequence[OwnVerdict], anyway: str = RUN_ANYWAY) -> str | None:
    """Says that none of the user's own molecules passes the filters, and what to do; None where one does.

    That a molecule is listed in the file of `exclude` is no slip.

    Args:
        anyway: the command by which the campaign goes on all the same.
    """
    if not verdicts or any(verdict.refused.keys() <= _MEANT for verdict in verdicts):
        return None
    said = "\n".join(describe_own(verdicts))
    return (
        f"none of your own molecules passes the filters: {said}\nMend `filters`, or go on all the same with `{anyway}`"
    )


def find_hard_core(campaign: Campaign, verdicts: Sequence[OwnVerdict]) -> list[str]:
    """Remarks on a core that is asked for and that nothing to begin with holds, or that leaves scaffolds no room."""
    if not campaign.filters.require_smarts:
        return []
    said = []
    holders = [own for own in verdicts if not own.is_reference and "require_smarts" not in own.refused]
    if not holders and campaign.strategy.name != "random":
        said.append(
            "filters.require_smarts: no starting molecule holds what it asks for, which the model hardly ever writes "
            "by itself: give one or more that do under `starting_molecules`"
        )
    has_rings = any(len(Chem.GetSSSR(Chem.MolFromSmarts(smarts))) for smarts in campaign.filters.require_smarts)
    if has_rings and (most := campaign.diversity.per_scaffold) is not None:
        said.append(
            f"diversity.per_scaffold: {most} beside `filters.require_smarts`: molecules that keep a core and differ in "
            "its chains have one scaffold, of which no more are admitted; leave it out if these are what you look for"
        )
    return said


def _share_of_own(verdicts: Sequence[OwnVerdict], name: str) -> float | None:
    passing = [verdict.passes if name == "all" else name not in verdict.refused for verdict in verdicts]
    return sum(passing) / len(passing) if passing else None


def _called(molecule: UserMolecule) -> str:
    return f"{molecule.name} {molecule.written}" if molecule.name else molecule.written
