"""Pieces of a strategy's work on a Ray that is up: it is spread, lost and ended as what is faked elsewhere says."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.evaluation.processes import family
from designloop.loop.evaluation.ray.backend import RayBackend
from designloop.loop.evaluation.ray.listening import listeners
from designloop.loop.evaluation.ray.spreading import RaySpread
from tests.loop.evaluation.misbehaving import alive, campaign, candidates, left_over, values


@pytest.fixture
def evaluator(tmp_path: Path) -> Iterator[Evaluator]:
    with Evaluator(campaign(tmp_path, backend="ray", workers=2)) as evaluator:
        yield evaluator


def spread_of(evaluator: Evaluator) -> RaySpread:
    assert isinstance(evaluator._backend, RayBackend)
    return evaluator._backend.spread


@pytest.mark.xdist_group("ray")
def test_pieces_on_a_ray_of_its_own(evaluator: Evaluator, sockets_before: set[str]) -> None:
    assert values(evaluator(candidates(["C"]))) == {"C": 1.0}
    assert spread_of(evaluator)._nodes is None, "as long as nothing is spread, nothing is prepared for it"
    here = os.getpid()
    before = family(here)

    def process(shared: float, piece: int) -> tuple[int, int]:
        time.sleep(shared)
        return piece, os.getpid()

    limit, pids = time.monotonic() + 120, set[int]()
    while not pids - {here}:
        assert time.monotonic() < limit
        done = evaluator.spread(process, 0.05, range(6))
        assert [piece for piece, _ in done] == list(range(6))
        pids |= {pid for _, pid in done}
    (there,) = pids - {here}
    assert here in pids, "this process does its part"
    opened = [listener for listener in listeners(family(here)) if listener.inode not in sockets_before]
    assert any(f"process {there}" in str(listener) for listener in opened)
    assert [str(listener) for listener in opened if not listener.is_loopback] == []

    def fatal(driver: int, piece: int) -> int:
        if os.getpid() != driver:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
        return piece

    assert evaluator.spread(fatal, here, range(4)) == list(range(4))
    assert left_over(lambda: alive({there})) == {}
    assert spread_of(evaluator)._lost_count == 1
    assert values(evaluator(candidates(["C", "CC"]))) == {"C": 1.0, "CC": 2.0}, "oracles' workers are others"
    evaluator.spread(process, 0.0, range(2))  # one is starting again
    evaluator.close()
    assert left_over(lambda: alive(family(here) - before)) == {}
