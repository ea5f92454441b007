"""Ten times the free molecules: what the batches are then worth to those who vote, and what the search gains by it.

Of one state of a campaign both are asked what they would pay for: the campaign's own breeding and one with ten times
the draws, by the same voters with the same doubts. What the acquisition gives to the one batch and to the other are
so values of one function, whatever became of the campaigns. The campaign goes on with its own; nothing is paid twice.
The other arm is a campaign that always breeds ten times as many. Both look through as much of ZINC.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from designloop.benchmarks.common.measures import holds_of, interval, paired, pending_or, show_interval
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import PENDING, table
from designloop.benchmarks.common.pmo_measures import Paid, auc_top_10, mean_top_10
from designloop.benchmarks.common.records import RecordError
from designloop.benchmarks.common.trials import TrialResult
from designloop.benchmarks.pmo.altered import Altered, Work
from designloop.benchmarks.pmo.studies import Study, of, with_error

if TYPE_CHECKING:
    from designloop.strategies.archive.archive import Archive
    from designloop.strategies.search.pool import Bred, Turn
    from designloop.strategies.search.voting import BreedByVote
    from designloop.strategies.surrogates.base import Belief

SUMMARY = "Ten times the free molecules a call: what is chosen is worth to the voters, and what it gains on five tasks."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

TASKS = ("albuterol_similarity", "fexofenadine_mpo", "perindopril_mpo", "scaffold_hop", "zaleplon_mpo")

TIMES = 10

EARLY = 300
"""Calls at which both are judged as well; no campaign knows its budget, so that its first calls are those of a
shorter one."""

LOOKS = (100, 300, 500)
"""Calls after which the campaign's next batch and that of the larger pool are set side by side."""

WORST = -0.05
"""A mean difference that the interval has to exclude."""

_FILE = "looks.jsonl"

Breeds = Callable[["BreedByVote", "Archive", "Belief", int, "Turn"], "Bred | None"]


def run_with(times: int, looks: Sequence[int], work: Work, folder: Path) -> TrialResult:
    """Runs a trial whose breeding draws so many times as much, and looks at what a larger pool would give.

    Args:
        times: free molecules for each one that the strategy breeds.
        looks: calls after which both batches are measured.
    """
    from designloop.strategies.search import voting

    own: Breeds = voting.BreedByVote.__call__

    def breed(bred_by: BreedByVote, archive: Archive, belief: Belief, wanted: int, turn: Turn) -> Bred | None:
        bred = own(times_as_many(bred_by, times), archive, belief, wanted, turn)
        calls = turn.rounds_seen * wanted  # not the archive's length: what the model cannot write is not in it
        mark = next((mark for mark in looks if mark <= calls < mark + wanted), None)
        if mark is not None and turn.block == 0 and bred is not None:
            other = own(times_as_many(bred_by, TIMES), archive, belief, wanted, turn)
            assert other is not None  # it has the same molecules to breed from
            worths = [batch_worth(of, belief, wanted, bred_by.campaign.allowed) for of in (bred, other)]
            add_look(folder / _FILE, {"calls": mark, "own": worths[0], "tenfold": worths[1]})
        return bred

    with patch.object(voting.BreedByVote, "__call__", breed):
        result = work(folder)
    paid: list[Paid] = [(smiles, score) for smiles, score in result["paid"]]
    early = {"auc_top10_early": auc_top_10(paid, EARLY), "top10_early": mean_top_10(paid, EARLY)}
    return {**result, "further": {**early, "looks": read_looks(folder / _FILE)}}


def times_as_many(bred_by: BreedByVote, times: int) -> BreedByVote:
    """The same breeding, but for so many times its draws."""
    return replace(bred_by, draws=times * bred_by.draws)


def batch_worth(bred: Bred, belief: Belief, wanted: int, allowed: Callable[..., Sequence[object]]) -> float:
    """The mean over a batch of what each molecule was worth to the voter who chose it, when it did.

    It is a batch of which none is drawn at random.
    """
    import numpy as np

    from designloop.strategies.acquisition.base import of_rows, worth
    from designloop.strategies.acquisition.votes import Outcomes, Votes

    votes = bred.acquisition
    assert isinstance(votes, Votes)  # the strategy's, on one score
    posterior = (bred.belief or belief)(bred.pool.features(bred.considered))
    candidates = [bred.pool.candidates[row] for row in bred.considered]
    outcomes, worths = Outcomes(posterior, votes.voters), []
    chosen = votes.select(posterior, wanted, 0, lambda row: bool(allowed([candidates[row]])), bred.chances)
    for voter, row in zip(votes.voters, chosen, strict=False):  # as many voters as molecules are wanted
        rows = np.array([row])
        worths.append(float(worth(voter.bounds(outcomes.of(rows)), of_rows(bred.chances, rows))[0]))
        outcomes.tell(row)
    return fmean(worths)


def add_look(file: Path, look: Mapping[str, float]) -> None:
    """Writes what both batches were worth at a look, as the last line of a file; one that a kill cut off makes way."""
    with file.open("a", encoding="utf-8") as lines:
        lines.truncate(len(_whole_lines(file).encode()))
        lines.write(json.dumps(look) + "\n")


def read_looks(file: Path) -> dict[str, Mapping[str, float]]:
    """Calls -> what both batches were worth; of what an interruption had measured twice the later.

    Raises:
        RecordError: a line is no look.
    """
    looks = {}
    for number, line in enumerate(_whole_lines(file).splitlines(), 1):
        try:
            look = json.loads(line)
            looks[str(look["calls"])] = look
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"{file}, line {number}: found {line[:60]!r}, expected a look as JSON with its calls; delete the "
                "trial's folder to begin it anew"
            ) from error
    return looks


def _whole_lines(file: Path) -> str:
    """What a file holds, if it is there, without a last line that was cut off."""
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    return text[: text.rfind("\n") + 1]


NORMAL = Altered("normal", "the default strategy, 40 free molecules a call", run_by=partial(run_with, 1, LOOKS))
TENFOLD = Altered("tenfold", f"the same with {TIMES} times the free molecules", run_by=partial(run_with, TIMES, ()))

STUDY = Study("tenfold", (NORMAL, TENFOLD), TASKS, calls=600, seeds=5)


def run(options: Options, say: Say) -> Results:
    """Runs both arms on every task and seed that was asked for; what is done already is read."""
    return STUDY.run(options, say)


def merge(earlier: Results, now: Results) -> Results:
    """Both records."""
    return STUDY.merge(earlier, now)


def report(results: Results) -> str:
    """What batches are worth, what the search gains, and the values by task."""
    tasks, made = results["tasks"], results["of"]
    head = (
        f"PMO's area under the mean of the ten best scores, and that mean, after {EARLY} and after {made['calls']:,} "
        f"calls; code {made['code']}, model {made['model']}. Differences are `{TENFOLD.name}` less `{NORMAL.name}` in "
        "the mean of the tasks, one a seed, as campaigns of one seed begin alike on every task. "
        "What a batch is worth is the mean of its voters' bounds, each when it chose; "
        "both batches are of one state of the campaign, by the same voters.\n"
    )
    gains = [
        _gain(f"{words} after {calls:,} calls", _gaps(tasks, name))
        for calls, suffix in ((EARLY, "_early"), (made["calls"], ""))
        for words, name in (("area", f"auc_top10{suffix}"), ("ten best", f"top10{suffix}"))
    ]
    columns = ("of the search", "seeds", "mean difference", "95 % interval", "≥ −1 s.e.", f"interval above {WORST:g}")
    by_task = [
        (arm.name, *(with_error([own["auc_top10"] for own in tasks.get(task, {}).get(arm.name, {}).values()])
                     for task in TASKS))
        for arm in STUDY.arms
    ]  # fmt: skip
    worths = table(
        ("what is chosen, after calls", "looks", "own pool", "tenfold", "mean difference", "one-sided p", "rises"),
        [_worth(tasks, calls) for calls in LOOKS],
    )
    return "\n".join([head, worths, table(columns, gains), table(("AUC by task", *TASKS), by_task)])


def _gaps(tasks: Mapping[str, Any], name: str) -> list[float]:
    """How far a measure is above that of the normal pool, in the mean of the tasks, of each seed that all have."""
    more, plain = (STUDY.by_seed(tasks, arm.name, of(name)) for arm in (TENFOLD, NORMAL))
    return [more[seed] - plain[seed] for seed in more if seed in plain]


def _worth(tasks: Mapping[str, Any], calls: int) -> tuple[object, ...]:
    """The row of the looks after so many calls."""
    entries = [entry for arms in tasks.values() for entry in arms.get(NORMAL.name, {}).values()]
    looks = [entry["looks"][str(calls)] for entry in entries if str(calls) in entry["looks"]]
    if not looks:
        return (calls, 0, PENDING, PENDING, PENDING, None, PENDING)
    own, tenfold = (fmean(look[name] for look in looks) for name in ("own", "tenfold"))
    looked = {
        task: {NORMAL.name: {seed: entry["looks"][str(calls)] for seed, entry in arms.get(NORMAL.name, {}).items()
                             if str(calls) in entry["looks"]}}
        for task, arms in tasks.items()
    }  # fmt: skip
    by_seed = [list(STUDY.by_seed(looked, NORMAL.name, of(name)).values()) for name in ("tenfold", "own")]
    bar = paired("rises", *by_seed) if by_seed[0] else {"p": None, "holds": None}  # one value a seed, as above
    p = None if bar["p"] is None else f"{bar['p']:.2g}"
    return (calls, len(looks), own, tenfold, f"{tenfold - own:+.3f}", p, pending_or(bar["holds"]))


def _gain(words: str, gaps: Sequence[float]) -> tuple[object, ...]:
    """The row of a difference: both bars need two seeds that differ, and as many as ``FEWEST``."""
    span = interval(gaps)
    if span is None:
        return (words, len(gaps), with_error(gaps, signed=True), None, PENDING, PENDING)
    error = stdev(gaps) / sqrt(len(gaps))
    bars = (pending_or(holds_of(len(gaps), holds)) for holds in (fmean(gaps) >= -error, span[0] > WORST))
    return (words, len(gaps), with_error(gaps, signed=True), show_interval(span), *bars)
