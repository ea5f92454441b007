"""What is shown while something runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from designloop.display.tables import say
from designloop.loop.progress import Progress, duration

if TYPE_CHECKING:
    from designloop.loop.campaign.campaign import Campaign
    from designloop.molecules.pretrain import HeldOut


class RunDisplay:
    """A bar on a terminal, a line a round elsewhere; a context manager."""

    def __init__(self, campaign: Campaign) -> None:
        self._stack = ExitStack()
        self._bar: Bar | None = None
        if sys.stdout.isatty():
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.fields[told]}"),
                TimeElapsedColumn(),
            )
            self._bar = Bar(*columns)
            total = campaign.budget.oracle_calls
            self._task = self._bar.add_task(campaign.name, total=total, told="getting ready …")

    def __enter__(self) -> RunDisplay:
        if self._bar is not None:
            self._stack.enter_context(self._bar)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def say(self, line: str) -> None:
        """Prints a line, above the bar if there is one."""
        if self._bar is None:
            say(line)
        else:
            self._bar.console.print(line, markup=False, highlight=False)

    def on_round(self, progress: Progress) -> None:
        """Shows a committed round."""
        for line in (str(progress) if self._bar is None else progress.told, *progress.reasons):
            self.say(line)
        if self._bar is not None:
            left = f", about {duration(progress.left_seconds)} left" if progress.left_seconds else ""
            told = f"{progress.calls:,} of {progress.budget:,} calls{left}"
            self._bar.update(self._task, completed=progress.calls, told=told)


def training(measured: HeldOut) -> None:
    """Prints what ``pretrain`` measures from time to time."""
    nats = ", ".join(f"{value:.1f} at noise {level}" for level, value in measured.nats.items())
    told = f"reconstruction {measured.reconstruction:.1%} | nats a molecule {nats} | KL {measured.kl:.1f} nats"
    say(f"step {measured.step:,} | {duration(measured.seconds)} | held out: {told}")
