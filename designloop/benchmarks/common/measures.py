"""How well a search did, from the molecules that it paid for in turn; the same for every arm."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from designloop.benchmarks.common.page import PENDING
from designloop.tables.best import best, course

BEST = 10
"""Molecules in the mean."""

SHARED = 100
"""Best molecules that are divided among the proposers."""

FEWEST = 5
"""Seeds, or pairs, of which it is said whether a bar holds: fewer cannot tell chance from a fault of the search."""


@dataclass(frozen=True, slots=True)
class Call:
    """One molecule charged."""

    smiles: str
    """Standard form."""
    score: float | None
    """None where it failed."""
    proposer: str


def measure_calls(calls: Sequence[Call], budget: int) -> dict[str, Any]:
    """Measures one search; of molecules that differ in stereo marks alone, only the best counts.

    Args:
        calls: in the order in which they were charged.
        budget: calls that could be spent; the area holds the last mean to its end.
    Returns:
        ``calls``, ``failed``, ``best``, ``mean_top_10``, ``auc_top_10`` (of steps at every call; PMO's, by trapezoids
        over every 100 calls, is in ``pmo_measures``), ``top_10`` (smiles, score, proposer) and ``proposers``, each
        one's share of the 100 best.
    """
    rise = course(((call.smiles, call.score) for call in calls), BEST)
    best_rows = best([call.smiles for call in calls], [call.score for call in calls], SHARED)
    top = [calls[pick.row] for pick in best_rows]
    counted = Counter(call.proposer for call in top)
    return {
        "calls": len(calls),
        "failed": sum(call.score is None for call in calls),
        "best": top[0].score if top else None,
        "mean_top_10": rise.mean[-1][1] if rise.mean else 0.0,
        "auc_top_10": rise.auc(budget),
        "top_10": [{"smiles": call.smiles, "score": call.score, "proposer": call.proposer} for call in top[:BEST]],
        "proposers": {proposer: count / len(top) for proposer, count in counted.most_common()},
    }


def average_over_seeds(by_seed: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Averages the measures of one arm over its seeds; the standard error is that of the mean top-10."""
    tens = [result["mean_top_10"] for result in by_seed.values()]
    shares: Counter[str] = Counter()
    for result in by_seed.values():
        shares.update({proposer: share / len(by_seed) for proposer, share in result["proposers"].items()})
    return {
        "mean_top_10": fmean(tens),
        "standard_error": stdev(tens) / math.sqrt(len(tens)) if len(tens) > 1 else None,
        "auc_top_10": fmean(result["auc_top_10"] for result in by_seed.values()),
        "best": fmean(result["best"] or 0.0 for result in by_seed.values()),
        "seconds": fmean(result["seconds"] for result in by_seed.values()),
        "proposers": dict(shares.most_common()),
        "seeds": {str(seed): dict(result) for seed, result in by_seed.items()},
    }


@dataclass(frozen=True, slots=True)
class Criterion:
    """How far the mean top-10 of one arm has to be above that of another."""

    above: str
    below: str
    by: float = 0.0
    """The least difference, less than 0 where the one may be below the other; with 0 it has to be more."""
    on_each_seed: bool = False
    """Whether on every seed; else in the mean of them."""
    than_best: bool = False
    """Whether it has to be above the single best molecule of the other arm, which is more."""

    def __str__(self) -> str:
        where = "on each seed" if self.on_each_seed else "in the mean"
        relation = "above" if not self.by else f"at least {self.by:g} above"
        if self.by < 0:
            relation = f"at most {-self.by:g} below"
        return f"{self.above} {relation} {'the best of ' if self.than_best else ''}{self.below} {where}"

    def judge(self, arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
        """Returns the criterion in words, the paired differences, whether it holds; None where an arm is missing.

        Of fewer seeds than ``FEWEST`` it is not said to hold, nor to fail in the mean: what has to hold on each seed
        fails with the first that it does not hold on. None, too, where the two have no seed in common.
        """
        if self.above not in arms or self.below not in arms:
            return None
        above, below = arms[self.above]["seeds"], arms[self.below]["seeds"]
        measure = "best" if self.than_best else "mean_top_10"
        differences = {seed: above[seed]["mean_top_10"] - below[seed][measure] for seed in above if seed in below}
        if not differences:
            return None
        least = min(differences.values()) if self.on_each_seed else fmean(differences.values())
        holds = least >= self.by if self.by else least > 0
        said = holds_of(len(differences), holds, fails_at_once=self.on_each_seed)
        return {"bar": str(self), "difference": least, "differences": differences, "holds": said}


LEVEL = 0.05
"""Of the one-sided tests."""

ROUNDING = 1e-12
"""Differences that lie no further apart, of values about 1, differ by how numbers are rounded."""


def one_sided_p(differences: Sequence[float]) -> float | None:
    """The paired t-test's chance of such differences were their mean 0; None of fewer than two, or of equal ones."""
    from scipy.stats import ttest_1samp  # a second

    if _are_equal(differences):
        return None
    return float(ttest_1samp(differences, 0, alternative="greater").pvalue)


def interval(differences: Sequence[float], share: float = 0.95) -> tuple[float, float] | None:
    """Student's interval of the mean of paired differences; None of fewer than two, or of equal ones."""
    from scipy.stats import t  # a second

    n = len(differences)
    if _are_equal(differences):
        return None
    half = float(t.ppf((1 + share) / 2, n - 1)) * stdev(differences) / math.sqrt(n)
    return fmean(differences) - half, fmean(differences) + half


def _are_equal(differences: Sequence[float]) -> bool:
    """Whether all differences are the same, but for rounding; so are fewer than two."""
    size = max(1.0, *map(abs, differences)) if differences else 1.0
    return len(differences) < 2 or max(differences) - min(differences) <= ROUNDING * size


def show_interval(span: Sequence[float] | None, decimals: int = 3) -> str | None:
    """An interval as a cell has it; None of none."""
    return None if span is None else f"{span[0]:+.{decimals}f} to {span[1]:+.{decimals}f}"


def signed_rank_p(differences: Sequence[float]) -> float | None:
    """Wilcoxon's one-sided chance of such differences were they even about 0; None of fewer than two, or of zeros."""
    from scipy.stats import wilcoxon  # a second

    if len(differences) < 2 or not any(differences):
        return None
    return float(wilcoxon(differences, alternative="greater").pvalue)


def paired(
    words: str,
    own: Sequence[float],
    theirs: Sequence[float],
    *,
    chance: Callable[[Sequence[float]], float | None] = one_sided_p,
) -> dict[str, Any]:
    """Judges that one search is above another, pair by pair.

    Args:
        chance: the test, from the differences.
    Returns:
        ``bar``, the given words; ``value``, the mean of the ``differences``; ``won``, of how many pairs; the one-sided
        ``p`` and whether it ``holds``: p below ``LEVEL``; both are None where no test is possible, the latter of fewer
        pairs than ``FEWEST`` too.
    Raises:
        ValueError: for another number of values, or none.
    """
    differences = [a - b for a, b in zip(own, theirs, strict=True)]
    if not differences:
        raise ValueError(f"{words}: no pairs")
    p = chance(differences)
    return {
        "bar": words,
        "value": fmean(differences),
        "differences": differences,
        "won": sum(difference > 0 for difference in differences),
        "p": p,
        "holds": None if p is None or len(differences) < FEWEST else p < LEVEL,
    }


def paired_row(bar: Mapping[str, Any]) -> tuple[object, ...]:
    """A row of the table with ``PAIRED_COLUMNS``; what cannot be said yet is pending."""
    differences, p = bar["differences"], bar["p"]
    by_pair = " ".join(f"{value:+.3f}" for value in differences) if len(differences) <= FEW else None
    won = f"{bar['won']} of {len(differences)}"
    shown_p = None if p is None else f"{p:.2g}"
    return bar["bar"], f"{bar['value']:+.3f}", by_pair, won, shown_p, pending_or(bar["holds"])


def holds_of(seeds: int, holds: bool, fails_at_once: bool = False) -> bool | None:
    """Whether a bar holds; None of fewer seeds than ``FEWEST``.

    Args:
        fails_at_once: whether what already failed on some seed cannot hold any more, however many follow.
    """
    return holds if seeds >= FEWEST or (fails_at_once and not holds) else None


def pending_or(holds: bool | None) -> bool | str:
    """Whether something holds, as a cell has it: pending where that cannot be said yet."""
    return PENDING if holds is None else holds


PAIRED_COLUMNS = ("bar", "mean difference", "by pair", "won", "one-sided p", "holds")

FEW = 10
"""Pairs, up to which each one's difference is shown."""
