"""Why a campaign ends, read from its committed rounds: opened again tomorrow it ends for the same reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from designloop.loop.laboratory.readings import SCORED_BEFORE, WAITING
from designloop.loop.screening.screening import DRAWS_PER_WANTED, Take
from designloop.strategies.surrogates.faint import FAINT, in_proportion
from designloop.tables.manifest import RoundInfo
from designloop.words import counted

GAIN = 0.001
"""What the mean top-10, or a front's hypervolume, must gain for a round not to count against ``patience``."""

FRUITLESS = 3
"""Rounds running without one good result after which something is broken."""

_CORE = "filters.require_smarts"
"""The key of what every molecule has to hold, which hardly anything has by chance."""

_KEYS_NAMED = 2
"""Keys at most that are named of those that refuse molecules; the others refused less."""

Reason = Literal["oracle_calls", "rounds", "hours", "patience", "per_oracle", "exhausted", "stagnated", "no_results"]


@dataclass(frozen=True, slots=True)
class End:
    """How a campaign ended, and in words what that means and what can be done."""

    reason: Reason
    message: str

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"

    @classmethod
    def parse(cls, text: str) -> End:
        """The end that ``str`` wrote, as it stands in the table."""
        reason, _, message = text.partition(": ")
        return cls(reason, message)  # type: ignore[arg-type]  # only what ``str`` wrote


class BudgetLike(Protocol):
    """The most that a campaign may spend; None where there is no such limit, for ``patience`` also 0."""

    @property
    def oracle_calls(self) -> int: ...
    @property
    def rounds(self) -> int | None: ...
    @property
    def hours(self) -> float | None: ...
    @property
    def patience(self) -> int | None: ...
    @property
    def per_oracle(self) -> Mapping[str, int]: ...


@dataclass(frozen=True, slots=True)
class Left:
    """What a budget can pay for still, by the cap that leaves least."""

    molecules: int
    key: str
    """Of the cap, in the campaign file."""
    most: int
    """What the cap is."""
    spent: int
    """Of that, for molecules that are charged."""
    name: str = ""
    """The property whose calls are capped; empty where all calls are."""

    @property
    def words(self) -> str:
        """What the cap gives, as the beginning of a sentence."""
        if self.name:
            return f"`{self.key}` gives {self.name!r} {counted(self.most, 'call')}"
        return f"The budget has {counted(self.most, 'oracle call')}"


def what_is_left(budget: BudgetLike, calls: int, asked: Mapping[str, int], pending: int = 0) -> Left:
    """How many molecules more a budget pays for: each is one call of all, and one of every oracle.

    Args:
        calls: molecules that are charged.
        asked: property -> molecules that its oracle was asked about.
        pending: molecules that are chosen and will be charged.
    """
    caps = [("budget.oracle_calls", budget.oracle_calls, calls, "")]
    caps += [("budget.per_oracle", most, asked.get(name, 0), name) for name, most in budget.per_oracle.items()]
    left = [Left(max(0, most - spent - pending), key, most, spent, name) for key, most, spent, name in caps]
    return min(left, key=lambda cap: cap.molecules)


def why_it_ends(
    budget: BudgetLike,
    rounds: Sequence[RoundInfo],
    asked: Mapping[str, int],
    resumed_after: int = -1,
    batch: int | None = None,
) -> End | None:
    """The end that the campaign has reached; None while there are rounds left.

    Args:
        rounds: those committed, ascending.
        asked: property -> molecules that its oracle was asked about.
        resumed_after: the last round before this process took over. Rounds without a result count from there, so that a
            campaign whose oracle has been mended goes on.
        batch: molecules that count as one round for ``patience`` where a laboratory tells as many at once as it
            likes; None: each round counts.
    """
    calls = rounds[-1].calls if rounds else 0
    if calls >= budget.oracle_calls:
        spent = f"the budget's {counted(budget.oracle_calls, 'oracle call is', 'oracle calls are')} spent"
        return End("oracle_calls", f"{spent}; raise `budget.oracle_calls` to go on")
    run = [info for info in rounds if info.kind == "round"]
    if budget.rounds is not None and len(run) >= budget.rounds:
        run_all = f"the budget's {counted(budget.rounds, 'round is', 'rounds are')} run"
        return End("rounds", f"{run_all}; raise `budget.rounds` to go on")
    # What is run again by `designloop retry` is charged to no budget.
    charged = [info for info in rounds if info.kind != "amendment"]
    hours = sum(float(info.metrics.get("seconds", 0.0)) for info in charged) / 3600
    if budget.hours is not None and hours >= budget.hours:
        return End("hours", f"{hours:.2f} of {budget.hours:g} hours are spent; raise `budget.hours` to go on")
    for name, most in budget.per_oracle.items():
        if asked.get(name, 0) >= most:
            spent = counted(most, "call is spent", "calls are spent")
            return End("per_oracle", f"of {name!r} {spent}, all that `budget.per_oracle` gives it; raise that to go on")
    if budget.patience and (stale := rounds_without_gain(rounds, batch)) >= budget.patience:
        measure = "hypervolume" if any("hypervolume" in info.metrics for info in rounds) else "mean top-10"
        gain = f"a gain of more than {GAIN} in the {measure}, or of 1 % of one below {FAINT}"
        stuck = f"{counted(stale, 'round')} without {gain}"
        return End("patience", f"{stuck}; raise `budget.patience` to go on, or set it to 0")
    return _unfruitful(run, resumed_after)


def _unfruitful(run: Sequence[RoundInfo], resumed_after: int) -> End | None:
    """The end of a campaign whose rounds give nothing any more."""
    takes = [take_of(info) for info in run[-2:]]
    if takes and takes[-1].exhausted:
        what = f"the strategy's stream ended with nothing new and allowed ({takes[-1]})"
        return End("exhausted", f"{what}; {_more_to_draw(takes[-1])}")
    if len(takes) == 2 and all(take.meagre for take in takes):
        return End("stagnated", f"hardly anything drawn is new and allowed ({takes[-1]}); {_more_to_draw(takes[-1])}")
    recent = [info for info in run if info.number > resumed_after][-FRUITLESS:]
    if len(recent) == FRUITLESS and not any(info.metrics.get("ok") for info in recent):
        why = f"{FRUITLESS} rounds running without one good result; `designloop status` shows what the oracles said"
        advice = "mend them and give the same command again, with --accept-changed-oracles if an oracle's file changed"
        return End("no_results", f"{why}; {advice}")
    return None


def _more_to_draw(take: Take) -> str:
    """What to change so that more is new and allowed."""
    keys = take.refused_by[:_KEYS_NAMED]
    ways = ["give the strategy more to draw from"] if take.mostly_scored_before or not keys else []
    if _CORE in keys:
        ways.append(f"give starting molecules that hold what `{_CORE}` asks for")
    if keys:
        ways.append("loosen " + " and ".join(f"`{key}`" for key in keys))
    return f"{', or '.join(ways)}, and begin anew with --fresh; the ledger keeps what was paid for"


def rounds_without_gain(rounds: Sequence[RoundInfo], batch: int | None = None) -> int:
    """Rounds since the mean top-10, or of a Pareto campaign the hypervolume, last rose by more than 0.001.

    Where it is below 0.1, a rise of more than a hundredth of it is one, too.

    Counted once the table has ten molecules, for the mean of a few good starting molecules falls as others join them;
    and once any has a score. A correction that takes away from what there was begins the count anew: what was no gain
    beside a wrong value may have been one.

    A molecule of which something is still to be measured counts once that is told.

    Args:
        batch: counts so many molecules as a round, however they were told.
    """
    measure = "hypervolume" if any("hypervolume" in info.metrics for info in rounds) else "mean_top_10"
    best, stale, molecules, stale_rows = float("-inf"), 0, 0, 0
    for info in rounds:
        molecules += info.rows if info.kind != "amendment" else 0
        if molecules < 10 or (measure not in info.metrics and (info.kind != "round" or best == float("-inf"))):
            continue
        now = float(info.metrics.get(measure, "-inf"))
        if now > best + in_proportion(GAIN, best) or (info.kind == "amendment" and now < best):
            best, stale, stale_rows = now, 0, 0
        elif info.kind == "round":  # an amendment may bring a gain, and is no search that failed to
            # Of what a laboratory has not wholly told yet nothing can be said; that comes with an amendment.
            judged = info.rows - int(info.metrics.get(WAITING, 0))
            stale, stale_rows = stale + (judged > 0 or not info.rows), stale_rows + judged
        else:
            completed = int(info.metrics.get("ok", 0)) - int(info.metrics.get(SCORED_BEFORE, 0))
            stale_rows += max(completed, 0)
    return stale if batch is None else stale_rows // batch


def take_of(info: RoundInfo) -> Take:
    """What screening did in a round, as its metrics keep it."""
    wanted, drawn, admitted = (int(info.metrics[name]) for name in ("wanted", "drawn", "admitted"))
    ended = admitted < wanted and drawn < DRAWS_PER_WANTED * wanted
    prefix = "refused_"
    reasons = {
        name.removeprefix(prefix): int(count)
        for name, count in info.metrics.items()
        if name.startswith(prefix) and not isinstance(count, str)
    }
    return Take(wanted, drawn, admitted, ended, reasons)
