"""How often the model's samples are looked at, and what is said of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch

from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.archive.archive import Archive
from designloop.strategies.base import LATE, CampaignView, share_of_thought
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.health import SampleHealth


@dataclass
class Prior:
    """Draws benzene and what nobody can read, in turn."""

    asked: list[int] = field(default_factory=list)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def model(self) -> Prior:
        return self

    def propose(self, parents: object, n: int, rng: object) -> list[Candidate]:
        self.asked.append(n)
        return [Candidate("c1ccccc1" if place % 2 else "unreadable", "prior") for place in range(n)]


def health(prior: Prior, paid: int = 0) -> SampleHealth:
    campaign = CampaignView(
        seed=1,
        allowed=lambda candidates: [row for row in candidates if row.smiles == "c1ccccc1"],
        standard_forms=lambda smiles: smiles,
        load_model=lambda: pytest.fail("the prior has its own"),
        load_replay=lambda: pytest.fail("nothing is learned"),
    )
    return SampleHealth(campaign, prior, lambda archive: share_of_thought(paid, len(archive)))  # type: ignore[arg-type]


def told(number: int, rows: int = 20) -> ToldRound:
    scored = [
        Scored(Evaluation(Candidate("C" * (k + 1), "prior"), {"x": Result(0.5)}), {"x": 0.5}, 0.5) for k in range(rows)
    ]
    return ToldRound(number, scored, [], Archive(), Archive(), None)


@pytest.mark.parametrize(("paid", "rows", "every"), [(0, 20, 3), (0, 100, 1), (LATE, 20, 5), (100 * LATE, 20, 5)])
def test_it_is_looked_at_every_so_many_calls_and_less_often_in_a_long_campaign(
    paid: int, rows: int, every: int
) -> None:
    prior = Prior()
    of = health(prior, paid)
    looked = [number for number in range(1, 40) if of.learn(told(number, rows))]
    assert looked == list(range(1, 40, every))
    assert len(prior.asked) == len(looked)


def test_it_says_how_many_are_allowed_and_how_hard_they_are_to_make() -> None:
    metrics = health(Prior()).learn(told(1))
    assert metrics["prior_allowed"] == 0.5
    assert metrics["prior_sa"] == pytest.approx(1.0, abs=0.01), "benzene"
