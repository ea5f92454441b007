"""GARCH and GJR models of returns, normal or Student-t, by maximum likelihood: what volatility is usually told by.

    σ²_t = ω + (α + γ [e_{t−1} < 0]) e²_{t−1} + β σ²_{t−1},     r_t = μ + e_t,   e_t / σ_t ~ N(0, 1) or standardised t_ν

The recursion starts as in the package ``arch``, from an average of the first 75 squares that fades by 0.94 a day, so
that log-likelihoods are those that it gives. Sources: Bollerslev 1986, 1987; Glosten, Jagannathan & Runkle 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import minimize
from scipy.signal import lfilter

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Garch:
    """A model and its numbers."""

    mean: float
    """μ"""
    constant: float
    """ω"""
    reaction: float
    """α"""
    asymmetry: float
    """γ, 0 for plain GARCH."""
    memory: float
    """β"""
    df: float | None
    """ν; None for normal returns."""

    def variances(self, returns: Array) -> Array:
        """Returns (steps,) σ², each of what came before it alone; the start looks at the first 75 days."""
        e = returns - self.mean
        fading = 0.94 ** np.arange(min(75, len(e)))
        start = float((e[: len(fading)] ** 2 * fading).sum() / fading.sum())
        pushes = self.constant + (self.reaction + self.asymmetry * (e < 0)) * e**2
        first = self.constant + (self.reaction + self.asymmetry / 2 + self.memory) * start
        later, _ = lfilter([1.0], [1.0, -self.memory], pushes[:-1], zi=[self.memory * first])
        return np.concatenate([[first], later])

    def log_scores(self, returns: Array) -> Array:
        """Returns (steps,) log p(r_t | returns before) in nats."""
        scale = np.sqrt(self.variances(returns))
        law = stats.norm() if self.df is None else stats.t(self.df)
        unit = 1.0 if self.df is None else np.sqrt(self.df / (self.df - 2))
        return np.asarray(law.logpdf((returns - self.mean) / scale * unit) + np.log(unit / scale))

    def quantile(self, returns: Array, level: float) -> Array:
        """Returns (steps,) the quantile of each return given those before it."""
        standard = stats.norm.ppf(level) if self.df is None else stats.t(self.df).ppf(level) * np.sqrt(1 - 2 / self.df)
        return np.asarray(self.mean + np.sqrt(self.variances(returns)) * standard)


def fit_garch(returns: Array, asymmetric: bool = False, heavy_tails: bool = False) -> Garch:
    """Finds the maximum likelihood, in logarithms and logits, from the usual start."""

    def model(theta: Array) -> Garch:
        mean, log_constant, asked, split, tilt, log_tail = theta
        persistence = 1 / (1 + np.exp(-asked))  # α + γ/2 + β, below 1
        reaction_share = 1 / (1 + np.exp(-split))
        tilt_share = 1 / (1 + np.exp(-tilt)) if asymmetric else 0.0
        moved = persistence * reaction_share
        return Garch(
            float(mean), float(np.exp(log_constant)), float(moved * (1 - tilt_share)), float(2 * moved * tilt_share),
            float(persistence - moved), float(2 + np.exp(log_tail)) if heavy_tails else None,
        )  # fmt: skip

    start = np.array([returns.mean(), np.log(0.02 * returns.var()), 4.0, -2.0, 1.0, np.log(6.0)])
    free = [0, 1, 2, 3, *([4] if asymmetric else []), *([5] if heavy_tails else [])]

    def deviance(values: Array) -> float:
        theta = start.copy()
        theta[free] = values
        return -float(model(theta).log_scores(returns).sum())

    found = minimize(
        deviance, start[free], method="Nelder-Mead", options={"maxiter": 8000, "fatol": 1e-6, "adaptive": True}
    )
    found = minimize(deviance, found.x, method="BFGS", options={"gtol": 1e-3})
    theta = start.copy()
    theta[free] = found.x
    return model(theta)
