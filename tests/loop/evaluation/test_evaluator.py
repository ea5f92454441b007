from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

import pytest

from designloop.loop.evaluation.backends import InlineBackend
from designloop.loop.evaluation.child.exchange import Reply
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.evaluator import Evaluator, seed_of
from designloop.records import Candidate
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_records import Finished, Intent, StoredValue
from designloop.testing.mischief import BAD, TIMED_OUT
from tests.loop.evaluation.misbehaving import (
    GOOD,
    Wanted,
    alive,
    campaign,
    candidates,
    group_of,
    left_over,
    statuses,
    values,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "test.ledger.sqlite", "one") as ledger:
        yield ledger


def evaluate(asked, smiles, ledger=None):
    with Evaluator(asked, ledger) as evaluator:
        return evaluator(candidates(smiles))


def test_each_candidate_gets_its_own_value_in_the_order_asked(tmp_path):
    smiles = ["C" * number for number in (7, 3, 60, 1, 3)]
    evaluations = evaluate(campaign(tmp_path, chunk=2), smiles)
    assert [evaluation.candidate.smiles for evaluation in evaluations] == smiles
    assert [evaluation.results["length"].value for evaluation in evaluations] == [7.0, 3.0, 60.0, 1.0, 3.0]
    assert {evaluation.status for evaluation in evaluations} == {"ok"}


def test_no_candidates(tmp_path, ledger):
    assert evaluate(campaign(tmp_path), [], ledger) == []
    assert ledger.runs() == []


@pytest.mark.parametrize("bad", ["raise", "hang", "kill", "list", "nan", "too few"])
def test_a_molecule_that_an_oracle_fails_on_costs_no_other(tmp_path, ledger, bad):
    smiles = [*GOOD[:3], bad, *GOOD[3:]]
    evaluations = evaluate(campaign(tmp_path, timeout=1.5 if bad in TIMED_OUT else 60.0), smiles, ledger)
    assert statuses(evaluations) == {**dict.fromkeys(GOOD, "ok"), bad: "timeout" if bad in TIMED_OUT else "failed"}
    assert values(evaluations) == {**{molecule: float(len(molecule)) for molecule in GOOD}, bad: None}
    [error] = [evaluation.results["length"].error for evaluation in evaluations if evaluation.results["length"].error]
    assert re.search(BAD[bad], error), error


def test_all_the_bad_ones_at_once(tmp_path, ledger):
    smiles = [*GOOD, *BAD]
    with Evaluator(campaign(tmp_path, timeout=1.5), ledger) as evaluator:
        evaluations = evaluator(candidates(smiles))
        stats = evaluator.stats
    assert {molecule for molecule, status in statuses(evaluations).items() if status == "ok"} == set(GOOD)
    assert {molecule for molecule, status in statuses(evaluations).items() if status == "timeout"} == TIMED_OUT
    assert (stats.oracle_timeouts, stats.oracle_failures) == (len(TIMED_OUT), len(BAD) - len(TIMED_OUT))
    assert stats.oracle_runs == 2 * len(smiles), "once in the chunk, once alone"
    assert stats.repeated_runs == len(smiles)


def test_a_failure_has_its_retries_and_only_runs_alone_count(tmp_path, ledger):
    calls = tmp_path / "calls"
    asked = campaign(tmp_path, {"length": ("./mischief.py:score", {"calls": str(calls)}, None)}, retries=2)
    [good, bad] = evaluate(asked, ["C", "nan"], ledger)
    assert calls.read_text().splitlines() == ["2 C nan", "1 nan", "1 nan", "1 nan"]
    assert (good.results["length"].attempt, bad.results["length"].attempt) == (1, 3)
    runs = [(run.smiles, run.number, run.attempt, run.status) for run in ledger.runs()]
    assert runs == [
        ("C", 1, 1, "ok"),
        ("nan", 1, 0, "failed"),
        ("nan", 2, 1, "failed"),
        ("nan", 3, 2, "failed"),
        ("nan", 4, 3, "failed"),
    ]


def test_what_the_ledger_knows_is_not_run_again(tmp_path, ledger):
    calls = tmp_path / "calls"
    asked = campaign(tmp_path, {"length": ("./mischief.py:score", {"calls": str(calls)}, None)})
    first = evaluate(asked, ["C", "nan", "CC"], ledger)
    calls.write_text("")
    with Evaluator(asked, ledger) as evaluator:
        assert values(evaluator(candidates(["CC", "nan", "CCC", "C"]))) == values(first) | {"CCC": 3.0}
        assert evaluator.stats.known_results == 3
        assert evaluator.metrics["oracle_runs"] == 1.0
    assert calls.read_text() == "1 CCC\n"


@pytest.mark.parametrize(
    ("function", "chunk", "sizes"),
    [("score", None, [25, 25, 2]), ("score", 40, [40, 12]), ("costly", None, [1] * 52)],
)
def test_chunks_have_a_fixed_size_and_a_costly_oracle_gets_one_molecule(tmp_path, function, chunk, sizes):
    calls = tmp_path / "calls"
    wanted = {"length": (f"./mischief.py:{function}", {"calls": str(calls)}, None)}
    evaluate(campaign(tmp_path, wanted, chunk=chunk), ["C" * number for number in range(1, 53)])
    assert [int(line.split()[0]) for line in calls.read_text().splitlines()] == sizes


def test_properties_of_one_oracle_are_one_run(tmp_path, ledger):
    wanted: Wanted = {
        "length": ("./mischief.py:outputs", {}, "length"),
        "carbons": ("./mischief.py:outputs", {}, "carbons"),
        "again": ("./mischief.py:outputs", {}, "length"),
    }
    evaluations = evaluate(campaign(tmp_path, wanted), ["CCO", "half"], ledger)
    assert [values(evaluations, name) for name in wanted] == [
        {"CCO": 3.0, "half": 4.0},
        {"CCO": 2.0, "half": None},
        {"CCO": 3.0, "half": 4.0},
    ]
    assert statuses(evaluations) == {"CCO": "ok", "half": "failed"}
    error = evaluations[1].results["carbons"].error
    assert error == "output 'carbons': answered nan, expected a finite number"
    assert {(run.smiles, run.number) for run in ledger.runs()} == {("CCO", 1), ("half", 1), ("half", 2)}
    assert evaluate(campaign(tmp_path, wanted), ["CCO", "half"], ledger) == evaluations, "as the ledger gives it back"


def test_an_output_that_another_campaign_did_not_want_is_asked_for(tmp_path):
    path = tmp_path / "shared.sqlite"
    with Ledger(path, "one") as ledger:
        asked = campaign(tmp_path, {"length": ("./mischief.py:outputs", {}, "length")})
        assert statuses(evaluate(asked, ["half"], ledger)) == {"half": "ok"}
    with Ledger(path, "two") as ledger:
        asked = campaign(tmp_path, {"carbons": ("./mischief.py:outputs", {}, "carbons")})
        assert statuses(evaluate(asked, ["half"], ledger)) == {"half": "failed"}
        assert [(run.campaign, run.status) for run in ledger.runs()] == [("one", "ok"), ("two", "failed")]


def test_a_value_is_found_behind_one_that_lacks_an_output(tmp_path):
    path = tmp_path / "shared.sqlite"
    asked = campaign(tmp_path, {"carbons": ("./mischief.py:outputs", {}, "carbons")})
    fingerprint = asked.oracles["carbons"].fingerprint
    given: dict[str, StoredValue] = {
        "one": {"length": 4.0, "carbons": "no licence"},
        "two": {"length": 4.0, "carbons": 1.0},
    }
    for name, value in given.items():
        with Ledger(path, name) as ledger:
            [intent] = ledger.record_intents({fingerprint: ["half"]}, {fingerprint: "outputs"})
            ledger.record([Finished(intent, "ok", value, None, 0.5, 1)])
    with Ledger(path, "three") as ledger:
        assert values(evaluate(asked, ["half"], ledger), "carbons") == {"half": 1.0}
        assert len(ledger.runs()) == 2


def test_a_stochastic_oracle_draws_alike_whenever_it_runs(tmp_path):
    asked = campaign(tmp_path, {"length": ("./mischief.py:noise", {}, None)})
    together = values(evaluate(asked, ["C", "CC", "CCC"]))
    asked = campaign(tmp_path, {"length": ("./mischief.py:noise", {}, None)}, chunk=1)
    assert values(evaluate(asked, ["CCC", "C", "CC"])) == together
    assert len(set(together.values())) == 3
    fingerprint = asked.oracles["length"].fingerprint
    assert together["C"] == seed_of(Intent(fingerprint, "C")) < 2**32


def test_checks_leave_the_campaign_as_it_was(tmp_path, ledger):
    with Evaluator(campaign(tmp_path), ledger) as evaluator:
        assert statuses(evaluator.checks(["C", "nan"])) == {"C": "ok", "nan": "failed"}
        assert {run.purpose for run in ledger.runs()} == {"check"}
        evaluator.checks(["C", "nan"])
        assert evaluator.stats.known_results == 1, "one that failed is tried anew"
        assert statuses(evaluator(candidates(["nan"]))) == {"nan": "failed"}
        assert evaluator.stats.oracle_runs == 1


def test_checks_need_no_ledger(tmp_path):
    with Evaluator(campaign(tmp_path)) as evaluator:
        assert values(evaluator.checks(["C", "CCO"])) == {"C": 1.0, "CCO": 3.0}
    assert [path.name for path in tmp_path.iterdir() if "sqlite" in path.name] == []


class Clockwork(InlineBackend):
    """A backend whose every molecule takes two seconds of no time at all."""

    def __init__(self):
        super().__init__(OracleProcess([]))
        self.deadlines: list[float] = []

    def wait(self):
        assert self._pending is not None
        (key, request), self._pending = self._pending, None
        self.deadlines.append(request.deadline)
        return [(key, Reply(((1.0, None),) * len(request.smiles), seconds=2.0 * len(request.smiles)))]


def test_a_deadline_grows_with_the_chunk_and_the_median(tmp_path):
    with Evaluator(campaign(tmp_path, chunk=4, timeout=10.0)) as evaluator:
        evaluator._backend = backend = Clockwork()
        evaluator(candidates(["C" * number for number in range(1, 10)]))
    assert backend.deadlines == [10.0, 10.0 + 3 * 4 * 2.0, 10.0]
    assert evaluator.stats.worker_seconds == pytest.approx(18.0)


def test_a_slow_oracle_is_slow_only_in_its_first_chunk(tmp_path, ledger):
    """Once a molecule's seconds are known, from this run or the ledger, chunks have the time that they need."""
    (tmp_path / "slow.py").write_text(
        "import time\ndef score(smiles):\n    time.sleep(0.6 * len(smiles))\n    return {m: 1.0 for m in smiles}\n"
    )
    asked = campaign(tmp_path, {"length": ("./slow.py:score", {}, None)}, chunk=3, timeout=1.5)
    with Evaluator(asked, ledger) as evaluator:
        assert set(statuses(evaluator(candidates(["C", "CC", "CCC"]))).values()) == {"ok"}
        assert evaluator.stats.repeated_runs == 3
    with Evaluator(asked, ledger) as evaluator:
        assert set(statuses(evaluator(candidates(["N", "NN", "NNN"]))).values()) == {"ok"}
        assert evaluator.stats.repeated_runs == 0


def test_an_oracle_that_never_loads_fails_all_without_running_each(tmp_path, ledger):
    (tmp_path / "late.py").write_text(
        "class Late:\n    def __init__(self):\n        open(self.__class__.__module__)\n"
        "    def score(self, smiles):\n        return {}\n"
    )
    asked = campaign(tmp_path, {"length": ("./late.py:Late", {}, None)}, retries=1)
    with Evaluator(asked, ledger) as evaluator:
        [problem] = evaluator.cannot_load()
        assert re.match(r"oracle 'Late' on this machine: could not be loaded: FileNotFoundError", problem)
        evaluations = evaluator(candidates(["C", "CC"]))
    assert statuses(evaluations) == {"C": "failed", "CC": "failed"}
    assert [run.attempt for run in ledger.runs()] == [1, 2, 1, 2]


def test_oracles_that_load_are_no_problem(tmp_path):
    with Evaluator(campaign(tmp_path)) as evaluator:
        assert evaluator.cannot_load() == []


def test_an_evaluator_goes_on_after_an_interrupt(tmp_path, ledger, monkeypatch):
    def record_and_be_interrupted_soon(runs, purpose="round", record=ledger.record):
        record(runs, purpose)
        signal.setitimer(signal.ITIMER_REAL, 0.3)

    monkeypatch.setattr(ledger, "record", record_and_be_interrupted_soon)
    with Evaluator(campaign(tmp_path, chunk=1), ledger) as evaluator:
        signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
        try:
            with pytest.raises(KeyboardInterrupt):
                evaluator(candidates(["C", "hang", "CC"]))
        finally:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        monkeypatch.undo()
        assert values(evaluator(candidates(["C", "CC"]))) == {"C": 1.0, "CC": 2.0}
        assert evaluator.stats.known_results == 1
    numbers = [(run.smiles, run.number, run.status) for run in ledger.runs()]
    assert numbers == [("C", 1, "ok"), ("CC", 1, None), ("CC", 2, "ok"), ("hang", 1, None)]


DRIVER = """
import os, signal, sys
from pathlib import Path
from designloop.loop.evaluation.backends import InlineBackend
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.tables.ledger import Ledger
from tests.loop.evaluation.misbehaving import campaign, candidates
folder, stop_after = Path(sys.argv[1]), int(sys.argv[2])

class Killed(Ledger):
    recorded = 0
    def record(self, runs, purpose="round"):
        super().record(runs, purpose)
        Killed.recorded += 1
        if Killed.recorded == stop_after:
            os.kill(os.getpid(), signal.SIGKILL)

with Killed(folder / "test.ledger.sqlite", "one") as ledger:
    with Evaluator(campaign(folder, chunk=3, retries=1), ledger) as evaluator:
        evaluator(candidates(sys.argv[3:]))
"""


def test_a_driver_killed_after_any_chunk_goes_on_to_the_same_result(tmp_path):
    smiles = ["C", "CC", "CCO", "nan", "CCC", "raise", "N", "NN"]
    with Ledger(tmp_path / "whole.sqlite", "one") as ledger:
        whole = evaluate(campaign(tmp_path, chunk=3, retries=1), smiles, ledger)
        plain = sum(run.status is not None for run in ledger.runs())
    kept = [
        (evaluation.candidate.smiles, evaluation.results["length"].value, evaluation.status) for evaluation in whole
    ]
    for stop_after in (1, 5):
        folder = tmp_path / str(stop_after)
        folder.mkdir()
        driver = [sys.executable, "-c", DRIVER, folder, str(stop_after), *smiles]
        assert subprocess.run(driver, cwd=ROOT, timeout=60).returncode == -signal.SIGKILL
        with Ledger(folder / "test.ledger.sqlite", "one") as ledger:
            evaluations = evaluate(campaign(folder, chunk=3, retries=1), smiles, ledger)
            assert [
                (evaluation.candidate.smiles, evaluation.results["length"].value, evaluation.status)
                for evaluation in evaluations
            ] == kept
            for name in ("nan", "raise"):
                alone = [run.attempt for run in ledger.runs() if run.smiles == name and run.attempt and run.status]
                assert alone == [1, 2], "a rerun counts as the attempt that it repeats"
            assert sum(run.status is not None for run in ledger.runs()) <= plain + 2


def test_a_driver_does_not_run_the_oracle_itself(tmp_path):
    wanted: Wanted = {"pid": ("./mischief.py:where", {}, "pid")}
    [evaluation] = evaluate(campaign(tmp_path, wanted), ["C"])
    assert evaluation.results["pid"].value != os.getpid()


def test_an_evaluation_keeps_its_candidate(tmp_path):
    candidate = Candidate("CCO", "crossover", "[C][C][O]", parents=("C",), model_round=3)
    with Evaluator(campaign(tmp_path)) as evaluator:
        assert evaluator([candidate])[0].candidate is candidate


def test_an_answer_that_nobody_asked_for_is_remarked_once_an_oracle(tmp_path, ledger):
    with Evaluator(campaign(tmp_path), ledger) as evaluator:
        evaluator(candidates(["C", "CC"]))
        assert evaluator.remarks() == []
        evaluations = evaluator(candidates(["CCO", "guest", "CCC"]))
        assert set(statuses(evaluations).values()) == {"ok"}
        [remark] = evaluator.remarks()
        assert remark.endswith("answered for 'somebody else', which was not asked; such answers are dropped")
        assert remark.startswith("oracle ")
        evaluator(candidates(["guest", "CCCC"]))
        assert evaluator.remarks() == []


def test_a_guard_that_is_stopped_with_its_child_holds_nothing_up(tmp_path, monkeypatch):
    """The deadline is this process's own, and so is the end of both."""
    monkeypatch.setattr("designloop.loop.evaluation.child.guarded_child.END_SECONDS", 0.5)
    (tmp_path / "slow.py").write_text(
        "import time\ndef score(smiles):\n    time.sleep(0.4)\n    return {m: float(len(m)) for m in smiles}\n"
    )
    with Evaluator(campaign(tmp_path, {"length": ("./slow.py:score", {}, None)}, timeout=1.5)) as evaluator:
        evaluator(candidates(["N"]))
        backend = evaluator._backend
        assert isinstance(backend, InlineBackend)
        assert backend._process._child is not None
        group = backend._process._child._process.pid
        timer = threading.Timer(0.2, os.killpg, (group, signal.SIGSTOP))
        timer.start()
        assert values(evaluator(candidates(["C", "CC"]))) == {"C": 1.0, "CC": 2.0}
        assert evaluator.stats.repeated_runs == 2
    assert left_over(lambda: alive(group_of(group))) == {}


def test_what_was_known_is_counted_and_dated(tmp_path, ledger):
    before = time.time()
    with Evaluator(campaign(tmp_path), ledger) as evaluator:
        evaluator(candidates(["C"]))
        assert "known_oldest" not in evaluator.metrics
        between = time.time()
        evaluator(candidates(["CC"]))
        evaluator(candidates(["C", "CC", "CCC"]))
        metrics = evaluator.metrics
    assert (metrics["known_results"], metrics["wanted_results"], metrics["oracle_runs"]) == (2, 3, 1)
    oldest, newest = (
        datetime.fromisoformat(str(metrics[name])).timestamp() for name in ("known_oldest", "known_newest")
    )
    assert int(before) <= oldest <= between <= newest + 1 <= time.time() + 1


def test_how_many_are_scored_is_told_while_they_are(tmp_path, ledger):
    counts = []

    def listen(tally):
        counts.append((tally.scored, tally.failed, tally.wanted))

    with Evaluator(campaign(tmp_path, chunk=2, retries=0), ledger) as evaluator:
        evaluator(candidates(GOOD[:1]))
        evaluator(candidates([*GOOD[:5], "raise"]), listen)
    assert counts[0] == (1, 0, 6), "what the ledger knows is scored at once"
    assert counts[-1] == (5, 1, 6)
    assert len(counts) >= 4
    assert counts == sorted(counts)
