"""The verbs that ask about results: how far a campaign is, its best molecules, queries, campaigns side by side."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from designloop.api.inputs import MOST_MOLECULES, InputError, Say, require_whole, writing
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.molecule_scores import OwnMolecule, score_rows
from designloop.loop.summary import Summary, results_below, summarize
from designloop.loop.summary import results_folder as results_folder
from designloop.molecules.neighbours import nearest_zinc
from designloop.report import comparison
from designloop.report.references import Reference, read_references, read_units
from designloop.report.top import TopMolecule, top_molecules
from designloop.tables import Candidates, QueryError
from designloop.tables import open_candidates as open_candidates
from designloop.tables.query import plain_rows
from designloop.words import silent

if TYPE_CHECKING:
    import pyarrow as pa


OneOrMore = Campaign | Path | str | Sequence[Campaign | Path | str]
"""A campaign, its file or its folder of results, or several."""


def _folders(campaigns: OneOrMore) -> list[Path]:
    """Their folders of results."""
    given = [campaigns] if isinstance(campaigns, Campaign | Path | str) else campaigns
    return [results_folder(campaign) for campaign in given]


def status(campaign: Campaign | Path | str) -> Summary:
    """Says how far a campaign is, how well it does and what went wrong; also while it runs."""
    return summarize(results_folder(campaign))


def query(sql: str, campaigns: OneOrMore = (), *, say: Say = silent) -> pa.Table:
    """Answers one SQL query over the views ``candidates``, ``rounds`` and ``runs`` of some campaigns.

    Args:
        campaigns: by default all whose folders of results lie below the current folder.
        say: told what is damaged and was left out.
    Raises:
        QueryError: the statement is wrong, or a folder holds no campaign.
    """
    candidates = open_candidates(_folders(campaigns) or results_below(Path.cwd()))
    answer = candidates.query(sql)
    for remark in candidates.remarks:
        say(remark)
    return answer


def top(
    campaigns: OneOrMore,
    n: int = 10,
    *,
    diverse: bool = False,
    with_refused: bool = False,
    pareto: bool = False,
    say: Say = silent,
) -> tuple[list[TopMolecule], list[Reference]]:
    """Returns the ``n`` best molecules of some campaigns, one a stereo-free parent, and the references to compare with.

    Args:
        diverse: leave out near-duplicates of better ones.
        with_refused: also starting molecules that a filter refuses.
        pareto: only the front, molecules than which none is as good in every property and better in one, of campaigns
            that trade them off.
        say: told when the nearest ZINC molecules take a while, and what is damaged and was left out.
    Raises:
        InputError: ``n`` is no number of molecules.
        QueryError: the campaigns have different objectives, so their scores do not compare; or ``pareto`` was asked of
            one that maximises a score.
    """
    n = require_whole("n", n, 1, MOST_MOLECULES)
    folders = _folders(campaigns)
    candidates = open_candidates(folders)
    if pareto:
        _require_goals(candidates)
    best = top_molecules(
        candidates,
        n,
        diverse=diverse,
        with_refused=with_refused,
        front_only=pareto,
        nearest_known=lambda smiles: nearest_zinc(smiles, say),
        units={name: unit for folder in folders for name, unit in read_units(folder).items()},
    )
    references: dict[str, Reference] = {}
    remarks = candidates.remarks
    for kept, damaged in map(read_references, folders):
        references |= {reference.smiles: reference for reference in kept}
        remarks += damaged
    for remark in remarks:
        say(remark)
    return best, list(references.values())


def _require_goals(candidates: Candidates) -> None:
    """Returns if all of some campaigns trade properties off."""
    for campaign in candidates.campaigns():
        if not campaign.record.goals:
            raise QueryError(
                f"{campaign.label} maximises one score, so it has no front; leave --pareto out, or trade its "
                "properties off by `objective: {aggregate: pareto, …}` in a campaign of its own"
            )


def write_top(
    best: Sequence[TopMolecule], path: Path | str, ending: str = "", references: Sequence[Reference] = ()
) -> Path:
    """Writes molecules as .csv, .smi, .sdf or .svg.

    Args:
        references: what stands before them in a picture.
        ending: which of these; by default the path's own.
    Raises:
        InputError: another ending, or the file cannot be written.
    """
    from designloop.report.export import write_csv, write_sdf, write_smi
    from designloop.report.pictures import draw_best

    path = Path(path)
    writers: Mapping[str, Callable[[Sequence[TopMolecule], Path], object]] = {
        ".csv": write_csv,
        ".smi": write_smi,
        ".sdf": write_sdf,
        ".svg": lambda molecules, to: to.write_text(draw_best(molecules, references), encoding="utf-8"),
    }
    writer = writers.get(ending or path.suffix.lower())
    if writer is None:
        raise InputError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(writers)}; give another name")
    with writing(path):
        writer(best, path)
    return path


def write_rows(rows: pa.Table, path: Path | str) -> Path:
    """Writes the answer to a query as CSV; a list, such as parents, as a JSON list, and a mapping likewise.

    Raises:
        InputError: the file cannot be written.
        QueryError: a value cannot be written; no file is.
    """
    path, plain = Path(path), plain_rows(rows)
    with writing(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.column_names)
        for row in plain:
            writer.writerow([json.dumps(v, default=str) if isinstance(v, list | dict) else v for v in row])
    return path


def write_scores(scored: Sequence[OwnMolecule], path: Path | str) -> Path:
    """Writes what ``score`` gave as CSV, a row a molecule in its order; the user's other columns travel along.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    columns, rows = score_rows(scored)
    with writing(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def compare(campaigns: OneOrMore, *, say: Say = silent) -> list[comparison.Standings]:
    """Puts campaigns side by side: calls, best, mean of the ten best, and PMO's area under its curve.

    Args:
        say: told what is damaged and was left out.
    """
    candidates = open_candidates(_folders(campaigns))
    standings = comparison.compare(candidates)
    for remark in candidates.remarks:
        say(remark)
    return standings
