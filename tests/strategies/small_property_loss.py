"""A property_loss in small: what it sees, and what is told to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from designloop.molecules.chemistry import standard_forms
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.base import CampaignView, KnownObjective, unchanged
from designloop.strategies.property_loss import Settings, build
from designloop.strategies.search.machine import Search
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

GOALS = KnownObjective(("a", "b"), (unchanged, unchanged), lambda rows: rows.mean(1), (0.0, 0.0))
LEARNING = {"loss": "likelihood", "steps": 2, "batch": 8}
NAMES = small_molecules(80)


def view(allowed: Callable[[Sequence[Candidate]], list[Candidate]] = list) -> CampaignView:
    return CampaignView(
        seed=0,
        allowed=allowed,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=tiny_vae,
        load_replay=tiny_corpus,
    )


def strategy(allowed: Callable[[Sequence[Candidate]], list[Candidate]] = list, **settings) -> Search:
    search = build(Settings(**{"learning": LEARNING} | settings), view(allowed), None)
    assert isinstance(search, Search)
    return search


def failed(smiles: str, proposer: str) -> Scored:
    return Scored(Evaluation(Candidate(smiles, proposer), {"toy": Result(None, "failed", "no value")}), {}, None)


def scored(smiles: list[str], proposer: str = "start") -> list[Scored]:
    return [Scored(Evaluation(Candidate(text, proposer), {}), {}, 1 / (1 + row)) for row, text in enumerate(smiles)]
