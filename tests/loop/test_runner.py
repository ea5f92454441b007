"""The loop with all its real parts: what it commits, when it ends, and that a crash changes nothing."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import designloop
from designloop.loop import runner
from designloop.loop.screening.filters import Filters, without
from designloop.loop.summary import Summary
from designloop.records import Round, Scored
from designloop.report.comparison import compare
from designloop.report.top import top_molecules
from designloop.strategies.random import RandomDraws
from designloop.tables import TableError
from designloop.tables.manifest import read_campaign
from designloop.tables.manifest import write_campaign as write_record
from tests.campaigns import MOLECULES, write_campaign

BORONIC = "B(O)(O)c1ccccc1CC1CC1"
ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
PARAMS = "objective.properties.0.params"

RUN = """
import os, signal, sys
import designloop
from designloop.loop.evaluation.evaluator import Evaluator

path, moment, round_ = sys.argv[1], sys.argv[2], int(sys.argv[3])
score = Evaluator.__call__
rounds = iter(range(len(designloop.status(path).rounds) if os.path.isdir(path[:-5]) else 0, 100))

def score_and_die(self, candidates, *listener):
    scored = score(self, candidates, *listener)
    if moment == "scored" and next(rounds) == round_:
        os.kill(os.getpid(), signal.SIGKILL)
    return scored

def on_round(progress):
    if moment == "committed" and progress.round.number == round_:
        os.kill(os.getpid(), signal.SIGKILL)

Evaluator.__call__ = score_and_die
print(designloop.run(path, on_round=on_round).summary.digest)
"""


def run(folder: Path, model: Path, changes: Mapping[str, Any] | None = None) -> Summary:
    return designloop.run(write_campaign(folder, model, changes)).summary


def start_elsewhere(path: Path, hash_seed: int, moment: str = "never", number: int = 0) -> subprocess.Popen[str]:
    """A run in another process, which kills itself when a round was ``scored``, or ``committed``."""
    command = [sys.executable, "-c", RUN, str(path), moment, str(number)]
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def table(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = designloop.open_candidates(folder / "small").to_arrow().to_pylist()
    return rows


def test_run_campaign_is_one_screen_long() -> None:
    assert len(inspect.getsource(runner.run_campaign).splitlines()) <= 50


def test_a_campaign_spends_its_budget_to_the_last_call(tmp_path: Path, tiny_model: Path) -> None:
    summary = run(tmp_path, tiny_model)
    assert [info.rows for info in summary.rounds] == [20, 20, 5]
    assert [info.number for info in summary.rounds] == [1, 2, 3], "round 0 is left out without starting molecules"
    assert summary.calls == len(table(tmp_path)) == 45
    assert summary.end is not None
    assert summary.end.reason == "oracle_calls"


def test_starting_molecules_are_round_0_whatever_the_batch_size(tmp_path: Path, tiny_model: Path) -> None:
    molecules = [ASPIRIN, "CC(=O)Oc1ccccc1C(=O)[O-].[Na+]", "CCN(CC)CCNC(=O)c1ccc(N)cc1", BORONIC]
    changes = {
        "starting_molecules": {"smiles": molecules, "only_allowed": True},
        "batch_size": 2,
        "budget.oracle_calls": 6,
    }
    summary = run(tmp_path, tiny_model, changes)
    first = [row for row in table(tmp_path) if row["round"] == 0]
    assert [row["smiles"] for row in first] == [ASPIRIN, "CCN(CC)CCNC(=O)c1ccc(N)cc1"], "a salt is its parent"
    assert {row["proposer"] for row in first} == {"start"}
    assert all(row["selfies"] for row in first)
    assert [info.rows for info in summary.rounds] == [2, 2, 2]
    (refused,) = summary.refused_starting
    assert "elements" in refused, "a boronic acid is refused by name and charged to nothing"


def test_filters_bind_what_is_proposed_and_not_what_is_known(tmp_path: Path, tiny_model: Path) -> None:
    greasy = "C" * 29 + "O"
    start = [greasy, ASPIRIN, BORONIC]
    changes = {"starting_molecules": start, "batch_size": 4, "budget.oracle_calls": 7, PARAMS: {"fails": "B("}}
    path = write_campaign(tmp_path, tiny_model, changes)
    told: list[list[Scored]] = []
    with pytest.MonkeyPatch.context() as patch:
        tell = RandomDraws.tell

        def tell_and_note(self: RandomDraws, scored: Sequence[Scored]) -> Mapping[str, float]:
            told.append(list(scored))
            return tell(self, scored)

        patch.setattr(RandomDraws, "tell", tell_and_note)
        summary = designloop.run(path).summary
    rows = table(tmp_path)
    assert [(row["allowed"], row["call"]) for row in rows[:3]] == [(False, 1), (True, 2), (False, 3)]
    assert all(row["allowed"] for row in rows[3:])
    assert summary.calls == len(rows) == 7, "each of them is charged"
    assert [row.candidate.allowed for row in told[0]] == [False, True, False], "the strategy learns from all"
    assert [refused.split(" (")[1].split(":")[0] for refused in summary.refused_starting] == ["alerts", "elements"]
    scores = {row["smiles"]: row["score"] for row in rows}
    assert scores[greasy] == max(score for score in scores.values() if score is not None)
    assert summary.best == max(row["score"] for row in rows if row["allowed"] and row["score"] is not None)

    candidates = designloop.open_candidates(tmp_path / "small")
    best = top_molecules(candidates)
    assert greasy not in [molecule.smiles for molecule in best]
    assert greasy not in candidates.top(7)["smiles"].to_pylist()
    assert top_molecules(candidates, with_refused=True)[0].smiles == greasy
    assert candidates.top(7, with_refused=True)["smiles"].to_pylist()[0] == greasy
    assert all(molecule.start is not None for molecule in best), "it is known all the same"
    (standing,) = compare(candidates)
    assert (standing.best, standing.failed) == (summary.best, rows[2]["score"] is None)


def test_what_is_refused_stays_out_of_the_best_when_a_campaign_goes_on(tmp_path: Path, tiny_model: Path) -> None:
    changes = {"starting_molecules": ["C" * 29 + "O", ASPIRIN], "batch_size": 4}
    path = write_campaign(tmp_path, tiny_model, {**changes, "budget.oracle_calls": 6})
    first = designloop.run(path).summary
    second = designloop.run(designloop.load_campaign(path, {"budget.oracle_calls": 10})).summary
    assert second.calls == 10
    assert first.best is not None
    assert second.best == max(row["score"] for row in table(tmp_path) if row["allowed"])
    assert second.best < max(row["score"] for row in table(tmp_path))


def test_only_what_is_allowed_has_the_digest_that_it_had_without_the_rest(tmp_path: Path, tiny_model: Path) -> None:
    digests = []
    for name, start in (
        ("without", [ASPIRIN]),
        ("skipped", {"smiles": [ASPIRIN, BORONIC], "only_allowed": True}),
        ("kept", {"smiles": [ASPIRIN, BORONIC]}),
    ):
        changes = {"starting_molecules": start, "budget.oracle_calls": 6}
        path = write_campaign(tmp_path, tiny_model, changes, name=name)
        digests.append(designloop.run(path).summary.digest)
    assert digests[0] == digests[1] != digests[2]


def test_what_the_alphabet_cannot_express_is_scored_but_has_no_selfies(tmp_path: Path, tiny_model: Path) -> None:
    odd = "C[Si](C)(C)CCc1ccccc1"
    changes = {
        "starting_molecules": [odd],
        "filters": {"elements": ["C", "N", "O", "Si"], "known_groups": None},
        "budget.oracle_calls": 1,
    }
    run(tmp_path, tiny_model, changes)
    (row,) = table(tmp_path)
    assert (row["smiles"], row["selfies"], row["status"]) == (odd, None, "ok")


def test_a_round_in_which_all_fails_is_charged_and_three_of_them_stop_it(tmp_path: Path, tiny_model: Path) -> None:
    changes = {
        PARAMS: {"fails": "c"},
        "budget.oracle_calls": 100,
        "batch_size": 5,
        "filters": {"require_smarts": ["c"]},
    }
    summary = run(tmp_path, tiny_model, {**changes, "reference": ["CC1CCCCC1CCCO", ASPIRIN]})
    assert summary.end is not None
    assert summary.end.reason == "no_results"
    assert summary.calls == 15
    assert {row["score"] for row in table(tmp_path)} == {None}, "a failure is never a zero"
    (failures,) = summary.failures
    assert (failures.property, failures.status, failures.molecules) == ("carbons", "failed", 15)


def test_a_mended_oracle_goes_on_after_that(tmp_path: Path, tiny_model: Path) -> None:
    changes = {
        PARAMS: {"fails": "c"},
        "batch_size": 5,
        "filters": {"require_smarts": ["c"]},
        "reference": ["CC1CCCCC1CCCO", ASPIRIN],
    }
    run(tmp_path, tiny_model, changes)
    source = (tmp_path / "my_oracle.py").read_text()
    path = write_campaign(tmp_path, tiny_model, changes)
    (tmp_path / "my_oracle.py").write_text(source.replace("fails not in s", "s"))
    summary = designloop.run(path, accept_changed_oracles=True).summary
    assert summary.calls == 45
    assert len(summary.changes) == 1


def test_a_file_of_molecules_that_is_used_up_exhausts_it(tmp_path: Path, tiny_model: Path) -> None:
    summary = run(tmp_path, tiny_model, {"budget.oracle_calls": 1000, "batch_size": 100})
    assert summary.end is not None
    assert summary.end.reason == "exhausted"
    assert summary.rounds[-1].rows == 0
    assert 0 < summary.calls <= MOLECULES


def test_a_capped_oracle_shortens_the_round_and_ends_it(tmp_path: Path, tiny_model: Path) -> None:
    summary = run(tmp_path, tiny_model, {"budget.per_oracle": {"carbons": 25}})
    assert [info.rows for info in summary.rounds] == [20, 5]
    assert summary.end is not None
    assert summary.end.reason == "per_oracle"


def test_killed_in_any_round_it_resumes_to_the_identical_table(tmp_path: Path, tiny_model: Path) -> None:
    folders = [tmp_path / name for name in ("whole", "killed")]
    for folder in folders:
        folder.mkdir()
    changes = {"starting_molecules": [ASPIRIN]}
    whole, killed = (write_campaign(folder, tiny_model, changes) for folder in folders)
    with start_elsewhere(whole, hash_seed=1) as uninterrupted:
        for seed, (moment, number) in enumerate([("scored", 0), ("scored", 1), ("committed", 2)], 2):
            with start_elsewhere(killed, seed, moment, number) as process:
                said = process.communicate()
                assert process.returncode == -signal.SIGKILL, said
        with start_elsewhere(killed, hash_seed=5) as process:
            resumed, errors = process.communicate()
        digest, _ = uninterrupted.communicate()
    assert resumed == digest, errors
    assert digest
    assert table(folders[0]) == table(folders[1])


SMALL_STRATEGIES = [{"name": "property_loss", "pool": 2, "learning": {"steps": 1, "batch": 8}}, {"name": "latent_bo"}]


@pytest.mark.parametrize("strategy", SMALL_STRATEGIES, ids=lambda settings: settings["name"])
def test_each_strategy_resumes_to_the_identical_table(
    tmp_path: Path, tiny_model: Path, strategy: dict[str, Any]
) -> None:
    folders = [tmp_path / name for name in ("whole", "stopped")]
    for folder in folders:
        folder.mkdir()
    anything = without(Filters(), Filters.model_fields).model_dump(mode="json")
    changes = {"strategy": strategy, "filters": anything, "batch_size": 12, "budget.oracle_calls": 36}
    whole, stopped = (write_campaign(folder, tiny_model, changes) for folder in folders)
    digest = designloop.run(whole).summary.digest
    for most in (24, 36):
        begun = designloop.load_campaign(stopped, {"budget.oracle_calls": most})
        summary = designloop.run(begun).summary
    assert summary.digest == digest


def test_the_callback_hears_of_each_committed_round(tmp_path: Path, tiny_model: Path) -> None:
    heard: list[tuple[int, int]] = []

    def on_round(progress: Any) -> None:
        done: Round = progress.round
        heard.append((done.number, progress.calls))

    designloop.run(write_campaign(tmp_path, tiny_model), on_round=on_round)
    assert heard == [(1, 20), (2, 40), (3, 45)]


def test_a_campaign_begun_before_a_filter_or_a_loss_goes_on_without_it(tmp_path: Path, tiny_model: Path) -> None:
    bare = {"strategy": {"name": "property_loss", "proposers": ["prior"], "surrogate": "none"}}
    path = write_campaign(tmp_path, tiny_model, {**bare, "budget.oracle_calls": 20})
    designloop.run(path)
    folder = tmp_path / "small"
    stored = read_campaign(folder)
    assert stored is not None
    del stored.openings[0].dump["filters"]["unstable"]  # as the version before would have written it
    del stored.openings[0].dump["strategy"]["learning"]["loss"]
    write_record(folder, stored)
    for calls in (30, 40):  # the second time the record knows the filter, and that it was off
        write_campaign(tmp_path, tiny_model, {**bare, "budget.oracle_calls": calls})
        said: list[str] = []
        designloop.run(path, say=said.append)
        assert any("without the filters unstable," in line for line in said)
        assert any("without `strategy.learning.loss`, and goes on with 'likelihood'" in line for line in said)
        resumed = read_campaign(folder)
        assert resumed is not None
        filters = resumed.openings[-1].dump["filters"]
        assert (filters["unstable"], filters["alerts"]) == (False, ["PAINS", "NIH"])
        assert resumed.openings[-1].dump["strategy"]["learning"]["loss"] == "likelihood"
    write_campaign(tmp_path, tiny_model, {**bare, "budget.oracle_calls": 45, "filters.unstable": True})
    with pytest.raises(TableError, match=r"filters\.unstable: found true, expected false"):
        designloop.run(path)
