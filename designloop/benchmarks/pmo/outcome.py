"""What is recorded of one search: PMO's measures, those at 1,000 calls, diversity, ease of synthesis, and cost."""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from designloop.benchmarks.common.made_by import DIGITS
from designloop.benchmarks.common.pmo_measures import BEST, Paid, auc_top_10, curve, mean_top_10, pmo_measures
from designloop.molecules.chemistry import fingerprints, require, sa_score, tanimoto

EARLY = 1000
"""Calls at which a search is judged as well."""

MARKS = (*range(100, EARLY + 1, 100), *range(2000, 10_001, 1000))
"""Calls at which the curve is recorded."""

FIRST = 300
"""Calls by which two versions of the code are told apart: those of more calls hang on these."""

MACHINE = "machine"
"""Column of the CPU's name that a search ran on, of which its times are; None where it is unknown, or of several."""

SHARED = 100
"""Best molecules whose diversity and ease of synthesis are told."""

APART = 0.4
"""ECFP4 Tanimoto similarity from which on a molecule belongs to a better one's cluster."""


def outcome(kept: Mapping[str, Any], budget: int) -> dict[str, Any]:
    """All that is recorded of a search; ``auc_at_1000`` and ``top10_at_1000`` are None of a smaller budget.

    Args:
        kept: ``paid`` (pairs of SMILES and score, in turn), ``seconds`` of the whole search, ``oracle_seconds`` of
            these, ``peak_memory_gb``, and ``cpu_seconds`` and ``machine``, which trials of before lack. That all times
            are None of a peer that was interrupted; where a trial of before has the others then, they are not believed.
        budget: calls that could be spent.
    """
    calls: list[Paid] = [(smiles, score) for smiles, score in kept["paid"]]
    made = max(len(calls), 1)
    early = budget >= EARLY
    went_on = "cpu_seconds" in kept and kept["cpu_seconds"] is None
    times = {name: None if went_on else kept.get(name) for name in ("seconds", "oracle_seconds", "cpu_seconds")}
    ranked = best_of(calls)
    return {
        **pmo_measures(calls, budget),
        "auc_at_1000": auc_top_10(calls, EARLY) if early else None,
        "top10_at_1000": mean_top_10(calls[:EARLY], EARLY) if early else None,
        "auc_tenth": auc_of_the_tenth(calls, budget),
        "best": (ranked[0][1] or 0.0) if ranked else 0.0,
        "best_smiles": ranked[0][0] if ranked else "",
        **how_unlike([smiles for smiles, _ in ranked]),
        "calls_made": len(calls),
        **{f"{name}_a_call": None if spent is None else spent / made for name, spent in times.items()},
        "peak_memory_gb": kept["peak_memory_gb"],
        MACHINE: kept.get(MACHINE),
        "curve": _marked(calls, budget),
    }


def first_calls(kept: Mapping[str, Any], budget: int, code: str) -> dict[str, str]:
    """Code -> a digest of the molecules that it paid for first, in turn, with their scores; none of a small budget."""
    first = json.dumps(kept["paid"][:FIRST])
    return {code: hashlib.sha256(first.encode()).hexdigest()[:DIGITS]} if budget >= FIRST else {}


def auc_of_the_tenth(calls: Sequence[Paid], budget: int) -> float:
    """The mean over all calls of the tenth-best score so far, the least where there are fewer: as ``gp_bo`` publishes.

    Source: ``auc_topk`` of AustinT/basic-mol-bo-workshop2024, which calls it the AUC of the top ten.
    """
    ten: list[float] = []
    total = 0.0
    for _, score in calls[:budget]:
        heapq.heappush(ten, score or 0.0)
        if len(ten) > BEST:
            heapq.heappop(ten)
        total += ten[0]
    rest = budget - min(len(calls), budget)
    return (total + rest * (ten[0] if ten else 0.0)) / budget


def peak_memory_gb() -> float | None:
    """The most memory that this process has used; None where the system does not tell (Linux does)."""
    status = Path("/proc/self/status")
    # Not getrusage: it counts what the parent used before this process became a program of its own.
    match = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE) if status.is_file() else None
    return int(match[1]) * 1024 / 1e9 if match else None


def peak_of_all(file: Path) -> float | None:
    """The most memory of this process, and of those before that asked by the same file.

    Args:
        file: one number, the most so far; written anew.
    """
    before = float(file.read_text(encoding="utf-8")) if file.is_file() else 0.0
    if (own := peak_memory_gb()) is None:
        return None
    file.write_text(f"{max(before, own)!r}", encoding="utf-8")
    return max(before, own)


def _marked(calls: Sequence[Paid], budget: int) -> list[float]:
    """The mean of the ten best at each mark within the budget; after an early stop its last value."""
    points = curve(calls, budget)
    return [max(value for call, value in points if call <= mark) for mark in MARKS if mark <= budget]


def best_of(calls: Sequence[Paid]) -> list[Paid]:
    """The ``SHARED`` of the highest score, best first, the earlier of equals first."""
    return heapq.nlargest(SHARED, calls, key=lambda call: call[1] or 0.0)


def how_unlike(smiles: Sequence[str]) -> dict[str, float | None]:
    """``diversity`` (mean distance of pairs), ``clusters`` (leaders, best first) and ``sa`` of some molecules."""
    if len(smiles) < 2:
        return {"diversity": None, "clusters": None, "sa": None}
    prints = fingerprints(smiles)
    similarity = tanimoto(prints, prints)
    leaders: list[int] = []
    for row in range(len(smiles)):
        if not leaders or similarity[row, leaders].max() < APART:
            leaders.append(row)
    pairs = similarity[np.triu_indices(len(smiles), 1)]
    return {
        "diversity": float(1 - pairs.mean()),
        "clusters": float(len(leaders)),
        "sa": fmean(sa_score(require(text)) for text in smiles),
    }
