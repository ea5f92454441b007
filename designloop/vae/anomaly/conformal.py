"""Conformal p-values: what share of normal rows is at least as anomalous, with a guarantee that no model enters.

    p(x) = (1 + #{calibration scores ≥ s(x)}) / (n + 1)

If x and the n calibration rows are exchangeable and the score was fixed before either, P(p ≤ α) ≤ α for each α,
whatever the score. Given one calibration set the share of normal rows with p ≤ α is itself random: Beta(l, n + 1 − l)
with l = ⌊(n + 1) α⌋ where no scores tie, so that among m of them the number is beta-binomial.

Sources: Vovk, Gammerman & Shafer 2005; Bates et al. 2023, "Testing for outliers with conformal p-values".
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError


def conformal_p_values(scores: Tensor, calibration: Tensor) -> Tensor:
    """(rows,) p-value of each score; small ones are anomalies.

    A score that ties with calibration scores counts as no more anomalous than they are, which keeps the guarantee.

    Args:
        scores: (rows,) of new rows, the larger the more anomalous.
        calibration: (n,) of normal rows that nothing was fitted to. None of 1/α − 1 rows or fewer can be below α.

    Raises:
        ShapeError: one of them is no vector, or there is no calibration score.
        VAEError: some scores are NaN.
    """
    for name, given in (("scores", scores), ("calibration", calibration)):
        if given.ndim != 1 or (name == "calibration" and len(given) == 0):
            raise ShapeError(name, given.shape, "a vector, for calibration of at least one score", "give one a row")
        if bool(given.isnan().any()):
            raise VAEError(f"{name} has {int(given.isnan().sum())} NaN, expected numbers; leave those rows out")
    ordered = calibration.sort().values
    at_least = len(ordered) - torch.searchsorted(ordered, scores.contiguous().to(ordered.dtype))
    return (1 + at_least).to(torch.float64) / (len(ordered) + 1)


def false_positive_law(rows: int, calibration: int, level: float) -> Any:
    """How many of so many normal rows get a p-value of at most ``level``: a frozen distribution of scipy.

    BetaBinomial(rows, l, n + 1 − l) with l = ⌊(n + 1) level⌋, over draws of the calibration set and the rows; where
    l = 0 it is certainly none. Scores must not tie.

    Args:
        rows: tested. calibration: n. level: α.

    Raises:
        VAEError: ``level`` is not between 0 and 1, or there are no rows or no calibration scores.
    """
    from scipy.stats import betabinom, randint

    if not 0 < level < 1:
        raise VAEError(f"level is {level}, expected a number between 0 and 1; 0.05 is usual")
    if rows < 1 or calibration < 1:
        raise VAEError(f"rows is {rows} and calibration {calibration}, expected at least 1 of each")
    rank = int((calibration + 1) * level + 1e-9)  # 0.05 · 1000 is not quite 50 in binary
    return betabinom(rows, rank, calibration + 1 - rank) if rank else randint(0, 1)
