"""Searches of an earlier revision, run from a clone's history."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from designloop import api
from designloop.benchmarks.common import earlier
from designloop.benchmarks.common.sources import ROOT

CAMPAIGNS = ROOT / "campaigns"
SETTINGS = {"seed": 1, "budget.oracle_calls": 6, "evaluation.backend": "inline"}


def _has_history() -> bool:
    command = ["git", "-C", str(ROOT), "cat-file", "-e", f"{earlier.REVISION}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


with_history = pytest.mark.skipif(not _has_history(), reason="no clone with its whole history")


@with_history
def test_the_search_of_then_spends_the_calls_of_now_and_leaves_nothing(tmp_path: Path) -> None:
    found = [earlier.run_earlier("random", CAMPAIGNS / "latent_bo.yaml", SETTINGS, tmp_path) for _ in range(2)]
    assert found[0]["calls"] == 6
    assert {call["proposer"] for call in found[0]["top_10"]} == {"prior"}
    assert found[0]["top_10"] == found[1]["top_10"]
    assert not list(tmp_path.iterdir())


@with_history
def test_a_file_that_was_not_there_or_was_another_and_a_strategy_that_was_none_are_told(tmp_path: Path) -> None:
    with pytest.raises(api.InputError, match=r"has no campaigns/two_goals\.yaml"):
        earlier.run_earlier("random", CAMPAIGNS / "two_goals.yaml", SETTINGS, tmp_path)
    with pytest.raises(RuntimeError, match="ended with 1"):
        earlier.run_earlier("none_such", CAMPAIGNS / "latent_bo.yaml", SETTINGS, tmp_path)
    for name in ("latent_bo.yaml", "costly_oracle.py"):
        text = (CAMPAIGNS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text + "\n" * (name == "costly_oracle.py"), encoding="utf-8")
    with pytest.raises(api.InputError, match=r"costly_oracle\.py is not what it was at revision"):
        earlier.run_earlier("random", tmp_path / "latent_bo.yaml", SETTINGS, tmp_path)


def test_without_history_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(earlier, "ROOT", tmp_path)
    with pytest.raises(api.InputError, match="run in a clone with its whole history"):
        earlier.unpack(tmp_path / "code")
