"""Two goals at once: the hypervolume of the front after 500 calls, against fixed weights and random trade-offs."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from designloop.api import load_campaign
from designloop.benchmarks.common.arms import choose, model_digest, overrides_of, seeds_of
from designloop.benchmarks.common.cases import beside, merge_cases, not_measured
from designloop.benchmarks.common.made_by import DIGITS
from designloop.benchmarks.common.measures import FEWEST, holds_of, paired, pending_or
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.trials import TrialResult, code_digest, run_trials
from designloop.benchmarks.pareto.arms import ARMS, CHEBYSHEV, FIXED, LATENT, LATENT_CHEBYSHEV, OURS
from designloop.benchmarks.pareto.cases import CALLS, CASES, write_campaign

SUMMARY = "The front's hypervolume on two-property campaigns, against fixed weights and weights drawn anew each round."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

SATURATED = 0.9
"""Hypervolume from which on a case tells no searches apart any more."""

KEPT = ("hypervolume", "one_point", "front_size", "best", "curve", "calls", "seconds", "digest")


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every case and seed that was asked for; what is done already is read."""
    arms = {arm.name: arm for arm in ARMS}
    names, cases, seeds = choose(arms, options.arms), choose(CASES, options.tasks, "task"), seeds_of(options)
    calls, folder, common = options.calls or CALLS, options.work / "pareto", overrides_of(options)
    planned = [
        arms[name].trial(case, seed, calls, write_campaign(case, folder / "campaigns"), common)
        for case in cases
        for seed in seeds
        for name in names
    ]
    kept = run_trials(planned, folder, options.jobs, say)
    model = model_digest(load_campaign(write_campaign(cases[0], folder / "campaigns"), common))
    of = {"seeds": seeds, "calls": calls, "code": code_digest()[:DIGITS], "model": model[:DIGITS]}
    entries = {case: {name: {"of": of, **_entry(kept[f"{case}.{name}"])} for name in names} for case in cases}
    return {
        "seeds": seeds,
        "calls": calls,
        "arms": {name: arms[name].what for name in names},
        "cases": {case: {"what": CASES[case].what, "arms": entries[case]} for case in cases},
        "bars": {case: judge(entries[case]) for case in cases},
    }


def merge(earlier: Results, now: Results) -> Results:
    """Both records, arm by arm of each case, judged anew: only what is of the same calls, seeds, code and model.

    Codes count as one for an arm of a case that both ran with a seed, if each such campaign left the same table.
    """
    before = {
        case: {**of, "arms": {name: _as_of(arm, _arm(now, case, name)) for name, arm in of["arms"].items()}}
        for case, of in earlier["cases"].items()
    }
    cases = merge_cases(CASES, [arm.name for arm in ARMS], before, now["cases"])
    what = {**earlier["arms"], **now["arms"]}
    arms = {arm.name: what[arm.name] for arm in ARMS if any(arm.name in case["arms"] for case in cases.values())}
    bars = {name: judge(case["arms"]) for name, case in cases.items()}
    return {**now, "arms": arms, "cases": cases, "bars": bars}


def _arm(results: Results, case: str, name: str) -> Mapping[str, Any]:
    """What results have of an arm on a case; nothing where that was not run."""
    arm: Mapping[str, Any] = results["cases"].get(case, {}).get("arms", {}).get(name, {})
    return arm


def _as_of(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """An arm of an earlier record, of the code of now where that was found to be the same search."""
    before, since = earlier.get("of", {}), now.get("of", {})
    seeds = [seed for seed in since.get("seeds", ()) if seed in before.get("seeds", ())]
    alike = [before.get(name) == since.get(name) for name in ("calls", "model")]
    alike += [_table(earlier, seed) == _table(now, seed) is not None for seed in seeds]
    return {**earlier, "of": {**before, "code": since["code"]}} if seeds and all(alike) else dict(earlier)


def _table(arm: Mapping[str, Any], seed: int) -> str | None:
    """The digest of the table that a campaign left; None where that was not kept."""
    digest: str | None = arm.get("digest", [None] * len(arm["of"]["seeds"]))[arm["of"]["seeds"].index(seed)]
    return digest


def _entry(by_seed: Mapping[int, TrialResult]) -> dict[str, Any]:
    """What is recorded of an arm: each measure, one value a seed."""
    return {name: [result[name] for result in by_seed.values()] for name in KEPT}


def judge(arms: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The bars of one case, each with its paired differences, its one-sided p and whether it holds.

    The best of the fixed weights is that of the greatest mean. A front of one point is the best single molecule that
    any arm paid for on the seed. Latent Bayesian optimization is set against trade-offs drawn anew, as it searches the
    same way for one score whatever that is weighed by.
    """
    if not (arms := beside(arms, OURS.name)):
        return []
    own = arms[OURS.name]["hypervolume"]
    rivals: dict[str, list[float]] = {}
    if fixed := [arms[arm.name]["hypervolume"] for arm in FIXED if arm.name in arms]:
        rivals["the best of the fixed weights"] = max(fixed, key=fmean)
    if CHEBYSHEV.name in arms:
        rivals["random Chebyshev weights"] = arms[CHEBYSHEV.name]["hypervolume"]
    one_point = [max(points) for points in zip(*(arm["one_point"] for arm in arms.values()), strict=True)]
    rivals["a front of one point, the best of all arms"] = one_point
    bars = [paired(f"{OURS.name} above {words}", own, values) for words, values in rivals.items()]
    if len(own) >= FEWEST and not bars[-1]["won"]:
        bars[-1]["holds"] = False  # its fronts are points, or worse: no test is needed
    if {LATENT.name, LATENT_CHEBYSHEV.name} <= arms.keys():
        both = [arms[arm.name]["hypervolume"] for arm in (LATENT, LATENT_CHEBYSHEV)]
        bars.append(paired(f"{LATENT.name} above random Chebyshev weights of its own", *both))
    highest = max(fmean(arm["hypervolume"]) for arm in arms.values())
    bars.append(
        {"bar": f"every arm below {SATURATED:g}", "value": highest, "holds": holds_of(len(own), highest < SATURATED)}
    )
    return bars


def report(results: Results) -> str:
    """Shows the arms of each case, and its bars."""
    parts = [
        "Hypervolume of the front above (0, 0) in desirabilities, from the pretrained model alone; same surrogate, "
        "same proposers. One value a seed; *on the way* is the mean over every hundredth call and the last.\n",
        *not_measured("cases", CASES, results["cases"]),
    ]
    for name, case in results["cases"].items():
        parts.append(f"**{name}**: {case['what']}.\n")
        parts += not_measured("arms", [arm.name for arm in ARMS], case["arms"])
        rows = [
            (
                arm,
                results["arms"][arm],
                fmean(of["hypervolume"]),
                " ".join(f"{value:.3f}" for value in of["hypervolume"]),
                fmean(map(fmean, of["curve"])),
                fmean(of["one_point"]),
                f"{fmean(of['front_size']):.0f}",
                f"{fmean(of['seconds']):.0f}",
                of["of"]["calls"],
                of["of"]["code"],
            )
            for arm, of in case["arms"].items()
        ]
        columns = (
            "arm", "what it is", "hypervolume", "by seed", "on the way", "of one point", "front", "seconds", "calls",
            "code",
        )  # fmt: skip
        parts.append(table(columns, rows))
        if bars := judge(case["arms"]):  # as is done now
            parts.append(table(("bar", "value", "by seed", "one-sided p", "holds"), map(_bar, bars)))
    return "\n".join(parts)


def _bar(bar: Mapping[str, Any]) -> tuple[object, ...]:
    by_seed = " ".join(f"{value:+.3f}" for value in bar.get("differences", ()))
    p = bar.get("p")
    return bar["bar"], bar["value"], by_seed, None if p is None else f"{p:.3g}", pending_or(bar["holds"])
