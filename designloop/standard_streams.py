"""Standard output and error of a command: what it prints may be read by nobody, and what it does must not hang on that.

A reader goes away (``| head -1``, a ``tee`` that dies, an ssh session that ends), a disk is full, or there was no
standard output from the start (``>&-``). A command whose product is what it prints stops then. One whose product is on
disk goes on without a word on the terminal: it says ``go_on_unread()``.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LOGGER = logging.getLogger("designloop")


class UnwritableOutput(Exception):
    """Standard output takes nothing more, though it is not that somebody stopped reading; the message says why."""


class _Stream(io.FileIO):
    """The file below a standard stream; after its first failure it drops what is written."""

    def __init__(self, descriptor: int, goes_on: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.goes_on = goes_on
        """Whether the first failure is none of the writer's business, either."""
        self._failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        """Write, or drop what nobody takes.

        Raises:
            BrokenPipeError: nobody reads any more; once, and not where writing goes on.
            UnwritableOutput: the system refuses it; likewise.
        """
        if self._failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as error:
            self._failed = True
            if self.goes_on:
                _LOGGER.info("what is printed is read no more (%s); the work goes on", error.strerror)
                return memoryview(data).nbytes
            if isinstance(error, BrokenPipeError):
                raise
            raise UnwritableOutput(
                f"standard output cannot be written ({error.strerror}); make room there, or let it print elsewhere"
            ) from error


def steady() -> None:
    """Make the standard streams of this process such as this module says; for a program's first line."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed by whoever started us: the next file opened would take its place, and be printed into
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)
    sys.stdout = _steady_text(sys.stdout, 1, goes_on=False)
    sys.stderr = _steady_text(sys.stderr, 2, goes_on=True)  # where an error cannot be told, the exit code is left


def go_on_unread() -> None:
    """Let the command go on when nobody reads what it prints."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if isinstance(raw, _Stream):
        raw.goes_on = True


def _steady_text(stream: TextIO | None, descriptor: int, goes_on: bool) -> TextIO:
    buffer = io.BufferedWriter(_Stream(descriptor, goes_on))
    encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "backslashreplace")
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=descriptor == 2 or os.isatty(descriptor))
