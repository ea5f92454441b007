from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("geometry.md", tmp_path, monkeypatch, steps_and_side_and_knots="60, 11, 4")
    assert result["curves"].lengths.shape == (6,)
    assert (tmp_path / "geometry.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "geometry.png").stat().st_size < 200_000
