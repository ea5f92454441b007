"""Published results on PMO's tasks, to be read beside our own; the sources stand in ``published.csv``."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "published.csv"

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
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["task"]: {name: float(row[name]) for name in TITLES} for row in rows}
