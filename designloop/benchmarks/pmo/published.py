"""Published results on PMO's tasks, to be read beside our own; the sources stand in the files."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "published.csv"
GP_BO_FILE = Path(__file__).parent / "published_gp_bo.csv"

TITLES = {
    "graph_ga": "Graph GA",
    "reinvent": "REINVENT",
    "mol_ga": "Mol GA",
    "genetic_gfn": "Genetic GFN",
    "gp_bo_tripp": "GP BO (tenth)",
    "syngbo": "SynGBO",
    "invirtuogen_no_prescreen": "InVirtuoGen",
}
"""Column of the file -> its heading. Left out are those that score ZINC first and do not count it."""


@cache
def published() -> dict[str, dict[str, float]]:
    """Task -> column -> the AUC of 10,000 calls."""
    return {row["task"]: {name: float(row[name]) for name in TITLES} for row in _rows(FILE)}


@cache
def published_gp_bo() -> dict[str, list[float]]:
    """Task -> the area of the tenth-best score with each of five seeds, whose mean is what ``published`` has."""
    return {task: list(map(float, seeds)) for task, *seeds in (row.values() for row in _rows(GP_BO_FILE))}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))
