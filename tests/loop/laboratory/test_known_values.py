"""Values that were measured before a campaign: read, refused in words, kept as knowledge, learned from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designloop import api
from designloop.loop.campaign.campaign import CampaignError, load_campaign
from designloop.loop.campaign.known_values import (
    Reading,
    UnusableValue,
    ValueColumns,
    describe_readings,
    find_mixed_kinds,
    merged,
    noise_of,
    number_in,
)
from designloop.loop.laboratory.readings import ledger_key
from designloop.molecules.chemistry import fingerprints, tanimoto
from designloop.molecules.corpus import zinc
from designloop.report.top import top_molecules
from designloop.tables.ledger import Ledger
from tests.campaigns import write_campaign
from tests.commands import succeeds

POTENCY = {"name": "potency", "oracle": "measured", "transform": {"type": "linear", "low": 4, "high": 8}}

KNOWN = [smiles for smiles in zinc()[500:600] if "+" not in smiles and "-]" not in smiles][:14]
"""Measured molecules, of which the last is left without a value."""

LINES = [f"{smiles},{4.5 + 0.2 * place:.1f},0.{place + 10}" for place, smiles in enumerate(KNOWN[:-1])]
TABLE = ["smiles,pIC50,carbons", *LINES, f"{KNOWN[2]},5.9,", f"{KNOWN[-1]},,"]
"""The third is measured twice: 4.9 and 5.9."""

FREE = {
    "filters": {"heavy_atoms": None, "alerts": None, "unstable": False, "known_rings": None, "known_groups": None},
    "strategy": {"name": "property_loss", "learning": {"steps": 0}, "proposers": ["mutation", "graph_mutation"]},
}


def write_assay(
    folder: Path, model: Path, changes: Mapping[str, Any] | None = None, lines: Sequence[str] = TABLE
) -> Path:
    """A campaign of a measured property that starts from a table of values."""
    (folder / "assay.csv").write_text("\n".join(lines) + "\n")
    starting = {"file": "assay.csv", "values": {"potency": "pIC50"}}
    given = {"objective": {"properties": [POTENCY]}, "starting_molecules": starting, "batch_size": 4, **FREE}
    return write_campaign(folder, model, {**given, "budget.oracle_calls": 20, **(changes or {})}, name="assay")


def rows(path: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = api.open_candidates(path.with_suffix("")).to_arrow().to_pylist()
    return table


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A campaign that has suggested twice without being told anything; tests take a copy."""
    path = write_assay(tmp_path_factory.mktemp("begun"), tiny_model)
    api.suggest(path, 4)
    api.suggest(path, 4)
    return path


@pytest.fixture
def campaign(tmp_path: Path, begun: Path) -> Path:
    shutil.copytree(begun.parent, tmp_path / "copy")
    return tmp_path / "copy" / begun.name


UNUSABLE = {
    ">10": "a bound and no value",
    "< 5": "a bound and no value",
    "≤5": "a bound and no value",
    "n.d.": "expected a finite number",
    "5,2": "with a decimal point: write 5.2;",
    "70 nM": "the number alone, in the unit of all the others",
    "inf": "expected a finite number",
    "nan": "expected a finite number",
    "1.1e100": "expected a number from",
}


@pytest.mark.parametrize("cell", UNUSABLE)
def test_a_cell_without_a_number_is_refused_with_the_reason(cell: str) -> None:
    columns = ValueColumns({"potency": "pIC50"})
    with pytest.raises(UnusableValue, match=UNUSABLE[cell]):
        columns.read({"pIC50": cell})
    assert columns.read({"pIC50": " "}) == {}
    assert columns.read({"pIC50": " 5.25 "}) == {"potency": Reading((5.25,))}


def test_a_bound_is_a_failure_where_that_is_asked_for_and_a_value_beside_it_counts() -> None:
    columns = ValueColumns({"potency": "pIC50"}, take_censored=True)
    bound = columns.read({"pIC50": ">10"})
    assert bound["potency"].failure == "censored: >10"
    assert bound["potency"].result(0).status == "failed"
    assert merged([bound, columns.read({"pIC50": "9.5"})]) == {"potency": Reading((9.5,))}


RELATIONS = [
    ({"Standard Value": "31", "Standard Relation": "'>'"}, "Standard Value", ">"),
    ({"Standard Value": "31", "Standard Relation": "'>='"}, "Standard Value", ">="),
    ({"Standard Value": "31", "Standard Relation": "'<<'"}, "Standard Value", "<<"),
    ({"IC50": "31", "IC50_qualifier": "<"}, "IC50", "<"),
    ({"IC50": "31", "Operator": "~"}, "IC50", "~"),
    ({"Standard Value": "31", "Standard Relation": "'='"}, "Standard Value", None),
    ({"Standard Value": "31", "Standard Relation": ""}, "Standard Value", None),
    ({"IC50": "31", "IC50 relation": "=", "Relation": ">"}, "IC50", None),
    ({"IC50": "31", "Ki relation": ">"}, "IC50", None),
    ({"IC50": "31", "Relation": "agonist"}, "IC50", None),
]
"""A row as people's files have it, the column of its value, and the sign that makes that a bound."""


@pytest.mark.parametrize(("cells", "column", "sign"), RELATIONS)
def test_a_sign_in_a_column_of_its_own_makes_a_bound(cells: dict[str, str], column: str, sign: str | None) -> None:
    columns = ValueColumns({"potency": column})
    if sign is None:
        assert columns.read(cells) == {"potency": Reading((31.0,))}
        return
    with pytest.raises(UnusableValue, match=f"is '31' with '{sign}' under .*, a bound and no value"):
        columns.read(cells)
    taken = ValueColumns({"potency": column}, take_censored=True).read(cells)
    assert taken["potency"].failure == f"censored: {sign}31"


def test_values_of_several_units_or_types_are_told() -> None:
    columns = {
        "Smiles": ["C", "CC", "CCC", "CCCC"],
        "Standard Value": ["1", "2", "3", ""],
        "Standard Units": ["nM", "nM", "ug.mL-1", "%"],
        "Standard Type": ["IC50", "IC50", "IC50", "Ki"],
    }
    (sentence,) = find_mixed_kinds(ValueColumns({"potency": "Standard Value"}), columns)
    assert "potency (Standard Value) stand under several Standard Units: nM 2, ug.mL-1 1;" in sentence
    assert find_mixed_kinds(ValueColumns({"potency": "Smiles"}), columns) == []


def test_a_column_in_another_unit_than_the_transform_is_remarked(tmp_path: Path, tiny_model: Path) -> None:
    in_nm = [f"{smiles},{10 ** (9 - 4.5 - 0.2 * place):.3f},0.1" for place, smiles in enumerate(KNOWN)]
    (tmp_path / "nm").mkdir()
    remarked = succeeds("validate", write_assay(tmp_path / "nm", tiny_model, None, [TABLE[0], *in_nm]))
    assert "0 have desirability 0 and 14 have 1; is the column in the unit of the transform?" in remarked
    plain = succeeds("validate", write_assay(tmp_path, tiny_model))
    assert "the unit of the transform?" not in plain
    assert "Measured in a laboratory, so nothing is tried: potency" in plain
    assert "Ready: designloop suggest" in plain
    assert "costly" not in plain


def test_score_takes_what_is_known_for_what_is_measured(campaign: Path) -> None:
    known, strange = api.score(campaign, [KNOWN[1], "c1ccccc1O"])
    assert known.scored.evaluation.results["potency"].value == pytest.approx(4.7)
    assert known.scored.score == pytest.approx((4.7 - 4) / 4)
    assert strange.scored.score is None
    assert strange.failures() == ["potency not_run: not measured yet"]


def test_a_column_that_is_not_there_is_the_only_thing_told_of_a_file(tmp_path: Path, tiny_model: Path) -> None:
    starting = {"file": "assay.csv", "values": {"potency": "IC50"}, "skip_bad": True}
    lines = ["smiles,b,a,d,c", "CCO,1,2,3,4", "nothing,1,2,3,4"]
    with pytest.raises(CampaignError) as refused:
        load_campaign(write_assay(tmp_path, tiny_model, {"starting_molecules": starting}, lines))
    assert [problem.actual for problem in refused.value.problems] == ["'IC50'"]
    assert "a column of assay.csv: b, a, d or c" in str(refused.value), "in the file's order"


def test_the_noise_is_the_pooled_deviation_of_replicates() -> None:
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=size) for size in (2, 3, 5, 1)]
    readings = {f"C{place}": {"potency": Reading(tuple(group))} for place, group in enumerate(groups)}
    freedom = [len(group) - 1 for group in groups if len(group) > 1]
    pooled = np.average([group.var(ddof=1) for group in groups if len(group) > 1], weights=freedom)
    assert noise_of(readings)["potency"] == pytest.approx(pooled**0.5)
    said = describe_readings(readings, 6)
    means = [group.mean() for group in groups]
    span = f"from {min(means):g} to {max(means):g}"
    assert said.startswith(
        f"4 of 6 starting molecules come with measured values: potency of 4 {span} (3 with replicates"
    )
    assert describe_readings({}, 6) == ""


WRONG: dict[str, tuple[dict[str, Any], Sequence[str]]] = {
    "found 'IC50', expected a column of assay.csv": ({"values": {"potency": "IC50"}}, TABLE),
    "did you mean 'potency'": ({"values": {"potensy": "pIC50"}}, TABLE),
    "assay.csv:17: starting_molecules: potency (pIC50) is '>10', a bound": ({}, [*TABLE, "CCO,>10,"]),
    "expected a file whose columns hold them": ({"file": None, "smiles": ["CCO"]}, TABLE),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_wrong_with_values_is_said_with_its_place(message: str, tmp_path: Path, tiny_model: Path) -> None:
    changes, lines = WRONG[message]
    starting = {"file": "assay.csv", "values": {"potency": "pIC50"}, **changes}
    given = {"starting_molecules": {key: value for key, value in starting.items() if value is not None}}
    with pytest.raises(CampaignError) as refused:
        load_campaign(write_assay(tmp_path, tiny_model, given, lines))
    assert message in str(refused.value)


def test_rows_without_a_usable_value_are_left_out_where_that_is_asked_for(tmp_path: Path, tiny_model: Path) -> None:
    starting = {"file": "assay.csv", "values": {"potency": "pIC50"}, "skip_bad": True}
    path = write_assay(tmp_path, tiny_model, {"starting_molecules": starting}, [*TABLE, "CCO,>10,", "CCCO,x,"])
    loaded = load_campaign(path)
    assert len(loaded.known_values()) == len(LINES)
    assert any("2 entries that are without a usable value left out (line 17" in said for said in loaded.warnings)


def test_values_are_part_of_what_a_campaign_is_and_how_they_are_written_is_not(
    tmp_path: Path, tiny_model: Path
) -> None:
    def digest(*lines: str) -> str:
        return load_campaign(write_assay(tmp_path, tiny_model, lines=lines)).molecules()["starting_molecules"]

    first = digest(*TABLE)
    assert digest(TABLE[0], *(f"{line}" + " " for line in TABLE[1:])) == first
    assert digest(*TABLE[:-2], f"{KNOWN[2]},5.8,", TABLE[-1]) != first


def test_what_was_measured_is_knowledge_and_no_call(campaign: Path) -> None:
    table = rows(campaign)
    assert {row["proposer"] for row in table} == {"measured"}
    assert [row["call"] for row in table] == [None] * len(LINES)
    assert [row["id"] for row in table][:2] == ["assay-s1", "assay-s2"]
    assert [row["potency"] for row in table] == pytest.approx([4.5, 4.7, 5.4, *(5.1 + 0.2 * k for k in range(10))])
    summary = api.status(campaign)
    assert (summary.calls, summary.molecules, summary.failed) == (0, len(LINES), 0)
    assert summary.rounds[0].metrics["potency_replicate_sd"] == pytest.approx(0.5**0.5)
    assert dict(summary.rounds[0].asked) == {"potency": 0}
    first = summary.pending[0].candidate
    assert (first.proposer, first.smiles) == ("start", load_campaign(campaign).starting()[-1].smiles)
    best = top_molecules(api.open_candidates(campaign.with_suffix("")))[0]
    assert (best.proposer, best.call, best.id) == ("measured", None, f"assay-s{len(LINES)}")
    loaded = load_campaign(campaign)
    key = ledger_key(loaded.oracles["potency"], "potency")
    with Ledger(loaded.ledger_path, api.open_candidates(loaded.output_folder).campaigns()[0].record.id) as ledger:
        assert len(ledger.known(key, [row["smiles"] for row in table])) == len(LINES)


def test_the_same_file_gives_the_same_table_and_the_same_suggestions(campaign: Path, tmp_path: Path) -> None:
    shutil.copytree(campaign.parent, tmp_path / "again", ignore=shutil.ignore_patterns("assay", "*.sqlite*"))
    again = tmp_path / "again" / campaign.name
    api.suggest(again, 4)
    one, other = api.status(campaign), api.status(again)
    assert one.digest == other.digest
    assert other.pending == one.pending[:4]


def test_what_is_pending_is_not_suggested_again_and_the_next_batch_is_diverse(campaign: Path) -> None:
    waiting = [item.candidate.smiles for item in api.status(campaign).pending]
    assert len(set(waiting)) == 8
    similarity = tanimoto(fingerprints(waiting[4:]), fingerprints(waiting))
    assert np.median(np.sort(similarity, axis=1)[:, -2]) < 0.85, "the greatest but that with itself"


def test_what_the_strategy_expects_comes_with_each_suggestion(campaign: Path) -> None:
    start, *chosen = api.status(campaign).pending
    assert start.reason == "a starting molecule of yours"
    for item in (start, *chosen):
        assert set(item.predicted) == {"score", "potency"}
        mean, deviation = item.predicted["potency"]
        assert 3 < mean < 9
        assert deviation > 0
    assert all(item.reason for item in chosen)


def test_a_value_that_the_campaign_started_from_is_corrected_by_its_structure(campaign: Path) -> None:
    results = campaign.parent / "r.csv"
    results.write_text(f"smiles,potency\n{KNOWN[0]},7.5\n")
    told = api.tell(campaign, results)
    assert (told.new, told.corrected) == ([], ["s1"])
    assert rows(campaign)[0]["potency"] == 7.5
    assert "and was 4.5" in api.status(campaign).corrections[0]
    assert api.status(campaign).calls == 0


TOLD = {
    "all failed": (["M0001,,lost", "M0002,,lost", "M0003,,lost", "M0004,,lost"], 4, 0),
    "all alike": (["M0001,5,", "M0002,5,", "M0003,5,", "M0004,5,"], 4, 0),
    "one of them thrice": (["M0001,5,", "M0001,5.5,", "M0001,,lost"], 1, 0),
    "flags of what did not fail": (["M0001,5,no", "M0002,6,FALSE", "M0003,,0", "M0004,,-"], 2, 2),
    "nothing": (["M0001,,", "M0002,,"], 0, 0),
    "another structure's": ([f"{KNOWN[1]},5,", "M0009,5,"], 0, 2),
}


@pytest.mark.parametrize("case", TOLD)
def test_whatever_is_told_the_campaign_goes_on(case: str, campaign: Path) -> None:
    lines, new, refused = TOLD[case]
    results = campaign.parent / "r.csv"
    results.write_text("\n".join(["id,potency,failed", *lines]) + "\n")
    told = api.tell(campaign, results)
    assert (len(told.new), len(told.refused)) == (new, refused)
    again = api.tell(campaign, results)
    assert (len(again.new), len(again.repeated), again.rounds) == (0, new, [])
    assert len(api.suggest(campaign, 2).suggestions) == 2


def test_values_of_a_computed_property_are_not_computed_again(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "assay.csv").write_text("\n".join(TABLE) + "\n")
    starting = {"file": "assay.csv", "values": {"carbons": "carbons"}}
    changes = {"starting_molecules": starting, "budget.oracle_calls": 6, "batch_size": 3, "filters": FREE["filters"]}
    path = write_campaign(tmp_path, tiny_model, changes)
    outcome = api.run(path)
    table = rows(path)
    given = [row for row in table if row["proposer"] == "measured"]
    assert [row["carbons"] for row in given] == pytest.approx([(place + 10) / 100 for place in range(len(LINES))])
    assert [row["call"] for row in table if row["proposer"] != "measured"] == [1, 2, 3, 4, 5, 6]
    assert (outcome.summary.calls, outcome.summary.molecules) == (6, 6 + len(LINES))
    assert dict(outcome.summary.rounds[0].asked) == {"carbons": 1}, "the one without a value"
    with Ledger(load_campaign(path).ledger_path) as ledger:
        asked = {run.smiles for run in ledger.runs() if run.purpose == "round"}
    assert asked == {row["smiles"] for row in table if row["proposer"] != "measured"}
    assert "13 of 14 starting molecules come with measured values: carbons of 13" in succeeds("validate", path)


@pytest.mark.parametrize("strategy", ["property_loss", "latent_bo"])
def test_strategies_learn_from_what_was_measured(strategy: str, tmp_path: Path, tiny_model: Path) -> None:
    from designloop.loop.campaign.changes import changed_keys
    from designloop.loop.laboratory.telling import Teller
    from designloop.tables import CandidateTable

    settings = FREE["strategy"] if strategy == "property_loss" else {"name": strategy}
    loaded = load_campaign(write_assay(tmp_path, tiny_model, {"strategy": settings}))
    with CandidateTable.open(loaded, changed_keys=changed_keys) as table:
        Teller(loaded, table, []).tell_known()
        state = table.last_state()
    assert state is not None
    assert len(state.data["archive"]) == len(LINES)


def test_a_reading_is_the_mean_of_its_replicates() -> None:
    reading = Reading((1.0, 2.0, 6.0))
    assert reading.mean == 3.0
    assert reading.deviation == pytest.approx(7**0.5)
    assert str(reading) == "3 ± 2.6"
    assert str(Reading((), "not made")) == "failed (not made)"


def test_the_largest_values_that_are_taken_have_a_mean_and_a_noise() -> None:
    extreme = Reading(tuple(number_in(cell) for cell in ("1e100", "-1e100") * 50))
    assert extreme.mean == 0
    assert extreme.deviation == pytest.approx(1e100 * (100 / 99) ** 0.5)
    many = {f"{'C' * n}": {"potency": extreme} for n in range(1, 100)}
    assert noise_of(many)["potency"] == pytest.approx(extreme.deviation)


def test_a_correction_of_what_a_filter_refuses_does_not_make_it_one_of_the_best(
    tmp_path: Path, tiny_model: Path
) -> None:
    lines = ["smiles,pIC50", "CCO,5", f"{KNOWN[0]},6", f"{KNOWN[1]},7"]
    random = {"strategy": {"name": "random", "source": "zinc"}, "filters.heavy_atoms": [5, 60]}
    path = write_assay(tmp_path, tiny_model, random, lines)
    api.suggest(path, 2)
    (tmp_path / "results.csv").write_text(f"smiles,potency\nCCO,7.9\n{KNOWN[0]},6.4\n")
    told = api.tell(path, tmp_path / "results.csv")
    assert len(told.corrected) == 2
    table = rows(path)
    assert next((row["smiles"], row["allowed"]) for row in table if row["proposer"] == "measured") == ("CCO", False)
    allowed = [row["score"] for row in table if row["allowed"]]
    summary = api.status(path)
    last = summary.rounds[-1].metrics
    assert last["best"] == pytest.approx(max(allowed)) == pytest.approx((7 - 4) / 4)
    assert last["mean_top_10"] == pytest.approx(sum(allowed) / len(allowed))
    assert last["scored_before"] == 2
