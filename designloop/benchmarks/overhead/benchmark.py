"""What the loop adds to oracles and model: time by part of a round, the state's file, and memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from designloop.api import InputError
from designloop.benchmarks.common.arms import campaign_file, overrides_of
from designloop.benchmarks.common.measures import pending_or
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.overhead.memory import PeakMemory, can_be_read
from designloop.benchmarks.overhead.watched_run import (
    BOOK_KEEPING,
    PARTS,
    WatchedRun,
    parse_and_canonicalise_seconds,
    watch_run,
)
from designloop.loop.campaign.campaign import load_campaign

SUMMARY = "What the quickstart campaign spends beside its oracles, a molecule, and its memory."

OPTIONS = frozenset({"campaign", "model", "calls", "work"})

FIRST = 1
"""Rounds left out: the first one waits for Ray and for the model."""

EVERY_SECONDS = 1.0
"""Between two looks at the memory."""

LEAST_SHOWN_GB = 0.01
"""Memory below which a process is not worth a line."""

MOST_MULTIPLE, MOST_MODEL_MS, MOST_MEMORY_GB, MOST_MINUTES = 10, 40, 3, 5


def run(options: Options, say: Say) -> Results:
    """Runs the campaign once, with its own settings, in a process of its own whose memory is looked at from here."""
    file = campaign_file(options, "campaigns/quickstart.yaml")
    if not can_be_read():
        raise InputError("memory is read from /proc/*/smaps_rollup, which this system has not; run on Linux")
    overrides = overrides_of(options)
    del overrides["evaluation.backend"]  # the campaign's own
    options.work.mkdir(parents=True, exist_ok=True)
    peak = PeakMemory()
    # On the disk where a campaign would lie, not in a temporary folder that may be kept in memory.
    with (
        TemporaryDirectory(dir=options.work) as folder,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        places = {
            "output": str(Path(folder, "campaign").resolve()),
            "ledger": str(Path(folder, "ledger.sqlite").resolve()),
        }
        began = perf_counter()
        running = pool.submit(measure_run, file.resolve(), {**overrides, **places})
        while True:
            try:
                measured = running.result(timeout=EVERY_SECONDS)
                break
            except StillRunning:
                peak.look()
    memory = {"peak_gb": peak.bytes / 1e9, "by_process_gb": {name: n / 1e9 for name, n in peak.by_name.items()}}
    results = {"campaign": str(file), **measured, "memory": memory, "minutes": (perf_counter() - began) / 60}
    return {**results, "bars": judge(results)}


def measure_run(file: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Measures times and counts of one run, in a process that has done nothing else."""
    campaign = load_campaign(file, {"budget.patience": 0, **overrides})
    watched = watch_run(campaign)
    if len(watched.laps) <= FIRST:
        raise InputError(f"the campaign had {len(watched.laps)} round, of which {FIRST} is left out; give more calls")
    evaluation = campaign.evaluation
    return {
        "seeds": [campaign.seed],
        "calls": campaign.budget.oracle_calls,
        "batch_size": campaign.batch_size,
        "backend": evaluation.backend,
        "workers": evaluation.worker_count if evaluation.backend == "ray" else 1,
        "rounds_left_out": FIRST,
        **summarise(watched),
    }


def summarise(watched: WatchedRun) -> dict[str, Any]:
    """Averages over all rounds but the first: milliseconds by part for each molecule scored, counts, state files."""
    scored = [smiles for of_round in watched.scored[FIRST:] for smiles in of_round]
    seconds: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for lap, count in zip(watched.laps[FIRST:], watched.counts[FIRST:], strict=True):
        seconds.update(lap)
        counts.update(count)
    ms = {part: 1000 * seconds[part] / len(scored) for part in PARTS}
    rdkit_ms = 1000 * parse_and_canonicalise_seconds(scored) / len(scored)
    book_keeping = sum(ms[part] for part in BOOK_KEEPING)
    screened = counts["screened"] + counts["pool_screened"]
    return {
        "rounds": len(watched.laps) - FIRST,
        "scored": len(scored),
        "screened_per_scored": counts["screened"] / len(scored),
        "pool_screened_per_scored": counts["pool_screened"] / len(scored),
        "ms_per_scored": ms,
        "rdkit_parse_and_canonicalise_ms": rdkit_ms,
        "book_keeping_ms": book_keeping,
        "book_keeping_multiple": book_keeping / rdkit_ms,
        "model_ms": ms["propose"] + ms["learn"],
        "filters_ms_per_screened": 1000 * seconds["filters"] / screened,
        "state_file": {
            "ms_per_round": 1000 * fmean(file.seconds for file in watched.state_files[FIRST:]),
            "mb": fmean(file.bytes for file in watched.state_files[FIRST:]) / 1e6,
        },
    }


def judge(results: Results) -> list[dict[str, Any]]:
    """Compares what was found with what is promised."""
    promised = (
        ("book-keeping, × RDKit's parse and canonical form", MOST_MULTIPLE, results["book_keeping_multiple"]),
        ("proposing and learning, ms", MOST_MODEL_MS, results["model_ms"]),
        ("peak memory, GB", MOST_MEMORY_GB, results["memory"]["peak_gb"]),
        ("the whole campaign from the start of Python on, minutes", MOST_MINUTES, results.get("minutes")),
    )
    return [
        {"bar": what, "at_most": most, "found": value, "holds": None if value is None else value <= most}
        for what, most, value in promised
    ]


_WHAT = {
    "propose": "model: proposing",
    "learn": "model: learning, with its checks",
    "oracle": "oracles, spread over the workers",
    "filters": "filters' own predicates",
    "state": "state: making it, and waiting for its file",
    "screening": "screening by the loop",
    "pool_screening": "screening for the strategy's free candidates",
    "dispatch_and_ledger": "dispatch and ledger",
    "commit": "commit of the round",
    "rest": "the rest of the loop, with the log",
}


def report(results: Results) -> str:
    """Shows the criteria, the parts of a round, and what explains them."""
    head = (
        f"`{results['campaign']}` with its own settings: {results['calls']:,} calls, batches of "
        f"{results['batch_size']}, {results['workers']} workers on {results['backend']}. {results['rounds']} rounds, "
        f"{results['scored']:,} molecules; the first round, which waits for Ray and the model, is left out.\n"
    )
    judged = [
        (criterion["bar"], f"{criterion['at_most']}", criterion["found"], pending_or(criterion["holds"]))
        for criterion in judge(results)  # as is done now: earlier records lack some
    ]
    parts = [
        (what, results["ms_per_scored"][part], "yes" if part in BOOK_KEEPING else "") for part, what in _WHAT.items()
    ]
    state, memory = results["state_file"], results["memory"]["by_process_gb"]
    further = [
        ("RDKit's parse and canonical form of a molecule scored, ms", results["rdkit_parse_and_canonicalise_ms"]),
        ("molecules screened by the loop, for each scored", results["screened_per_scored"]),
        ("free candidates screened for the strategy, for each scored", results["pool_screened_per_scored"]),
        ("filters, ms for each of both", results["filters_ms_per_screened"]),
        ("file of the strategy's state, MB", state["mb"]),
        ("until that is on the disk, beside the rest of the commit, ms a round", state["ms_per_round"]),
        *((f"memory of {name} at the peak, GB", gb) for name, gb in memory.items() if gb >= LEAST_SHOWN_GB),
    ]
    return "\n".join(
        [
            head,
            table(("for each molecule scored", "at most", "found", "holds"), judged),
            table(("part", "ms for each molecule scored", "book-keeping"), parts),
            table(("beside", "found"), further),
        ]
    )
