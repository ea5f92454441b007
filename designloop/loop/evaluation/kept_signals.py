"""What a signal does in this process, kept through calls of a library that changes it."""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_ROOM = 1024
"""Bytes that hold a ``struct sigaction`` of any C library."""


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


def _call(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "sigaction failed")
