"""A laboratory that tells one property of a molecule after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from designloop import api
from designloop.loop.runner import build_strategy
from designloop.records import Candidate
from tests.laboratory import POTENCY, SOLUBILITY, rows, write_measured, write_results


def test_a_molecule_of_two_measured_properties_may_be_told_one_after_the_other(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = write_measured(tmp_path, tiny_model, measured=[POTENCY, SOLUBILITY])
    api.suggest(path, 2)
    api.tell(path, write_results(tmp_path / "a.csv", "id,potency", "M0001,6"))
    (row,) = rows(path)
    assert (row["status"], row["potency"], row["solubility"], row["score"]) == ("not_run", 6.0, None, None)
    told = api.tell(path, write_results(tmp_path / "b.csv", "id,solubility", "M0001,5"))
    assert (told.completed, told.corrected) == (["M0001"], [])
    (row,) = rows(path)
    assert (row["status"], row["potency"], row["solubility"]) == ("ok", 6.0, 5.0)
    assert row["score"] is not None
    assert api.status(path).calls == 1


def test_what_was_told_in_part_is_under_way_for_what_is_suggested_next(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_measured(tmp_path, tiny_model, measured=[POTENCY, SOLUBILITY])
    first = [item.candidate.smiles for item in api.suggest(path, 3).suggestions]
    header = "id,potency,solubility"
    api.tell(path, write_results(tmp_path / "a.csv", header, "M0001,6,5", "M0002,7,"))
    pending = list[list[str]]()

    def seen(campaign: Any, state: Any, allowed: Any, under_way: Sequence[Candidate] = ()) -> Any:
        pending.append([candidate.smiles for candidate in under_way])
        return build_strategy(campaign, state, allowed, under_way)

    monkeypatch.setattr("designloop.loop.laboratory.suggesting.build_strategy", seen)
    new = [item.candidate.smiles for item in api.suggest(path, 1).suggestions]
    assert pending == [first[1:]]
    assert new[0] not in first
    assert api.status(path).calls == 2, "one told in part is charged already"
