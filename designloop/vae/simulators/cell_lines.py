"""Expression of cell lines under drugs, whose effect depends on what their mutation made of the cell.

    u = c_m + ε,                             state of two pathways, m the mutation, ε ~ N(0, I)
    x_j = b_j + A_j·u + R_dj g_d(u) + s ε',  g_d(u) = 1 − ι + ι tanh(1.5 w_d·u), d the drug, 0 the vehicle

A drug turns its genes up in some cells and down in others, as an inhibitor that is paradoxical in a mutant: ι, the
difficulty, is the share of its effect that has no sign of its own. At ι = 0 effects are one shift a drug, and an
additive model is the truth; at ι > 0 none is, whatever it knows of m and d, as the state u varies within a mutation
too. States overlap, so that even from u the mutation can be told only so well.

Which drug a cell is given may depend on its mutation (``confounding``); given the mutation, it says nothing of u.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

STEEPNESS = 1.5
"""Of a drug's switch along its direction."""


@dataclass(frozen=True, slots=True)
class Biology:
    """What all cells share."""

    centres: Array
    """(mutations, 2) c, mean state of each mutation."""
    offsets: Array
    """(genes,) b"""
    loadings: Array
    """(genes, 2) A"""
    responses: Array
    """(drugs, genes) R, zero for the vehicle and for genes that do not respond."""
    directions: Array
    """(drugs, 2) w, of length 1."""
    interaction: float
    """ι"""
    noise: float
    """s, standard deviation of a gene's noise."""

    @property
    def responding(self) -> NDArray[np.bool_]:
        """(genes,) True for those that some drug moves."""
        return np.asarray((self.responses != 0).any(0))

    def expression(self, state: Array, drug: Integers) -> Array:
        """(cells, genes) without noise, of states (cells, 2) under drugs (cells,)."""
        along = (state * self.directions[drug]).sum(1, keepdims=True)
        switch = 1 - self.interaction + self.interaction * np.tanh(STEEPNESS * along)
        return np.asarray(self.offsets + state @ self.loadings.T + self.responses[drug] * switch)

    def effect(self, state: Array, drug: Integers, other: Integers) -> Array:
        """(cells, genes) what another drug would change in the same cell, without noise."""
        return self.expression(state, other) - self.expression(state, drug)


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells that were seen, each under one drug, and what they were made of."""

    x: Array
    """(cells, genes)"""
    mutation: Integers
    """(cells,)"""
    drug: Integers
    """(cells,)"""
    state: Array
    """(cells, 2) u"""


def biology(
    rng: np.random.Generator,
    interaction: float = 0.8,
    mutations: int = 3,
    drugs: int = 4,
    genes: int = 50,
    noise: float = 0.5,
    responding: float = 0.3,
) -> Biology:
    """A biology drawn at random.

    Args:
        interaction: ι from 0, where an additive model is the truth, to 1.
        drugs: the vehicle included.
        responding: share of the genes that each drug moves.
    """
    angle = 2 * np.pi * (np.arange(mutations) / mutations + rng.random())
    centres = 1.8 * np.stack([np.cos(angle), np.sin(angle)], 1)
    moved = rng.random((drugs, genes)) < responding
    responses = np.where(moved, rng.choice([-1, 1], (drugs, genes)) * rng.uniform(0.75, 1.5, (drugs, genes)), 0.0)
    responses[0] = 0
    # Evenly turned, so that no two drugs have the same switch.
    turned = np.pi * (np.arange(drugs) / max(drugs - 1, 1) + rng.random())
    return Biology(
        centres,
        rng.normal(0.0, 1.0, genes),
        0.5 * rng.standard_normal((genes, 2)),
        responses,
        np.stack([np.cos(turned), np.sin(turned)], 1),
        interaction,
        noise,
    )


def design(mutations: int, drugs: int, confounding: float) -> Array:
    """(mutations, drugs) chance of each drug given the mutation.

    Args:
        confounding: share of the cells that get the drug meant for their mutation, m + 1 (mod drugs); the rest get any.
    """
    chance = np.full((mutations, drugs), (1 - confounding) / drugs)
    chance[np.arange(mutations), (np.arange(mutations) + 1) % drugs] += confounding
    return chance


def cells(truth: Biology, n: int, rng: np.random.Generator, confounding: float = 0.5) -> Cells:
    """Cells of all mutations alike, under drugs as the design has it."""
    mutations, drugs = len(truth.centres), len(truth.responses)
    mutation = rng.integers(mutations, size=n)
    below = design(mutations, drugs, confounding)[mutation].cumsum(1)
    drug = (rng.random((n, 1)) * below[:, -1:] > below).sum(1)
    state = truth.centres[mutation] + rng.standard_normal((n, 2))
    x = truth.expression(state, drug) + truth.noise * rng.standard_normal((n, len(truth.offsets)))
    return Cells(x, mutation, drug, state)


def expected_effect(
    truth: Biology, sample: Cells, other: Integers, confounding: float = 0.5, points: int = 81, reach: float = 5.5
) -> Array:
    """(cells, genes) mean effect of another drug given x and the drug alone, by the true posterior of the state.

    The best that can be said by squared error: a ceiling. By quadrature on a grid over the two pathways.

    Args:
        other: (cells,) the other drug.
        points: of the grid, each way. reach: how far it goes each way.
    """
    axis = np.linspace(-reach, reach, points)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    apart = ((grid[:, None] - truth.centres) ** 2).sum(-1)
    chance = design(len(truth.centres), len(truth.responses), confounding)
    effects_of_cells = np.zeros_like(sample.x)
    for drug in np.unique(sample.drug):
        rows = np.flatnonzero(sample.drug == drug)
        prior = np.log(np.exp(-0.5 * apart) @ chance[:, drug])
        means = truth.expression(grid, np.full(len(grid), drug))
        off = (sample.x[rows] ** 2).sum(1, keepdims=True) + (means**2).sum(1) - 2 * sample.x[rows] @ means.T
        log = prior - 0.5 * off / truth.noise**2
        weight = np.exp(log - log.max(1, keepdims=True))
        weight /= weight.sum(1, keepdims=True)
        for other_drug in np.unique(other[rows]):
            own = other[rows] == other_drug
            effects = truth.effect(grid, np.full(len(grid), drug), np.full(len(grid), other_drug))
            effects_of_cells[rows[own]] = weight[own] @ effects
    return effects_of_cells
