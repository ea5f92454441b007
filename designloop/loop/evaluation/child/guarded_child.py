"""One child process with its guard (``oracle_child.py``), and the pipes to it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from designloop.loop.evaluation.child import oracle_child, workplace
from designloop.loop.evaluation.child.scratch import Scratch
from designloop.loop.evaluation.errors import NoWorkers
from designloop.paths import real

CHILD_START_SECONDS = 120.0
"""How long a bare child may take to start, before its first import of an oracle."""

END_SECONDS = 5.0
"""How long the guard may take to end everything, before its process group is killed from here."""


class ChildEnded(Exception):
    """The child is gone; its argument says how, in words."""


@dataclass(frozen=True, slots=True)
class ProcessEnvironment:
    """What the child sees of the world; the same on every machine, so that values are."""

    path: tuple[str, ...] = ()
    """Entries for its ``sys.path``, those of the driver."""
    folder: str | None = None
    """The campaign's: what an oracle misses is looked for there, to tell how it gets it. It does not run there."""
    threads: str = "1"
    """For the libraries that would otherwise take all cores."""
    pause: float = 0.0
    """Seconds that it waits before it opens a file outside its own folders or starts a program: how two processes are
    made to get into each other's way if they can (``loop/evaluation/child/side_by_side.py``)."""

    @classmethod
    def of_driver(cls, folder: Path | None) -> ProcessEnvironment:
        """Returns those of the process that calls; ``OMP_NUM_THREADS`` is honoured when the user has set it."""
        path = tuple(str(real(entry)) for entry in sys.path)
        return cls(path, None if folder is None else str(folder), os.environ.get("OMP_NUM_THREADS", "1"))

    def variables(self, temporary: Path) -> dict[str, str]:
        """Returns the child's environment variables, with the folder of its temporary files."""
        libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
        threads = {f"{library}_NUM_THREADS": self.threads for library in libraries}
        private = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
        campaign = {oracle_child.CAMPAIGN_FOLDER: self.folder or ""}
        # An oracle that goes through a set of strings must do so in the same order everywhere.
        return {**os.environ, **threads, **private, **campaign, "PYTHONHASHSEED": "0"}


class Child:
    """One running child and the four pipes to it."""

    def __init__(self, process_environment: ProcessEnvironment) -> None:
        self.loaded: set[str] = set()
        self._scratch = Scratch()
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        lifeline, self._lifeline = os.pipe()
        self._report, report = os.pipe()
        child_ends = (requests, replies, lifeline, report)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", oracle_child.__file__, *map(str, (*child_ends, self._scratch.lock))],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(*child_ends, self._scratch.lock),
                env=process_environment.variables(self._scratch.temporary),
                cwd=self._scratch.folder,
            )
        except BaseException:
            self._scratch.remove()
            for descriptor in (self._requests, self._replies, self._lifeline, self._report):
                os.close(descriptor)
            raise
        finally:
            for descriptor in child_ends:
                os.close(descriptor)
            self._scratch.hand_over()
        self._received = b""
        self._guard_report: dict[str, Any] | None = None
        try:
            os.set_blocking(self._requests, False)
            os.set_blocking(self._replies, False)
            path = [entry for entry in process_environment.path if Path(entry).exists()]
            first = {"path": path, "workplace": workplace.__name__, "pause": process_environment.pause}
            self.ask(oracle_child.pack(first), CHILD_START_SECONDS)
        except (TimeoutError, ChildEnded) as error:
            self.end()
            raise NoWorkers(
                f"The process that runs oracles does not start with {sys.executable}: {error or 'it does not answer'}. "
                "See that this Python starts and that the machine has memory left, then run the same command again."
            ) from error
        except BaseException:  # Ctrl-C: nobody has this child yet who could end it
            self.end()
            raise

    def ask(self, message: bytes, seconds: float) -> dict[str, Any]:
        """Sends a message and returns the reply to it.

        Raises:
            TimeoutError: there is none within so many seconds.
            ChildEnded: there will be none.
        """
        limit = time.monotonic() + seconds
        rest = memoryview(message)
        while rest:
            self._wait(self._requests, select.POLLOUT, limit)
            try:
                rest = rest[os.write(self._requests, rest) :]
            except BrokenPipeError:
                raise ChildEnded(cause_of_end(self._read_report())) from None
            except BlockingIOError:
                continue
        while (reply := self._frame()) is None:
            self._wait(self._replies, select.POLLIN, limit)
            block = os.read(self._replies, 1 << 20)
            if not block:
                raise ChildEnded(cause_of_end(self._read_report()))
            self._received += block
        return oracle_child.unpack(reply)[0]

    def has_ended(self) -> bool:
        """Whether the child is gone; asks without waiting."""
        return bool(_poll({self._report: select.POLLIN}, 0.0))

    def end(self, tell_where: bool = False) -> dict[str, Any]:
        """Ends the child and returns the guard's report; ``printed`` ends in a traceback if ``tell_where``."""
        if tell_where:
            with contextlib.suppress(BrokenPipeError):
                os.write(self._lifeline, oracle_child.TELL_WHERE)
        os.close(self._lifeline)
        report = self._read_report()
        # A guard that is gone cannot have ended its group; one that works has, and then this finds nobody. The group
        # bears the number of the process started here, which is nobody else's until that is waited for.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        for descriptor in (self._requests, self._replies, self._report):
            os.close(descriptor)
        self._scratch.remove()  # a guard that was killed has not
        return report

    def _wait(self, descriptor: int, event: int, limit: float) -> None:
        """Return when the descriptor is ready; an answer that came just before the child's end still counts."""
        ready = _poll({descriptor: event, self._report: select.POLLIN}, limit - time.monotonic())
        if not ready:
            raise TimeoutError
        if descriptor not in ready:
            raise ChildEnded(cause_of_end(self._read_report()))

    def _frame(self) -> bytes | None:
        """Returns the body of the message received, once it is whole."""
        if len(self._received) < 8:
            return None
        size = 8 + struct.unpack_from("<Q", self._received)[0]
        if len(self._received) < size:
            return None
        body, self._received = self._received[8:size], self._received[size:]
        return body

    def _read_report(self) -> dict[str, Any]:
        """What the guard tells when all is over; empty when it was killed itself, or does not come to an end."""
        if self._guard_report is None:
            text = b""
            limit = time.monotonic() + END_SECONDS
            while _poll({self._report: select.POLLIN}, limit - time.monotonic()):
                block = os.read(self._report, 65536)
                if not block:
                    break
                text += block
            self._guard_report = json.loads(text) if text.endswith(b"}") else {}
        return self._guard_report


def _poll(events: Mapping[int, int], seconds: float) -> set[int]:
    """Returns the descriptors that are ready, or hung up, within so many seconds."""
    poll = select.poll()
    for descriptor, event in events.items():
        poll.register(descriptor, event)
    return {descriptor for descriptor, _ in poll.poll(max(0.0, seconds) * 1000)}


def cause_of_end(report: Mapping[str, Any]) -> str:
    """Puts a guard's report into one line."""
    code = report.get("ended")
    if code is None:
        cause = "its process was killed together with all around it"
    elif code < 0:
        number = -code
        name = signal.Signals(number).name if number in set(signal.Signals) else "?"
        cause = f"its process was killed by signal {number} ({name})"
    else:
        cause = f"its process exited with code {code}"
    if where := last_frame(report):
        return f"{cause} in {where}"
    lines = str(report.get("printed", "")).split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f"{cause}; the last that it printed: {last[:200]}" if last else cause


def last_frame(report: Mapping[str, Any]) -> str:
    """``function (file:line)`` of the innermost call in a user's code, from a traceback that ends what was printed."""
    _, marker, dump = str(report.get("printed", "")).rpartition("(most recent call first):")
    frames = re.findall(r'File "([^"]*)", line (\d+) in (.+)', dump) if marker else []
    if not frames:
        return ""
    user_frames = [frame for frame in frames if not oracle_child.is_library(frame[0])]
    file, line, function = (user_frames or frames)[0]
    return f"{function} ({Path(file).name}:{line})"
