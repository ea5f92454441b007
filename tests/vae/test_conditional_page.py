from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run_example("conditional.md", tmp_path, monkeypatch, steps_and_each="30, 40")
    assert found["drawn"].shape == (240, 120)
    assert len(found["under"]) == 10
    assert (tmp_path / "conditional.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "conditional.png").stat().st_size < 200_000
