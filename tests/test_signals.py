"""SIGTERM is Ctrl-C; a terminal that goes away ends nothing."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from designloop import api, signals
from tests.campaigns import write_campaign


@pytest.fixture
def handlers() -> dict[signal.Signals, object]:
    return {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}


def end_twice(cleaned: list[bool]) -> None:
    """Is told to end, and again while it cleans up."""
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.raise_signal(signal.SIGTERM)
        cleaned.append(True)


def test_sigterm_is_raised_once_and_the_handlers_are_as_before(
    handlers: dict[signal.Signals, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "designloop")
    cleaned: list[bool] = []
    with pytest.raises(signals.Terminated), signals.heeded():
        end_twice(cleaned)
    assert cleaned
    assert caplog.messages == ["SIGTERM has come"]
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def end_as_ray_does() -> None:
    """Makes another exception of the one that a handler raised."""
    try:
        signal.raise_signal(signal.SIGTERM)
    except signals.Terminated:
        raise KeyboardInterrupt from None


def test_ray_may_make_another_exception_of_it() -> None:
    with pytest.raises(signals.Terminated), signals.heeded():
        end_as_ray_does()


def test_ctrl_c_stays_what_it_is() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, signals.heeded():
        signal.raise_signal(signal.SIGINT)
    assert not isinstance(caught.value, signals.Terminated)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_so(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with signals.heeded():
            signal.raise_signal(number)
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_thread_heeds_nothing(handlers: dict[signal.Signals, object]) -> None:
    inside: dict[signal.Signals, object] = {}

    def look() -> None:
        with signals.heeded():
            inside.update({number: signal.getsignal(number) for number in handlers})

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert inside == handlers


IN_A_TERMINAL = """
import contextlib, os, sys
from designloop import cli, display

on_round = display.RunDisplay.on_round

def hang_up_after_the_first(self, progress):
    on_round(self, progress)
    if progress.round.number == 1:
        print("a round is done", flush=True)
        with contextlib.suppress(OSError):
            os.read(0, 1)  # until the terminal is gone

display.RunDisplay.on_round = hang_up_after_the_first
sys.argv = ["designloop", "run", sys.argv[1]]
cli.main()
"""


@pytest.mark.xdist_group("ray")
@pytest.mark.parametrize("backend", ["inline", "ray"])
def test_a_run_outlives_its_terminal(tmp_path: Path, tiny_model: Path, backend: str) -> None:
    path = write_campaign(tmp_path, tiny_model, {"evaluation": {"backend": backend, "workers": 1}})
    master, terminal = pty.openpty()

    def own_the_terminal() -> None:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests under nohup would hand down that it is ignored

    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_TERMINAL, str(path)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=own_the_terminal,
    )
    os.close(terminal)
    printed = b""
    while b"a round is done" not in printed:
        printed += os.read(master, 4096)
    os.close(master)  # as when ssh breaks: the kernel tells the session by SIGHUP
    assert process.wait(60) == 0
    assert api.status(path).calls == 45
    log = (tmp_path / "small" / "campaign.log").read_text()
    assert "the terminal is gone; the run goes on" in log
    assert "interrupted" not in log


HUNG_UP_AT_THE_END = """
import atexit, os, signal, sys
from designloop import cli

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests under nohup would hand down that it is ignored
atexit.register(os.kill, os.getpid(), signal.SIGHUP)
sys.argv = ["designloop", *sys.argv[1:]]
cli.main()
"""


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["validate", "missing.yaml"], 2)])
def test_a_terminal_that_goes_away_once_all_is_done_changes_no_exit_code(
    tmp_path: Path, words: list[str], code: int
) -> None:
    done = subprocess.run([sys.executable, "-c", HUNG_UP_AT_THE_END, *words], cwd=tmp_path, capture_output=True)
    assert done.returncode == code, done.stderr
