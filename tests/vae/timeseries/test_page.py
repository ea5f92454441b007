from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("timeseries.md", tmp_path, monkeypatch, days_and_steps_and_particles="200, 5, 100")
    assert result["ahead"].shape == (4000, 60)
    assert (tmp_path / "timeseries.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "timeseries.png").stat().st_size < 200_000
