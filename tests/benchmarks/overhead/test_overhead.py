from __future__ import annotations

from collections import Counter
from pathlib import Path
from time import perf_counter

import pytest

from designloop.benchmarks import Options
from designloop.benchmarks.overhead import benchmark as overhead
from designloop.benchmarks.overhead import watched_run
from designloop.benchmarks.overhead.watched_run import PARTS, StateFile, WatchedRun
from designloop.loop.campaign.campaign import load_campaign
from designloop.loop.screening.screening import Screening

CAMPAIGNS = Path(__file__).parents[3] / "campaigns"

QUICKSTART = CAMPAIGNS / "quickstart.yaml"


def small(model: str, folder: Path) -> dict[str, object]:
    return {
        "model": model,
        "evaluation.backend": "inline",
        "budget.oracle_calls": 9,
        "batch_size": 3,
        "strategy": {"name": "random", "source": "zinc"},
        "output": str(folder / "campaign"),
        "ledger": str(folder / "ledger.sqlite"),
    }


def test_every_second_of_a_run_is_counted_to_one_part(model: str, tmp_path: Path) -> None:
    original = Screening.__call__
    began = perf_counter()
    watched = watched_run.watch_run(load_campaign(QUICKSTART, small(model, tmp_path)))
    elapsed = perf_counter() - began
    assert [len(smiles) for smiles in watched.scored] == [4, 3, 2], (
        "the four molecules that the quickstart starts from, and rounds of three"
    )
    assert len(watched.state_files) == 3
    for lap in watched.laps:
        assert lap.keys() <= set(PARTS)
        assert min(lap[part] for part in ("propose", "screening", "filters", "oracle", "commit")) > 0
    spent = sum(sum(lap.values()) for lap in watched.laps)
    assert 0.5 * elapsed < spent < elapsed
    assert all(count["screened"] >= 2 for count in watched.counts)
    assert Screening.__call__ is original, "what was timed is as it was before"


def watched() -> WatchedRun:
    """Two rounds of two molecules; the first one, which is left out, took long."""
    second = dict.fromkeys(PARTS, 0.001)
    return WatchedRun(
        laps=[{"rest": 100.0}, second],
        scored=[["C", "CC"], ["CCO", "CCN"]],
        counts=[Counter(), Counter(screened=4, pool_screened=6)],
        state_files=[StateFile(9.0, 1), StateFile(0.25, 2_000_000)],
    )


def test_times_are_for_each_molecule_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overhead, "parse_and_canonicalise_seconds", lambda smiles: 0.0002 * len(smiles))
    summary = overhead.summarise(watched())
    assert summary["scored"] == 2
    assert summary["ms_per_scored"] == pytest.approx(dict.fromkeys(PARTS, 0.5))
    assert summary["book_keeping_ms"] == pytest.approx(2.5)
    assert summary["book_keeping_multiple"] == pytest.approx(12.5)
    assert summary["model_ms"] == pytest.approx(1.0)
    assert summary["filters_ms_per_screened"] == pytest.approx(0.1)
    assert summary["state_file"] == {"ms_per_round": 250.0, "mb": 2.0}


def test_what_is_promised_is_judged_and_reported() -> None:
    results = {
        "campaign": "campaigns/quickstart.yaml", "calls": 200, "batch_size": 100, "workers": 2, "backend": "ray",
        **overhead.summarise(watched()), "memory": {"peak_gb": 2.5, "by_process_gb": {"python": 2.495, "sh": 0.005}},
    }  # fmt: skip
    results |= {"book_keeping_multiple": 9.0, "model_ms": 50.0}
    results["bars"] = overhead.judge(results)
    assert [criterion["holds"] for criterion in results["bars"]] == [True, False, True, None]
    assert overhead.judge({**results, "minutes": 5.5})[-1]["holds"] is False
    page = overhead.report(results)
    assert "| the whole campaign from the start of Python on, minutes | 5 |  | *pending* |" in page
    assert "| proposing and learning, ms | 40 | 50.000 | **no** |" in page
    assert "| memory of python at the peak, GB | 2.495 |" in page
    assert "memory of sh" not in page


def test_rdkit_is_timed_without_our_caches() -> None:
    first, second = (watched_run.parse_and_canonicalise_seconds(["CC(=O)Oc1ccccc1C(=O)O"] * 50) for _ in range(2))
    assert 0.1 < second / first < 10


def test_a_run_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way but the campaign: options in, memory of the child seen, results and bars out."""
    monkeypatch.setattr(overhead, "measure_run", hold_memory)
    results = overhead.run(Options(QUICKSTART, calls=300, work=tmp_path), lambda line: None)
    assert results["overrides"]["budget.oracle_calls"] == 300
    assert "evaluation.backend" not in results["overrides"], "the campaign's own"
    assert results["memory"]["peak_gb"] > 0.05
    assert 1.5 / 60 < results["minutes"] < 5
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def hold_memory(file: Path, overrides: dict[str, object]) -> dict[str, object]:
    """Stands for a campaign: 50 MB for a second."""
    from time import sleep

    block = bytearray(50_000_000)
    sleep(1.5)
    return {"overrides": overrides, "book_keeping_multiple": 1.0, "model_ms": 1.0, "held": len(block)}
