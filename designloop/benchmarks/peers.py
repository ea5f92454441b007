"""The VAE library beside its peers: the same model, data, batches and threads, by turns in one run."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from designloop.api import InputError
from designloop.benchmarks.common.contests import ContestError, Side, Turn, contest
from designloop.benchmarks.common.environments import InstallError, environment
from designloop.benchmarks.common.machine import machine
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.rows import Row
from designloop.vae.simulators.neurons import cells, population

SUMMARY = "Speed of the VAE library beside other libraries', each in an environment of its own."

HEEDS = frozenset({"method", "seeds", "work"})

SEEDS = 9
"""Turns of either side."""

SCRIPTS = Path(__file__).parent / "peer_scripts"

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Comparison:
    """One thing that ours and a peer both do."""

    name: str
    requirement: str
    """The peer as pip is asked for it."""
    method: str
    """Of the benchmark ``vae``, beside whose bars the ratio is shown."""
    what: str
    """What is done, in words."""
    equal_is_enough: bool
    """Whether the promise is to be no slower; else to be faster."""
    ours: str
    """Our script, by its name in ``peer_scripts/``."""
    theirs: str
    task: Mapping[str, Any]
    """Given to both scripts."""
    data: Callable[[Mapping[str, Any]], Arrays]
    """Given to both scripts, from the task."""
    tolerance: float
    """By which what both come to may differ, relative."""
    note: str
    """What else is to be known to read the ratio."""

    @property
    def bar(self) -> str:
        return "≤ 1" if self.equal_is_enough else "< 1"

    def holds(self, ratio: float) -> bool:
        return ratio < 1 or (self.equal_is_enough and ratio == 1)


def manifold(task: Mapping[str, Any]) -> Arrays:
    """x (rows, features): a smooth function of as many factors as the model has latents, with noise of sd 0.1."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((task["rows"], task["latent"]))
    loadings = rng.standard_normal((task["latent"], task["features"])) / math.sqrt(task["latent"])
    noise = 0.1 * rng.standard_normal((task["rows"], task["features"]))
    return {"x": (np.tanh(factors @ loadings) + noise).astype(np.float32)}


def expression(task: Mapping[str, Any]) -> Arrays:
    """x (rows, features): counts of simulated neurons."""
    rng = np.random.default_rng(0)
    truth = population(rng, genes=task["features"])
    drawn = cells(truth, rng.integers(len(truth.log_means), size=task["rows"]), rng)
    return {"x": drawn.counts.astype(np.float32)}


def network(task: Mapping[str, Any]) -> Arrays:
    """z (points, latent), and the weights of an MLP whose layers keep the size of what goes through them."""
    rng = np.random.default_rng(0)
    arrays = {"z": rng.standard_normal((task["points"], task["widths"][0])).astype(np.float32)}
    for layer, (one, other) in enumerate(pairwise(task["widths"])):
        arrays[f"weight_{layer}"] = (rng.standard_normal((other, one)) / math.sqrt(one)).astype(np.float32)
        arrays[f"bias_{layer}"] = (0.1 * rng.standard_normal(other)).astype(np.float32)
    return arrays


_LOOKED = "Ours looks in every step whether data, loss and gradient are finite"

COMPARISONS = (
    Comparison(
        "pythae",
        "pythae==0.1.2",
        "core",
        "fit of a Gaussian VAE, 784-512-16-512-784, batches of 128",
        True,
        "ours_gaussian.py",
        "pythae_gaussian.py",
        {"rows": 2560, "features": 784, "hidden": 512, "latent": 16, "batch": 128, "epochs": 2, "rate": 1e-3},
        manifold,
        0.05,
        f"{_LOOKED}, which pythae does not. Its epochs alone are timed, without set-up and saving.",
    ),
    Comparison(
        "pythae-small",
        "pythae==0.1.2",
        "core",
        "fit of a small Gaussian VAE, 64-128-8-128-64, batches of 128",
        True,
        "ours_gaussian.py",
        "pythae_gaussian.py",
        {"rows": 12_800, "features": 64, "hidden": 128, "latent": 8, "batch": 128, "epochs": 2, "rate": 1e-3},
        manifold,
        0.05,
        "The same where the matrix products take little, so that what goes on around them shows.",
    ),
    Comparison(
        "scvi-tools",
        "scvi-tools==1.4.2",
        "core",
        "fit of a negative binomial VAE, 1,000 genes, 128 hidden, 10 latent, batches of 128",
        True,
        "ours_counts.py",
        "scvi_tools_counts.py",
        {"rows": 2560, "features": 1000, "hidden": 128, "latent": 10, "batch": 128, "epochs": 2, "rate": 1e-3},
        expression,
        0.05,
        f"{_LOOKED}, and that the data are counts; scvi-tools evaluates a linear map to dropout logits that a "
        "negative binomial has no use for. Its epochs alone are timed, without set-up, progress bar and logger.",
    ),
    Comparison(
        "stochman",
        "stochman==0.3.0",
        "geometry",
        "metric at 10,000 points of a 2-200-200-784 MLP",
        False,
        "ours_metric.py",
        "stochman_metric.py",
        {"points": 10_000, "widths": [2, 200, 200, 784]},
        network,
        1e-3,
        "stochman gives the Jacobian J; the metric of a Gaussian of unit variance is JᵀJ.",
    ),
)


def run(options: Options, say: Say) -> Results:
    """Runs one comparison, or all of them; one that cannot be made is a row that says why."""
    known = [one.name for one in COMPARISONS]
    if options.method not in (None, *known):
        raise InputError(f"no peer {options.method!r}; give one of {', '.join(known)}, or none")
    chosen = [one for one in COMPARISONS if options.method in (None, one.name)]
    seeds = list(range(options.seeds or SEEDS))
    rows = []
    for comparison in chosen:
        say(f"{comparison.name}: {comparison.what}")
        row = compared(comparison, seeds, options.work / "peers", say)
        rows.append(row)
        told = row["error"] or f"{row['ratio']:.3f} of {comparison.requirement}'s time, {comparison.bar}"
        say(f"{comparison.name}: {told}")
    return {"seeds": seeds, "rows": rows}


def compared(comparison: Comparison, seeds: Sequence[int], folder: Path, say: Say) -> dict[str, Any]:
    """The row of one comparison, as JSON values."""
    here = machine()
    row: dict[str, Any] = {
        "name": comparison.name,
        "peer": comparison.requirement,
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": here["cpu"],
        "threads": here["threads"],
        "error": None,
    }
    try:
        python = environment(comparison.requirement, folder / comparison.requirement.split("==")[0], say)
        turns = _turns(comparison, python, seeds, folder / "runs" / comparison.name, here["threads"])
    except (InstallError, ContestError) as error:
        return {**row, "error": str(error)}
    ratios = [ours.seconds / theirs.seconds for ours, theirs in turns]
    return {
        **row,
        "ours_seconds": [ours.seconds for ours, _ in turns],
        "theirs_seconds": [theirs.seconds for _, theirs in turns],
        "ours_value": median(ours.value for ours, _ in turns),
        "theirs_value": median(theirs.value for _, theirs in turns),
        "ratio": median(ratios),
        "standard_error": error_of_median(ratios),
        "holds": comparison.holds(median(ratios)),
    }


def _turns(
    comparison: Comparison, python: Path, seeds: Sequence[int], folder: Path, threads: int
) -> list[tuple[Turn, Turn]]:
    folder.mkdir(parents=True, exist_ok=True)
    data, task = folder / "data.npz", folder / "task.json"
    np.savez(data, allow_pickle=False, **comparison.data(comparison.task))
    task.write_text(json.dumps({**comparison.task, "data": str(data.resolve())}), encoding="utf-8")

    def side(name: str, interpreter: str, script: str) -> Side:
        # -P: what lies beside serve.py is not importable by the name of a library that it is called after.
        command = [interpreter, "-P", str(SCRIPTS / "serve.py"), str(SCRIPTS / script), str(task)]
        return Side(name, command, folder, threads)

    with (
        side("ours", sys.executable, comparison.ours) as ours,
        side(comparison.name, str(python.absolute()), comparison.theirs) as theirs,
    ):
        return contest(ours, theirs, seeds, comparison.tolerance)


def error_of_median(values: Sequence[float]) -> float | None:
    """Standard error of a median, from the median absolute deviation as if values were normal; None for one value."""
    if len(values) < 2:
        return None
    middle = median(values)
    spread = 1.4826 * median(abs(value - middle) for value in values)
    return math.sqrt(math.pi / 2 / len(values)) * spread


def merged(earlier: Results, now: Results) -> Results:
    """Results of this run in the place of the same comparisons' earlier ones; the others are kept."""
    rows = {row["name"]: row for row in (*earlier["rows"], *now["rows"])}
    return {**now, "rows": [rows[one.name] for one in COMPARISONS if one.name in rows]}


def rows(results: Results | None, method: str) -> list[Row]:
    """The ratios that belong to a method of the benchmark ``vae``; what could not be compared is left out."""
    by_name = {one.name: one for one in COMPARISONS}
    found = [row for row in (results or {"rows": []})["rows"] if row["error"] is None and row["name"] in by_name]
    return [
        Row(
            f"{one.what}: time over that of {one.requirement.replace('==', ' ')}",
            one.bar,
            row["ratio"],
            row["standard_error"],
            len(row["ours_seconds"]),
            row["holds"],
        )
        for row in found
        if (one := by_name[row["name"]]).method == method
    ]


def report(results: Results) -> str:
    """The ratios, what both sides came to, and what is to be known of each."""
    by_name = {one.name: one for one in COMPARISONS}
    lines, failed, notes = [], [], []
    for row in results["rows"]:
        one = by_name[row["name"]]
        if row["error"] is not None:
            failed.append(f"- **{one.requirement} could not be compared** ({one.what}): {row['error']}\n")
            continue
        ratios = [a / b for a, b in zip(row["ours_seconds"], row["theirs_seconds"], strict=True)]
        seconds = [f"{median(row[side]):.3g}" for side in ("ours_seconds", "theirs_seconds")]
        values = [f"{row[side]:.5g}" for side in ("ours_value", "theirs_value")]
        spread = f"{min(ratios):.2f}–{max(ratios):.2f}"
        lines.append((one.what, one.requirement, *seconds, row["ratio"], spread, one.bar, row["holds"], *values))
        notes.append(
            f"- {one.what}: `{one.ours}` and `{one.theirs}`, {len(ratios)} turns each, {row['threads']} "
            f"thread{'s' if row['threads'] > 1 else ''}, {row['date']}, {row['cpu']}. {one.note}\n"
        )
    columns = ("what", "peer", "ours, s", "peer's, s", "ratio", "range", "bar", "holds", "ours came to", "the peer to")
    return "\n".join(
        [
            "Each peer is installed into an environment of its own, with the torch that ours has. Both sides do the "
            "same by turns (ours, peer's, ours, …) on the same data, each in a process of its own that lives "
            "throughout. The ratio is the median of the pairs' (ours over the peer's: below 1 ours is faster), the "
            "range that of all pairs; "
            "what both came to, the loss of the last epoch in nats a row or the mean of √det G, has to agree.\n",
            *([table(columns, lines)] if lines else []),
            "".join([*failed, *notes]),
        ]
    )
