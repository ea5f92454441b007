"""Searches set side by side, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from designloop.benchmarks.common.measures import pending_or
from designloop.benchmarks.common.page import table

_SHARES = "of the 100 best, by proposer"


def arms_table(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the table of all arms: seeds, mean top-10, its area, the best, the proposers' shares of the 100 best."""
    columns = ("arm", "what it is", "seeds", "mean top-10", "AUC top-10", "best", _SHARES, "seconds")
    return table(columns, [_row(name, arm) for name, arm in arms.items()])


def criteria_table(criteria: Sequence[Mapping[str, Any]]) -> str:
    """Returns the table of all criteria: the difference of the mean top-10, that of each seed, whether it holds."""
    columns = ("mean top-10 of", "difference", "by seed", "holds")
    rows = [
        (of["bar"], of["difference"], _signed(of["differences"].values()), pending_or(of["holds"])) for of in criteria
    ]
    return table(columns, rows) if rows else ""


def _row(name: str, arm: Mapping[str, Any]) -> tuple[object, ...]:
    error = arm["standard_error"]
    mean = f"{arm['mean_top_10']:.3f}" + (f" ± {error:.3f}" if error is not None else "")
    shares = ", ".join(f"{proposer} {share:.0%}" for proposer, share in arm["proposers"].items())
    return name, arm["what"], len(arm["seeds"]), mean, arm["auc_top_10"], arm["best"], shares, f"{arm['seconds']:.0f}"


def _signed(values: Any) -> str:
    return " ".join(f"{value:+.3f}" for value in values)
