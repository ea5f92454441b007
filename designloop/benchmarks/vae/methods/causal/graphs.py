"""Graphs from factors alone, by regression in an order: what a learned graph has to be better than."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoLarsIC, LinearRegression

Array = NDArray[np.float64]


def sort_and_regress(factors: Array, order: NDArray[np.int64], least: float = 0.0) -> NDArray[np.bool_]:
    """Returns (factors, factors) True at [i, j] where a lasso of factor i on those before it in an order keeps j.

    Args:
        factors: (rows, factors).
        order: numbers of the factors.
        least: weight of a kept factor.

    Source: Reisach et al. 2021, "Beware of the simulated DAG!", sortnregress: a lasso by BIC in adaptive weights.
    """
    causes = np.zeros((factors.shape[1], factors.shape[1]), bool)
    for place in range(1, len(order)):
        target, before = order[place], order[:place]
        weights = np.abs(LinearRegression().fit(factors[:, before], factors[:, target]).coef_)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            lasso = LassoLarsIC(criterion="bic").fit(factors[:, before] * weights, factors[:, target])
        causes[target, before] = np.abs(lasso.coef_ * weights) > least
    return causes


def by_variance(factors: Array) -> NDArray[np.int64]:
    """Returns the order of sortnregress, least variance first; of standardised factors it is that of chance."""
    return np.argsort(factors.var(0))


def by_explained_variance(factors: Array) -> NDArray[np.int64]:
    """Returns an order by R² of each factor on all others, least first, which no scale of a factor moves.

    Source: Reisach et al. 2023, "A scale-invariant sorting criterion to find a causal order in additive noise models".
    """
    explained = [
        LinearRegression().fit(np.delete(factors, i, 1), factors[:, i]).score(np.delete(factors, i, 1), factors[:, i])
        for i in range(factors.shape[1])
    ]
    return np.argsort(explained)
