"""Each campaign file that ships is run, with its own oracles and strategy and a small budget."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import designloop
from tests.services import scoring_service

FOLDER = Path(__file__).parent.parent / "campaigns"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with scoring_service() as url:
        yield url


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_a_campaign_that_ships_runs(file: Path, service: str, tmp_path: Path) -> None:
    campaign = designloop.load_campaign(file)
    started = len(campaign.starting())
    small: dict[str, object] = {
        "budget": {"oracle_calls": started + 16},
        "batch_size": 8,
        "evaluation.backend": "inline",
        "output": str(tmp_path / "results"),
        "ledger": str(tmp_path / "ledger.sqlite"),
    }
    if file.stem == "http_service":
        small["objective.properties.0.params.url"] = service
    outcome = designloop.run(designloop.load_campaign(file, small))
    assert outcome.summary.calls == started + 16
    assert not outcome.summary.failures
    assert outcome.best
    assert len(outcome.references) == len(campaign.references())
