from __future__ import annotations

import os
import subprocess
import sys

import pytest

from designloop.benchmarks.overhead.memory import PeakMemory, can_be_read, descendants, pss_bytes

pytestmark = pytest.mark.skipif(not can_be_read(), reason="memory of processes is told by Linux only")

HOLD = "block = bytearray(50_000_000); print('held', flush=True); input()"
"""A program that holds 50 MB until it is told to end."""


def test_grandchildren_are_found_and_their_memory_is_remembered() -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        processes = descendants()
        assert child.pid in processes
        assert os.getpid() not in processes
        peak = PeakMemory()
        peak.look()
        child.communicate("\n")
    assert len(processes) >= 2
    assert peak.bytes > 50_000_000
    assert sum(peak.by_name.values()) == peak.bytes
    before = peak.bytes
    peak.look()
    assert peak.bytes == before


def test_a_process_that_has_ended_has_no_memory() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert pss_bytes(child.pid) == 0
    assert pss_bytes(os.getpid()) > 1_000_000
