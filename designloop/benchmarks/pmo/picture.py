"""Score against oracle calls, a panel a task and a line an arm."""

from __future__ import annotations

import io
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from designloop.benchmarks.pmo.outcome import MARKS

ACROSS = 4
"""Panels in a row."""


def draw_curves(results: Mapping[str, Any]) -> str:
    """One SVG picture of the mean of the ten best at each mark, in the mean of the seeds; calls on a log scale."""
    from matplotlib import style  # half a second
    from matplotlib.figure import Figure

    tasks: Mapping[str, Mapping[str, Any]] = results["tasks"]
    colours = {name: f"C{number}" for number, name in enumerate(results["arms"])}
    down = max(1, -(-len(tasks) // ACROSS))
    # The reader's own settings, and what differs from run to run, must not change the bytes.
    with style.context(["default", {"svg.hashsalt": "designloop", "svg.fonttype": "path"}]):
        figure = Figure(figsize=(3 * ACROSS, 2.2 * down + 0.4), layout="constrained")
        panels = list(figure.subplots(down, ACROSS, squeeze=False).flat)
        lines: dict[str, Any] = {}
        for panel in panels[len(tasks) :]:
            panel.set_axis_off()
        for panel, (task, arms) in zip(panels, tasks.items(), strict=False):
            panel.set_title(task, fontsize=8)
            panel.set_xscale("log")
            panel.tick_params(labelsize=7)
            panel.grid(alpha=0.3)
            for name, entry in arms.items():
                longest = max(map(len, entry["curve"]))  # seeds may have had other budgets
                curves = [curve for curve in entry["curve"] if len(curve) == longest]
                means = [fmean(values) for values in zip(*curves, strict=True)]
                lines[name] = panel.plot(MARKS[: len(means)], means, color=colours[name], linewidth=1.2)[0]
        if lines:
            figure.legend(list(lines.values()), list(lines), loc="outside lower center", ncols=len(lines), fontsize=8)
        content = io.BytesIO()
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
    return content.getvalue().decode()
