from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("multimodal.md", tmp_path, monkeypatch, steps_and_draws="20, 5")
    assert result["chances"].shape == (500, 60)
    assert bool((result["said"]["both"].variance <= result["said"]["RNA"].variance).all())
    assert (tmp_path / "multimodal.svg").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "multimodal.svg").stat().st_size < 200_000
