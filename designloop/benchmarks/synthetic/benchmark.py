"""Functions whose optimum is known: how near the parts of latent Bayesian optimization come to it, beside BoTorch's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import accumulate
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from designloop.benchmarks.common.arms import choose, seeds_of
from designloop.benchmarks.common.cases import beside, merge_cases, not_measured
from designloop.benchmarks.common.made_by import DIGITS
from designloop.benchmarks.common.measures import holds_of, pending_or
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.sources import code_of
from designloop.benchmarks.common.trials import Trial, TrialResult, code_digest, digest_of, releases, run_trials
from designloop.benchmarks.synthetic.cases import CASES, Case, Problem
from designloop.benchmarks.synthetic.ours import by_parts
from designloop.benchmarks.synthetic.peers import Course, by_chance, by_log_ei, by_turbo
from designloop.molecules.sequence_vae import find
from designloop.molecules.shipped import DEFAULT_MODEL

SUMMARY = (
    "Functions whose optimum is known: regret of latent Bayesian optimization's parts, BoTorch's loops and chance."
)

OPTIONS = frozenset({"arms", "jobs", "model", "seeds", "tasks", "work"})

SHARE = 0.2
"""Of the regret of chance that may be left."""

POINTS = 10
"""Of a curve."""

OURS, CHANCE = "ours", "random"

SAME_PROBLEM = ("calls", "batch", "code")
"""What arms of one record of a case have alike."""

_OWN_FILES = tuple(Path(__file__).with_name(name) for name in ("cases.py", "ours.py"))

PEERS: Mapping[str, tuple[str, Callable[[Problem, Case, int], Course]]] = {
    "qlogei": ("BoTorch's SingleTaskGP and qLogEI over the whole cube", by_log_ei),
    "turbo": ("BoTorch's TuRBO-1 with Thompson sampling", by_turbo),
    CHANCE: ("even points; latents of the prior", by_chance),
}
"""Arm -> what it is, and how it searches."""

ARMS = {
    OURS: "the surrogate, trust regions and acquisition of the package; latents are decoded before they are chosen",
    **{name: what for name, (what, _) in PEERS.items()},
}
"""Arm -> what it is."""


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every case and seed that was asked for; what is done already is read."""
    names, cases, seeds = choose(ARMS, options.arms), choose(CASES, options.tasks, "task"), seeds_of(options, 10)
    model = options.model or DEFAULT_MODEL
    planned = [make_trial(case, name, seed, model) for case in cases for name in names for seed in seeds]
    kept = run_trials(planned, options.work / "synthetic", options.jobs, say)
    of = {case: _of(case, seeds, model) for case in cases}
    entries = {
        case: {
            "what": CASES[case].what,
            "calls": CASES[case].calls,
            "batch": CASES[case].batch,
            "arms": {
                name: {"of": of[case], "code": _code_of(name)[:DIGITS], **_entry(kept[f"{case}.{name}"])}
                for name in names
            },
        }
        for case in cases
    }
    return {"seeds": seeds, "arms": {name: ARMS[name] for name in names}, "cases": entries, "bars": _judge_all(entries)}


def merge(earlier: Results, now: Results) -> Results:
    """Both records, arm by arm of each case, judged anew: only what is of the same seeds and the same model.

    Of a case that was run again, what is of other calls or batches, or of other code of the problems, is left out.
    """
    before = {
        case: {**of, "arms": {name: arm for name, arm in of["arms"].items() if _is_of(arm, now["cases"].get(case))}}
        for case, of in earlier["cases"].items()
    }
    cases = merge_cases(CASES, ARMS, before, now["cases"])
    arms = {name: what for name, what in ARMS.items() if any(name in case["arms"] for case in cases.values())}
    return {**now, "arms": arms, "cases": cases, "bars": _judge_all(cases)}


def _is_of(arm: Mapping[str, Any], case: Mapping[str, Any] | None) -> bool:
    """Whether an arm of an earlier record is of the problem that a case is now; of any where it was not run again."""
    now = [] if case is None else [of.get("of", {}) for of in case["arms"].values()]
    return all(arm.get("of", {}).get(name) == of.get(name) for of in now for name in SAME_PROBLEM)


def _judge_all(cases: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [bar for case, entry in cases.items() for bar in judge(case, entry["arms"])]


def _of(case: str, seeds: list[int], model: str) -> dict[str, Any]:
    """What has to agree before arms of a case are set side by side; ``code`` is that of the problems."""
    settings = CASES[case]
    return {
        "seeds": seeds,
        "model": _model_of(case, model),
        "calls": settings.calls,
        "batch": settings.batch,
        "code": code_of(Case.__module__)[:DIGITS],
    }


def make_trial(case: str, arm: str, seed: int, model: str) -> Trial:
    """Makes the trial of an arm on a case; another model is another problem where there is one."""
    identity: dict[str, Any] = {"case": case, "packages": releases()}
    if (digest := _model_of(case, model)) is not None:
        identity["model"] = digest
    return Trial(f"{case}.{arm}", seed, partial(search, case, arm, seed, model), identity, _code_of(arm))


def _model_of(case: str, model: str) -> str | None:
    """Digest of the model in whose latent space a case's function lies; None of one that lies in a cube."""
    return hashlib.sha256(find(model).read_bytes()).hexdigest() if case == "planted" else None


def _code_of(arm: str) -> str:
    return _code_of_ours() if arm == OURS else _code_of_peer(arm)


def _code_of_ours() -> str:
    """Digest of the problems, of how they are put to our search, and of all that this may hang on."""
    return hashlib.sha256((digest_of(_OWN_FILES) + code_digest()).encode()).hexdigest()


@cache
def _code_of_peer(arm: str) -> str:
    """Digest of what decides what a peer gives, and of nothing else of ours."""
    course = PEERS[arm][1]
    return code_of(f"{course.__module__}:{course.__name__}", Case.__module__)


def search(case: str, arm: str, seed: int, model: str, folder: Path | None = None) -> TrialResult:
    """Runs a search until its calls are spent.

    Returns:
        ``regret``, how far the best of all calls is below the optimum; the same after every tenth of them (``curve``),
        ``calls``, those that were spent, and ``seconds`` of the processor.
    """
    began, settings = process_time(), CASES[case]
    problem = settings.make(seed, model)
    values: list[float] = []
    course = by_parts(problem, settings, seed, model) if arm == OURS else PEERS[arm][1](problem, settings, seed)
    for seen in course:
        values += seen.values.tolist()
        if len(values) >= settings.calls:
            break
    regrets = [problem.best - best for best in accumulate(values[: settings.calls], max)]
    step = max(settings.calls // POINTS, 1)
    return {
        "regret": regrets[-1],
        "curve": regrets[step - 1 :: step],
        "calls": len(regrets),
        "seconds": process_time() - began,
    }


def judge(case: str, arms: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The bars of a case, each with both medians and whether it holds; None of fewer seeds than ``FEWEST``."""
    if not (arms := beside(arms, OURS)):
        return []
    own = arms[OURS]["median"]
    bars = [
        {"bar": f"{case}: median regret not above {name}'s", "value": own, "limit": arms[name]["median"]}
        for name in arms
        if name not in (OURS, CHANCE)
    ]
    if CHANCE in arms:
        limit = SHARE * arms[CHANCE]["median"]
        bars.append({"bar": f"{case}: median regret at most {SHARE:g} of {CHANCE}'s", "value": own, "limit": limit})
    seeds = len(arms[OURS]["regret"])
    return [{**bar, "holds": holds_of(seeds, bar["value"] <= bar["limit"])} for bar in bars]


def report(results: Results) -> str:
    """Shows the regrets of each case, and the bars."""
    parts = [
        "How far the best of all calls is below the optimum, in the median of the seeds: all arms of a seed have the "
        "same optimum and the same first points.\n",
        *not_measured("cases", CASES, results["cases"]),
        table(("arm", "what it is"), results["arms"].items()),
    ]
    for name, case in results["cases"].items():
        parts.append(f"**{name}**: {case['what']}; {case['calls']} calls, {case['batch']} a round.\n")
        rows = [
            (arm, _figure(of["median"]), " ".join(map(_figure, of["regret"])), f"{of['seconds']:.0f}")
            for arm, of in case["arms"].items()
        ]
        parts.append(table(("arm", "median regret", "by seed", "CPU seconds"), rows))
    bars = [
        (bar["bar"], _figure(bar["value"]), _figure(bar["limit"]), pending_or(bar["holds"]))
        for bar in _judge_all(results["cases"])  # as is done now
    ]
    return "\n".join([*parts, table(("bar", "median regret", "limit", "holds"), bars)])


def _entry(by_seed: Mapping[int, TrialResult]) -> dict[str, Any]:
    """What is recorded of an arm on a case: regrets by seed, their median, the median curve."""
    trials = list(by_seed.values())
    return {
        "regret": [trial["regret"] for trial in trials],
        "median": median(trial["regret"] for trial in trials),
        "curve": [median(values) for values in zip(*(trial["curve"] for trial in trials), strict=True)],
        "calls": [trial["calls"] for trial in trials],
        "seconds": median(trial["seconds"] for trial in trials),
    }


def _figure(value: float) -> str:
    return f"{value:.3g}"
