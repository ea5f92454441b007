from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("causal.md", tmp_path, monkeypatch, steps_and_count="20, 1000")
    assert result["changed"].shape == (5, 1000, 5)
    assert (tmp_path / "causal.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "causal.png").stat().st_size < 200_000
