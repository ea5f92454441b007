"""Where a run's seconds go: each is counted once, to the part that was entered last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from time import perf_counter
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Stopwatch:
    """Counts seconds by part, for one thread; what runs inside an inner part does not count to the outer one."""

    def __init__(self, rest: str = "rest") -> None:
        """Starts to count what is in no other part to ``rest``."""
        self._spent: dict[str, float] = {}
        self._open = [rest]
        self._since = perf_counter()

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Counts the block to a part."""
        self._count()
        self._open.append(part)
        try:
            yield
        finally:
            self._count()
            self._open.pop()

    def wrap(self, part: str, function: Callable[P, T]) -> Callable[P, T]:
        """Returns the function with its calls counted to a part."""

        @wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> T:
            with self(part):
                return function(*args, **kwargs)

        return timed

    def iterate(self, part: str, items: Iterable[T]) -> Iterator[T]:
        """Yields the items; the time of making them is counted to a part."""
        iterator = iter(items)
        while True:
            with self(part):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def move(self, seconds: float, from_part: str, to_part: str) -> None:
        """Moves seconds from one part to another, when only the part itself can say how it spent them."""
        self._spent[from_part] = self._spent.get(from_part, 0.0) - seconds
        self._spent[to_part] = self._spent.get(to_part, 0.0) + seconds

    def lap(self) -> dict[str, float]:
        """Returns the seconds of each part since the last lap, and starts a new lap."""
        self._count()
        lap, self._spent = self._spent, {}
        return lap

    def _count(self) -> None:
        now = perf_counter()
        part = self._open[-1]
        self._spent[part] = self._spent.get(part, 0.0) + now - self._since
        self._since = now
