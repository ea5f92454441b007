"""Each campaign file that ships is run, with its own oracles and strategy and a small budget."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

import designloop
from designloop import api
from tests.services import scoring_service

FOLDER = Path(__file__).parent.parent / "campaigns"


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with scoring_service() as url:
        yield url


IN_LABORATORY = {"assay"}
"""What no machine can run; `test_a_laboratory_in_the_loop_goes_round` suggests and tells."""


@pytest.mark.parametrize(
    "file",
    [file for file in sorted(FOLDER.glob("*.yaml")) if file.stem not in IN_LABORATORY],
    ids=lambda file: file.stem,
)
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


def test_a_laboratory_in_the_loop_goes_round(tiny_model: Path, tmp_path: Path) -> None:
    small = {
        "model": str(tiny_model),
        "strategy": {"name": "property_loss", "learning": {"steps": 0}, "proposers": ["mutation", "graph_mutation"]},
        "output": str(tmp_path / "results"),
        "ledger": str(tmp_path / "ledger.sqlite"),
        "budget.oracle_calls": 6,
    }
    campaign = designloop.load_campaign(FOLDER / "assay.yaml", small)
    fill_in = runpy.run_path(str(FOLDER / "simulated_assay.py"))["main"]
    for batch in range(2):
        todo, results = tmp_path / f"todo{batch}.csv", tmp_path / f"results{batch}.csv"
        suggested = api.suggest(campaign, 3, csv=todo)
        assert all(set(item.predicted) == {"score", "potency"} for item in suggested.suggestions)
        fill_in(todo, results)
        told = api.tell(campaign, results)
        assert (len(told.new), told.refused, told.pending) == (3, [], 0)
    summary = api.status(campaign)
    assert (summary.calls, summary.molecules, summary.failed) == (6, 36, 0)
    assert float(summary.rounds[0].metrics["potency_replicate_sd"]) > 0
    assert summary.end is not None
    assert summary.end.reason == "oracle_calls"
