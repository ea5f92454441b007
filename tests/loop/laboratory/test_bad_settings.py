"""Whatever a laboratory's campaign is asked ends in a clear message or a sane step, and nothing chosen is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from designloop import api
from designloop.api.inputs import InputError
from designloop.molecules.corpus import zinc
from tests.commands import fails
from tests.laboratory import rows, write_measured, write_results


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A campaign with four suggestions, of which nothing was told; its oracle has no value for amides and amines."""
    folder = tmp_path_factory.mktemp("begun")
    path = write_measured(folder, tiny_model, {"batch_size": 4, "objective.properties.0.params": {"fails": "N"}})
    drawn = [smiles for smiles in zinc()[:400] if "N" in smiles and "+" not in smiles and "-]" not in smiles]
    (folder / "molecules.smi").write_text("\n".join(drawn[:60]) + "\n")
    api.suggest(path)
    return path


@pytest.fixture
def campaign(tmp_path: Path, begun: Path) -> Path:
    shutil.copytree(begun.parent, tmp_path / "copy")
    return tmp_path / "copy" / begun.name


def test_a_file_that_can_lie_nowhere_is_refused_before_anything_is_chosen(campaign: Path) -> None:
    nowhere = campaign.parent / "none" / "todo.csv"
    assert "there is no folder" in fails(2, "suggest", campaign, "--csv", nowhere)
    assert "there is no folder" in fails(2, "suggest", campaign, "--pending", "--csv", nowhere)
    assert len(api.status(campaign).pending) == 4


def test_where_the_file_cannot_be_written_what_was_chosen_is_pending_and_that_is_said(campaign: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be written \(File name too long\)") as caught:
        api.suggest(campaign, 2, csv=campaign.parent / f"{'x' * 300}.csv")
    advice = "6 suggestions are pending: `designloop suggest small.yaml --pending --csv FILE` writes them"
    assert str(caught.value).endswith(advice)
    assert len(api.pending(campaign, csv=campaign.parent / "todo.csv").suggestions) == 6


def test_a_campaign_of_which_every_computed_value_fails_goes_on_round_after_round(campaign: Path) -> None:
    for number in range(1, 5):
        results = write_results(campaign.parent / "r.csv", "id,potency", f"M000{number},{4 + number}")
        assert api.tell(campaign, results).rounds == [number]
    assert {row["status"] for row in rows(campaign)} == {"failed"}
    assert [row["potency"] for row in rows(campaign)] == [5.0, 6.0, 7.0, 8.0]
    assert len(api.suggest(campaign, 2).suggestions) == 2
    (failure,) = api.status(campaign).failures
    assert (failure.property, failure.molecules) == ("carbons", 4)


def test_what_was_measured_counts_although_the_budget_was_lowered_below_it(campaign: Path) -> None:
    campaign.write_text(campaign.read_text().replace("oracle_calls: 30", "oracle_calls: 2"))
    assert "2 oracle calls, of which 0 are spent and 4 wait for results" in api.suggest(campaign).remark
    told = api.tell(campaign, write_results(campaign.parent / "r.csv", "id,potency", "M0001,5", "M0002,6", "M0003,7"))
    assert (len(told.new), told.pending) == (3, 1)
    summary = api.status(campaign)
    assert summary.end is not None
    assert (summary.end.reason, summary.calls) == ("oracle_calls", 3)
