"""The door between a peer and a campaign: its objective, its standard form and its filters.

What the standard form or the filters refuse, and what is known already, is free, as it is for a campaign; each other
molecule is a call, charged once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from designloop.benchmarks.common.arms import open_screening
from designloop.benchmarks.common.measures import Call
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.records import Candidate


class CampaignDoor:
    """Counts what a search pays for.

    Args:
        campaign: whose molecules these are.
        budget: molecules that may be paid for.
        name: of the search, as the proposer of what it pays for.
        evaluate: of that campaign.
    """

    def __init__(self, campaign: Campaign, budget: int, name: str, evaluate: Evaluator) -> None:
        self.budget = budget
        self.paid: dict[str, float] = {}
        """Standard form -> score, in the order in which they were charged; 0 of what failed."""
        self.calls: list[Call] = []
        """What was charged, in turn."""
        self._campaign, self._name, self._evaluate = campaign, name, evaluate
        self._screening = open_screening(campaign)

    @property
    def left(self) -> int:
        """Calls that are left."""
        return self.budget - len(self.calls)

    def take_up(self) -> None:
        """Does nothing: no search of a campaign's molecules is kept when it is interrupted."""

    def admit(self, smiles: str) -> str | None:
        """The standard form of a molecule that could be paid for now; None of another."""
        admissible = self._screening([Candidate(smiles, self._name)])
        return admissible[0].smiles if admissible else None

    def __call__(self, smiles: Sequence[str], proposer: str | None = None) -> list[str]:
        """Pays for what is new and allowed, as far as the budget goes, and gives what has a score.

        Args:
            proposer: of these molecules; the search by default.
        """
        drawn = [Candidate(molecule, proposer or self._name) for molecule in smiles]
        scored = self._campaign.objective(self._evaluate(self._screening.take(drawn, self.left)))
        self.calls += [Call(row.smiles, row.score, row.candidate.proposer) for row in scored]
        self.paid.update({row.smiles: row.score or 0.0 for row in scored})
        return [row.smiles for row in scored if row.score is not None]


@contextmanager
def campaign_door(campaign: Campaign, budget: int, name: str) -> Iterator[CampaignDoor]:
    """The door of a campaign that was charged for nothing yet, while the block runs."""
    with Evaluator(campaign) as evaluate:
        yield CampaignDoor(campaign, budget, name, evaluate)
