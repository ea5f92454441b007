from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from designloop import vae
from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = run_example("core.md", tmp_path, monkeypatch, steps_and_draws="30, 10")
    assert found["filled"].shape == (8, 64)
    assert (tmp_path / "core.svg").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "core.svg").stat().st_size < 200_000


@pytest.mark.parametrize("folder", ["likelihoods", "priors"])
def test_every_likelihood_and_prior_stands_in_its_table(folder: str) -> None:
    page = (PAGES / "core.md").read_text("utf-8")
    for name in vae.__all__:
        one = getattr(vae, name)
        if (
            inspect.isclass(one)
            and one.__module__.startswith(f"designloop.vae.{folder}.")
            and "base" not in one.__module__
        ):
            assert f"\n| `{name}` |" in page
