from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from designloop import vae
from tests.vae.pages import PAGES, run_example


def test_the_example_runs_and_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_example("core.md", tmp_path, monkeypatch, steps_and_draws="30, 10", epochs="2")
    assert result["filled"].shape == (8, 64)
    assert set(result["whole"]["ward"]) == {"A", "B", "C"}
    assert len(result["surprise"]) == 400
    assert (tmp_path / "core.svg").stat().st_size > 10_000
    assert 1000 < (PAGES / "pictures" / "core.svg").stat().st_size < 200_000


@pytest.mark.parametrize("folder", ["likelihoods", "priors"])
def test_every_likelihood_and_prior_stands_in_its_table(folder: str) -> None:
    page = (PAGES / "core.md").read_text("utf-8")
    for name in vae.__all__:
        value = getattr(vae, name)
        if (
            inspect.isclass(value)
            and value.__module__.startswith(f"designloop.vae.{folder}.")
            and "base" not in value.__module__
        ):
            assert f"\n| `{name}` |" in page
