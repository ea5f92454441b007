"""What learning adds: the property loss against the likelihood of elites and no learning, and draws of what it learns.

On PMO's tasks of development: campaigns in which the model alone proposes and nothing ranks, whole campaigns, and draws
of the model after each tenth of the budget, beside those of the same model taught with the scores permuted.
"""

from __future__ import annotations

from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.learning.arms import STUDY
from designloop.benchmarks.learning.bars import judge
from designloop.benchmarks.learning.report import report as report

SUMMARY = "The property loss against the likelihood of elites, no learning and permuted scores, on five of PMO's tasks."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    results = STUDY.run(options, say)
    return {**results, "bars": judge(results["tasks"])}


def merge(earlier: Results, now: Results) -> Results:
    """Both records, judged anew."""
    results = STUDY.merge(earlier, now)
    return {**results, "bars": judge(results["tasks"])}
