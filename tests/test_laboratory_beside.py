"""What a laboratory's campaign keeps and shows beside its values: ids of suggestions, what proposing took, pictures."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from designloop import api
from designloop.tables import TableError, durable
from designloop.tables.suggestions import FILE
from tests.commands import succeeds
from tests.laboratory import rows, write_measured, write_results


@pytest.fixture
def campaign(tmp_path: Path, tiny_model: Path) -> Path:
    """Of which six molecules are suggested."""
    path = write_measured(tmp_path, tiny_model)
    api.suggest(path)
    return path


def test_what_suggesting_took_is_of_the_round_that_first_tells_of_its_batch(campaign: Path) -> None:
    api.suggest(campaign, 2)
    file = campaign.with_suffix("") / FILE
    seconds = durable.read_json(file)["seconds"]
    assert {batch: set(parts) for batch, parts in seconds.items()} == {"1": {"propose"}, "2": {"propose"}}
    api.tell(campaign, write_results(campaign.parent / "a.csv", "id,potency", "M0001,5"))
    api.tell(campaign, write_results(campaign.parent / "b.csv", "id,potency", "M0002,5", "M0007,6"))
    api.tell(campaign, write_results(campaign.parent / "c.csv", "id,potency", "M0003,5"))
    spent = [info.metrics.get("propose_seconds") for info in api.status(campaign).rounds]
    assert spent == [seconds["1"]["propose"], seconds["2"]["propose"], None]
    first, second, _ = (float(info.metrics["seconds"]) for info in api.status(campaign).rounds)
    assert first > seconds["1"]["propose"]
    assert second > seconds["2"]["propose"]


def test_fitting_and_choosing_are_told_where_a_surrogate_does(tmp_path: Path, tiny_model: Path) -> None:
    changes = {
        "starting_molecules": [f"{'C' * n}{end}" for n in range(8, 14) for end in "NO"],
        "filters": {"heavy_atoms": None, "alerts": None, "unstable": False},
        "strategy": {"name": "property_loss", "learning": {"steps": 0}, "proposers": ["mutation", "graph_mutation"]},
    }
    path = write_measured(tmp_path, tiny_model, changes)
    todo = [f"{item.id},{5 + k / 8}" for k, item in enumerate(api.suggest(path, 12).suggestions)]
    api.tell(path, write_results(tmp_path / "a.csv", "id,potency", *todo))
    chosen = api.suggest(path, 2).suggestions
    spent = durable.read_json(path.with_suffix("") / FILE)["seconds"]["2"]
    assert {"propose", "fit", "breed", "choose"} <= spent.keys()
    api.tell(path, write_results(tmp_path / "b.csv", "id,potency", f"{chosen[0].id},6"))
    api.tell(path, write_results(tmp_path / "c.csv", "id,potency", f"{chosen[1].id},6.5"))
    *_, second, third = (info.metrics for info in api.status(path).rounds)
    assert {name: second[f"{name}_seconds"] for name in spent} == spent
    assert not {f"{name}_seconds" for name in spent} & third.keys(), "learning fits again, and proposes nothing"


def test_what_was_measured_keeps_the_id_by_which_it_was_suggested(campaign: Path) -> None:
    assert [row["suggestion"] for row in rows(campaign)] == []
    told = write_results(campaign.parent / "r.csv", "id,potency", "M0002,6.0", "M0004,7", "M0001,5.5")
    assert "Pictures: best.svg, progress.svg in" in succeeds("tell", campaign, told)
    assert [(row["id"], row["suggestion"]) for row in rows(campaign)] == [
        ("small-1", "M0001"), ("small-2", "M0002"), ("small-3", "M0004"),
    ]  # fmt: skip
    first = campaign.parent / "best.csv"
    assert "suggestion" in succeeds("top", campaign, "--csv", first)
    with first.open(newline="") as file:
        written = list(csv.DictReader(file))
    of_rows = {row["smiles"]: row["suggestion"] for row in rows(campaign)}
    assert {row["smiles"]: row["suggestion"] for row in written} == of_rows
    answer = api.open_candidates(campaign.with_suffix("")).query("SELECT suggestion FROM candidates WHERE potency = 7")
    assert answer.to_pylist() == [{"suggestion": "M0004"}]


def test_suggestions_of_a_later_release_keep_nobody_from_reading_the_table(campaign: Path) -> None:
    api.tell(campaign, write_results(campaign.parent / "a.csv", "id,potency", "M0001,5"))
    file = campaign.with_suffix("") / FILE
    body = durable.read_json(file)
    body["suggestions"][0]["colour"] = "blue"
    durable.publish_json(file, body)
    assert [(row["potency"], row["suggestion"]) for row in rows(campaign)] == [(5.0, None)]
    assert any("cannot read" in remark and "by which id" in remark for remark in api.status(campaign).remarks)
    assert [molecule.suggestion for molecule in api.top(campaign)[0]] == [None]
    with pytest.raises(TableError, match="Use the release of designloop that wrote it"):
        api.suggest(campaign, 1)


def test_a_disk_that_takes_no_picture_keeps_nobody_from_hearing_what_was_told(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> list[Path]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("designloop.report.drawing.write_pictures", full)
    with pytest.raises(TableError, match="pictures"):
        api.tell(campaign, write_results(campaign.parent / "a.csv", "id,potency", "M0001,5", "M9999,7"))
    log = (campaign.with_suffix("") / "campaign.log").read_text()
    assert "refused line 3 (M9999)" in log
    assert "1 new" in log
    assert api.status(campaign).calls == 1
