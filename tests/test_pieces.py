"""Pieces of work: in their order, on one thread."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from designloop.pieces import one_by_one, one_thread


def threads() -> dict[str, set[int]]:
    """Threads of torch, and of the BLAS of NumPy and of SciPy."""
    return {
        "torch": {torch.get_num_threads()},
        "BLAS": {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"},
    }


def test_they_are_done_in_their_order() -> None:
    assert one_by_one(lambda shared, piece: shared - piece, 10, [3, 1, 2]) == [7, 9, 8]
    assert one_by_one(lambda shared, piece: piece, None, []) == []


def test_they_are_done_on_one_thread_whatever_the_process_has() -> None:
    import scipy.linalg  # noqa: F401 - it brings a BLAS of its own

    before = torch.get_num_threads()
    try:
        with threadpool_limits(2, user_api="blas"):
            torch.set_num_threads(2)
            several = threads()
            assert several == {"torch": {2}, "BLAS": {2}}, "this machine can show a difference"
            assert one_by_one(lambda shared, piece: threads(), None, [0]) == [{"torch": {1}, "BLAS": {1}}]
            assert threads() == several
    finally:
        torch.set_num_threads(before)


def test_threads_are_given_back_after_a_failure() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        try:
            with one_thread():
                raise KeyError
        except KeyError:
            pass
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
