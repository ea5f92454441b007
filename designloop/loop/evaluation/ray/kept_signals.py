"""What a signal does in this process, kept through calls of a library that changes it."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_ROOM = 1024
"""Bytes that hold a ``struct sigaction`` of any C library."""

_INSTALL = "_ZN3ray6RayLog27InstallFailureSignalHandlerEPKcb"
_UNINSTALL = "_ZN3ray6RayLog21UninstallSignalActionEv"
"""What Ray's core calls when it starts and ends; it does so once only."""


@contextmanager
def kept(*signals: signal.Signals) -> Iterator[None]:
    """Leaves these signals as they are, whatever the block does to them; in any thread.

    Ray's core puts handlers of its own in place (which print a C++ stack at SIGTERM) and takes them away at its end,
    below Python, which can set a handler in the main thread alone. So this asks the C library.
    """
    library = ctypes.CDLL(None, use_errno=True)
    saved = {number: ctypes.create_string_buffer(_ROOM) for number in signals}
    for number, action in saved.items():
        _call(library.sigaction(int(number), None, action))
    try:
        yield
    finally:
        for number, action in saved.items():
            _call(library.sigaction(int(number), action, None))


def install_ray_handlers() -> None:
    """Has Ray's core install its handlers now and not while it starts, which takes a second or more.

    A signal of that second would print a C++ stack and abort the process 3 s later, whatever ``kept`` does afterwards.
    """
    _call_ray(_INSTALL, None, False)


def uninstall_ray_handlers() -> None:
    """Has Ray's core take its handlers away now and not while it ends: a signal of that time would kill the process."""
    _call_ray(_UNINSTALL)


def _call_ray(symbol: str, *arguments: object) -> None:
    """Call a function of Ray's core, with the handler of SIGTERM as it was after it.

    It is none of those that Ray promises. Under a Ray that lacks it a signal may still come at the wrong moment.
    """
    from ray import _raylet

    core = ctypes.CDLL(_raylet.__file__)
    if hasattr(core, symbol):
        with kept(signal.SIGTERM):
            getattr(core, symbol)(*arguments)


def _call(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "sigaction failed")
