"""What a laboratory tells, as people write it: nothing told is lost, and nothing is taken that was not meant."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
import yaml

from designloop import api
from designloop.api.inputs import InputError
from designloop.loop.campaign.campaign import CampaignError, load_campaign
from tests.campaigns import write_campaign
from tests.commands import designloop_, fails, succeeds
from tests.laboratory import POTENCY, SOLUBILITY, rows, write_measured, write_results


@pytest.fixture(scope="module")
def suggested(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A campaign of two measured properties with four suggestions; tests take a copy."""
    path = write_measured(tmp_path_factory.mktemp("two"), tiny_model, measured=[POTENCY, SOLUBILITY])
    api.suggest(path, 4, csv=path.parent / "todo.csv")
    return path


@pytest.fixture
def campaign(tmp_path: Path, suggested: Path) -> Path:
    shutil.copytree(suggested.parent, tmp_path / "copy")
    return tmp_path / "copy" / suggested.name


def told(campaign: Path, *lines: str) -> api.Told:
    return api.tell(campaign, write_results(campaign.parent / "results.csv", *lines))


def known(campaign: Path) -> list[tuple[float | None, float | None]]:
    """(potency, solubility) of each row."""
    return [(row["potency"], row["solubility"]) for row in rows(campaign)]


@pytest.mark.parametrize(
    ("header", "failure"), [("id,solubility,failed", "M0001,,precipitated"), ("id,failed", "M0001,precipitated"),
                            ("id,potency,solubility,failed", "M0001,,,precipitated")],
    ids=["its own column", "no column", "both columns"],
)  # fmt: skip
def test_a_failure_leaves_what_was_measured_before(header: str, failure: str, campaign: Path) -> None:
    told(campaign, "id,potency", "M0001,8.2")
    assert told(campaign, header, failure).completed == ["M0001"]
    assert known(campaign) == [(8.2, None)]
    assert api.status(campaign).corrections == [], "nothing that was told before is told otherwise"
    (kind,) = api.status(campaign).failures
    assert (kind.property, "precipitated" in kind.examples[0]) == ("solubility", True)


def test_a_failure_of_what_was_told_before_withdraws_it_and_of_nothing_told_means_all(campaign: Path) -> None:
    told(campaign, "id,potency,solubility,failed", "M0001,8.2,5,", "M0002,,,could not be made")
    assert known(campaign) == [(8.2, 5.0), (None, None)]
    assert {kind.property for kind in api.status(campaign).failures} == {"potency", "solubility"}
    told(campaign, "id,potency,failed", "M0001,,assay interference")
    assert known(campaign)[0] == (None, 5.0)


def test_what_was_told_later_completes_a_molecule_and_another_value_corrects_it(campaign: Path) -> None:
    told(campaign, "id,potency", "M0001,8.2", "M0002,7", "M0003,6")
    later = told(campaign, "id,potency,solubility", "M0001,,5", "M0002,7.5,5", "M0003,6,", "M0004,5,5")
    assert (later.new, later.completed, later.corrected, later.repeated) == (
        ["M0004"], ["M0001"], ["M0002"], ["M0003"]
    )  # fmt: skip
    assert "1 new, 1 completed (an amendment: nothing was charged), 1 corrected (an" in str(later)
    assert list(later.corrections) == ["potency of M0002 is 7.5, and was 7"]
    (correction,) = api.status(campaign).corrections
    assert "potency of" in correction
    assert correction.endswith("is 7.5, and was 7")


def test_a_value_in_one_row_and_a_failure_in_another_are_remarked_on(campaign: Path) -> None:
    results = told(campaign, "id,potency,failed", "M0001,8.2,", "M0001,,insoluble", "M0002,7,")
    assert known(campaign) == [(8.2, None), (7.0, None)]
    (remark,) = results.remarks
    assert (
        remark
        == "potency of M0001 has a value, and another row says that there is none (insoluble); the value is taken"
    )


def test_what_was_told_in_part_is_still_to_be_told_and_no_failure(campaign: Path) -> None:
    told(campaign, "id,potency", "M0001,8.2", "M0003,7")
    summary = api.status(campaign)
    assert summary.failed == 0
    assert "2 suggestions were told in part; still to be told: M0001 (solubility), M0003 (solubility)" in succeeds(
        "status", campaign
    )
    waiting = api.pending(campaign, csv=campaign.parent / "again.csv")
    assert [item.id for item in waiting.suggestions] == ["M0001", "M0002", "M0003", "M0004"]
    with (campaign.parent / "again.csv").open(newline="") as file:
        assert {row["potency"] for row in csv.DictReader(file)} == {""}, "what is told again would be a replicate"
    assert told(campaign, "id,solubility", "M0001,5").pending == 3
    assert known(campaign) == [(8.2, 5.0), (7.0, None)]


def test_a_bound_in_a_column_beside_is_no_value(campaign: Path) -> None:
    result = told(campaign, "id,potency,potency_relation", "M0001,5,>", "M0002,6,", "M0003,7,'='")
    assert result.new == ["M0002", "M0003"]
    (refused,) = result.refused
    assert "potency is '5' with '>' under potency_relation, a bound and no value" in str(refused)
    assert result.unread == [], "it was read"
    in_words = told(campaign, "id,potency,relation", "M0001,5,greater than", "M0004,6,equal")
    (refused,) = in_words.refused
    assert "potency is '5' with 'greater than' under relation, a bound and no value" in str(refused)
    assert (in_words.new, in_words.unread) == (["M0004"], [])


def test_a_quote_that_is_not_closed_takes_no_row_with_it(campaign: Path) -> None:
    lines = ("id,potency,note", "M0001,5.5,fine", 'M0002,5.5,"see page 3', "M0003,6.2,", "M0004,7.1,")
    with pytest.raises(
        InputError, match=r"results\.csv, line 3: .*a quote in this row or behind it that is not closed"
    ):
        told(campaign, *lines)
    assert rows(campaign) == []


def test_columns_that_are_not_read_are_named_and_a_file_of_none_is_refused(campaign: Path) -> None:
    with pytest.raises(InputError, match="has the columns id, pIC50, logS, failed, and 2 rows say nothing; expected a"):
        told(campaign, "id,pIC50,logS,failed", "M0001,6,-3,", "M0002,7,-4,")
    result = told(campaign, "id,potency,logS measured,failed", "M0001,6.1,-3,")
    assert (result.new, result.unread) == (["M0001"], ["logS measured"])
    assert told(campaign, "id,failed,comment", "M0002,lost,sorry").new == ["M0002"], "a comment is none's business"
    # A file of suggestions as it was written holds nothing else.
    todo = campaign.parent / "todo.csv"
    text = todo.read_text().splitlines()
    (row,) = (line for line in text if line.startswith(f"{load_campaign(campaign).name}-M0003,"))
    smiles = row.split(",")[1]
    filled = [text[0], row.replace(f"{smiles},,", f"{smiles},6.5,", 1)]
    assert api.tell(campaign, write_results(campaign.parent / "filled.csv", *filled)).unread == []


def test_excels_first_line_and_blank_ones_are_passed_over_and_lines_counted(campaign: Path) -> None:
    result = told(campaign, "", "sep=;", "", "id;potency", "M0001;6,5", "M0002;7")
    assert result.new == ["M0002"]
    (refused,) = result.refused
    assert refused.line == 5


def test_a_starting_molecule_is_told_by_the_id_that_tables_show(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "assay.csv").write_text("smiles,pIC50\nCCCCO,5\nCCCCCO,6\n")
    given = {"starting_molecules": {"file": "assay.csv", "values": {"potency": "pIC50"}}, "reference": ["CCCCO", "CCO"]}
    path = write_measured(tmp_path, tiny_model, given)
    api.suggest(path, 2)
    shown = api.top(path)[1]
    assert [(reference.smiles, sorted(reference.properties)) for reference in shown] == [
        ("CCCCO", ["carbons", "potency"]), ("CCO", ["carbons"])
    ], "references are scored, as far as is known of them"  # fmt: skip
    assert told(path, "id,potency", f"{load_campaign(path).name}-s1,5.5").corrected == ["s1"]
    assert rows(path)[0]["potency"] == 5.5
    assert api.top(path)[1][0].properties["potency"].value == 5.5


def test_score_has_the_last_word_of_the_laboratory(campaign: Path) -> None:
    told(campaign, "id,potency,solubility", "M0001,5.29,5")
    (row,) = rows(campaign)

    def potency() -> float | None:
        (own,) = api.score(campaign, [row["smiles"]])
        return own.scored.evaluation.results["potency"].value

    assert potency() == 5.29
    told(campaign, "id,potency", "M0001,8")
    assert potency() == 8.0
    told(campaign, "id,potency,failed", "M0001,,interference")
    assert potency() is None


def test_a_correction_keeps_the_hypervolume(tmp_path: Path, tiny_model: Path) -> None:
    path = write_measured(tmp_path, tiny_model, {"objective.aggregate": "pareto"}, measured=[POTENCY, SOLUBILITY])
    settings = yaml.safe_load(path.read_text())
    settings["objective"]["properties"] = [POTENCY, SOLUBILITY]
    path.write_text(yaml.safe_dump(settings))
    api.suggest(path, 3)
    told(path, "id,potency,solubility", "M0001,8,8", "M0002,6,6")
    told(path, "id,potency,solubility", "M0001,6,8", "M0003,7,5")
    volumes = [info.metrics["hypervolume"] for info in api.status(path).rounds]
    assert volumes == pytest.approx([1.0, 1.0, 0.5 + 0.25 * 0.25]), "what was wrong is no part of the front any more"


def test_suggest_begins_anew_and_what_is_pending_is_listed_as_it_is(campaign: Path) -> None:
    told(campaign, "id,potency,solubility", "M0001,5.29,5")
    assert "moved to" in designloop_("suggest", campaign, "-n", 2, "--fresh").output
    assert api.status(campaign).calls == 0
    assert [item.id for item in api.pending(campaign).suggestions] == ["M0005", "M0006"]
    refused = told(campaign, "id,potency", "M0001,5.29").refused
    assert "there is no suggestion 'M0001' in this campaign" in str(refused[0]), "it was of the one moved aside"
    api.suggest(campaign, 1, fresh=True)
    assert [item.id for item in api.pending(campaign).suggestions] == ["M0007"]


def test_starting_molecules_that_lack_an_assay_are_remarked_on(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "assay.csv").write_text("smiles,pIC50\nCCCCO,5\nCCCCCO,6\n")
    given = {"starting_molecules": {"file": "assay.csv", "values": {"potency": "pIC50"}}}
    path = write_measured(tmp_path, tiny_model, given, measured=[POTENCY, SOLUBILITY])
    remark = "2 molecules come with a value and without one of solubility"
    assert any(remark in line for line in api.validate(path).remarks)
    said: list[str] = []
    api.suggest(path, 1, say=said.append)
    assert any(remark in line for line in said)
    assert told(path, "smiles,solubility", "CCCCO,5").completed == ["s1"]
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "assay.csv").write_text("smiles,pIC50\nCCCCO,5\n")
    whole = write_measured(tmp_path / "whole", tiny_model, given)
    assert not any("without one of" in line for line in api.validate(whole).remarks)


def test_isomers_that_count_as_one_are_known_by_each_and_remarked_on(tmp_path: Path, tiny_model: Path) -> None:
    one, other = "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O", "CC(C)Cc1ccc(cc1)[C@H](C)C(=O)O"
    (tmp_path / "assay.csv").write_text(f"smiles,pIC50\n{one},6\nCCCCO,5\n")
    given = {"starting_molecules": {"file": "assay.csv", "values": {"potency": "pIC50"}}}
    path = write_measured(tmp_path, tiny_model, given)
    api.suggest(path, 1)
    for value, structure in ((6.0, other), (6.0, "CC(C)Cc1ccc(cc1)C(C)C(=O)O")):
        (own,) = api.score(path, [structure])
        assert own.scored.evaluation.results["potency"].value == value
    results = told(path, "smiles,potency", f"{one},5", f"{other},9")
    assert any("which are one molecule here: they count as replicates" in remark for remark in results.remarks)
    (own,) = api.score(path, [other])
    assert own.scored.evaluation.results["potency"].value == 7.0
    assert not any("replicates" in remark for remark in told(path, "smiles,potency", f"{one},5", f"{one},6").remarks)


def test_what_the_ledger_knows_of_a_suggestion_is_said(tmp_path: Path, tiny_model: Path) -> None:
    path = write_measured(tmp_path, tiny_model)
    said: list[str] = []
    api.suggest(path, 1, say=said.append)
    told(path, "id,potency", "M0001,6.5")
    assert not any("was measured before" in line for line in said)
    api.suggest(path, 1, fresh=True, say=said.append)
    assert any(line.startswith("M0002 was measured before: potency 6.5; tell that again") for line in said)


def test_where_all_that_had_a_score_is_withdrawn_nothing_is_the_best(campaign: Path) -> None:
    told(campaign, "id,potency,solubility", "M0001,7,6", "M0002,6,6")
    assert api.status(campaign).best is not None
    told(campaign, "id,failed", "M0001,mixed up", "M0002,mixed up")
    summary = api.status(campaign)
    assert (summary.best, summary.mean_top_10, summary.has_results) == (None, None, False)
    told(campaign, "id,potency,solubility", "M0003,5,5")
    assert api.status(campaign).best is not None


def test_what_waits_for_its_second_assay_does_not_wear_out_patience(tmp_path: Path, tiny_model: Path) -> None:
    changes = {"batch_size": 1, "budget": {"oracle_calls": 60, "patience": 4}, "strategy.source": "zinc"}
    path = write_measured(tmp_path, tiny_model, changes, measured=[POTENCY, SOLUBILITY])
    ids = [item.id for item in api.suggest(path, 24).suggestions]
    told(path, "id,potency,solubility", *(f"{key},6,6" for key in ids[:12]))
    told(path, "id,potency", *(f"{key},7.5" for key in ids[12:]))
    assert api.status(path).end is None
    assert len(api.suggest(path, 1).suggestions) == 1
    told(path, "id,solubility", *(f"{key},6" for key in ids[12:]))
    assert api.status(path).end is None, "it gained"
    more = [item.id for item in api.suggest(path, 5).suggestions]
    told(path, "id,potency", *(f"{key},4.1" for key in more))
    assert api.status(path).end is None
    told(path, "id,solubility", *(f"{key},4.1" for key in more))
    end = api.status(path).end
    assert end is not None
    assert end.reason == "patience"


def test_results_of_another_campaign_are_refused_by_their_ids(tmp_path: Path, tiny_model: Path) -> None:
    """Ids alone say which molecule is meant, so those of a file of suggestions say of which campaign."""
    paths = []
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        paths.append(
            write_measured(tmp_path / str(seed), tiny_model, {"seed": seed, "name": ("first", "second")[seed - 1]})
        )
    for path in paths:
        api.suggest(path, 2, csv=path.parent / "todo.csv")
    with (paths[0].parent / "todo.csv").open(newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    results = write_results(tmp_path / "r.csv", "id,potency", *(f"{key},6" for key in ids))
    other = api.tell(paths[1], results)
    assert (other.new, len(other.refused)) == ([], 2)
    assert api.tell(paths[0], results).new == ["M0001", "M0002"]
    assert "found -n, --spend beside --pending" in fails(2, "suggest", campaign, "--pending", "-n", 1, "--spend", 5)


def test_what_is_to_be_filled_in_keeps_its_name_whatever_it_is(tmp_path: Path, tiny_model: Path) -> None:
    path = write_measured(tmp_path, tiny_model, measured=[{**POTENCY, "name": "similarity"}])
    api.suggest(path, 1, csv=tmp_path / "todo.csv")
    with (tmp_path / "todo.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        (row,) = reader
    assert {"similarity", "similarity_2"} <= {*row}
    with (tmp_path / "todo.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*row])
        writer.writeheader()
        writer.writerow({**row, "similarity": "6"})
    result = api.tell(path, tmp_path / "todo.csv")
    assert (result.new, result.unread) == (["M0001"], [])
    with pytest.raises(CampaignError, match="found the name 'failed', expected another name for what is measured"):
        load_campaign(write_measured(tmp_path, tiny_model, measured=[{**POTENCY, "name": "failed"}]))


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("1_0", "expected a finite number"),
        ('"1,200"', "without commas: write 1200, or 1.200 if the comma is a decimal one"),
        ('"1,200,000"', "without commas: write 1200000;"),
        ('"1,200.5"', "without commas: write 1200.5;"),
        ('"0,200"', "with a decimal point: write 0.200"),
    ],
)
def test_no_number_is_taken_for_another(cell: str, said: str, campaign: Path) -> None:
    (refused,) = told(campaign, "id,potency", f"M0001,{cell}").refused
    assert said in str(refused)


def test_a_second_column_of_a_name_and_isomers_that_differ_are_told(tmp_path: Path, tiny_model: Path) -> None:
    given = {"starting_molecules": {"file": "assay.csv", "values": {"potency": "pIC50"}}}
    path = write_measured(tmp_path, tiny_model, given)
    for header in ("smiles,pIC50,pIC50", "smiles,pIC50,PIC50"):
        (tmp_path / "assay.csv").write_text(f"{header}\nCCCCO,5,6\n")
        with pytest.raises(CampaignError, match=r"found 'pIC50', and beside it .*, expected one such column in assay"):
            load_campaign(path)
    (tmp_path / "assay.csv").write_text("smiles,pIC50\nC[C@H](O)CC,5\nC[C@@H](O)CC,8\nCCO,5\nOCC,6\n")
    (warning,) = (said for said in load_campaign(path).warnings if "stereoisomers" in said)
    assert "potency 5 of CC[C@@H](C)O, 8 of CC[C@H](C)O" in warning or "potency 5 of CC[C@H](C)O, 8" in warning
    assert "`stereo: keep`" in warning
    apart = load_campaign(path, {"stereo": "keep"})
    assert not [said for said in apart.warnings if "stereoisomers" in said]


def test_a_history_without_any_score_ends_no_campaign(tmp_path: Path, tiny_model: Path) -> None:
    lines = [f"{'C' * n}O,5" for n in range(3, 28)]
    (tmp_path / "assay.csv").write_text("\n".join(["smiles,pIC50", *lines]) + "\n")
    given = {"starting_molecules": {"file": "assay.csv", "values": {"potency": "pIC50"}}, "batch_size": 2}
    path = write_measured(tmp_path, tiny_model, given, measured=[POTENCY, SOLUBILITY])
    assert len(api.suggest(path).suggestions) == 2
    assert api.status(path).failed == 0


def test_a_campaign_that_no_laboratory_serves_may_have_any_name(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    path.write_text(path.read_text().replace("name: carbons", "name: failed"))
    assert load_campaign(path).objective.properties[0].name == "failed"
