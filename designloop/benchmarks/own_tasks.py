"""PMO's kinds of tasks with targets of our own, on which nothing was developed: ours beside the same peers."""

from __future__ import annotations

from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import PENDING, table
from designloop.benchmarks.pmo import benchmark, tables
from designloop.benchmarks.pmo.entries import Runs
from designloop.benchmarks.pmo.own import OWN
from designloop.benchmarks.pmo.tasks import CALLS

SUMMARY = "Six tasks of the kinds that PMO has, with other targets: ours, mol_ga, a Gaussian process, ZINC screened."

OPTIONS = benchmark.OPTIONS


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    return benchmark.run_tasks(options, say, OWN, "own-tasks")


def merge(earlier: Results, now: Results) -> Results:
    """Both records, seed by seed."""
    return benchmark.merge_tasks(earlier, now, OWN)


def report(results: Results) -> str:
    """Areas at both budgets, how far ours are above the peers, and cost."""
    runs = Runs.of_record(results["tasks"], results.get("machine"))
    head = (
        "Isomers of other formulas, another SMARTS gate, rediscovery, similarity and a median of other drugs "
        "(`designloop/benchmarks/pmo/own.py`), measured as PMO's tasks are, where it is judged "
        "whether gp_bo gives what is published of it. Means over seeds ± their standard error.\n"
    )
    ran, rows = tables.areas(runs, OWN)
    full = ""
    if ran:
        sums = [tables.sum_of(runs, OWN, arm, "auc_top10") for arm in ran]
        note = f"AUC at {CALLS:,} calls.{tables.codes(runs.where(calls=CALLS))}\n\n"
        full = note + table(("task", *ran), [*rows, ("**sum**", *sums)])
    parts = [
        head,
        table(("arm", "what it is"), results["arms"].items()),
        full,
        tables.early(runs, OWN, {"gp_bo": "counts once gp_bo is validated"}),
        tables.other_budgets(runs),
        tables.cost(runs, OWN),
    ]
    return "\n".join(part for part in parts if part) if runs.all else f"{head}\n{PENDING}\n"
