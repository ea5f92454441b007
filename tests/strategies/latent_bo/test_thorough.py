"""How many free molecules latent Bayesian optimization breeds for each one paid for, early and late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from designloop.strategies.archive.archive import LIMIT, Archive
from designloop.strategies.base import SCORE_ALONE, CampaignView, KnownObjective, share_of_thought, unchanged
from designloop.strategies.latent_bo import Settings, build
from designloop.strategies.property_loss import EFFORT
from tests.tiny import tiny_corpus, tiny_vae

SEVERAL = KnownObjective(("a", "b"), (unchanged, unchanged), lambda rows: rows.mean(1))
FRONT = replace(SEVERAL, reference=(0.0, 0.0))


def bred(paid: int, **settings: Any) -> float:
    """Free molecules for one paid for, after so many."""
    view = CampaignView(
        seed=0,
        allowed=list,
        standard_forms=list,
        load_model=tiny_vae,
        load_replay=tiny_corpus,
        objective=settings.pop("objective", SEVERAL),
    )
    search: Any = build(Settings(dimensions=4, screen=False, **settings), view, None)
    search.learners["judged"]._paid = paid
    return float(search.breed.share(Archive(limit=LIMIT)) * search.breed.draws)


@pytest.mark.parametrize(
    ("settings", "early", "at_501", "late"),
    [
        ({}, 100, 40, 40 * share_of_thought(4000, 0)),
        ({"thorough": 0}, 40, 40, 40 * share_of_thought(4000, 0)),
        ({"thorough": 1000}, 100, 100, 40 * share_of_thought(4000, 0)),
        ({"thorough": 5000}, 100, 100, 100 * share_of_thought(4000, 0)),
        ({"objective": SCORE_ALONE}, 40, 40, 40 * share_of_thought(4000, 0)),
        ({"objective": FRONT}, 40, 40, 40 * share_of_thought(4000, 0)),
        ({"surrogate": "committee"}, 40, 40, 40 * share_of_thought(4000, 0)),
        ({"effort": "high"}, 100, 100, 100 * share_of_thought(4000, 0)),
        ({"effort": "low"}, 10, 10, 10 * share_of_thought(4000, 0)),
    ],
)
def test_the_first_molecules_are_thought_of_harder(
    settings: dict[str, Any], early: float, at_501: float, late: float
) -> None:
    found = [bred(paid, **dict(settings)) for paid in (0, 499, 501, 4000)]
    assert found == pytest.approx([early, early, at_501, late])
    assert EFFORT["high"].screened == EFFORT["normal"].screened, "of ZINC no less is looked at later"
