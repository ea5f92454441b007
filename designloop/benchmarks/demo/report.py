"""The demo's record as Markdown, and its picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from designloop.benchmarks.common.cases import not_measured
from designloop.benchmarks.common.measures import interval, pending_or, show_interval
from designloop.benchmarks.common.mol_ga import CHILDREN_A_CALL
from designloop.benchmarks.common.options import Options, Results
from designloop.benchmarks.common.page import PENDING, table
from designloop.benchmarks.common.search_report import arms_table, criteria_table
from designloop.benchmarks.demo.arms import ARMS
from designloop.benchmarks.demo.bars import judge
from designloop.report.pictures import draw_sheet

PICTURE = "demo_best.svg"

ABOVE, PAIRS = "G", 20
"""The arm above which the whole campaign has to be with all of its interval, and the paired seeds that this takes."""


def pictures(options: Options, results: Results) -> dict[str, str]:
    """Draws the references and the ten best molecules of the first seed."""
    cells = [
        (
            molecule["smiles"],
            [
                f"{'reference  ' if molecule['proposer'] is None else ''}{molecule['name']}   score {_score(molecule)}",
                *(f"{name} {shown}" for name, shown in molecule["properties"].items()),
            ],
        )
        for molecule in results["drawn"]
    ]
    return {PICTURE: draw_sheet(cells, 5)} if cells else {}


def report(results: Results) -> str:
    """Shows the arms, the criteria, and the ten best molecules of the first seed."""
    head = (
        f"`{results['campaign']}`, {results['calls']:,} calls, of which {results['start']} are the starting molecules. "
        "All measures count stereoisomers once and are means over an arm's seeds, ± their standard error; differences "
        "are of the seeds that both arms have.\n"
    )
    judged = judge(results["arms"])  # as is done now
    parts = [
        head,
        arms_table(results["arms"]),
        *not_measured("arms", [arm.name for arm in ARMS], results["arms"]),
        *_kept(results),
        *_unspent(results),
        *filter(None, [criteria_table(judged["bars"]), intervals_table(results["arms"])]),
    ]
    if "full" in results["arms"]:
        parts += [*_ten(judged["ten_bars"]), _drawn_table(results)]
    return "\n".join(parts)


def intervals_table(arms: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the table of how far ``full`` is above each other arm, with the interval of the paired mean difference.

    Empty where no arm shares two seeds with it. Of ``ABOVE`` it says whether the interval is above 0, which is pending
    of fewer pairs than ``PAIRS``.
    """
    whole, rows = arms.get("full", {}).get("seeds", {}), []
    for name, arm in arms.items():
        pairs = [seed for seed in whole if seed in arm["seeds"]]
        if name == "full" or len(pairs) < 2:
            continue
        differences = [whole[seed]["mean_top_10"] - arm["seeds"][seed]["mean_top_10"] for seed in pairs]
        span = interval(differences)
        excludes = None if span is None else "no" if span[0] <= 0 <= span[1] else "yes"
        asked, holds = None, None
        if name == ABOVE:
            asked = f"interval above 0, of {PAIRS} pairs"
            holds = PENDING if len(pairs) < PAIRS or span is None else span[0] > 0
        mean = f"{fmean(differences):+.4f}"
        rows.append((f"full − {name}", len(pairs), mean, show_interval(span, 4), excludes, asked, holds))
    columns = ("mean top-10", "pairs", "mean difference", "95 % interval", "excludes 0", "asked", "holds")
    return table(columns, rows) if rows else ""


def _kept(results: Results) -> list[str]:
    """What stands here as an earlier record had it."""
    named = ", ".join(f"{name} (seeds {', '.join(seeds)})" for name, seeds in results["kept"].items())
    if not named:
        return []
    return [
        f"Of the record before this one are {named}: of all that both runs measured, every table was the same to the "
        "last digit, so it is the same search.\n"
    ]


def _unspent(results: Results) -> list[str]:
    """Which arms did not spend their calls, what ended them, and where ``full`` was after as many."""
    lines = []
    for name, arm in results["arms"].items():
        short = {seed: result for seed, result in arm["seeds"].items() if result["calls"] < results["calls"]}
        if not short:
            continue
        spent = ", ".join(f"{result['calls']:,} (seed {seed})" for seed, result in short.items())
        ends = dict.fromkeys(map(_end, short.values()))
        lines.append(f"- {name} did not spend its {results['calls']:,} calls, but {spent}: {'; '.join(ends)}.")
        if name != "full" and (pairs := _after_as_many(results, short)):
            whole, other = map(fmean, zip(*pairs, strict=True))
            lines[-1] += (
                f" full's mean top-10 was {whole:.3f} after as many, where that of {name} ended at {other:.3f}."
            )
    return ["\n".join([*lines, ""])] if lines else []


def _end(result: Mapping[str, Any]) -> str:
    """What ended a search that did not spend its calls."""
    if "bred" in result:
        return (
            f"it ends after {CHILDREN_A_CALL} children for each call, as many as a campaign draws at most for each "
            f"molecule of a round; of its {result['bred']:,} the others failed, were known, or the filters refused them"
        )
    return str(result["end"])


def _after_as_many(results: Results, short: Mapping[str, Mapping[str, Any]]) -> list[tuple[float, float]]:
    """(``full``'s mean top-10 after the last round that had cost no more, the other arm's at its end) by seed."""
    whole = results["arms"].get("full", {}).get("seeds", {})
    pairs = []
    for seed, result in short.items():
        later_rounds = (result["calls"] - results["start"]) // results["batch"]
        means = whole.get(seed, {}).get("rounds", {}).get("mean_top_10", {})
        if str(later_rounds) in means:
            pairs.append((means[str(later_rounds)], result["mean_top_10"]))
    return pairs


def _drawn_table(results: Results) -> str:
    """The table of the references and of the ten best of the first seed, property by property."""
    drawn = results["drawn"]
    names = list(dict.fromkeys(name for molecule in drawn for name in molecule["properties"]))
    rows = [
        (
            molecule["name"],
            _score(molecule),
            *(molecule["properties"].get(name) for name in names),
            molecule["proposer"],
            f"`{molecule['smiles']}`",
        )
        for molecule in drawn
    ]
    seed = next(iter(results["arms"]["full"]["seeds"]))
    return f"The ten best of full, seed {seed}, each property with its desirability:\n\n" + table(
        ("", "score", *names, "proposer", "molecule"), rows
    )


def _score(molecule: Mapping[str, Any]) -> str:
    return "none" if molecule["score"] is None else f"{molecule['score']:.3f}"


def _ten(bars: Sequence[Mapping[str, Any]]) -> list[str]:
    """The table of what the ten best of each seed have to be, and where they are drawn."""
    rows = [
        (bar["bar"], " ".join(f"{value:.3g}" for value in bar["values"].values()), pending_or(bar["holds"]))
        for bar in bars
    ]
    return [
        table(("of the ten best of full", "by seed", "holds"), rows),
        f"Those of the first seed are drawn in [{PICTURE}](benchmarks/{PICTURE}).\n",
    ]
