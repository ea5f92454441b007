"""What is printed of a campaign's results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from designloop.display.tables import cell, grid, property_value, say
from designloop.pareto import EXACT_GOALS
from designloop.tables.suggestions import describe_pending
from designloop.words import counted

if TYPE_CHECKING:
    import pyarrow as pa

    from designloop.api import Outcome
    from designloop.loop.summary import Summary
    from designloop.report.comparison import Standings
    from designloop.report.references import Reference
    from designloop.report.top import TopMolecule


def outcome(ended: Outcome) -> None:
    """Prints how a campaign ended, its references above its ten best, and where everything lies."""
    summary = ended.summary
    say()
    top(ended.best, ended.references)
    say()
    for line in summary.closing():
        say(line)
    say(f"Table     {summary.folder}   (designloop top, status and query read it)")
    say(f"Pictures  {', '.join(path.name for path in ended.pictures)} in the same folder")


def top(best: Sequence[TopMolecule], references: Sequence[Reference]) -> None:
    """Prints the best molecules, their score broken down by property, under the references."""
    from designloop.tables.file_columns import name_beside  # with it comes pyarrow

    if not best:
        say("No molecule that the filters allow has a score yet.")
        return
    shown: list[Reference | TopMolecule] = [*references, *best]
    properties = list(dict.fromkeys(name for molecule in shown for name in molecule.properties))
    none = [None] * len(references)
    fixed: dict[str, list[Any]] = {
        "#": [*["" for _ in references], *(str(ranked.rank) for ranked in best)],
        "score": [molecule.score for molecule in shown],
        "pareto": [*none, *(ranked.pareto_rank and str(ranked.pareto_rank) for ranked in best)],
        "from": [*(reference.name for reference in references), *map(_origin, best)],
        "id": [*none, *(ranked.id for ranked in best)],
        "suggestion": [*none, *(ranked.suggestion for ranked in best)],
        "start": [*none, *(ranked.start and ranked.start.similarity for ranked in best)],
        "ZINC": [*none, *(ranked.known and ranked.known.similarity for ranked in best)],
        "smiles": [molecule.smiles for molecule in shown],
    }
    fixed = {name: column for name, column in fixed.items() if any(value is not None for value in column)}
    of_properties = {  # a property may be called as one of these, as in the files
        heading: [_property(molecule, name) for molecule in shown]
        for name, heading in name_beside(properties, fixed).items()
    }
    before = [name for name in ("#", "score", "pareto") if name in fixed]
    columns = {name: fixed[name] for name in before} | of_properties | fixed
    grid(list(columns), zip(*columns.values(), strict=True))
    say("\nA property's value, and in brackets its desirability.")
    if "pareto" in fixed:
        say("pareto: 1 where no molecule is as good in every desirability and better in one; score: their plain mean.")
    meanings = {"start": "the nearest starting molecule", "ZINC": "the nearest molecule of ZINC 250k"}
    for name, meaning in meanings.items():
        if name in fixed:
            say(f"{name}: ECFP4 similarity to {meaning}.")


def _origin(ranked: TopMolecule) -> str:
    """Which proposer made a molecule, and whether a filter refuses it."""
    return ranked.proposer if ranked.allowed else f"{ranked.proposer}, refused"


def _property(molecule: TopMolecule | Reference, name: str) -> str:
    shown = molecule.properties.get(name)
    return "" if shown is None else property_value(shown.value, shown.desirability)


def status(summary: Summary) -> None:
    """Prints what ``status`` found."""
    _print_standing(summary)
    if summary.rounds:
        _print_rounds(summary)
    if summary.failures:
        say("\nFailures")
        rows = [
            (failure.property, failure.status, failure.molecules, " / ".join(failure.examples))
            for failure in summary.failures
        ]
        grid(("property", "status", "molecules", "examples"), rows)
    remarks = {
        "starting molecule that a filter refuses": summary.refused_starting,
        "corrected": summary.corrections,
        "remark": summary.remarks,
        "changed": summary.changes,
    }
    for what, lines in remarks.items():
        for line in lines:
            say(f"{what}: {line}")
    say(f"\ndigest {summary.digest}")


def _print_standing(summary: Summary) -> None:
    """Prints how far a campaign is, how well it does, whether it has ended, and what is pending or was lost."""
    kinds = Counter(info.kind for info in summary.rounds)
    rounds = counted(kinds["round"], "round")
    if kinds["amendment"]:
        rounds += f" and {counted(kinds['amendment'], 'amendment')}"
    calls = f"{summary.calls:,} of {counted(summary.budget, 'oracle call')}"
    say(f"{summary.name}: {calls}, {rounds}  ({summary.folder})")
    if summary.hypervolume is not None:
        front = counted(summary.front_size, "molecule")
        say(f"hypervolume {summary.hypervolume:.3f} of a front of {front}, {_above(summary)}")
    if summary.best is not None and summary.mean_top_10 is not None:
        few = f" (mean of {summary.mean_of})" if summary.mean_of < 10 else ""
        what = "mean desirability of these: " if summary.goals else ""
        say(f"{what}best {summary.best:.3f}, mean top-10 {summary.mean_top_10:.3f}{few}")
    say(
        f"ended ({summary.end.reason}): {summary.end.message}"
        if summary.end
        else f"not ended: designloop {'suggest' if summary.measured else 'run'} goes on with it"
    )
    if summary.pending:
        ids = ", ".join(item.id for item in summary.pending)
        say(f"{describe_pending(len(summary.pending))}, of which no result was told: {ids}")
    if summary.told_in_part:
        lacks = [f"{item.id} ({', '.join(summary.lacking[item.candidate.smiles])})" for item in summary.told_in_part]
        in_part = counted(len(lacks), "suggestion was", "suggestions were")
        say(f"{in_part} told in part; still to be told: {', '.join(lacks)}")
    for line in (*summary.replicates, summary.known, summary.workers, *summary.losses):
        if line:
            say(line)


def _print_rounds(summary: Summary) -> None:
    """Prints the last ten rounds, and what the strategy said of its model in as many."""
    say("\nLast rounds")
    within = [part for part in _OF_PROPOSING if summary.metric(f"{part}_seconds")]
    parts = ("propose", *within, "oracle", "learn")
    measures = ("hypervolume", "front_size") if summary.goals else ("best", "mean_top_10")
    names = ("hypervolume", "front") if summary.goals else ("best", "mean top-10")
    grid(
        ("round", "calls", "without score" if summary.measured else "failed", *names, *(f"{part} s" for part in parts)),
        [
            (
                info.number,
                info.calls,
                info.rows - int(info.metrics.get("ok", 0)),
                *(_measure(info.metrics, name) for name in measures),
                *(info.metrics.get(f"{part}_seconds") for part in parts),
            )
            for info in summary.rounds[-10:]
        ],
    )
    if within:
        listed = "; ".join(f"{part}, {words}" for part, words in _OF_PROPOSING.items() if part in within)
        say(f"Of the seconds of propose: {listed}.")
    for name, words in _WORTH_SHOWING.items():
        values = summary.metric(name)
        if values:
            last = ", ".join(f"{value:.2f}" for value in list(values.values())[-10:])
            say(f"{words}: {last}")
    for line in (_foresight(summary), _shares(summary)):
        if line:
            say(line)
    if began := _beginnings(summary.metric("restarts")):
        say(f"The search stood still and began anew after round {', '.join(map(str, began))}")


def _foresight(summary: Summary) -> str:
    """How well scores are foreseen, by molecules that were not chosen for it; empty where there are none."""
    judged, correlation = summary.last("judged_molecules"), summary.last("judged_rank_correlation")
    covered = summary.last("judged_coverage")
    if judged is None or covered is None:
        return ""
    ranks = "" if correlation is None else f"rank correlation with their scores {correlation:.2f}, "
    return (
        f"Foresight, by the last {judged:,.0f} molecules that were drawn uniformly from the better half of the free "
        f"ones: {ranks}{covered:.0%} within the 90 % intervals"
    )


def _shares(summary: Summary) -> str:
    """The proposers' shares of what is bred, the greatest first; empty where no round tells of them."""
    in_order = sorted(summary.proposer_shares.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{name} {share:.2f}" for name, share in in_order)
    return f"Shares of the proposers: {listed}" if listed else ""


def _beginnings(restarts: Mapping[int, float]) -> list[int]:
    """The rounds after which a search began anew, of how often it had by each round."""
    counts = [0.0, *restarts.values()]
    return [number for number, before, count in zip(restarts, counts, counts[1:], strict=False) if count > before]


def _above(summary: Summary) -> str:
    """What a hypervolume is measured in, and from where."""
    reference = ", ".join(f"{name} {value:g}" for name, value in summary.goals.items())
    estimated = "" if len(summary.goals) <= EXACT_GOALS else ", estimated"
    moves = "; the search's own reference point follows the front" if summary.reference_moves else ""
    return f"in desirabilities above ({reference}){estimated}{moves}"


_OF_PROPOSING = {
    "fit": "the surrogate's fit",
    "breed": "free molecules bred and looked at",
    "choose": "the acquisition's choice of a batch",
}
"""Parts of proposing whose seconds ``status`` shows, where a strategy tells them, and what each is."""

_WORTH_SHOWING = {
    "reconstruction": "Held-out molecules that the model reconstructs",
    "prior_allowed": "Prior samples that pass the filters",
    "failures_evidence": "Evidence that failures can be foreseen, which counts from 3.0 on",
}
"""Metrics of a strategy that ``status`` shows over the last rounds, where there are any."""


def _measure(metrics: Mapping[str, float | str], name: str) -> float | str | int | None:
    """A metric of a round as the table of rounds shows it."""
    value = metrics.get(name)
    if name == "mean_top_10":
        return _mean(value, int(metrics.get("mean_of", 10)))
    return int(value) if name == "front_size" and value is not None else value


def _mean(value: float | str | None, of: int) -> float | str | None:
    """A mean of the ten best, with how many they are where they are fewer."""
    return f"{cell(value)} (of {of})" if value is not None and of < 10 else value


_SCORES = ("best", "mean top-10", "AUC top-10")
"""What is shown of the scores of a campaign."""


def comparison(standings: Sequence[Standings]) -> None:
    """Prints campaigns side by side, those of each objective apart from the others."""
    objectives = list(dict.fromkeys(run.objective for run in standings))
    if len(objectives) > 1:
        say(f"These campaigns have {len(objectives)} different objectives. Scores compare within each, not between.")
    for objective in objectives:
        if len(objectives) > 1:
            say(f"\nObjective {objective}")
        runs = [run for run in standings if run.objective == objective]
        fronts = any(run.hypervolume is not None for run in runs)
        grid(
            ("campaign", "calls", "failed", *(("hypervolume", "front") if fronts else ()), *_SCORES),
            [
                (
                    run.campaign,
                    run.calls,
                    run.failed,
                    *((run.hypervolume, run.front_size) if fronts else ()),
                    *(run.best, _mean(run.mean_top_10, run.mean_of), run.auc_top_10),
                )
                for run in runs
            ],
        )
    if any(run.hypervolume is not None for run in standings):
        say("hypervolume: of the front, by which such campaigns compare; the others are of the mean desirability.")
    say("AUC top-10: mean over the calls of the mean of the ten best so far; it rewards finding them soon.")


def rows(table: pa.Table) -> None:
    """Prints the answer to a query.

    Raises:
        QueryError: a value cannot be shown.
    """
    from designloop.tables.query import plain_rows

    exact = [[f"{value:.8g}" if isinstance(value, float) else value for value in row] for row in plain_rows(table)]
    grid(table.column_names, exact)
    say(f"({counted(table.num_rows, 'row')})")
