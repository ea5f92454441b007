"""What is shown while something runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from designloop.display.tables import say
from designloop.loop.progress import Progress, Scoring, duration
from designloop.words import counted

if TYPE_CHECKING:
    from designloop.loop.campaign.campaign import Campaign
    from designloop.molecules.pretrain import HeldOut


MINUTE = 60.0


class RunDisplay:
    """A bar on a terminal; elsewhere a line a round, and one a minute within a round. A context manager."""

    def __init__(self, campaign: Campaign, every_seconds: float = MINUTE) -> None:
        self._stack = ExitStack()
        self._every_seconds = every_seconds
        self._since = monotonic()
        self._last = "no round of this run is committed yet"
        self._scoring: Scoring | None = None
        """Of the round that is being scored, or was last."""
        self._ended = Event()
        self._bar: Bar | None = None
        if sys.stdout.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[line]}"),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns)
            total = campaign.budget.oracle_calls
            self._task = self._bar.add_task(campaign.name, total=total, line="getting ready …")

    def __enter__(self) -> RunDisplay:
        if self._bar is not None:
            self._stack.enter_context(self._bar)
        else:
            thread = Thread(target=self._tell_of_waiting, name="designloop-waiting", daemon=True)
            thread.start()
            self._stack.callback(thread.join)
            self._stack.callback(self._ended.set)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _tell_of_waiting(self) -> None:
        """Says each minute that the campaign is alive, so that nobody takes a long round for a hang."""
        while not self._ended.wait(self._every_seconds):
            waited = monotonic() - self._since
            if waited >= self._every_seconds:  # else a round has just been told
                said = self._scoring or "nothing of this round is scored yet"
                self.say(f"… {said}; {duration(waited)} into this round; {self._last}")

    def say(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        if self._bar is None:
            say(line)
        else:
            self._bar.console.print(line, markup=False, highlight=False)

    def on_scored(self, scoring: Scoring) -> None:
        """Shows how far the scoring of a round is: in the bar, else in the next line a minute."""
        self._scoring = scoring
        if self._bar is not None:
            self._bar.update(self._task, line=f"{self._last}, {scoring}")

    def on_round(self, progress: Progress) -> None:
        """Shows a committed round."""
        self._since, self._scoring = monotonic(), None
        calls = f"{progress.calls:,} of {counted(progress.budget, 'call')}"
        self._last = calls if self._bar is not None else f"{calls} before it"
        for line in (str(progress) if self._bar is None else progress.without_remaining, *progress.reasons):
            self.say(line)
        if self._bar is not None:
            left = f", about {duration(progress.left_seconds)} left" if progress.left_seconds else ""
            self._bar.update(self._task, completed=progress.calls, line=calls + left)


def training(measured: HeldOut) -> None:
    """Prints what ``pretrain`` measures from time to time."""
    nats = ", ".join(f"{value:.1f} at noise {level}" for level, value in measured.nats.items())
    measures = f"reconstruction {measured.reconstruction:.1%} | nats a molecule {nats} | KL {measured.kl:.1f} nats"
    say(f"step {measured.step:,} | {duration(measured.seconds)} | held out: {measures}")
