from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("conditional.md", tmp_path, monkeypatch, steps_and_cells_a_type="30, 40")
    assert result["drawn"].shape == (240, 120)
    assert len(result["under"]) == 10
    assert (tmp_path / "conditional.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "conditional.png").stat().st_size < 200_000
