from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("planning.md", tmp_path, monkeypatch, steps_and_samples_and_pairs="20, 800, 1")
    assert len(result["paths"]) == 1
    assert (tmp_path / "planning.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "planning.png").stat().st_size < 200_000
