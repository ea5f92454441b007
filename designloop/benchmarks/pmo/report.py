"""The record of PMO as Markdown: bars, areas beside published ones, the first 1,000 calls, cost, a check of gp_bo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from designloop.benchmarks.common.page import table
from designloop.benchmarks.pmo import tables
from designloop.benchmarks.pmo.bars import LUCK, WITHOUT_LUCK, bars_table, check_of_gp_bo, is_validated
from designloop.benchmarks.pmo.entries import Runs
from designloop.benchmarks.pmo.published import TITLES, published
from designloop.benchmarks.pmo.tasks import CALLS, TASKS

_PICTURE = "benchmarks/pmo.svg"

CHEMMA = (
    "Of Chemma-2B (Guevorguian et al. 2024), which has 2 billion parameters and was trained on 110 million PubChem "
    "molecules, the targets' neighbours among them, a sum alone is at hand: 17.534 over 23 tasks, at least 14.53 on "
    "these 20, as no area is above 1."
)
"""What is published of it; the source stands in ``published.csv``."""


def report(results: Mapping[str, Any]) -> str:
    """All tables that the record has something for."""
    runs = Runs.of_record(results["tasks"], results.get("machine"))
    head = (
        "The area under the mean of the ten best scores (trapezoids over points every 100 calls), over the budget. "
        "Every distinct canonical SMILES is a call, those that a search starts from included; nothing is filtered. "
        "A campaign ends early once ten compounds have a score of 1, and its last mean holds to the end. "
        f"Means over seeds ± their standard error. The score against calls is drawn in [pmo.svg]({_PICTURE}). "
        "The record is put together of many runs: `designloop benchmark pmo --arms ARM --tasks TASK --seeds N --calls "
        "CALLS` makes an arm's searches of a task, and adds them to it.\n"
    )
    what = table(("arm", "what it is"), results["arms"].items())
    remarks = {} if is_validated(runs) else {"gp_bo": "not validated"}
    parts = [
        head,
        what,
        bars_table(runs),
        _full(runs),
        tables.early(runs, TASKS, remarks),
        tables.other_budgets(runs),
        tables.cost(runs, TASKS),
        check_of_gp_bo(runs),
    ]
    return "\n".join(part for part in parts if part)


def _full(runs: Runs) -> str:
    """Areas of whole budgets beside published ones, with sums where every task is there."""
    ran, rows = tables.areas(runs, TASKS)
    if not ran:
        return ""
    rows = [(*row, *published()[task].values()) for task, row in zip(TASKS, rows, strict=True)]
    for title, summed in ((f"**sum of {len(TASKS)}**", TASKS), (f"**sum of {len(WITHOUT_LUCK)}**", WITHOUT_LUCK)):
        sums = [tables.sum_of(runs, summed, arm, "auc_top10") for arm in ran]
        rows.append((title, *sums, *(math.fsum(published()[task][name] for task in summed) for name in TITLES)))
    strict = [tables.sum_of(runs, TASKS, arm, "strict_auc_top10") for arm in ran]
    rows.append((f"strict sum of {len(TASKS)}", *strict, *([None] * len(TITLES))))
    note = (
        f"AUC at {CALLS:,} calls; to the right of the line published figures (sources in "
        "`designloop/benchmarks/pmo/published.csv`; all calls counted; GP BO's are of the tenth-best score, in sum "
        f"a lower bound). {CHEMMA} The sum of {len(WITHOUT_LUCK)} leaves out {LUCK}. A strict sum takes one molecule a "
        f"compound."
        f"{tables.codes(runs.where(calls=CALLS))}\n"
    )
    return note + "\n" + table(("task", *ran, *(f"│ {title}" for title in TITLES.values())), rows)
