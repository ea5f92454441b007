"""How far a running campaign is, after each of its rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.evaluation.incidents import describe_known
from designloop.loop.evaluation.tally import Tally
from designloop.loop.reasons import Reasons
from designloop.records import Round
from designloop.tables import CandidateTable
from designloop.words import counted


@dataclass(frozen=True, slots=True)
class Scoring:
    """How far the scoring of a round is."""

    round: int
    scored: int
    failed: int
    wanted: int
    """Molecules of the round."""

    @classmethod
    def listener(cls, number: int, on_scored: Callable[[Scoring], None]) -> Callable[[Tally], None]:
        """What an evaluator tells of its molecules, so that ``on_scored`` hears it of the round of that number."""
        return lambda tally: on_scored(cls(number, tally.scored, tally.failed, tally.wanted))

    def __str__(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"round {self.round}: {self.scored:,} of {self.wanted:,} scored{failed}"


@dataclass(frozen=True, slots=True)
class Progress:
    """A campaign just after a round was committed."""

    round: Round
    calls: int
    """Oracle calls spent."""
    budget: int
    """Oracle calls that may be spent."""
    left_seconds: float | None
    """Until the budget is spent, at the pace since this process took over."""
    reasons: Sequence[str] = ()
    """Why molecules failed, a line each, commonest first; those that were not said after earlier rounds."""

    def metric(self, name: str) -> float | None:
        """A metric of the round; None where it has none."""
        value = self.round.metrics.get(name)
        return None if value is None else float(value)

    def __str__(self) -> str:
        """One line, for a log or a screen that is no terminal."""
        return self.without_remaining + (f" | about {duration(self.left_seconds)} left" if self.left_seconds else "")

    @property
    def without_remaining(self) -> str:
        """The line without the time that is left."""
        parts = [f"round {self.round.number}", f"{self.calls:,} of {counted(self.budget, 'call')}"]
        parts += [f"{label} {value:.3f}" for label, value in self.scores().items()]
        if (size := self.metric("front_size")) is not None:
            parts[-1] += f" (front of {size:.0f})"
        elif mean_of := self.metric("mean_of"):
            parts[-1] += f" (mean of {mean_of:.0f})"
        rows, good = len(self.round.scored), int(self.metric("ok") or 0)
        parts += [f"{rows - good} of {rows} failed"] if good < rows else []
        parts += [known] if (known := describe_known([self.round.metrics])) else []
        parts += [", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.seconds().items())]
        return " | ".join(parts)

    def scores(self) -> dict[str, float]:
        """``best`` and ``mean top-10``, once there is a score; of a front its ``hypervolume`` instead."""
        volume = self.metric("hypervolume")
        if volume is not None:
            return {"hypervolume": volume}
        named = {"best": self.metric("best"), "mean top-10": self.metric("mean_top_10")}
        return {name: value for name, value in named.items() if value is not None}

    def seconds(self) -> dict[str, float]:
        """What the round's time went to: ``propose``, ``oracle``, ``learn``."""
        return {part: self.metric(f"{part}_seconds") or 0.0 for part in ("propose", "oracle", "learn")}


def watch(campaign: Campaign, table: CandidateTable, tell: Callable[[Progress], None]) -> Callable[[Round], None]:
    """What ``run_campaign`` calls after each round so that ``tell`` hears how far it is."""
    began, before, reasons = monotonic(), table.calls(), Reasons()

    def on_round(committed: Round) -> None:
        calls, budget = table.calls(), campaign.budget.oracle_calls
        # Starting molecules are scored in no time, and nothing is learned from a start alone.
        pace = (monotonic() - began) / (calls - before) if calls > before and committed.kind == "round" else None
        left = None if pace is None else pace * (budget - calls)
        tell(Progress(committed, calls, budget, left, reasons.after(committed.scored)))

    return on_round


def duration(seconds: float) -> str:
    """Seconds for a person: ``40 s``, ``3 min``, ``2.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
