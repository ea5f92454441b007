"""TuRBO-1: Bayesian optimization in a trust region of the unit cube, the next batch by Thompson sampling.

The region is a box around the best point; its sides are as the lengths of the process are to each other. Candidates
differ from the centre in some coordinates only, 20 in the mean. A batch whose best is above all before is a success:
three running double the region, ⌈d / batch⌉ failures running halve it, and below 2⁻⁷ it begins anew.
Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization"; that all points are kept
where a region begins anew, as Maus et al. 2022, "Local latent space Bayesian optimization over structured inputs".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import gpytorch
import torch
from botorch.generation import MaxPosteriorSampling
from botorch.models import SingleTaskGP
from torch import Tensor
from torch.quasirandom import SobolEngine

from designloop.benchmarks.latent_peers.process import fitted, lengths_of
from designloop.randomness import seed_of, seeded
from designloop.strategies.search.trust_region import RegionSettings, TrustRegion
from designloop.strategies.surrogates.base import quiet

LEAST_GAIN = 1e-3
"""Share of the best value by which a batch has to be above it to be a success."""

MOVED = 20
"""Coordinates in which a candidate differs from the centre, in the mean."""


@dataclass(frozen=True)
class Rules:
    """What a search by TuRBO is told."""

    batch: int = 10
    candidates: int = 2000
    """Points that a batch is chosen from."""
    length: float = 0.8
    shortest: float = 0.5**7
    longest: float = 1.6
    successes: int = 3
    failures: int | None = None
    """Batches running without a new best after which the region shrinks; None: ⌈d / batch⌉."""

    def region(self, dims: int) -> RegionSettings:
        """How the region moves in a space of so many dimensions."""
        failures = self.failures or math.ceil(max(4, dims) / self.batch)
        return RegionSettings(
            length=self.length,
            shortest=self.shortest,
            longest=self.longest,
            factor=2.0,
            successes=self.successes,
            failures=failures,
        )


class Turbo:
    """A search in the unit cube: ``ask`` gives the next batch, ``tell`` takes in what came of it.

    Args:
        points: (n, d) known at the beginning, double.
        values: (n,) of these, to be maximised.
        seed: of all its draws.
    """

    def __init__(self, points: Tensor, values: Tensor, rules: Rules, seed: int) -> None:
        self.points, self.values, self.rules = points, values, rules
        self._settings = rules.region(points.shape[-1])
        self.region = self._begun()
        self.batches = 0
        """Told so far."""
        self.restarts = 0
        self._seed = seed
        self._model: SingleTaskGP | None = None

    @property
    def centre(self) -> int:
        """Row of the best point, of equals the first."""
        return int(self.values.argmax())

    def ask(self) -> Tensor:
        """(batch, d) the next points, each the best of all candidates by a joint draw of the process."""
        with seeded(seed_of(self._seed, self.batches)), quiet():
            self._model = model = fitted(self.points, self.values, self._model)
            low, high = box(self.points[self.centre], self.region.length, lengths_of(model))
            drawn = perturbed(self.points[self.centre], low, high, self.rules.candidates)
            with torch.no_grad(), gpytorch.settings.max_cholesky_size(self.rules.candidates + 1):
                chosen: Tensor = MaxPosteriorSampling(model, replacement=False)(drawn, self.rules.batch)
        return chosen

    def tell(self, points: Tensor, values: Tensor) -> bool:
        """Takes in what a batch gave, which may be fewer points than were asked for; returns if it is a success."""
        best = float(self.values.max())
        success = len(values) > 0 and float(values.max()) > best + LEAST_GAIN * abs(best)
        self.points, self.values = torch.cat([self.points, points]), torch.cat([self.values, values])
        self.batches += 1
        after = self.region.after(str(self.centre) if success else None, self._settings)
        if after is None:
            self.restarts += 1
        self.region = after or self._begun()
        return success

    def replace(self, points: Tensor, values: Tensor) -> None:
        """Puts other points in the place of all that are known: the same molecules by a model that has learned."""
        self.points, self.values = points, values

    def _begun(self) -> TrustRegion:
        return TrustRegion(str(self.centre), self._settings.length)


def box(centre: Tensor, length: float, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """(d,) ends of the region, cut at those of the cube; the product of its sides is that of a cube of ``length``.

    Args:
        lengths: (d,) of the process.
    """
    weights = lengths / lengths.log().mean().exp()
    low, high = (centre + sign * weights * length / 2 for sign in (-1, 1))
    return low.clamp(0, 1), high.clamp(0, 1)


def perturbed(centre: Tensor, low: Tensor, high: Tensor, n: int) -> Tensor:
    """(n, d) points of a box: coordinates are the centre's, or with probability 20 / d, one at least, Sobol's."""
    dims = len(centre)
    anywhere = SobolEngine(dims, scramble=True, seed=int(torch.randint(2**31, ()))).draw(n, dtype=centre.dtype)
    moved = torch.rand(n, dims) < MOVED / dims
    moved[torch.arange(n), torch.randint(dims, (n,))] |= ~moved.any(1)
    return torch.where(moved, low + (high - low) * anywhere, centre)
