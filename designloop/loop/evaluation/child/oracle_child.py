"""The program that runs oracles: a worker that calls them, and the guard that outlives it.

``OracleProcess`` starts this file in a session of its own. It becomes the guard, which forks the worker before anything
is imported, then only waits. It takes in what the worker prints (so that a flood never blocks it), and ends
the worker when told to or when the process above it is gone. Whatever way the worker ends, the guard ends all that
came from it, also processes that fled into sessions of their own, removes the private folder in which they worked (this
program's working folder), and then tells how it ended.

Messages are frames of parts, the first of them JSON. Values are read, checked and made plain in the worker
(``workplace.py``), so that no object of a user's code leaves this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import io
import json
import os
import select
import signal
import struct
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

TELL_WHERE = b"w"
"""On the lifeline: end the worker, and find out first what it is doing. Its closing: end it at once."""

CAMPAIGN_FOLDER = "DESIGNLOOP_CAMPAIGN_FOLDER"
"""Environment variable: the folder of the campaign that the process works for; empty where there is none."""

TEMPORARY = "tmp"
"""What of the private folder is for temporary files."""

_KEPT_OUTPUT = 8192
"""Bytes of the worker's last output that are told of when it ends."""

_TRACEBACK_SECONDS = 1.0
"""How long the worker may take to say what it is doing."""

_TRACKER_SECONDS = 2.0
"""How long resource trackers may take to remove what the others left in shared memory."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def pack(head: Mapping[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
    """One message as bytes: the size of the rest, the number of parts, their sizes, the parts."""
    parts = [json.dumps(head).encode(), *blobs]
    body = struct.pack(f"<I{len(parts)}Q", len(parts), *map(len, parts)) + b"".join(parts)
    return struct.pack("<Q", len(body)) + body


def unpack(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """A message's head and blobs, from what follows its size."""
    (count,) = struct.unpack_from("<I", body)
    sizes = struct.unpack_from(f"<{count}Q", body, 4)
    parts, start = [], 4 + 8 * count
    for size in sizes:
        parts.append(body[start : start + size])
        start += size
    return json.loads(parts[0]), parts[1:]


def main() -> NoReturn:
    """Be the guard, and in the fork the worker; descriptors come as arguments."""
    requests, replies, lifeline, report, _ = descriptors = [int(argument) for argument in sys.argv[1:6]]
    scratch = Path.cwd()
    for descriptor in descriptors:  # the last is the lock of the private folder, held by being open
        os.set_inheritable(descriptor, False)
    # The guard ends by its lifeline alone: a SIGTERM to all of a job would end it before it has ended what is below it.
    signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGINT, signal.SIGHUP, signal.SIGTERM})
    if os.fork():
        # The guard must be nobody's child: Ray, when a worker of its own ends, kills that worker's children, and would
        # take the guard before the guard can end what is below it.
        os._exit(0)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    output, printed = os.pipe()
    worker = os.fork()
    if worker == 0:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # a guard that is killed takes the worker along
        signal.pthread_sigmask(signal.SIG_SETMASK, [])  # a program that the oracle starts may be told to end
        for descriptor in (lifeline, report, output):
            os.close(descriptor)
        for standard in (1, 2):
            os.dup2(printed, standard)
        os.close(printed)
        _work(requests, replies, scratch)
        os._exit(0)
    for descriptor in (requests, replies, printed):
        os.close(descriptor)
    _guard(worker, lifeline, report, output, scratch)


def _prctl(option: int, value: int) -> None:
    """Ask Linux for something about this process; other systems have no such thing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


# --- the guard ---


def _guard(worker: int, lifeline: int, report: int, output: int, scratch: Path) -> NoReturn:
    woken, wake = os.pipe()
    for descriptor in (wake, output):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    waiting = [lifeline, output, woken]
    printed = b""
    while (ended := _reap(worker)) is None:
        ready = _readable(waiting)
        if woken in ready:
            os.read(woken, 4096)
        if output in ready:
            printed, more = _drain(output, printed)
            if not more:
                waiting.remove(output)
        if lifeline in ready:
            if os.read(lifeline, 1) == TELL_WHERE:
                printed = _add_traceback(worker, output, printed)
            os.kill(worker, signal.SIGKILL)
            waiting.remove(lifeline)
    printed, _ = _drain(output, printed)
    _end_orphans()
    remove_scratch(scratch)
    with contextlib.suppress(OSError):  # the process above may be gone
        os.write(report, json.dumps({"ended": ended, "printed": printed.decode(errors="replace")}).encode())
    os.killpg(0, signal.SIGKILL)  # where there is no subreaper, the group is all that can be reached
    os._exit(0)


def remove_scratch(folder: Path) -> None:
    """Remove a private folder and its lock, also what an oracle made unwritable; what is not its user's stays."""
    import shutil  # the guard needs nothing that is large before its end

    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        open_folders(folder)
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        Path(f"{folder}.lock").unlink(missing_ok=True)


def open_folders(folder: Path) -> None:
    """Make a folder and all below it readable and writable for its user, as far as they are its user's."""
    with contextlib.suppress(OSError):
        folder.chmod(0o700)
    for inner, names, _ in os.walk(folder):  # each is entered after it was opened
        for path in (Path(inner, name) for name in names):
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)


def _reap(worker: int) -> int | None:
    """How the worker ended, or None while it runs; orphans that ended are buried on the way."""
    ended = None
    with contextlib.suppress(ChildProcessError):
        while (waited := os.waitpid(-1, os.WNOHANG))[0]:
            if waited[0] == worker:
                ended = os.waitstatus_to_exitcode(waited[1])
    return ended


def _readable(descriptors: Sequence[int], seconds: float | None = None) -> set[int]:
    """Those that can be read, or have ended, once there are some or so many seconds are over; of any number."""
    poll = select.poll()  # `select` takes none from 1,024 on, and the process above may have as many files open
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)}


def _drain(output: int, printed: bytes) -> tuple[bytes, bool]:
    """The last of what was printed, and whether more may come."""
    try:
        while block := os.read(output, 65536):
            printed = (printed + block)[-_KEPT_OUTPUT:]
    except BlockingIOError:
        return printed, True
    return printed, False


def _add_traceback(worker: int, output: int, printed: bytes) -> bytes:
    """What was printed, with a traceback of what the worker is doing now at its end."""
    printed, _ = _drain(output, printed)
    os.kill(worker, signal.SIGUSR2)
    limit = time.monotonic() + _TRACEBACK_SECONDS
    pause = _TRACEBACK_SECONDS  # on a busy machine the first line may be long in coming; the others follow it closely
    while (left := limit - time.monotonic()) > 0 and _readable([output], min(left, pause)):
        pause = 0.05
        printed, more = _drain(output, printed)
        if not more:
            break
    return printed


def _end_orphans() -> None:
    """End all that the worker left behind: orphans of orphans become ours in turn, so until there are none.

    Python's resource trackers end by themselves once all others are gone, and remove semaphores and shared memory
    then, which outlive every process. So they are killed only if they take too long.
    """
    limit = time.monotonic() + _TRACKER_SECONDS
    while orphans := _children():
        is_late = time.monotonic() > limit
        ending = [orphan for orphan in orphans if is_late or not _is_tracker(orphan)]
        for orphan in ending:
            with contextlib.suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
        for orphan in ending:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(orphan, 0)
        if not ending:
            time.sleep(0.01)


def _is_tracker(pid: int) -> bool:
    """Whether it is a resource tracker of multiprocessing or joblib that has not ended yet."""
    with contextlib.suppress(OSError):  # it has just ended
        return b"resource_tracker import main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _children() -> list[int]:
    """The processes whose parent this one is; none where there is no ``/proc``."""
    children = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            parent = entry.read_bytes().rpartition(b")")[2].split()[1]
            if int(parent) == os.getpid():
                children.append(int(entry.parent.name))
    return children


# --- the worker ---


def _work(requests: int, replies: int, scratch: Path) -> None:
    """Answer one message after the other until there are no more."""
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), errors="backslashreplace", line_buffering=True)
    faulthandler.enable(file=2)
    faulthandler.register(signal.SIGUSR2, file=2, all_threads=False)
    with contextlib.suppress(OSError):  # when memory runs out, the kernel is to take this process and no other
        Path("/proc/self/oom_score_adj").write_text("1000")
    worker = os.getpid()
    with open(requests, "rb") as incoming:
        while size := incoming.read(8):
            head, blobs = unpack(incoming.read(struct.unpack("<Q", size)[0]))
            reply: dict[str, Any] = {}
            if "path" in head:  # the first message
                sys.path[:0] = [entry for entry in head["path"] if entry not in sys.path]
                # This file is run before anything can be imported, so it is told where oracles work.
                module = importlib.import_module(head["workplace"])
                campaign = Path(os.environ[CAMPAIGN_FOLDER]) if os.environ[CAMPAIGN_FOLDER] else None
                workplace = module.Workplace(scratch, campaign, head["pause"])
            elif "recipe" in head:
                reply = workplace.load(head["recipe"], dict(zip(head["files"], blobs, strict=True)))
            else:
                reply = workplace.score(head["fingerprint"], head["smiles"], head["seeds"])
            if os.getpid() != worker:  # a user's code forked, and this is the copy: it has no one to answer
                os._exit(0)
            _write_all(replies, pack(reply))


def is_library(file: str) -> bool:
    """Whether a traceback's file is Python's, a library's or our own, so not where a user would look."""
    package_folder = Path(__file__).parents[3]
    return file.startswith(("<", str(package_folder), sys.prefix, sys.base_prefix))


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


if __name__ == "__main__":
    main()
