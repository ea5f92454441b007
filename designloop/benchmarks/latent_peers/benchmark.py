"""InvBO's setting, 100 starting molecules and 500 calls more: ours beside TuRBO and LOL-BO in the same model's latents.

Source of the setting: Chu et al. 2024, "Inversion-based latent Bayesian optimization".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from designloop import api
from designloop.benchmarks.common.arms import choose, draw_start, overrides_of, seeds_of
from designloop.benchmarks.common.made_by import in_words, made_by, marked, mixed, unequal
from designloop.benchmarks.common.measures import PAIRED_COLUMNS, paired, paired_row, signed_rank_p
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import PENDING, table
from designloop.benchmarks.common.pmo_measures import mean_top_10
from designloop.benchmarks.common.trials import TrialResult, run_trials
from designloop.benchmarks.latent_peers.arms import ARMS, LATENT_BO, TURBO, VARIANTS, Peer
from designloop.benchmarks.latent_peers.cube import LatentCube
from designloop.benchmarks.latent_peers.searches import TurboL
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.molecules.sequence_vae import load

SUMMARY = "100 starting molecules and 500 calls: ours against TuRBO and LOL-BO in the latents of the same model."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

TASKS = ("amlodipine_mpo", "fexofenadine_mpo", "median2", "scaffold_hop")

DEVELOPMENT = ("perindopril_mpo", "zaleplon_mpo")
"""Tasks on which it was chosen how the peers are run; no bar is about them."""

START, CALLS = 100, 600
"""Random molecules of ZINC that every arm of a seed begins with, and all calls, these included."""


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    arms = {arm.name: arm for arm in (*ARMS, *VARIANTS)}
    names = choose(arms, options.arms or [arm.name for arm in ARMS])
    tasks, seeds = choose([*TASKS, *DEVELOPMENT], options.tasks or TASKS, "task"), seeds_of(options)
    calls, folder, common = options.calls or CALLS, options.work / "latent-peers", overrides_of(options)
    common.pop("budget.oracle_calls", None)  # a trial's own
    files = {task: write_campaign(task, folder / "campaigns") for task in tasks}
    starts = {seed: _start(files[tasks[0]], common, min(START, calls), seed) for seed in seeds}
    chosen = [
        (task, name) for task in tasks for name in names if options.arms or task in (_tasks_of(arms[name]) or tasks)
    ]
    planned = [
        arms[name].trial(task, seed, calls, files[task], {**common, "starting_molecules": starts[seed]})
        for seed in seeds
        for task, name in chosen
    ]
    kept = run_trials(planned, folder, options.jobs, say)
    first = write_campaign(TASKS[0], folder / "campaigns")
    of_first = {**common, "starting_molecules": starts[seeds[0]]}
    made = {name: made_by(arms[name].trial(TASKS[0], 0, CALLS, first, of_first), arms[name].code) for name in names}
    entries: dict[str, dict[str, Any]] = {task: {} for task in tasks}
    for task, name in chosen:
        entries[task][name] = {**made[name], **entry(kept[f"{task}.{name}"], calls)}
    what = {name: arms[name].what for name in names}
    results: dict[str, Any] = {"seeds": seeds, "calls": calls, "arms": what, "tasks": entries, "bars": judge(entries)}
    if set(tasks) & set(DEVELOPMENT):
        results["reconstruction"] = _reconstruction(api.load_campaign(files[tasks[0]], common).model_file)
    return results


def _reconstruction(model: Path | str) -> dict[str, float]:
    """Share of molecules that come back from their latents at each level of noise that a decoder was told."""
    levels = sorted({arm.search.noise for arm in (TURBO, *VARIANTS) if isinstance(arm.search, TurboL)})
    vae = load(model)
    return {f"{level:g}": LatentCube.of(vae, level).reconstruction() for level in levels}


def _tasks_of(arm: object) -> tuple[str, ...]:
    return arm.tasks if isinstance(arm, Peer) else ()


def _start(file: Any, common: Mapping[str, Any], n: int, seed: int) -> list[str]:
    """The molecules that all arms of a seed begin with: the same on every task, since no task filters."""
    return draw_start(api.load_campaign(file, common), n, seed)


def entry(by_seed: Mapping[int, TrialResult], calls: int) -> dict[str, Any]:
    """What is recorded of an arm on a task: each measure, one value a seed."""
    measured = []
    for result in by_seed.values():
        paid = [(smiles, score) for smiles, score in result["paid"]]
        begun = [score or 0.0 for _, score in paid[:START]]
        measured.append(
            {
                "best": max((score or 0.0 for _, score in paid), default=0.0),
                "best_smiles": max(paid, key=lambda call: call[1] or 0.0)[0] if paid else "",
                "best_of_start": max(begun, default=0.0),
                "top10": mean_top_10(paid, calls),
                "calls_made": len(paid),
                "seconds": result["seconds"],
            }
        )
    return {"calls": calls, "seeds": list(by_seed), **{name: [of[name] for of in measured] for name in measured[0]}}


def judge(tasks: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Best score and mean of the ten best of ``latent_bo`` against each other arm, by means of the tasks, one a seed.

    Searches of one seed begin with the same molecules on every task, so that their pairs may lean the same way; what
    is tested hangs on nothing that pairs share. Seeds count that both have on every task where both have some.
    Nothing holds where an arm is not the same search on all of the tasks, or both do not have one model, or two
    campaigns not one code; the bar says so.
    """
    bars = []
    for arm in ARMS[1:]:
        both = [arms for task in TASKS if _pairs(arms := tasks.get(task, {}), arm.name, "best")]
        own_made, their_made = ([arms[name] for arms in both] for name in (LATENT_BO.name, arm.name))
        shared = ("model",) if isinstance(arm, Peer) else ("code", "model")
        differ = {*unequal(own_made), *unequal(their_made), *unequal([*own_made, *their_made], shared)}
        for measure, words in (("best", "best score"), ("top10", "mean of the ten best")):
            of_tasks = [_pairs(arms, arm.name, measure) for arms in both]
            seeds = [seed for seed in of_tasks[0] if all(seed in pairs for pairs in of_tasks)] if of_tasks else []
            if seeds:
                sentence = f"{words}: {LATENT_BO.name} above {arm.name}"
                own, theirs = ([fmean(pairs[seed][side] for pairs in of_tasks) for seed in seeds] for side in (0, 1))
                bars.append(marked(paired(sentence, own, theirs, chance=signed_rank_p), sorted(differ)))
    return bars


def _pairs(arms: Mapping[str, Any], other: str, measure: str) -> dict[int, tuple[float, float]]:
    """Seed -> (ours, theirs), of those that both have; none where the one had more calls than the other."""
    own, theirs = arms.get(LATENT_BO.name), arms.get(other)
    if own is None or theirs is None or own["calls"] != theirs["calls"]:
        return {}
    of_seed, of_theirs = (dict(zip(of["seeds"], of[measure], strict=True)) for of in (own, theirs))
    return {seed: (of_seed[seed], of_theirs[seed]) for seed in of_seed if seed in of_theirs}


def merge(earlier: Results, now: Results) -> Results:
    """Both records; of an arm on a task the one with more calls, of as many the one with more seeds, else the new."""
    tasks: dict[str, dict[str, Any]] = {}
    arms = {**earlier["arms"], **now["arms"]}
    for task in (*TASKS, *DEVELOPMENT):
        old, new = earlier["tasks"].get(task, {}), now["tasks"].get(task, {})
        both = {name: _fuller(old.get(name), new.get(name)) for name in [arm.name for arm in (*ARMS, *VARIANTS)]}
        if kept := {name: value for name, value in both.items() if value is not None}:
            tasks[task] = kept
    ordered = {arm.name: arms[arm.name] for arm in (*ARMS, *VARIANTS) if arm.name in arms}
    calls = max(earlier["calls"], now["calls"])
    return {**earlier, **now, "calls": calls, "arms": ordered, "tasks": tasks, "bars": judge(tasks)}


def _fuller(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if old is None or new is None:
        return new if old is None else old
    return old if (old["calls"], len(old["seeds"])) > (new["calls"], len(new["seeds"])) else new


def report(results: Results) -> str:
    """Shows the bars, the arms task by task, and on other tasks why the peers are run as they are."""
    tasks: Mapping[str, Mapping[str, Any]] = results["tasks"]
    codes = mixed({name: [in_words(of[name]) for of in tasks.values() if name in of] for name in results["arms"]})
    parts = [
        f"{START} random molecules of ZINC, the same for all arms of a seed and counted, and "
        f"{results['calls'] - START:,} calls more, every distinct canonical SMILES one. p is of Wilcoxon's signed-rank "
        f"test, one-sided, over the means of the tasks, one a seed, as searches of a seed begin alike.{codes}\n",
        table(("arm", "what it is"), results["arms"].items()),
    ]
    if bars := judge(tasks):  # as is done now
        parts.append(table(PAIRED_COLUMNS, map(paired_row, bars)))
    if not tasks.keys().isdisjoint(TASKS):
        parts.append(_arms_table(tasks, TASKS))
    if not tasks.keys().isdisjoint(DEVELOPMENT):
        parts.append("On two tasks that no bar is about it was chosen how the peers are run:\n")
        parts.append(_arms_table(tasks, DEVELOPMENT))
    if back := results.get("reconstruction"):
        shares = ", ".join(f"{share:.1%} at {level}" for level, share in back.items())
        parts.append(
            f"Held-out molecules of ZINC that come back, by the level of noise that the decoder is told: {shares}.\n"
        )
    return "\n".join(parts)


def _arms_table(tasks: Mapping[str, Mapping[str, Any]], shown: Sequence[str]) -> str:
    rows = [
        (
            task,
            arm,
            fmean(of["best"]),
            " ".join(f"{value:.3f}" for value in of["best"]),
            fmean(of["best_of_start"]),
            fmean(of["top10"]),
            f"{fmean(of['calls_made']):.0f}",
            f"{fmean(known):.0f}" if (known := [value for value in of["seconds"] if value is not None]) else PENDING,
        )
        for task in shown
        for arm, of in tasks.get(task, {}).items()
    ]
    columns = ("task", "arm", "best", "by seed", "of the start", "mean of the ten best", "calls", "seconds")
    return table(columns, rows)
