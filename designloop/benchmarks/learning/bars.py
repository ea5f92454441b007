"""What learning has to show, judged on the seeds that all tasks have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import fmean
from typing import Any

from designloop.benchmarks.common.measures import holds_of, paired
from designloop.benchmarks.learning.arms import (
    FULL_LIKELIHOOD,
    FULL_NONE,
    FULL_PROPERTY,
    LIKELIHOOD,
    NONE,
    PROPERTY,
    STUDY,
)
from designloop.benchmarks.pmo.studies import Entries, Entry, of

BELOW = 0.01
"""What the whole strategy may lose by learning, at most."""

SCAFFOLDS = 40
"""Of 200 distinct draws, at least."""

NEW = 0.5
"""Share of them that was not paid for, at least."""


def judge(tasks: Entries) -> list[dict[str, Any]]:
    """Every bar, as ``paired`` has it; one that nothing is known of yet has no differences.

    Returns:
        Of each ``bar`` (in words) the ``value``, the ``differences`` by seed, how many were ``won``, the one-sided
        ``p`` where it is a test, and whether it ``holds``, None of fewer seeds than ``FEWEST``.
    """
    area = of("auc_top10")
    mean = {arm.name: STUDY.by_seed(tasks, arm.name, area) for arm in STUDY.arms}
    bars = [
        _pairs(f"{PROPERTY.name} above {arm.name}", mean[PROPERTY.name], mean[arm.name]) for arm in (NONE, LIKELIHOOD)
    ]
    for arm in (FULL_NONE, FULL_LIKELIHOOD):
        words = f"{FULL_PROPERTY.name} at most {BELOW:g} below {arm.name}, in the mean"
        bars.append(_not_below(words, mean[FULL_PROPERTY.name], mean[arm.name]))
    first, last, permuted = (STUDY.by_seed(tasks, PROPERTY.name, read) for read in (_first, _last, _permuted))
    bars.append(_pairs("draws after the budget above those after its first tenth, mean score", last, first))
    bars.append(_pairs("draws after the budget above those of scores permuted, mean score", last, permuted))
    for words, name, least in (
        (f"at least {SCAFFOLDS} scaffolds in 200 distinct draws, at each tenth", "scaffolds", SCAFFOLDS),
        (f"at least {NEW:g} of them not paid for, at each tenth", "new", NEW),
    ):
        bars.append(_at_least(words, list(_of_all_draws(tasks, name)), least, seeds=len(last)))
    return bars


def marks_of(entry: Entry, kind: str = "draws") -> Mapping[str, Mapping[str, float]]:
    """Calls -> what was measured of draws then, ascending."""
    kept: Mapping[str, Mapping[str, float]] = entry[kind]
    return {mark: kept[mark] for mark in sorted(kept, key=int)}


def mean_at(place: int, kind: str = "draws") -> Callable[[Entry], float]:
    """What reads the mean score of an entry's draws at a mark: 0 is the pretrained model, -1 the end."""
    return lambda entry: list(marks_of(entry, kind).values())[place]["mean"]


_first, _last, _permuted = mean_at(1), mean_at(-1), mean_at(-1, "permuted")


def _of_all_draws(tasks: Entries, name: str) -> Iterator[float]:
    """A measure of the draws of every campaign after each tenth; those of the pretrained model are left out."""
    for arms in tasks.values():
        for entry in arms.get(PROPERTY.name, {}).values():
            yield from (measured[name] for measured in list(marks_of(entry).values())[1:])


def _pairs(words: str, own: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, Any]:
    seeds = [seed for seed in own if seed in theirs]
    if not seeds:
        return {"bar": words, "value": None, "differences": [], "won": 0, "p": None, "holds": None}
    return paired(words, [own[seed] for seed in seeds], [theirs[seed] for seed in seeds])


def _not_below(words: str, own: Mapping[str, float], theirs: Mapping[str, float]) -> dict[str, Any]:
    bar = _pairs(words, own, theirs)
    differences = bar["differences"]
    holds = holds_of(len(differences), fmean(differences) >= -BELOW) if differences else None
    return {**bar, "p": None, "holds": holds}


def _at_least(words: str, values: list[float], least: float, seeds: int) -> dict[str, Any]:
    """A bar on the lowest of all values: no pairs."""
    value = min(values, default=None)
    holds = None if value is None else holds_of(seeds, value >= least, fails_at_once=True)
    return {"bar": words, "value": value, "differences": None, "won": None, "p": None, "holds": holds}
