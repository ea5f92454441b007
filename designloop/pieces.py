"""Independent pieces of work, done one after the other here or spread over other processes, with the same results.

All pieces run on one thread, wherever they are done: over how many a sum is split may change its last bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

S = TypeVar("S")
P = TypeVar("P")
R = TypeVar("R")


class Spread(Protocol):
    """Does pieces of work that need nothing of each other, anywhere and in any order."""

    def __call__(self, work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
        """What the work gives for each piece, in their order.

        Args:
            work: what is done with a piece: it follows from its two arguments alone. It may be sent to another process
                once and for all, so what it holds must not change; an object that is asked twice is the same work.
            shared: what all pieces of this call need beside; sent once a call.
            pieces: what each is made of.
        """


def one_by_one(work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
    """Does them here, one after the other."""
    with one_thread():
        return [work(shared, piece) for piece in pieces]


@contextmanager
def one_thread() -> Iterator[None]:
    """Runs a block in which neither torch nor a BLAS splits anything over threads; afterwards they do as before."""
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
