"""Why a molecule is to be measured: what chose it, in the words of what chose it."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from designloop.loop.laboratory.suggesting import _why, nearest_of
from designloop.records import START, UNIFORM, Candidate
from designloop.strategies.base import Foreseen

DRAWN = Candidate("CCO", "prior")


class Foresees:
    def foresee(self, candidates: Sequence[Candidate]) -> list[Foreseen]:
        return [{"score": (0.5, 0.1)} for _ in candidates]


class Explains(Foresees):
    def why(self, candidate: Candidate) -> str:
        return f"{candidate.smiles} is good"


CASES = {
    "a starting molecule": (Explains(), Candidate("CCO", START), 0.0, None, "a starting molecule of yours"),
    "one that explains": (Explains(), DRAWN, 0.0, None, "CCO is good"),
    "one that foresees alone": (Foresees(), DRAWN, 0.0, None, "the strategy mine does not say why"),
    "one that draws": (object(), DRAWN, 0.0, None, "the strategy mine foresees nothing"),
    "within a sum": (Explains(), DRAWN, 0.0, 100.0, "CCO is good; worth its price"),
    "one that nobody chose": (Explains(), Candidate("CCO", "prior", chosen=UNIFORM), 0.0, 100.0, "CCO is good"),
    "where distance weighs": (Explains(), DRAWN, 0.5, None, "CCO is good; weighed with its distance"),
    "both": (Explains(), DRAWN, 0.5, 100.0, "CCO is good; weighed with its distance; worth its price"),
    "a starting molecule within a sum": (
        Explains(), Candidate("CCO", START), 0.5, 9.0, "a starting molecule of yours; worth its price",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_chose_a_molecule_is_said(case: str) -> None:
    strategy, candidate, penalty, spend, expected = CASES[case]
    campaign = SimpleNamespace(strategy=SimpleNamespace(name="mine"), diversity=SimpleNamespace(penalty=penalty))
    assert _why(candidate, campaign, strategy, spend) == expected  # type: ignore[arg-type]  # as far as it is asked


def test_the_nearest_measured_molecule_is_the_most_similar_one() -> None:
    assert nearest_of(["CCCCO"], ["CCN", "CCCCO"]) == [("CCCCO", 1.0)]
    assert nearest_of(["CCCCO"], []) == [(None, None)]
