"""What a command does when it is told to end, and when its terminal goes away.

SIGTERM (Slurm at a time limit, ``docker stop``, systemd, ``kill``) ends it as Ctrl-C does. SIGHUP (the ssh session or
the terminal is gone) does not: what it would still say is in ``campaign.log``.
"""

from __future__ import annotations

import logging
import os
import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_LOGGER = logging.getLogger("designloop")


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Whatever cleans up after Ctrl-C does so after this, too."""


@contextmanager
def heeded() -> Iterator[None]:
    """In the block SIGTERM raises ``Terminated``, once, and SIGHUP silences; afterwards they do what they did before.

    A signal that is ignored stays so (``nohup`` has SIGHUP ignored). Only a main thread can heed signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    actions = {signal.SIGTERM: _terminate, signal.SIGHUP: _hang_up}
    before = {number: signal.getsignal(number) for number in actions}
    ours = {number: action for number, action in actions.items() if before[number] != signal.SIG_IGN}
    for number, action in ours.items():
        signal.signal(number, action)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if signal.getsignal(signal.SIGTERM) is _ignore:  # Ray makes its own exception of any that a handler raises
            raise Terminated from interrupt
        raise
    finally:
        for number in ours:
            signal.signal(number, before[number])


def ignore_hang_up() -> None:
    """Ignores SIGHUP from now on: of a process that is done, and whose exit code would say that it was killed."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, _ignore)  # a second one would interrupt the cleaning up
    _LOGGER.info("SIGTERM has come")
    raise Terminated


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """It has been heard. Processes that are started now do not inherit this, as they would with ``SIG_IGN``."""


def _hang_up(_signal: int, _frame: FrameType | None) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        if not _is_file(descriptor):  # the terminal, or a pipe to a program that ends with it
            os.dup2(nowhere, descriptor)
    os.close(nowhere)
    _LOGGER.info("the terminal is gone; the run goes on, and only this log hears of it")


def _is_file(descriptor: int) -> bool:
    try:
        return stat.S_ISREG(os.fstat(descriptor).st_mode)
    except OSError:  # closed, as by `>&-`
        return False
