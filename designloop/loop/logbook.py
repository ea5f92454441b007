"""``campaign.log`` in the output folder: what was said while the campaign ran, with the time."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from designloop.loop.progress import Progress
from designloop.tables.durable import disk_errors
from designloop.tables.errors import DiskError

FILE = "campaign.log"

LOGGER = logging.getLogger("designloop")


@dataclass(frozen=True, slots=True)
class Book:
    """An open log."""

    tell: Callable[[str], None]
    """Also hears what is said."""

    def note(self, line: str) -> None:
        """Writes a line into the log only."""
        LOGGER.info("%s", line)

    def say(self, line: str) -> None:
        """Writes a line into the log and says it."""
        self.note(line)
        self.tell(line)

    def also(self, on_round: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """``on_round``, which writes each round, and why molecules failed, into the log first."""

        def noted(progress: Progress) -> None:
            for line in (str(progress), *progress.reasons):
                self.note(line)
            on_round(progress)

        return noted


class _LogFile(logging.FileHandler):
    """A log file that ends the campaign when it takes no more: what fails for it fails for the next round, too."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Raises what went wrong, where logging would print a traceback and go on."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        with disk_errors(f"{self.baseFilename} cannot be written to", all_are_the_disks=True):
            raise error


class _Warnings(logging.Handler):
    """What a part of the tool warns of, said: one that waits for something, say, has nobody else to say it by."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Says a warning; an error is said by whoever ends because of it."""
        if record.levelno == logging.WARNING:
            self._tell(record.getMessage())


@contextmanager
def logbook(folder: Path, tell: Callable[[str], None]) -> Iterator[Book]:
    """The log of a campaign's folder, open while the block runs; whatever ends the block is noted, warnings are said.

    Raises:
        DiskError: the log cannot be written to, for want of room or because the disk fails.
        TableError: it cannot be opened.
    """
    with disk_errors(f"{folder / FILE} cannot be written to", "Make it writable, or move it away."):
        handler = _LogFile(folder / FILE, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = LOGGER.level
    warnings = _Warnings(tell)
    LOGGER.addHandler(handler)
    LOGGER.addHandler(warnings)
    LOGGER.setLevel(logging.INFO)
    try:
        yield Book(tell)
    except KeyboardInterrupt:
        with suppress(DiskError):  # the interruption is what counts
            LOGGER.info("interrupted; the same command goes on after the last committed round")
        raise
    except Exception as error:
        with suppress(DiskError):  # the first error is the one to tell, and it may be the log's own
            LOGGER.error("stopped: %s", error)
        raise
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.removeHandler(warnings)
        LOGGER.setLevel(before)
        with suppress(OSError):  # what a full disk did not take stays in the buffer, and is tried again here
            handler.close()
