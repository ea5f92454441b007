from __future__ import annotations

from pathlib import Path

import pytest

from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("denoising.md", tmp_path, monkeypatch, steps_and_draws="5, 3")
    assert len(result["pictures"]) == 3
    assert (tmp_path / "denoising.png").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "denoising.png").stat().st_size < 200_000
