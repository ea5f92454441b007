"""`designloop suggest` and `designloop tell`: the loop with a laboratory in it."""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designloop import api
from designloop.api.inputs import InputError
from designloop.loop.laboratory.readings import ledger_key
from designloop.records import Origin
from designloop.tables import QueryError, TableError, durable
from designloop.tables.ledger import Ledger
from designloop.tables.suggestions import FILE, read_suggestions, write_suggestions
from tests.campaigns import write_campaign
from tests.commands import designloop_, fails, succeeds, told_rows
from tests.laboratory import POTENCY, rows, write_measured, write_results


@pytest.fixture(scope="module")
def suggested(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> tuple[Path, api.Suggested]:
    """A campaign with six suggestions, of which nothing was told; tests take a copy."""
    folder = tmp_path_factory.mktemp("suggested")
    path = write_measured(folder, tiny_model)
    return path, api.suggest(path, csv=folder / "todo.csv")


@pytest.fixture
def campaign(tmp_path: Path, suggested: tuple[Path, api.Suggested]) -> Path:
    folder = tmp_path / "copy"
    shutil.copytree(suggested[0].parent, folder)
    return folder / suggested[0].name


def test_what_is_suggested_is_new_pending_and_charged_to_nothing(
    campaign: Path, suggested: tuple[Path, api.Suggested]
) -> None:
    first = suggested[1]
    assert [item.id for item in first.suggestions] == [f"M000{number}" for number in range(1, 7)]
    second = api.suggest(campaign, 3)
    forms = [item.candidate.smiles for item in (*first.suggestions, *second.suggestions)]
    assert len(set(forms)) == 9
    summary = api.status(campaign)
    assert (summary.calls, [item.candidate.smiles for item in summary.pending]) == (0, forms)
    with (campaign.parent / "todo.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [(row["id"], row["smiles"]) for row in written] == [
        (f"small-{item.id}", item.candidate.smiles) for item in first.suggestions
    ], "with its campaign's name, as a file is told to one of several"
    assert {(row["potency"], row["failed"], row["proposer"]) for row in written} == {("", "", "file")}


def test_told_results_are_a_round_with_the_mean_of_replicates_beside_what_is_computed(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = told_rows(monkeypatch)
    results = write_results(
        campaign.parent / "results.csv", "id,potency,failed", "M0002,6.0,", "M0004,,could not be made", "M0002,7.0,",
        "M0001,5.5,", "M0003,,",
    )  # fmt: skip
    told = api.tell(campaign, results)
    assert (told.new, told.blank, told.pending, told.rounds) == (["M0001", "M0002", "M0004"], 1, 3, [1])
    counts = [tuple(result.readings for result in row.evaluation.results.values()) for row in heard]
    assert counts == [(0, 1), (0, 2), (0, 0)], "carbons are computed; two readings, one, and a failure"
    table = rows(campaign)
    assert [row["potency"] for row in table] == [5.5, 6.5, None]
    assert [row["status"] for row in table] == ["ok", "ok", "failed"]
    assert [row["call"] for row in table] == [1, 2, 3]
    assert [row["carbons"] for row in table] == [row["smiles"].upper().count("C") / 10 for row in table]
    carbons, potency = table[1]["carbons_desirability"], table[1]["potency_desirability"]
    assert potency == pytest.approx((6.5 - 4) / 4)
    assert table[1]["score"] == pytest.approx((carbons * potency) ** 0.5)
    summary = api.status(campaign)
    assert summary.rounds[-1].metrics["potency_replicate_sd"] == pytest.approx(0.5**0.5)
    (failure,) = summary.failures
    assert (failure.property, failure.molecules) == ("potency", 1)
    assert "could not be made" in failure.examples[0]
    assert [item.id for item in summary.pending] == ["M0003", "M0005", "M0006"]
    assert {path.name for path in told.pictures} == {"best.svg", "progress.svg"}
    assert all(path.is_file() and path.parent == told.folder for path in told.pictures)
    (line,) = summary.replicates
    assert line.startswith(
        "potency: 1 molecule was measured more than once (2 values, of which the table has the means)"
    )
    assert "the pooled sd of one value is 0.71" in succeeds("status", campaign)


def test_the_ledger_keeps_what_was_told_and_a_correction_as_the_last_word(campaign: Path) -> None:
    api.tell(campaign, write_results(campaign.parent / "a.csv", "id,potency", "M0001,5", "M0001,7", "M0002,4"))
    api.tell(campaign, write_results(campaign.parent / "b.csv", "id,potency", "M0002,4.5"))
    loaded = api.load_campaign(campaign)
    key = ledger_key(loaded.oracles["potency"], "potency")
    with Ledger(loaded.ledger_path, api.open_candidates(loaded.output_folder).campaigns()[0].record.id) as ledger:
        kept = ledger.known(key, [row["smiles"] for row in rows(campaign)])
        runs = [run for run in ledger.runs() if run.fingerprint == key]
    assert [result.value for result in kept.values()] == [{"mean": 6.0, "sd": pytest.approx(2**0.5), "n": 2.0}, 4.5]
    assert len(runs) == 3


def test_a_correction_supersedes_visibly_and_charges_nothing(campaign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = campaign.parent
    api.tell(campaign, write_results(folder / "a.csv", "id,potency", "M0001,7.9", "M0002,5"))
    best, heard = api.status(campaign).best, told_rows(monkeypatch)
    told = api.tell(
        campaign, write_results(folder / "b.csv", "id,potency,failed", "M0001,5.1,", "M0003,6,", "M0002,5,")
    )
    assert [row.is_charged for row in heard] == [True, False], "of the new one, and of the corrected one"
    assert [row.scored_before for row in heard] == [False, True]
    assert (told.new, told.corrected, told.repeated, told.rounds) == (["M0003"], ["M0001"], ["M0002"], [2, 3])
    summary = api.status(campaign)
    assert [info.kind for info in summary.rounds] == ["round", "round", "amendment"]
    assert (summary.calls, summary.failed) == (3, 0)
    assert {row["smiles"]: row["potency"] for row in rows(campaign)} == {
        item["smiles"]: value for item, value in zip(rows(campaign), (5.1, 5.0, 6.0), strict=True)
    }
    assert best is not None
    assert summary.best == max(row["score"] for row in rows(campaign)) != best, "the best fell with the correction"
    (sentence,) = summary.corrections
    assert "potency of" in sentence
    assert "is 5.1, and was 7.9" in sentence
    assert sentence in succeeds("status", campaign)
    withdrawn = api.tell(campaign, write_results(folder / "c.csv", "id,failed", "M0001,the sample was impure"))
    assert withdrawn.corrected == ["M0001"]
    assert api.status(campaign).failed == 1
    assert [row["score"] is None for row in rows(campaign)] == [True, False, False]
    api.tell(campaign, write_results(folder / "d.csv", "id,potency", "M0001,5.2"))
    told_again = [(row.told_before, row.scored_before) for row in heard[2:]]
    assert told_again == [(True, True), (True, False)], "withdrawn, and given a value after all"


REFUSED = {
    "M0099,,5.0,": "no suggestion 'M0099'",
    "M0001,CCO,5.0,": "M0001 was suggested as",
    ",c1ccccc1CC1CC1CCCCC,5.0,": "was never suggested by this campaign",
    "M0001,not a molecule,5.0,": "is no molecule",
    ",,5.0,": "neither an id nor a structure",
    "M0001,,<5,": "a bound and no value",
    "M0001,,nan,": "expected a finite number",
    "M0001,,1e999,": "expected a finite number",
    "M0001,,-1e308,": "expected a number from -1e+100 to 1e+100",
    'M0001,,"5,2",': "with a decimal point: write 5.2;",
    "M0001,,5.2 uM,": "the number alone, in the unit of all the others",
    "M0001,,70%,": "the number alone",
    "M0001,,six,": "expected a finite number",
    "M0001,,5,2,7": "5 cells, expected 4",
    "M0001,,5.0,precipitated": "says that there is none",
}


def test_rows_that_do_not_match_are_refused_one_by_one_with_the_reason(campaign: Path) -> None:
    results = write_results(campaign.parent / "r.csv", "id,smiles,potency,failed", *REFUSED, "M0005,,6.5,")
    told = api.tell(campaign, results)
    assert told.new == ["M0005"]
    assert [refused.line for refused in told.refused] == list(range(2, 2 + len(REFUSED)))
    for refused, reason in zip(told.refused, REFUSED.values(), strict=True):
        assert reason in str(refused)
    assert [row["potency"] for row in rows(campaign)] == [6.5]
    done = designloop_("tell", campaign, results)
    assert done.exit_code == 2
    assert "line 2 (M0099): there is no suggestion 'M0099'" in done.stdout


@pytest.mark.parametrize("mark", ["\u2028", "\x0b", "\x85", "\n"])
def test_a_cell_may_hold_whatever_some_take_for_the_end_of_a_line(mark: str, campaign: Path) -> None:
    results = write_results(campaign.parent / "r.csv", "id,potency,failed", f'M0001,,"no{mark}yield"', "M0002,5,")
    told = api.tell(campaign, results)
    assert (told.new, told.refused) == (["M0001", "M0002"], [])
    (failure,) = api.status(campaign).failures
    assert f"no{mark}yield" in failure.examples[0]


def test_a_value_in_another_unit_is_taken_and_told(tmp_path: Path, tiny_model: Path) -> None:
    path = write_measured(tmp_path, tiny_model, {"batch_size": 10})
    api.suggest(path)
    lines = [f"M{number:04},{5 + number / 10}" for number in range(1, 10)]
    assert api.tell(path, write_results(tmp_path / "a.csv", "id,potency", *lines)).remarks == []
    results = write_results(tmp_path / "b.csv", "id,potency", "M0010,250")
    said = succeeds("tell", path, results)
    assert "Note: potency of M0010 (250) lies far from the 9 measured before (5.1 to 5.9)" in said
    assert rows(path)[-1]["potency"] == 250.0
    assert api.tell(path, results).remarks == [], "what was told before is said once"


UNREADABLE = {
    "": "lacks a header",
    "potency\n5\n": "expected a column 'id', or 'smiles', or both",
    "id,note\nM0001,good\n": "expected a column 'potency' or 'failed'",
    "id,potency,Potency\nM0001,5,6\n": "two columns 'potency'",
}


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused_in_words(campaign: Path, text: str) -> None:
    results = campaign.parent / "r.csv"
    results.write_text(text)
    assert UNREADABLE[text] in fails(2, "tell", campaign, results)
    results.write_bytes(b"id,potency\nM0001,\xff\n")
    assert "no text in UTF-8" in fails(2, "tell", campaign, results)
    assert "cannot be read" in fails(2, "tell", campaign, campaign.parent / "none.csv")
    assert api.status(campaign).calls == 0


def test_the_file_that_was_written_comes_back_filled_in_from_a_spreadsheet(campaign: Path) -> None:
    text = (campaign.parent / "todo.csv").read_text()
    header, *lines = [line.split(",") for line in text.splitlines()]
    place = header.index("potency")
    for number, line in enumerate(lines):
        line[place] = str(5 + number / 10)
    header[place] = "Potency"
    filled = campaign.parent / "filled.csv"
    filled.write_text("\ufeff" + "\r\n".join(";".join(cells) for cells in [header, *lines]) + "\r\n\r\n")
    told = api.tell(campaign, filled)
    assert (len(told.new), told.refused, told.pending) == (6, [], 0)
    assert [row["potency"] for row in rows(campaign)] == [5 + number / 10 for number in range(6)]


def test_no_more_is_suggested_than_can_be_paid_for_and_a_failure_is_paid_for(tmp_path: Path, tiny_model: Path) -> None:
    path = write_measured(tmp_path, tiny_model, {"budget.oracle_calls": 4}, measured=[POTENCY])
    assert len(api.suggest(path, 3).suggestions) == 3
    rest = api.suggest(path, 3)
    assert len(rest.suggestions) == 1
    assert "3 wait for results" in rest.remark
    fails(3, "suggest", path, "-n", 1)
    lines = [f"M000{number},not made" for number in range(1, 5)]
    assert api.tell(path, write_results(tmp_path / "r.csv", "id,failed", *lines)).pending == 0
    summary = api.status(path)
    assert (summary.calls, summary.failed) == (4, 4)
    assert summary.end is not None
    assert summary.end.reason == "oracle_calls"
    assert "has ended" in api.suggest(path, 1).remark


class Stop(BaseException):
    """The world ends here."""


class World:
    """The operating system as the durable files see it, which ends at a step: a rename, a removal or an fsync."""

    def __init__(self, ends_at: int | None = None) -> None:
        self.steps, self._ends_at = 0, ends_at

    def __getattr__(self, name: str) -> Any:
        if name in ("replace", "fsync", "unlink"):
            self.steps += 1
            if self.steps == self._ends_at:
                raise Stop
        return getattr(os, name)


def test_a_call_that_is_cut_off_at_any_step_and_given_again_leaves_the_same_table(
    tmp_path: Path, campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.tell(campaign, write_results(campaign.parent / "a.csv", "id,potency", "M0001,5", "M0002,7"))
    results = write_results(campaign.parent / "b.csv", "id,potency", "M0002,6.5", "M0003,4.5")

    def both(path: Path) -> tuple[str, list[str]]:
        """Tells and suggests."""
        api.tell(path, path.parent / results.name)
        if len(api.status(path).pending) == 3:
            api.suggest(path, 2)
        return api.status(path).digest, [item.candidate.smiles for item in api.status(path).pending]

    def copy(name: str) -> Path:
        shutil.copytree(campaign.parent, tmp_path / name)
        return tmp_path / name / campaign.name

    with monkeypatch.context() as patched:
        patched.setattr(durable, "os", world := World())
        expected = both(copy("straight"))
    assert world.steps > 20
    for step in range(1, world.steps + 1, 6):
        path = copy(f"stopped{step}")
        with monkeypatch.context() as patched:
            patched.setattr(durable, "os", World(step))
            with pytest.raises(Stop):
                both(path)
        assert both(path) == expected, f"stopped at step {step} of {world.steps}"


def test_a_damaged_file_of_suggestions_is_told_and_stops_what_would_write(campaign: Path) -> None:
    file = campaign.with_suffix("") / FILE
    file.write_bytes(file.read_bytes().replace(b"M0001", b"M0007"))
    assert any("what is pending is not known" in remark for remark in api.status(campaign).remarks)
    with pytest.raises(TableError, match="damaged or was edited"):
        api.suggest(campaign, 1)
    with pytest.raises(TableError, match="damaged or was edited"):
        api.tell(campaign, campaign.parent / "todo.csv")


def test_pending_suggestions_are_written_again_and_no_file_is_overwritten(campaign: Path) -> None:
    again = campaign.parent / "again.csv"
    printed = succeeds("suggest", campaign, "--pending", "--csv", again)
    assert "6 suggestions are pending" in printed
    assert again.read_text() == (campaign.parent / "todo.csv").read_text()
    assert "may hold results" in fails(2, "suggest", campaign, "--csv", again)
    assert len(api.status(campaign).pending) == 6, "nothing was chosen for a file that cannot be written"


def test_run_and_retry_say_that_a_laboratory_is_needed_and_suggest_that_none_is(
    tmp_path: Path, campaign: Path, tiny_model: Path
) -> None:
    for command in ("run", "retry"):
        assert "`designloop suggest small.yaml` says what to measure" in fails(2, command, campaign)
    assert "designloop suggest goes on with it" in succeeds("status", campaign)
    computed = write_campaign(tmp_path, tiny_model)
    with pytest.raises(InputError, match="no property of small is measured"):
        api.suggest(computed)
    with pytest.raises(InputError, match="found n=0, expected a whole number from 1 to 10,000,000"):
        api.suggest(campaign, 0)
    unasked = write_measured(tmp_path, tiny_model)
    with pytest.raises(QueryError, match="designloop suggest"):
        api.tell(unasked, tmp_path / "results.csv")


def test_the_users_own_molecules_are_suggested_first(tmp_path: Path, tiny_model: Path) -> None:
    own = ["CCCCCCCCCCN", "CCCCCCCCCCCO", "CCCCCCCCCCCCF"]
    changes = {"starting_molecules": own, "filters": {"heavy_atoms": None, "alerts": None, "unstable": False}}
    path = write_measured(tmp_path, tiny_model, changes)
    first, second = api.suggest(path, 2), api.suggest(path, 2)
    assert [item.candidate.written for item in (*first.suggestions, *second.suggestions)] == [*own, None]


def test_a_withdrawn_molecule_is_not_bred_from(tmp_path: Path, tiny_model: Path) -> None:
    own = ["CCCCCCCCCCN", "CCCCCCCCCCCO", "CCCCCCCCCCCCF"]
    changes = {
        "starting_molecules": own,
        "filters": {"heavy_atoms": None, "alerts": None, "unstable": False},
        "strategy": {"name": "property_loss", "learning": {"steps": 0}, "proposers": ["mutation", "graph_mutation"]},
    }
    path = write_measured(tmp_path, tiny_model, changes)
    api.suggest(path, 3)
    api.tell(path, write_results(tmp_path / "a.csv", "id,potency", "M0001,7", "M0002,5", "M0003,6"))
    api.tell(path, write_results(tmp_path / "b.csv", "id,failed", "M0001,impure"))
    parents = {parent for item in api.suggest(path, 6).suggestions for parent in item.candidate.parents}
    assert parents
    assert parents <= {*own[1:]}


def test_a_strategy_is_told_where_the_model_wrote_what_was_measured(
    campaign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, heard = campaign.with_suffix(""), told_rows(monkeypatch)
    file = durable.read_json(folder / FILE)
    origin = Origin(np.array([0.5, -1.5], dtype=np.float32), 0.7)
    written = [
        replace(item, candidate=replace(item.candidate, origin=origin))
        for item in read_suggestions(folder, file["campaign"])
    ]
    write_suggestions(folder, file["campaign"], written)
    api.suggest(campaign, 1)  # which writes all of them again
    api.tell(campaign, write_results(campaign.parent / "a.csv", "id,potency", "M0001,5", "M0007,6"))
    api.tell(campaign, write_results(campaign.parent / "b.csv", "id,potency", "M0001,7"))
    first, unwritten, corrected = (row.candidate.origin for row in heard)
    assert unwritten is None
    for told in (first, corrected):
        assert told is not None
        assert (told.latent.tolist(), told.noise) == ([0.5, -1.5], 0.7)


def test_of_a_strategy_that_foresees_nothing_that_is_said(campaign: Path) -> None:
    lines = [f"M{number:04},{5 + number / 10}" for number in range(1, 7)]
    api.tell(campaign, write_results(campaign.parent / "r.csv", "id,potency", *lines))
    todo = campaign.parent / "next.csv"
    assert "±" not in succeeds("suggest", campaign, "-n", 2, "--csv", todo)
    with todo.open(newline="") as file:
        written = list(csv.DictReader(file))
    measured = {row["smiles"] for row in rows(campaign)}
    assert [row["why"] for row in written] == ["the strategy random foresees nothing"] * 2
    for row in written:
        assert row["nearest"] in measured
        assert 0 <= float(row["similarity"]) < 1
