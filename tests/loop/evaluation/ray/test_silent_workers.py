"""Workers that are alive and silent, on a Ray that is made up."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.loop.evaluation.child.exchange import Reply, Request
from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.evaluation.ray import backend as ray_backend
from designloop.loop.evaluation.ray.backend import MOST_RESENT, STOPPED_SECONDS, TELL_SECONDS, WORKER_START_SECONDS
from designloop.tables.ledger import Ledger
from tests.loop.evaluation.misbehaving import campaign, candidates, values
from tests.loop.evaluation.ray.fake_ray import (
    COLD,
    DEADLINE,
    GOOD,
    LATE,
    SECOND,
    WARM,
    FakeRay,
    RayError,
    Ref,
    Up,
    backend_on,
    drive,
    kinds,
    patch_ray,
)


def test_a_silent_worker_costs_its_deadline_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda worker, _: (inf, None) if worker == 0 else (1.0, GOOD))
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1, 2, 3]) == [(2, GOOD), (3, GOOD), (1, GOOD)]
    assert WARM <= ray.now <= WARM + 5
    assert kinds(backend) == [("silent", "node-0", 1)]
    assert backend.resent == 1
    assert ray.killed == [0], "its answer is of no use any more, and its successor wants its CPU"
    assert len(ray.actors) == 3


@pytest.mark.parametrize(("others", "deadline"), [(0.0, SECOND), (20.0, 10 * 20.0 + 30.0), (400.0, COLD)])
def test_a_worker_that_is_silent_while_it_loads_the_oracle_is_measured_by_the_others(
    monkeypatch: pytest.MonkeyPatch, others: float, deadline: float
) -> None:
    ray = FakeRay(lambda *_: (1.0, GOOD), load=lambda worker, _: (inf, None) if worker == 0 else (others, Reply(())))
    backend = backend_on(ray, monkeypatch)
    assert sorted(drive(backend, [1, 2, 3])) == [(1, GOOD), (2, GOOD), (3, GOOD)]
    assert deadline <= ray.now <= deadline + 5
    assert kinds(backend) == [("silent", "node-0", 1)]


def test_where_nobody_has_loaded_the_oracle_yet_it_may_take_long_and_costs_no_request_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = FakeRay(lambda *_: (WARM - 5.0, GOOD), load=lambda *_: (COLD - 5.0, Reply(())))
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1, 2]) == [(1, GOOD), (2, GOOD)]
    assert kinds(backend) == []


def test_where_all_but_one_load_slowly_they_come_to_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda *_: (20.0, GOOD), load=lambda worker, _: (1.0 if worker == 0 else 400.0, Reply(())), cpus=2.0)
    backend = backend_on(ray, monkeypatch)
    keys = list(range(200))
    assert sorted(key for key, _ in drive(backend, keys)) == keys
    assert len(kinds(backend)) < 10, "each is given twice the time of the one before"
    assert [len(actor.requests) for actor in ray.actors][-1] > 50


def test_an_oracle_that_cannot_be_loaded_is_the_reply_to_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    unloaded = Reply(None, "unloaded", "could not be loaded: no module", 1.0)
    ray = FakeRay(lambda *_: (1.0, GOOD), load=lambda *_: (1.0, unloaded))
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1, 2, 3]) == [(1, unloaded), (2, unloaded), (3, unloaded)]
    assert not any(actor.requests for actor in ray.actors), "loading is not tried twice for one request"


def test_after_a_failure_that_ended_its_child_a_worker_may_have_to_load_again(monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = Reply(None, "timeout", "no answer")
    ray = FakeRay(
        lambda worker, nth: (WARM - 5, GOOD) if (worker, nth) == (0, 1) else (1.0, timeout),
        load=lambda worker, nth: (SECOND - 5 if nth else 1.0, Reply(())),
    )
    backend = backend_on(ray, monkeypatch, workers=1)
    assert drive(backend, [1, 2]) == [(1, timeout), (2, GOOD)]
    assert kinds(backend) == []


def test_who_is_heard_late_of_the_oracle_that_it_loads_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda *_: (30.0, GOOD), load=lambda worker, _: (SECOND + 20.0 if worker == 0 else 0.0, Reply(())))
    backend = backend_on(ray, monkeypatch)
    assert sorted(drive(backend, range(10))) == [(key, GOOD) for key in range(10)]
    assert kinds(backend) == [("silent", "node-0", 1)]
    assert ray.killed == []
    assert ray.actors[0].requests


def test_a_late_answer_that_comes_first_is_taken_and_the_other_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(worker: int, nth: int) -> tuple[float, Reply]:
        if worker == 0:
            return (WARM + 20.0, LATE) if nth == 0 else (1.0, GOOD)
        return (50.0 if nth == 1 else 1.0, GOOD)

    ray = FakeRay(act)
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1, 2]) == [(2, GOOD), (1, LATE)]
    assert backend.resent == 1
    ray.now += 100.0
    assert drive(backend, [3, 4, 5]) == [(3, GOOD), (4, GOOD), (5, GOOD)], "the second answer to 1 is nobody's"
    assert ray.killed == []
    assert len(ray.actors[0].requests) > 1, "who has answered is used again"


def test_a_late_answer_that_comes_second_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda worker, nth: (WARM + 20.0, LATE) if (worker, nth) == (0, 0) else (1.0, GOOD))
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1, 2]) == [(2, GOOD), (1, GOOD)]
    ray.now += 1000
    assert drive(backend, [3, 4]) == [(3, GOOD), (4, GOOD)]


@pytest.mark.parametrize("late_by", [20.0, 45.0, 1000.0])
def test_the_ledger_has_one_result_a_molecule_whenever_a_late_answer_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_by: float
) -> None:
    """Before the second answer, after it, and after the round; the chunk that is sent again takes 31 s."""
    ray = FakeRay(lambda worker, nth: (WARM + late_by, GOOD) if (worker, nth) == (0, 0) else (31.0, GOOD))
    patch_ray(ray, monkeypatch)
    smiles = ["C" * number for number in range(1, 8)]
    with (
        Ledger(tmp_path / "test.sqlite", "one") as ledger,
        Evaluator(campaign(tmp_path, backend="ray", workers=2, chunk=1), ledger) as evaluator,
    ):
        assert values(evaluator(candidates(smiles))) == dict.fromkeys(smiles, 1.0)
        assert evaluator.stats.oracle_runs == len(smiles)
        assert evaluator.metrics["silent_workers"] == evaluator.metrics["resent_chunks"] == 1
        [line] = evaluator.losses()
        assert "1 worker on node-0 (00000000) fell silent" in line
        ray.now += 2000.0
        evaluator(candidates(["N", "O"]))
        assert evaluator.losses() == []
        runs = [(run.smiles, run.number, run.attempt, run.status) for run in ledger.runs()]
    assert sorted(runs) == sorted((molecule, 1, 1, "ok") for molecule in [*smiles, "N", "O"])


def test_a_late_answer_before_its_request_was_sent_again_spares_that(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(worker: int, nth: int) -> tuple[float, Reply]:
        if nth == 0:
            return 1.0, GOOD
        return (WARM + 20.0, LATE) if worker == 0 else (WARM - 10.0, GOOD)  # the other is busy all the while

    ray = FakeRay(act)
    backend = backend_on(ray, monkeypatch)
    drive(backend, [1, 2])
    assert drive(backend, [3, 4, 5]) == [(4, GOOD), (3, LATE), (5, GOOD)]
    assert kinds(backend) == [("silent", "node-0", 1)]
    assert backend.resent == 0


def test_the_only_worker_is_ended_at_once_when_it_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda worker, _: (inf, None) if worker == 0 else (1.0, GOOD))
    backend = backend_on(ray, monkeypatch, workers=1)
    assert drive(backend, [1]) == [(1, GOOD)]
    assert ray.killed == [0]


def test_of_two_short_requests_the_second_has_its_time_from_the_first_ones_reply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = Request("oracle", ("C",), None, DEADLINE, expected=0.01)
    monkeypatch.setitem(globals(), "REQUEST", short)
    ray = FakeRay(lambda _, nth: (WARM - 5 if nth else 1.0, GOOD))
    backend = backend_on(ray, monkeypatch, workers=1)
    assert drive(backend, [1, 2, 3]) == [(1, GOOD), (2, GOOD), (3, GOOD)]
    assert len(ray.actors[0].requests) == 3
    assert kinds(backend) == []


def test_a_driver_that_was_stopped_with_its_workers_blames_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = WARM + 100 * STOPPED_SECONDS
    ray = FakeRay(lambda *_: (stopped + 60.0, GOOD), stops={50.0: stopped})
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1, 2]) == [(1, GOOD), (2, GOOD)]
    assert kinds(backend) == []
    assert len(ray.actors) == 2


def test_under_a_request_that_silences_everyone_there_are_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda *_: (inf, None))
    backend = backend_on(ray, monkeypatch)
    with pytest.raises(NoWorkers, match=rf"{MOST_RESENT + 1} workers in a row died or fell silent under the same mol"):
        drive(backend, [1])


def test_a_worker_that_never_says_that_it_is_up_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda *_: (80.0, GOOD), start=lambda number: inf if number == 0 else 1.0)
    backend = backend_on(ray, monkeypatch)
    drive(backend, [1, 2, 3, 4, 5, 6])
    assert kinds(backend) == [("unstarted", "", 0)]
    assert ray.killed == [0]
    assert ray.actors[2].requests


def test_when_no_worker_is_ever_up_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda *_: (1.0, GOOD), start=lambda _: inf)
    with pytest.raises(
        NoWorkers, match=r"No worker started within 300 s\. Ray has 2 CPUs, .* Give it CPUs \(ray\.init"
    ):
        drive(backend_on(ray, monkeypatch), [1])
    assert WORKER_START_SECONDS <= ray.now <= WORKER_START_SECONDS + 5


@pytest.mark.parametrize(
    ("cpus", "own", "is_told"), [(0, False, True), (0.5, False, True), (1, False, False), (0, True, False)]
)
def test_a_ray_without_a_free_cpu_is_told_of_within_seconds(
    monkeypatch: pytest.MonkeyPatch, cpus: float, own: bool, is_told: bool
) -> None:
    ray = FakeRay(lambda *_: (1.0, GOOD), start=lambda _: 100.0, cpus=cpus)
    monkeypatch.setattr(Up, "is_own", own)  # which has a CPU a worker, though Ray may not know it at once
    warned: list[float] = []
    monkeypatch.setattr(ray_backend._LOGGER, "warning", lambda *_: warned.append(ray.now))
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1]) == [(1, GOOD)], "it may be given one yet"
    assert len(warned) == is_told
    assert all(TELL_SECONDS <= time <= TELL_SECONDS + 5 for time in warned)


def test_what_is_waited_for_is_told_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ray = FakeRay(lambda *_: (1.0, GOOD), start=lambda _: 100.0, cpus=0.0)
    drive(backend_on(ray, monkeypatch), [1])
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert line == (
        "No worker started within 5 s. Ray has 0 CPUs, 0 of them free, and a worker needs one. Waiting for one, 295 s "
        "more. Give it CPUs (ray.init(num_cpus=2), ray start --num-cpus=2, another node), end what uses them, or run "
        "with --backend inline."
    )


def test_where_starting_is_in_vain_the_others_go_on_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda *_: (10.0, GOOD))
    backend = backend_on(ray, monkeypatch)
    drive(backend, [1, 2])
    monkeypatch.setattr(ray, "get", lambda ref, get=ray.get: _refuse(ref, get))
    backend._end(backend._workers[0])
    keys = range(3, 3 + 2 * MOST_RESENT)
    assert sorted(key for key, _ in drive(backend, keys)) == list(keys)
    assert [kind for kind, _, _ in kinds(backend)] == ["unstarted"] * (MOST_RESENT + 1)


def _refuse(ref: Ref, get: Callable[[Ref], Any]) -> Any:
    """Every worker that starts now dies at once."""
    if isinstance(ref.value, tuple):
        raise RayError("no such module")
    return get(ref)


@pytest.mark.parametrize(("dead", "kind"), [(None, "died"), (0, "node"), (1, "died")])
def test_a_worker_whose_node_is_gone_was_lost_with_it(
    monkeypatch: pytest.MonkeyPatch, dead: int | None, kind: str
) -> None:
    ray = FakeRay(
        lambda worker, _: (1.0, RayError("it is gone\n" + "x " * 99) if worker == 0 else GOOD), dead_node=dead
    )
    backend = backend_on(ray, monkeypatch)
    assert drive(backend, [1, 2, 3]) == [(2, GOOD), (1, GOOD), (3, GOOD)]
    assert kinds(backend) == [(kind, "node-0", 1)]
    assert backend.losses[0].why.endswith("x …")
    assert len(backend.losses[0].why) <= 100


def test_load_tells_of_a_node_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay(lambda *_: (1.0, GOOD), load=lambda worker, _: (inf if worker == 1 else 1.0, Reply(())))
    backend = backend_on(ray, monkeypatch)
    assert backend.load("oracle") == {"node-1 (00000001)": "its worker did not answer within 450 s"}


FATES = st.sampled_from([0.1, 5.0, 200.0, WARM + 30.0, WARM + 30.0, 5000.0, inf, -1.0])
"""Seconds that a request takes; -1: its worker dies under it."""


@given(st.lists(FATES, max_size=15), st.integers(1, 4), st.integers(1, 8))
def test_whoever_dies_is_silent_or_late_each_request_has_exactly_one_reply(
    fates: list[float], workers: int, requests: int
) -> None:
    coming = iter(fates)

    def act(worker: int, nth: int) -> tuple[float, Any]:
        fate = next(coming, 1.0)
        return (0.5, RayError("the actor died")) if fate < 0 else (fate, GOOD)

    with pytest.MonkeyPatch.context() as patch:
        ray = FakeRay(act)
        backend = backend_on(ray, patch, workers)
        replies: list[tuple[int, Reply]] = []
        for first in (0, requests):  # a second round hears no answer of the first
            keys = range(first, first + requests)
            replies += drive(backend, keys)
            assert sorted(key for key, _ in replies) == list(range(first + requests))
            ray.now += WARM
        assert ray.now < (WARM + 5100) * (len(fates) + 2), "it never waits for ever"
        assert len(set(ray.killed)) == len(ray.killed)
