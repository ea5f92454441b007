"""The criteria of the VAE library: each method against closed forms, simulators and peers, over several seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from designloop.benchmarks.common.machine import machine
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.rows import Row, as_json, from_json, rows_table
from designloop.benchmarks.peers.benchmark import ratios_beside
from designloop.benchmarks.vae import registry
from designloop.benchmarks.vae.method import CORE, SECTIONS, Method

SUMMARY = "The VAE library's methods against closed forms, simulators and peers."

OPTIONS = frozenset({"method", "seeds", "work"})

SEEDS = 5
"""Seeds 0, 1, … of each method; one whose criterion asks for more takes more."""

INDEX = "vae/index.md"
"""The page of all methods, from the folder of the documentation."""

ELSEWHERE = {
    "AI in the Loop": "The engine itself, [what the rest of this repository is](../architecture.md): a VAE proposes, "
    "oracles score, the scores teach the VAE, in `designloop/loop/` and `designloop/strategies/`. Its criteria are "
    "those of [the benchmarks](../benchmarks.md) `demo`, `latent-bo` and `pmo`.\n",
}
"""Sections whose answer is more than a method of this library, and where it stands."""

_HEAD = """\
# The VAE library: methods and their bars

`designloop.vae` is a library of its own: nothing in it knows a molecule. A model is composed of an encoder, a decoder,
a likelihood and a prior, and fitted by one loop; every method below is a function of such a model.

This page is made from `docs/benchmarks/vae.json` and `peers.json`, which `designloop benchmark vae [METHOD]` and
`designloop benchmark peers` write; none of its numbers was typed. *Ceiling* is what the true model reaches, *floor*
what a plain one or none does; ± is a standard error. A bar that is missed stays here as missed.
"""


def run(options: Options, say: Say) -> Results:
    """Runs one method, or all of them."""
    names = [options.method] if options.method else registry.available()
    methods = {name: registry.load(name) for name in names}
    seeds = list(range(options.seeds or SEEDS))
    rows: list[dict[str, Any]] = []
    runs: dict[str, dict[str, Any]] = {}
    for name, method in methods.items():
        say(f"{name}: {method.TITLE}")
        measured, seconds = _measure(name, method, seeds, say, options.work)
        rows += [as_json(name, row) for row in measured]
        runs[name] = {
            "date": datetime.now(UTC).date().isoformat(),
            "seeds": len(seeds),
            "seconds": seconds,
            "cpu": machine()["cpu"],
            "threads": machine()["threads"],
        }
        held = [row.holds for row in measured if row.holds is not None]
        say(f"{name}: {sum(held)} of {len(held)} bars hold, {seconds:.0f} s")
    return {"seeds": seeds, "rows": rows, "runs": runs}


def _measure(name: str, method: Method, seeds: Sequence[int], say: Say, work: Path) -> tuple[Sequence[Row], float]:
    """Returns the rows of a method, and the seconds that they took in however many runs."""
    if run_kept := getattr(method, "run_kept", None):
        kept: tuple[Sequence[Row], float] = run_kept(seeds, say, work / f"vae-{name}")
        return kept
    began = perf_counter()
    return method.run(seeds, say), perf_counter() - began


def merge(earlier: Results, now: Results) -> Results:
    """Puts the results of this run in the place of the same methods' earlier ones, and keeps those of other methods."""
    known = set(registry.available())
    kept = [row for row in earlier["rows"] if row["method"] not in now["runs"] and row["method"] in known]
    runs = {name: run for name, run in {**earlier["runs"], **now["runs"]}.items() if name in known}
    return {
        **now,
        "rows": sorted([*kept, *now["rows"]], key=lambda row: row["method"]),
        "runs": dict(sorted(runs.items())),
    }


def report(results: Results) -> str:
    """Tells how many criteria each method meets; the rows themselves stand in the index."""
    lines = [f"The rows stand in [{INDEX}]({INDEX}), by section.\n"]
    for name in results["runs"]:
        held = [row["holds"] for row in results["rows"] if row["method"] == name and row["holds"] is not None]
        missed = [
            f"{row['measure']} ({row['bar']}: {row['value']:.4g})"
            for row in results["rows"]
            if row["method"] == name and row["holds"] is False
        ]
        lines.append(
            f"- {name}: {sum(held)} of {len(held)} bars hold" + (f"; missed: {', '.join(missed)}" if missed else "")
        )
    return "\n".join(lines) + "\n"


def pages(records: Mapping[str, Results]) -> Mapping[str, str]:
    """Makes the index: every section by its title, with file, page and criteria of the methods that answer to it.

    Below a method's own rows stands how fast it is beside other libraries, from the record of the benchmark ``peers``.
    """
    parts = [_HEAD]
    for title in (CORE, *SECTIONS):
        parts.append(f"## {title}\n")
        names = [name for name in registry.available() if title in registry.load(name).TITLE.split("; ")]
        parts += [ELSEWHERE[title]] if title in ELSEWHERE else []
        parts += [_method(name, records) for name in names]
        if not names and title not in ELSEWHERE:
            parts.append("Not implemented yet.\n")
    return {INDEX: "\n".join(parts)}


def _method(name: str, records: Mapping[str, Results]) -> str:
    method, results = registry.load(name), records.get("vae")
    head = f"[{name}]({method.PAGE}), in `{method.FILE}`."
    rows = [] if results is None else [from_json(row) for row in results["rows"] if row["method"] == name]
    if results is None or not rows:
        return f"{head} Not measured yet: `designloop benchmark vae {name}`.\n"
    ran = results["runs"][name]
    remark = f"`designloop benchmark vae {name}`, {ran['date']}, {ran['seconds']:.0f} s on {ran['cpu']}."
    parts = [f"{head} {remark}\n", rows_table(rows)]
    if beside := ratios_beside(records.get("peers"), name):
        parts += ["Beside peers, by turns in one run ([how](../benchmarks.md#peers)):\n", rows_table(beside)]
    return "\n".join(parts)
