from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("imputation.md", tmp_path, monkeypatch, steps_and_draws="5, 10")
    assert result["completed"].shape == (200, 3)
    assert (tmp_path / "imputation.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "imputation.png").stat().st_size < 200_000
