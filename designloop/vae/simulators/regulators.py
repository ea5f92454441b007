"""Regulators of a cell that act on each other along a graph, seen through the expression of genes.

    f_i = (Σ_j a_ij h_ij(f_j) − m_i + n_i ε_i) / k_i,   ε ~ N(0, I),   a_ij ≠ 0 only where regulator j acts on i
    x_g = b_g + A_g·f + κ R_g·tanh(B f) + s ε′

A structural causal model with additive noise: from a cell's own noise ε everything that it would have been follows,
under any intervention. h is straight at a curvature of 0 and, at 1, a switch, a dose that is best in the middle, or a
threshold; the lower the curvature the less the data alone say of which way an arrow points, and at 0, where all is
normal, they say nothing of it but which regulators are connected. m and k make each regulator's mean 0 and standard
deviation 1, so that variances do not tell the order of the graph either (Reisach et al. 2021, "Beware of the simulated
DAG!").

Given f, x says it almost exactly; which f goes with x is what no unlabelled x can say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

SHARE = 0.65
"""Of a regulator's variance, that its causes make where it has any."""

SETTLING = 200_000
"""Draws of the noise from which means and standard deviations of the regulators are found."""

STEPS, CLOSE = 50, 1e-9
"""Most steps of Gauss and Newton that ``Regulators.read`` takes, and the step at which it has arrived."""


@dataclass(frozen=True, slots=True)
class Regulators:
    """What all cells share."""

    effects: Array
    """(regulators, regulators) a: 0 where [i, j] is no arrow from j to i."""
    kinds: Integers
    """(regulators, regulators) which curve an arrow has, a number of ``CURVES``."""
    order: tuple[int, ...]
    """The regulators, each behind its causes."""
    curvature: float
    middles: Array
    """(regulators,) m"""
    spreads: Array
    """(regulators,) k"""
    noises: Array
    """(regulators,) n"""
    offsets: Array
    """(genes,) b"""
    loadings: Array
    """(genes, regulators) A"""
    bends: Array
    """(genes, hidden) κ R"""
    directions: Array
    """(hidden, regulators) B"""
    noise: float
    """s, standard deviation of a gene's noise."""

    @property
    def causes(self) -> NDArray[np.bool_]:
        """(regulators, regulators) True at [i, j] where j acts on i."""
        return np.asarray(self.effects != 0)

    def expected(self, factors: Array, i: int) -> Array:
        """(cells,) regulator i without its noise, of all regulators (cells, regulators)."""
        drive = np.zeros(len(factors))
        for j in np.flatnonzero(self.effects[i]):
            drive += self.effects[i, j] * curve(factors[:, j], int(self.kinds[i, j]), self.curvature)
        return np.asarray((drive - self.middles[i]) / self.spreads[i])

    def factors(self, noise: Array, do: Mapping[int, float | Array] | None = None) -> Array:
        """(cells, regulators) f of ε (cells, regulators), those under ``do`` being what they are set to."""
        made = np.zeros_like(noise)
        for i in self.order:
            free = self.expected(made, i) + self.noises[i] / self.spreads[i] * noise[:, i]
            made[:, i] = free if do is None or i not in do else do[i]
        return made

    def noise_of(self, factors: Array) -> Array:
        """(cells, regulators) ε of f (cells, regulators)."""
        means = np.stack([self.expected(factors, i) for i in range(len(self.order))], 1)
        return np.asarray((factors - means) * self.spreads / self.noises)

    def counterfactual(self, factors: Array, do: Mapping[int, float | Array]) -> Array:
        """(cells, regulators) what the same cells would have been under ``do``."""
        return self.factors(self.noise_of(factors), do)

    def expression(self, factors: Array) -> Array:
        """(cells, genes) without noise, of f (cells, regulators)."""
        return np.asarray(
            self.offsets + factors @ self.loadings.T + np.tanh(factors @ self.directions.T) @ self.bends.T
        )

    def read(self, x: Array) -> Array:
        """(cells, regulators) the f whose expression is nearest to x (cells, genes), by Gauss and Newton's steps."""
        nearest = (x - self.offsets) @ np.linalg.pinv(self.loadings).T
        for _ in range(STEPS):
            bent = np.tanh(nearest @ self.directions.T)
            slopes = self.loadings + np.einsum("gh,ch,hr->cgr", self.bends, 1 - bent**2, self.directions)
            left = x - self.expression(nearest)
            normal = np.einsum("cgr,cgs->crs", slopes, slopes)
            step = np.linalg.solve(normal, np.einsum("cgr,cg->cr", slopes, left)[..., None])[..., 0]
            nearest = nearest + step
            if np.abs(step).max() < CLOSE:
                break
        return np.asarray(nearest)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells that were seen, and what they were made of."""

    x: Array
    """(cells, genes)"""
    factors: Array
    """(cells, regulators) f"""


def curve(x: Array, kind: int, curvature: float) -> Array:
    """h(x): between x itself, at a curvature of 0, and the curve of a kind, at 1."""
    return np.asarray((1 - curvature) * x + curvature * CURVES[kind](x))


CURVES = (
    lambda x: 1.4 * np.tanh(2 * x),
    lambda x: 2.5 * np.exp(-0.5 * x**2),
    lambda x: 1.5 * np.logaddexp(0, 3 * x) / 3,
)
"""A switch, a dose that is best in the middle, and a threshold."""


def regulators(
    rng: np.random.Generator,
    curvature: float = 0.9,
    count: int = 5,
    arrows: int = 5,
    genes: int = 30,
    bend: float = 0.5,
    noise: float = 0.1,
) -> Regulators:
    """Regulators drawn at random.

    Args:
        curvature: of the effects, from 0, where all is linear and normal, to 1.
        count: of regulators.
        arrows: of the graph, of the count · (count − 1)/2 that the order allows.
        bend: κ, spread of a gene's bent part beside that of its straight one, 1.
        noise: s, beside a spread of about 1 that the regulators give a gene.
    """
    order = rng.permutation(count)
    pairs = [(order[late], order[early]) for late in range(count) for early in range(late)]
    effects = np.zeros((count, count))
    for pair in rng.permutation(len(pairs))[:arrows]:
        effects[pairs[pair]] = rng.choice([-1, 1]) * rng.uniform(0.75, 1.25)
    bare = Regulators(
        effects, rng.integers(len(CURVES), size=(count, count)), tuple(order.tolist()), curvature, np.zeros(count),
        np.ones(count), np.ones(count), rng.normal(0.0, 1.0, genes), rng.standard_normal((genes, count)) / count**0.5,
        bend * rng.standard_normal((genes, 2 * count)) / (2 * count) ** 0.5,
        rng.standard_normal((2 * count, count)) / count**0.5, noise,
    )  # fmt: skip
    return _standardised(bare, rng)


def cells(truth: Regulators, n: int, rng: np.random.Generator, do: Mapping[int, float | Array] | None = None) -> Cells:
    """Cells as they are, or under interventions."""
    factors = truth.factors(rng.standard_normal((n, len(truth.order))), do)
    x = truth.expression(factors)
    return Cells(x + truth.noise * rng.standard_normal(x.shape), factors)


def _standardised(bare: Regulators, rng: np.random.Generator) -> Regulators:
    """The same graph with every regulator of mean 0 and standard deviation 1, causes before effects."""
    drawn = np.zeros((SETTLING, len(bare.order)))
    middles, spreads, noises = np.zeros(len(bare.order)), np.ones(len(bare.order)), np.ones(len(bare.order))
    for i in bare.order:
        drive = bare.expected(drawn, i)
        if bare.effects[i].any():
            noises[i] = drive.std() * np.sqrt(1 / SHARE - 1)
            middles[i], spreads[i] = drive.mean(), drive.std() / np.sqrt(SHARE)
        drawn[:, i] = (drive - middles[i] + noises[i] * rng.standard_normal(SETTLING)) / spreads[i]
    return Regulators(
        bare.effects, bare.kinds, bare.order, bare.curvature, middles, spreads, noises, bare.offsets, bare.loadings,
        bare.bends, bare.directions, bare.noise,
    )  # fmt: skip
