"""How far single codes stand for single factors: DCI, MIG, SAP and the FactorVAE score.

All take codes (rows, codes), posterior means say, beside the factors (rows, factors) that made the data, as tensors,
arrays, data frames or lists: labels where they are integers, truth values or text, amounts where they are floating
point. A data frame's columns may be of either kind each.

Sources: Eastwood & Williams 2018, "A framework for the quantitative evaluation of disentangled representations" (DCI);
Chen et al. 2018, "Isolating sources of disentanglement in VAEs" (MIG); Kumar et al. 2018, "Variational inference of
disentangled latent concepts" (SAP); Kim & Mnih 2018, "Disentangling by factorising" (FactorVAE).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from torch import Tensor

from designloop.vae.doors import as_tensor, label_codes
from designloop.vae.errors import ShapeError, VAEError

Array = NDArray[np.float64]
Table = Any
"""A tensor, an array, a data frame or lists, (rows, columns)."""
Binning = Literal["quantile", "width"]
Numbers = NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DCI:
    """Of importances, each from 0 to 1."""

    disentanglement: float
    """How few factors each code is important for, codes weighed by their importance."""
    completeness: float
    """How few codes are important for each factor, factors weighed by theirs."""


def dci_of(importances: Array) -> DCI:
    """Disentanglement and completeness of given importances.

    1 − H/ln(number) of each row and column as shares; one without importance weighs nothing, and nothing at all is 0.

    Args:
        importances: (codes, factors) not negative: how much code i is used to tell factor j.

    Raises:
        ShapeError: fewer than two codes or factors, of which there is no entropy to speak of.
        VAEError: some are negative or not finite.
    """
    importances = np.asarray(importances, dtype=float)
    if importances.ndim != 2 or min(importances.shape) < 2:
        raise ShapeError("importances", importances.shape, "(codes, factors), two or more of each", "give more of them")
    if not np.isfinite(importances).all() or (importances < 0).any():
        raise VAEError("importances has entries that are negative or not finite; give absolute values")
    return DCI(_concentration(importances), _concentration(importances.T))


def importances(codes: Table, factors: Table, trees: int = 30, seed: int = 0) -> tuple[Array, Array]:
    """How important each code is for each factor by random forests, and how well they tell it.

    Args:
        codes: (rows, codes). factors: (rows, factors).
        trees: of each forest. seed: of the forests.

    Returns:
        (codes, factors) importances, of columns that sum to 1 or, where nothing can be told, to 0; (factors,) accuracy
        or R² on the half of the rows that was not trained on: DCI's informativeness.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    codes, columns = _check(codes, factors)
    half = len(codes) // 2
    columns_of_importances, accuracies = [], []
    for column in columns:
        kind = RandomForestRegressor if _is_amount(column) else RandomForestClassifier
        forest = kind(trees, min_samples_leaf=5, max_features=1.0, random_state=seed).fit(codes[:half], column[:half])
        columns_of_importances.append(forest.feature_importances_)
        accuracies.append(float(forest.score(codes[half:], column[half:])))
    return np.stack(columns_of_importances, 1), np.array(accuracies)


def dci(codes: Table, factors: Table, trees: int = 30, seed: int = 0) -> DCI:
    """``dci_of`` the importances of random forests; arguments as for ``importances``."""
    return dci_of(importances(codes, factors, trees, seed)[0])


def mig(codes: Table, factors: Table, bins: int = 20, binning: Binning = "quantile") -> float:
    """Mutual information gap: by how much one code knows more of a factor than any other, of the factor's entropy.

    Codes and amounts are cut into bins, and the information is the plug-in estimate, which is too great by about
    (bins − 1)²/(2 rows) nats for every code alike.

    Args:
        codes: (rows, codes), two or more. factors: (rows, factors).
        bins: of each.
        binning: ``quantile``, of equal numbers of rows, or ``width``, of equal width, in which one outlier leaves all
            other rows to a few bins.

    Returns:
        Mean over the factors, 0 to 1.
    """
    codes, columns = _check(codes, factors)
    binned = [_bin(code, bins, binning) for code in codes.T]
    gaps = []
    for column in columns:
        labels = _bin(column, bins, binning)
        information = [mutual_information(code, labels) for code in binned]
        gaps.append(_gap(information) / mutual_information(labels, labels))
    return float(np.mean(gaps))


def sap(codes: Table, factors: Table) -> float:
    """Separated attribute predictability: by how much one code alone tells a factor better than any other does.

    R² of the straight line on an amount; the accuracy of the nearest class mean on a label, learnt on one half of the
    rows and asked of the other.

    Args:
        codes: (rows, codes), two or more. factors: (rows, factors).

    Returns:
        Mean over the factors, 0 to 1.
    """
    codes, columns = _check(codes, factors)
    gaps = []
    for column in columns:
        score = _r_squared if _is_amount(column) else _accuracy
        gaps.append(_gap([score(code, column) for code in codes.T]))
    return float(np.mean(gaps))


def factor_vae_score(
    codes: Table, factors: Table, rng: np.random.Generator, votes: int = 800, rows: int = 64, bins: int = 20,
    binning: Binning = "quantile",
) -> float:  # fmt: skip
    """How often the code that varies least, while one factor is held fixed, tells which factor it was.

    Each vote takes ``rows`` rows that share the value of one factor (its bin, of an amount); the code of least
    variance, in units of its variance over all rows, votes for the factor. A code votes for what it was heard with most
    often in one half of the votes, and is judged on the other. Codes that do not vary are left out; 0 where all are.

    Args:
        codes: (rows, codes), two or more. factors: (rows, factors).
        bins, binning: of amounts, as for ``mig``.

    Returns:
        Share of votes that are right; 1/factors is chance.
    """
    codes, columns = _check(codes, factors)
    codes = codes[:, codes.var(0) > 1e-10 * max(float(codes.var(0).max()), 1e-300)]
    if codes.shape[1] == 0 or float(codes.var(0).max()) == 0:
        return 0.0
    spread, labels = codes.var(0), [_bin(column, bins, binning) for column in columns]
    heard = np.zeros((2, codes.shape[1], len(columns)), dtype=int)
    for vote in range(votes):
        factor = int(rng.integers(len(columns)))
        shared = np.flatnonzero(labels[factor] == labels[factor][rng.integers(len(codes))])
        sample = codes[rng.choice(shared, rows)]
        heard[vote % 2, int((sample.var(0) / spread).argmin()), factor] += 1
    right = heard[1][np.arange(codes.shape[1]), heard[0].argmax(1)].sum()
    return float(right / heard[1].sum())


def mutual_information(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Plug-in mutual information of two columns of labels (rows,), nats."""
    joint = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(joint, (first, second), 1 / len(first))
    return float(entr(joint.sum(0)).sum() + entr(joint.sum(1)).sum() - entr(joint).sum())


def _concentration(rows: Array) -> float:
    """1 − entropy / ln(columns) of each row as shares, weighed by the row's sum."""
    sums = rows.sum(1)
    if sums.sum() == 0:
        return 0.0
    shares = rows[sums > 0] / sums[sums > 0, None]
    concentrations = 1 - entr(shares).sum(1) / np.log(rows.shape[1])
    return float(concentrations @ sums[sums > 0] / sums.sum())


def _check(codes: Table, factors: Table) -> tuple[Array, list[Numbers]]:
    """Codes as they are and the factors' columns, once they can be scored."""
    codes = as_tensor(codes, None, "codes").detach().cpu().double().numpy()
    if codes.ndim != 2 or codes.shape[1] < 2 or not np.isfinite(codes).all():
        raise ShapeError("codes", codes.shape, "(rows, two codes or more), all finite", "give posterior means")
    columns = _columns(factors, len(codes))
    for index, column in enumerate(columns):
        if not np.isfinite(column).all() or (column == column[0]).all():
            raise VAEError(f"factor {index} is constant or not finite, so that nothing can be told of it; leave it out")
    return codes, columns


def _columns(factors: Table, rows: int) -> list[Numbers]:
    """The factors one by one, text as numbers."""
    if hasattr(factors, "columns") and hasattr(factors, "iloc"):  # a data frame: each column is of its own kind
        columns = [factors.iloc[:, index].to_numpy() for index in range(factors.shape[1])]
        shape = factors.shape
    else:
        table = factors.detach().cpu().numpy() if isinstance(factors, Tensor) else np.asarray(factors)
        shape = table.shape
        columns = list(table.T) if table.ndim == 2 else []
    if not columns or shape[0] != rows:
        raise ShapeError("factors", shape, f"({rows}, factors)", "give one row for each of codes")
    return [column if column.dtype.kind in "fiu" else label_codes(column)[0].numpy() for column in columns]


def _is_amount(factor: Numbers) -> bool:
    return bool(np.issubdtype(factor.dtype, np.floating))


def _bin(column: Numbers, bins: int, binning: Binning) -> NDArray[np.int64]:
    """Labels 0, 1, … of integers as they are, of amounts by bins; a constant has one, all else two or more.

    A value that fills bins of equal numbers by itself, as 0 of amounts that are mostly 0, is a bin of its own; so is
    the lowest one where a bin begins with it.

    Raises:
        VAEError: fewer than two bins, or another kind of them.
    """
    if bins < 2:
        raise VAEError(f"bins is {bins}, expected at least 2; 20 are usual")
    if not _is_amount(column):
        labels: NDArray[np.int64] = np.unique(column, return_inverse=True)[1]
        return labels
    if binning == "quantile":
        edges, times = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)[1:-1]), return_counts=True)
        alone = edges[(times > 1) | (edges == column.min())]
        places = 2 * np.searchsorted(edges, column, side="right") - np.isin(column, alone)
        return np.unique(places, return_inverse=True)[1]
    if binning != "width":
        raise VAEError(f"binning is {binning!r}, expected 'quantile' or 'width'; choose one of them")
    low, high = column.min(), column.max()
    if low == high:
        return np.zeros(len(column), dtype=np.int64)
    cut: NDArray[np.int64] = ((column - low) / (high - low) * bins).astype(np.int64).clip(max=bins - 1)
    return cut


def _r_squared(code: Array, factor: Numbers) -> float:
    away, off = code - code.mean(), factor - factor.mean()
    spread = float(away @ away)
    return float(away @ off) ** 2 / (spread * float(off @ off)) if spread > 0 else 0.0


def _accuracy(code: Array, factor: Numbers) -> float:
    """Of the nearest class mean, on the rows of odd number, learnt on the even ones."""
    classes = np.unique(factor[::2])
    means = np.array([code[::2][factor[::2] == label].mean() for label in classes])
    said = classes[np.abs(code[1::2, None] - means).argmin(1)]
    return float((said == factor[1::2]).mean())


def _gap(values: list[float]) -> float:
    second, first = sorted(values)[-2:]
    return first - second
