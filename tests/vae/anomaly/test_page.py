from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("anomaly.md", tmp_path, monkeypatch, steps_and_rows_and_draws_and_side="25, 60, 8, 12")
    assert len(result["called"]) == 8
    assert (tmp_path / "anomaly.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "anomaly.png").stat().st_size < 200_000
