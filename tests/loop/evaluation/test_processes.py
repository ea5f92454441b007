"""Processes and signals, below Python."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading

import pytest

from designloop.loop.evaluation.processes import birthdays, family, kill_survivors, with_word
from designloop.loop.evaluation.ray.kept_signals import kept


def test_survivors_are_killed_and_strangers_with_their_number_are_not() -> None:
    with subprocess.Popen(["sleep", "60"]) as ours, subprocess.Popen(["sleep", "60"]) as stranger:
        births = birthdays({ours.pid, stranger.pid, 2**30})
        assert set(births) == {ours.pid, stranger.pid}
        assert family(os.getpid()) >= set(births)
        assert with_word("leep", {*births, os.getpid()}) == set(births)
        kill_survivors(births | {stranger.pid: "0"})  # as if its number had been another's
        assert ours.wait(10) == -signal.SIGKILL
        assert stranger.poll() is None
        kill_survivors({stranger.pid: births[stranger.pid]})
        assert stranger.wait(10) == -signal.SIGKILL
    kill_survivors(births)  # nobody is left


@pytest.fixture
def heard():
    """Filled by Python's handler of SIGTERM."""
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    yield heard
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_signal_is_kept_through_what_a_library_does_to_it(heard: list[int], in_thread: bool) -> None:
    library = ctypes.CDLL(None)
    library.signal.restype = ctypes.c_void_p

    def change() -> None:
        with kept(signal.SIGTERM):
            library.signal(int(signal.SIGTERM), ctypes.c_void_p(1))  # SIG_IGN, set where Python does not see it
            os.kill(os.getpid(), signal.SIGTERM)

    if in_thread:
        thread = threading.Thread(target=change)
        thread.start()
        thread.join()
    else:
        change()
    assert heard == [], "it was ignored in the block"
    signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_a_signal_that_there_is_not_cannot_be_kept() -> None:
    with pytest.raises(OSError, match="sigaction failed"), kept(signal.SIGKILL):
        pass
