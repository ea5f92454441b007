"""`designloop retry`: failed molecules are run again, charged to nothing, and learned from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from designloop import api
from designloop.api.inputs import InputError
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.tables import QueryError, TableError
from designloop.tables.manifest import read_campaign
from designloop.tables.manifest import write_campaign as write_record
from tests.campaigns import ORACLE, write_campaign
from tests.commands import designloop_, fails, succeeds, told_rows

FLUORIDES = [f"{'C' * length}F" for length in range(10, 16)]
"""Starting molecules that the broken oracle fails on."""

BROKEN = ORACLE.replace('fails=""', 'fails="F"')


def write_broken(folder: Path, model: Path, changes: Mapping[str, Any] | None = None, oracle: str = BROKEN) -> Path:
    """A campaign of six starting molecules, whose oracle is broken."""
    first = {
        "starting_molecules": FLUORIDES,
        "reference": {"decane": "CCCCCCCCCC"},  # it works on one: else no run begins
        "filters": {"heavy_atoms": None, "alerts": None, "unstable": False},
        "budget.oracle_calls": 6,
    }
    path = write_campaign(folder, model, {**first, **(changes or {})})
    (folder / "my_oracle.py").write_text(oracle)
    return path


def mend(folder: Path) -> None:
    (folder / "my_oracle.py").write_text(ORACLE)


def rows(folder: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = api.open_candidates(folder / "small").to_arrow().to_pylist()
    return table


def test_once_the_oracle_is_mended_a_retry_gives_values_at_their_places_and_charges_nothing(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_broken(tmp_path, tiny_model, {"budget.oracle_calls": 12})
    api.run(path)
    before = rows(tmp_path)
    assert [row["status"] for row in before[:6]] == ["failed"] * 6
    assert api.status(path).failed == sum(row["status"] == "failed" for row in before)
    mend(tmp_path)
    with pytest.raises(TableError, match="--accept-changed-oracles"):
        api.retry(path)
    told = told_rows(monkeypatch)
    retried = api.retry(path, accept_changed_oracles=True)
    assert [*retried.molecules] == [row["smiles"] for row in before if row["status"] == "failed"] == [*retried.mended]
    assert [(row.smiles, row.is_charged) for row in told] == [(smiles, False) for smiles in retried.molecules]
    after = rows(tmp_path)
    assert [row["carbons"] for row in after[:6]] == [length / 10 for length in range(10, 16)]
    kept = ("round", "position", "call", "smiles", "proposer", "parents", "written", "selfies")
    assert [[row[name] for name in kept] for row in after] == [[row[name] for name in kept] for row in before]
    summary = api.status(path)
    assert summary.rounds[-1].kind == "amendment"
    assert (summary.calls, summary.failed, summary.failures) == (12, 0, [])
    assert summary.best == max(row["score"] for row in after)
    assert summary.end is not None, "what had ended has ended still"
    assert summary.end.reason == "oracle_calls"


def test_the_next_round_breeds_from_what_was_retried(tmp_path: Path, tiny_model: Path) -> None:
    learning = {"strategy": {"name": "property_loss", "learning": {"steps": 0}, "proposers": ["mutation", "prior"]}}
    path = write_broken(tmp_path, tiny_model, learning)
    api.run(path)
    mend(tmp_path)
    api.retry(path, accept_changed_oracles=True)
    outcome = api.run(write_broken(tmp_path, tiny_model, {**learning, "budget.oracle_calls": 16}, ORACLE))
    assert [info.kind for info in outcome.summary.rounds] == ["start", "amendment", "round"]
    bred = [row for row in rows(tmp_path) if row["round"] == 2 and row["proposer"] != "prior"]
    assert bred
    assert {parent for row in bred for parent in row["parents"]} <= {*FLUORIDES}, "nothing else had a score"


def test_a_retried_campaign_resumes_to_the_same_table_from_its_last_round(tmp_path: Path, tiny_model: Path) -> None:
    digests = []
    for name in ("straight", "interrupted"):
        folder = tmp_path / name
        folder.mkdir()
        path = write_broken(folder, tiny_model)
        api.run(path)
        mend(folder)
        api.retry(path, accept_changed_oracles=True)
        for calls in (26, 46) if name == "interrupted" else (46,):
            outcome = api.run(write_broken(folder, tiny_model, {"budget.oracle_calls": calls}, ORACLE))
        digests.append(outcome.summary.digest)
    assert digests[0] == digests[1]


def test_only_what_failed_for_the_reason_given_is_run_again(tmp_path: Path, tiny_model: Path) -> None:
    oracle = BROKEN.replace(
        "    return", "    if any(len(s) > 14 and 'F' in s for s in smiles): raise RuntimeError('licence')\n    return"
    )
    path = write_broken(tmp_path, tiny_model, oracle=oracle)
    api.run(path)
    assert {kind.property for kind in api.status(path).failures} == {"carbons"}
    mend(tmp_path)
    retried = api.retry(path, reason="LICENCE", accept_changed_oracles=True)
    assert retried.failed_before == 6
    assert [*retried.molecules] == [smiles for smiles in FLUORIDES if len(smiles) > 14]
    assert sorted(retried.mended) == sorted(retried.molecules)
    assert [row["status"] for row in rows(tmp_path)] == ["failed"] * 4 + ["ok"] * 2
    assert api.status(path).failed == 4
    assert "None of the 4 failed" in str(api.retry(path, reason="another"))
    with pytest.raises(InputError, match="reason is empty"):
        api.retry(path, reason=" ")


def test_a_starting_molecule_that_a_filter_refuses_is_not_among_the_ten_best_after_a_retry(
    tmp_path: Path, tiny_model: Path
) -> None:
    refused = "C" * 18
    changes = {
        "starting_molecules": [*FLUORIDES, refused],
        "filters": {"heavy_atoms": [1, 16], "alerts": None, "unstable": False},
        "budget.oracle_calls": 7,
    }
    path = write_broken(tmp_path, tiny_model, changes)
    api.run(path)
    mend(tmp_path)
    api.retry(path, accept_changed_oracles=True)
    scores = {row["smiles"]: row["score"] for row in rows(tmp_path)}
    assert max(scores, key=lambda smiles: scores[smiles]) == refused
    metrics = api.status(path).rounds[-1].metrics
    assert metrics["best"] == scores[FLUORIDES[-1]]
    assert metrics["mean_top_10"] == pytest.approx(sum(scores[smiles] for smiles in FLUORIDES) / 6)


def test_what_fails_again_has_its_new_reason_and_exits_with_3(tmp_path: Path, tiny_model: Path) -> None:
    path = write_broken(tmp_path, tiny_model)
    designloop_("run", path)
    still = BROKEN.replace(
        "    return", "    if any('F' in s for s in smiles): raise RuntimeError('no disk')\n    return"
    )
    (tmp_path / "my_oracle.py").write_text(still)
    done = designloop_("retry", path, "--accept-changed-oracles")
    assert done.exit_code == 3
    assert "0 of 6 molecules that were run again have a score now" in done.stdout
    (failures,) = api.status(path).failures
    assert failures.molecules == 6
    assert "no disk" in failures.examples[0]


def test_a_retry_that_was_cut_off_goes_on_and_pays_for_no_value_twice(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_broken(tmp_path, tiny_model)
    api.run(path)
    mend(tmp_path)
    again = Evaluator.again

    def cut_off(self: Evaluator, candidates: Any, given: Any = None) -> Any:
        again(self, candidates[:3], given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Evaluator, "again", cut_off)
        with pytest.raises(KeyboardInterrupt):
            api.retry(path, accept_changed_oracles=True)
    assert [row["status"] for row in rows(tmp_path)] == ["failed"] * 6, "nothing was committed"
    retried = api.retry(path)
    assert len(retried.mended) == 6
    amendment = api.status(path).rounds[-1]
    assert (amendment.metrics["known_results"], amendment.metrics["wanted_results"]) == (3, 6)


def test_an_unchanged_oracle_is_asked_again_for_what_failed_by_chance(tmp_path: Path, tiny_model: Path) -> None:
    flaky = ORACLE.replace("    return", "    if __import__('os').path.exists(DOWN): fails = 'F'\n    return")
    flaky = flaky.replace("@oracle", f"DOWN = {str(tmp_path / 'down')!r}\n\n\n@oracle")
    (tmp_path / "down").touch()
    path = write_broken(tmp_path, tiny_model, oracle=flaky)
    assert designloop_("run", path).exit_code == 3
    (tmp_path / "down").unlink()
    printed = succeeds("retry", path)
    assert "6 of 6 failed molecules are run again" in printed
    assert "6 of 6 molecules that were run again have a score now (round 1, an amendment" in printed
    assert "No molecule of this campaign has failed" in succeeds("retry", path)


def test_a_broken_oracle_stops_a_retry_before_it_runs_anything_again(tmp_path: Path, tiny_model: Path) -> None:
    path = write_broken(tmp_path, tiny_model)
    api.run(path)
    (tmp_path / "my_oracle.py").write_text(ORACLE.replace("raises=False", "raises=True"))
    assert "no licence left" in fails(2, "retry", path, "--accept-changed-oracles")
    assert [info.kind for info in api.status(path).rounds] == ["start"]


def test_a_campaign_that_never_ran_has_nothing_to_retry(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model)
    with pytest.raises(QueryError, match="has not run yet"):
        api.retry(path)
    assert not (tmp_path / "small").exists()


def test_a_campaign_begun_before_a_filter_is_retried_without_it(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"budget.oracle_calls": 20})
    api.run(path)
    stored = read_campaign(tmp_path / "small")
    assert stored is not None
    del stored.openings[0].dump["filters"]["unstable"]  # as the version before would have written it
    write_record(tmp_path / "small", stored)
    said: list[str] = []
    assert [*api.retry(path, say=said.append).molecules] == []
    assert any("without the filters unstable," in line for line in said)


def test_a_molecule_that_a_filter_refuses_is_not_among_the_best_once_it_has_a_value(
    tmp_path: Path, tiny_model: Path
) -> None:
    """The longest one has most carbons, and is too large."""
    path = write_broken(tmp_path, tiny_model, {"filters.heavy_atoms": [1, 15]})
    api.run(path)
    mend(tmp_path)
    api.retry(path, accept_changed_oracles=True)
    table = rows(tmp_path)
    assert [row["smiles"] for row in table if not row["allowed"]] == FLUORIDES[-1:]
    allowed = sorted((row["score"] for row in table if row["allowed"]), reverse=True)
    last = api.status(path).rounds[-1].metrics
    assert max(row["score"] for row in table) > allowed[0] == last["best"]
    assert last["mean_top_10"] == pytest.approx(sum(allowed[:10]) / len(allowed[:10]))
