from __future__ import annotations

from collections.abc import Iterator

import pytest

from designloop.benchmarks.overhead import stopwatch
from designloop.benchmarks.overhead.stopwatch import Stopwatch


class Clock:
    """A clock that goes on only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: clock.now)
    return clock


def test_each_second_counts_to_the_part_entered_last(clock: Clock) -> None:
    watch = Stopwatch()
    clock.wait(1)
    with watch("outer"):
        clock.wait(2)
        with watch("inner"):
            clock.wait(4)
        clock.wait(8)
        with watch("outer"):
            clock.wait(16)
    clock.wait(32)
    assert watch.lap() == {"rest": 33, "outer": 26, "inner": 4}
    assert watch.lap() == {"rest": 0}


def test_a_part_ends_with_an_error(clock: Clock) -> None:
    watch = Stopwatch()

    def failing() -> float:
        clock.wait(1)
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        watch.wrap("part", failing)()
    clock.wait(2)
    assert watch.lap() == {"rest": 2, "part": 1}


def test_items_are_timed_apart_from_who_takes_them(clock: Clock) -> None:
    watch = Stopwatch()

    def items() -> Iterator[int]:
        for number in range(2):
            clock.wait(1)
            yield number
        clock.wait(5)

    taken = []
    for item in watch.iterate("making", items()):
        clock.wait(10)
        taken.append(item)
    assert taken == [0, 1]
    assert watch.lap() == {"rest": 20, "making": 7}


def test_functions_are_timed_and_seconds_moved(clock: Clock) -> None:
    watch = Stopwatch()
    timed = watch.wrap("wait", clock.wait)
    timed(3)
    timed(seconds=4)
    watch.move(5, "wait", "oracle")
    assert watch.lap() == {"rest": 0, "wait": 2, "oracle": 5}
