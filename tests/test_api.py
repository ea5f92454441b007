"""The verbs in Python: what they give, what they leave, what they refuse."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import designloop
from designloop import api
from designloop.loop.preflight import BrokenOracle
from designloop.molecules.errors import MoleculeError
from designloop.tables import QueryError
from designloop.tables.ledger_reading import read_runs
from tests.campaigns import write_campaign

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
SODIUM_SALT = "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]"
PARAMS = "objective.properties.0.params"


# --- the public face ------------------------------------------------------------------------------------------------


def test_the_public_names_are_there() -> None:
    assert set(designloop.__all__) <= set(dir(designloop))
    for name in designloop.__all__:
        assert getattr(designloop, name) is getattr(api, name)


def test_a_name_that_is_not_public_is_answered_with_those_that_are() -> None:
    with pytest.raises(AttributeError, match="it offers load_campaign"):
        _ = designloop.load_campain


# --- before a campaign ----------------------------------------------------------------------------------------------


def test_scores_come_in_the_order_given_each_with_what_the_filters_say(tmp_path: Path, tiny_model: Path) -> None:
    scored = designloop.score(write_campaign(tmp_path, tiny_model), ["CCc1ccccc1CCO", SODIUM_SALT, "C" * 60])
    assert [molecule.written for molecule in scored] == ["CCc1ccccc1CCO", SODIUM_SALT, "C" * 60]
    assert scored[1].scored.smiles == ASPIRIN, "standard form is what the oracles saw"
    assert [molecule.scored.score for molecule in scored] == pytest.approx([1 / 3, 0.3, 1.0])
    assert scored[0].refused is None
    assert scored[2].refused is not None
    assert scored[2].refused.startswith("heavy_atoms: ")


def test_scoring_molecules_of_ones_own_charges_nothing_and_is_remembered(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    designloop.score(path, [ASPIRIN])
    designloop.score(path, [ASPIRIN])
    (run,) = read_runs(tmp_path / "small.ledger.sqlite")
    assert run.purpose == "check"
    assert not (tmp_path / "small").exists()


def test_what_is_no_molecule_is_named(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(MoleculeError, match="nonsense"):
        designloop.score(write_campaign(tmp_path, tiny_model), [ASPIRIN, "nonsense"])


def test_the_bill_knows_what_is_spent_and_each_oracles_time(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    before = api.dry_run(path)
    assert (before.calls, before.rounds) == (45, 3)
    assert before.oracle_seconds is not None
    assert before.oracle_seconds >= 0
    designloop.run(designloop.load_campaign(path, {"budget.oracle_calls": 20}))
    after = api.dry_run(path)
    assert (after.calls, after.rounds) == (25, 2)


def test_a_costly_oracle_is_never_run_merely_to_check_a_set_up(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {PARAMS: {"raises": True}})
    oracle = tmp_path / "my_oracle.py"
    oracle.write_text(oracle.read_text().replace('version="1"', "costly=True"))
    plan = designloop.validate(path)
    assert plan.ready
    assert not plan.checks
    assert api.dry_run(path).oracle_seconds is None
    assert not read_runs(tmp_path / "small.ledger.sqlite")


# --- the campaign ---------------------------------------------------------------------------------------------------


def test_references_are_scored_outside_budget_and_table(tmp_path: Path, tiny_model: Path) -> None:
    outcome = designloop.run(write_campaign(tmp_path, tiny_model, {"reference": {"the salt": SODIUM_SALT}}))
    (reference,) = outcome.references
    assert (reference.name, reference.smiles) == ("the salt", ASPIRIN)
    assert reference.score == pytest.approx(0.3)
    assert outcome.summary.calls == 45
    table = designloop.open_candidates(outcome.summary.folder)
    assert table.query("SELECT count(*) AS n FROM candidates WHERE smiles = ?", [ASPIRIN]).to_pylist() == [{"n": 0}]
    (run,) = [run for run in read_runs(tmp_path / "small.ledger.sqlite") if run.smiles == ASPIRIN]
    assert run.purpose == "check"


def test_a_reference_may_be_added_to_a_campaign_that_has_ended(tmp_path: Path, tiny_model: Path) -> None:
    before = designloop.run(write_campaign(tmp_path, tiny_model))
    changed = write_campaign(tmp_path, tiny_model, {"reference": {"the salt": SODIUM_SALT}})
    after = designloop.run(changed)
    assert [(reference.name, reference.smiles) for reference in after.references] == [("the salt", ASPIRIN)]
    assert (after.summary.digest, before.references) == (before.summary.digest, [])
    assert after.summary.calls == 45


def test_the_ledger_has_a_row_for_each_oracle_run_of_a_campaign(tmp_path: Path, tiny_model: Path) -> None:
    designloop.run(write_campaign(tmp_path, tiny_model))
    runs = [run for run in read_runs(tmp_path / "small.ledger.sqlite") if run.purpose == "round"]
    assert len(runs) == 45
    assert {run.status for run in runs} == {"ok"}


def test_a_second_campaign_on_the_same_ledger_pays_nothing_and_is_charged_all_the_same(
    tmp_path: Path, tiny_model: Path
) -> None:
    first = designloop.run(write_campaign(tmp_path, tiny_model, {"ledger": "shared.sqlite"})).summary
    second = designloop.run(write_campaign(tmp_path, tiny_model, {"ledger": "shared.sqlite"}, name="again")).summary
    assert second.calls == first.calls == 45
    assert second.digest == first.digest
    assert len([run for run in read_runs(tmp_path / "shared.sqlite") if run.purpose == "round"]) == 45


def test_an_oracle_that_works_on_a_reference_only_is_not_broken(tmp_path: Path, tiny_model: Path) -> None:
    changes = {PARAMS: {"fails": "c"}, "budget.oracle_calls": 3}
    with pytest.raises(BrokenOracle, match=r"aspirin, caffeine, ibuprofen.*\n.*Nothing was charged"):
        designloop.run(write_campaign(tmp_path, tiny_model, changes))
    outcome = designloop.run(
        write_campaign(tmp_path, tiny_model, {**changes, "reference": ["CC1CCCCC1CCCO"]}), fresh=True
    )
    assert outcome.summary.calls == 3


def test_two_pictures_stand_beside_the_table_and_are_the_same_bytes_again(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    first = [picture.read_bytes() for picture in designloop.run(path).pictures]
    again = [picture.read_bytes() for picture in designloop.run(path).pictures]
    assert len(first) == 2
    assert first == again


# --- what it found --------------------------------------------------------------------------------------------------


def test_results_are_read_when_the_oracle_is_gone(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    designloop.run(path)
    (tmp_path / "my_oracle.py").unlink()
    assert designloop.status(path).calls == 45
    for one in ([path], path, str(path), path.parent / "small"):
        assert api.query("SELECT count(*) AS n FROM candidates", one).to_pylist() == [{"n": 45}]
        assert [standings.calls for standings in api.compare(one)] == [45]


def test_results_lie_where_the_file_says(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"output": "elsewhere/results"})
    (tmp_path / "elsewhere" / "results").mkdir(parents=True)
    (tmp_path / "elsewhere" / "results" / "campaign.json").touch()
    assert api.results_folder(path) == tmp_path / "elsewhere" / "results"
    assert api.results_folder(designloop.load_campaign(path)) == tmp_path / "elsewhere" / "results"
    assert api.results_folder(tmp_path) == tmp_path


def test_campaigns_side_by_side_share_the_length_of_their_areas(tmp_path: Path, tiny_model: Path) -> None:
    long = write_campaign(tmp_path, tiny_model)
    short = write_campaign(tmp_path, tiny_model, {"budget.oracle_calls": 9}, name="short")
    for path in (long, short):
        designloop.run(path)
    first, second = api.compare([long, short])
    assert (first.campaign, first.calls, second.campaign, second.calls) == ("small", 45, "short", 9)
    for row in (first, second):
        assert row.best is not None
        assert row.mean_top_10 is not None
        assert 0 < row.auc_top_10 <= row.best


def test_molecules_are_written_by_the_ending_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(api.InputError, match=r"ends in '.xlsx', expected one of .csv, .smi, .sdf, .svg"):
        api.write_top([], tmp_path / "best.xlsx")
    assert api.write_top([], tmp_path / "best.csv").is_file()


def test_no_folder_is_made_for_a_file_that_is_written(tmp_path: Path) -> None:
    import pyarrow as pa

    with pytest.raises(api.InputError, match=r"there is no folder .*/new to write best\.csv into; make it"):
        api.write_top([], tmp_path / "new" / "best.csv")
    with pytest.raises(api.InputError, match=r"there is no folder .*/new to write rows\.csv into; make it"):
        api.write_rows(pa.table({"a": [1]}), tmp_path / "new" / "rows.csv")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_a_query_are_written_with_lists_as_json(tmp_path: Path) -> None:
    import pyarrow as pa

    rows = pa.table({"smiles": ["CC"], "parents": [["C", "CCC"]], "score": [0.5]})
    with api.write_rows(rows, tmp_path / "rows.csv").open() as file:
        assert list(csv.reader(file)) == [["smiles", "parents", "score"], ["CC", '["C", "CCC"]', "0.5"]]


def test_a_question_without_results_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(QueryError, match=str(tmp_path)):
        api.query("SELECT 1")


def test_a_mean_of_few_says_so(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"budget.oracle_calls": 6, "batch_size": 3})
    lines: list[str] = []
    summary = designloop.run(path, on_round=lambda progress: lines.append(str(progress))).summary
    assert summary.mean_of == api.compare([path])[0].mean_of == 6
    assert ["(mean of 3)" in lines[0], "(mean of 6)" in lines[1]] == [True, True]


# --- models ---------------------------------------------------------------------------------------------------------


def test_reconstructions_come_in_order_repeated_ones_too(tiny_model: Path) -> None:
    results = api.reconstruct([ASPIRIN, "nonsense", ASPIRIN], model=str(tiny_model))
    assert results[0] == results[2]
    assert results[0].error is None
    assert results[0].similarity is not None
    assert 0 <= results[0].similarity <= 1
    assert (results[1].decoded, results[1].exact) == (None, False)
    assert "nonsense" in str(results[1].error)


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "3", None, 10**30])
def test_a_number_of_molecules_that_is_none_is_refused_by_every_verb(value: object, tmp_path: Path) -> None:
    wrong: Any = value
    for ask in (lambda: api.sample(wrong), lambda: api.top(tmp_path, wrong)):
        with pytest.raises(api.InputError, match=r"found n=.*, expected a whole number from 1 to 10,000,000"):
            ask()
    if value is not None:
        with pytest.raises(api.InputError, match="found steps="):
            api.pretrain(tmp_path, steps=wrong)
    if value != 0:
        with pytest.raises(api.InputError, match="found seed="):
            api.sample(1, seed=wrong)
        with pytest.raises(api.InputError, match="found seed="):
            api.pretrain(tmp_path, seed=wrong)


def test_a_number_of_numpys_is_one(tiny_model: Path) -> None:
    two: Any = np.int64(2)
    assert len(api.sample(two, model=str(tiny_model))) == 2
