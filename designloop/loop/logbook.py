"""``campaign.log`` in the output folder: what was said while the campaign ran, with the time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from designloop.loop.progress import Progress

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


@contextmanager
def logbook(folder: Path, tell: Callable[[str], None]) -> Iterator[Book]:
    """The log of a campaign's folder, open while the block runs; whatever ends the block is noted."""
    handler = logging.FileHandler(folder / FILE, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield Book(tell)
    except KeyboardInterrupt:
        LOGGER.info("interrupted; the same command goes on after the last committed round")
        raise
    except Exception as error:
        LOGGER.error("stopped: %s", error)
        raise
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(before)
        handler.close()
