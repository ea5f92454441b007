"""Detectors of tables of mixed kinds: numbers beside counts beside labels, with entries missing anywhere.

    detector = fit_table_detector(frame, generator=torch.Generator().manual_seed(0))
    odd = detector.score(frame)                        # a data frame, or name -> column

The kinds, units and labels are ``tables.MixedTable``'s. To the robust detector a label is zeros and a one; the neural
one explains each column by its kind's likelihood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from designloop.vae.anomaly.blocks import Mixed
from designloop.vae.anomaly.conformal import conformal_p_values
from designloop.vae.anomaly.detector import Detector, choose_detector
from designloop.vae.anomaly.neural import Rows, Settings
from designloop.vae.anomaly.observed import require_observed
from designloop.vae.anomaly.scores import Score, anomaly_score
from designloop.vae.errors import ShapeError
from designloop.vae.likelihoods.checks import require_rows
from designloop.vae.tables import Column, Kind, MixedTable
from designloop.vae.weights import save_weights


class TableDetector:
    """A detector of the rows of a table; what it learnt from and how is that of ``detector``.

    Args:
        table: that knows the columns. detector: of its rows.
    """

    def __init__(self, table: MixedTable, detector: Detector) -> None:
        self.table, self.detector = table, detector

    @property
    def kept(self) -> Tensor:
        """(rows,) True for the rows that were learnt from in the end."""
        return self.detector.kept

    def score(self, frame: Any, score: Score = anomaly_score) -> Tensor:
        """(batch,) of rows of a table; the larger, the more anomalous.

        Args:
            frame: with the columns that were learnt from, in any order; NaN and None are missing.
            score: any of ``scores.SCORES`` that all columns have: labels have no mean, so no squared error.

        Raises:
            CapabilityError: a column has not what the score asks for.
            VAEError: a column is missing, or holds a label or a number that cannot be, or a row has nothing.
        """
        x, mask = self.table.rows(frame)
        return self.detector.score(x, score, mask=mask)

    def p_values(self, frame: Any, calibration: Any, score: Score = anomaly_score) -> Tensor:
        """(batch,) conformal p-value of each row.

        Args:
            frame: of rows. calibration: of normal rows that were *not* learnt from.
        """
        return conformal_p_values(self.score(frame, score), self.score(calibration, score))

    def save(self, path: str | Path) -> Path:
        """Writes a safetensors file that ``load_detector`` reads, names and labels of the columns in its header.

        Raises:
            VAEError: a name or a label cannot be written as JSON.
        """
        columns = [asdict(column) for column in self.table.columns]
        return save_weights(self.detector, path, {**self.detector.about, "table": columns})


def fit_table_detector(
    frame: Any, *, generator: torch.Generator, kinds: Mapping[Any, Kind] | None = None, settings: Settings | None = None
) -> TableDetector:
    """A detector that has learnt from a table without labels of anomalies, chosen as ``fit_detector`` does.

    Args:
        frame: a data frame, or name -> column, mostly of normal rows; NaN and None are missing.
        generator: draws the neural detector's weights, the rows it holds out and its posteriors' noise.
        kinds: of columns that are not what their values look like.
        settings: other than the default ones.

    Raises:
        ShapeError: there are fewer than two columns or four rows, or columns of different lengths.
        VAEError: a column is constant, empty, or not of its kind, or a row has nothing.
    """
    table = MixedTable.of(frame, kinds)
    x, mask = table.rows(frame)
    if x.shape[1] < 2 or len(x) < 4:
        raise ShapeError("the table", x.shape, "(at least 4 rows, at least 2 columns)", "give one row a datum")
    require_rows(x, mask)
    seen = None if bool(mask.all()) else mask
    require_observed(seen)
    detector = choose_detector(Rows(x, seen), Mixed.of(x, seen, table), generator, settings or Settings())
    return TableDetector(table, detector)


def table_from(columns: Any) -> MixedTable:
    """The table whose columns were written as JSON."""
    return MixedTable(
        tuple(
            Column(**{**column, "labels": tuple(column["labels"]), "start": tuple(column["start"])})
            for column in columns
        )
    )
