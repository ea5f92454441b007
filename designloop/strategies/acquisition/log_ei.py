"""A greedy batch by qLogEI (BoTorch), what was chosen so far pending.

Source: Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from botorch.acquisition import GenericMCObjective, qLogExpectedImprovement
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from botorch.sampling import SobolQMCNormalSampler
from torch import Tensor

from designloop.randomness import seeded
from designloop.strategies.acquisition.base import Admissible, Chances, anything, worth
from designloop.strategies.surrogates.base import Posterior, normal_posterior, quiet

_DRAWS = 128


@dataclass(frozen=True)
class LogExpectedImprovement:
    """Of a posterior that is not Gaussian it sees mean and covariance."""

    most: int = 128
    """Candidates, of the best alone, that a batch is chosen from, at least two for each wanted; the rest follow."""

    def select(
        self,
        posterior: Posterior,
        wanted: int,
        seed: int,
        admissible: Admissible = anything,
        chances: Chances = None,
    ) -> Iterator[int]:
        """Rows of the batch, then the rest."""
        model = _FiniteModel(posterior)
        sampler = SobolQMCNormalSampler(torch.Size([_DRAWS]), seed=seed)
        weighed = None if chances is None else _weighed(posterior.best, chances)
        gain = qLogExpectedImprovement(model, posterior.best, sampler, weighed)

        def gains(rows: Sequence[int]) -> Tensor:
            with seeded(seed), quiet(), torch.no_grad():
                values: Tensor = gain(_points(rows).unsqueeze(1))
            return values

        n, most = len(posterior), max(self.most, 2 * wanted)
        alone = gains(range(n)).argsort(descending=True, stable=True).tolist() if n else []
        considered, rest, chosen = alone[:most], alone[most:], list[int]()
        values: Tensor | None = None
        while considered and len(chosen) < wanted:
            if values is None:  # of those considered, after the last that was chosen
                values = gains(considered)
            place = int(values.argmax())
            row, values = considered.pop(place), torch.cat([values[:place], values[place + 1 :]])
            if admissible(row):
                chosen.append(row)
                gain.set_X_pending(_points(chosen))
                values = None
                yield row
        yield from (row for row in [*considered, *rest] if admissible(row))

    def reason(self, place: int) -> str:
        """The improvement, which chooses all."""
        return "highest expected improvement over the best so far"


def _points(rows: Sequence[int]) -> Tensor:
    """(n, 1) numbers of rows, as BoTorch's points."""
    return torch.tensor(rows, dtype=torch.double).unsqueeze(-1)


def _weighed(best: float, chances: np.ndarray) -> GenericMCObjective:
    """Values whose improvement over the best is, draw by draw, worth the chance that there is a value at all."""

    def values(samples: Tensor, X: Tensor | None = None) -> Tensor:
        """(draws, ..., q) of draws (draws, ..., q, 1) at points (..., q, 1)."""
        assert X is not None  # acquisitions give it
        improvement = samples.squeeze(-1).numpy() - best
        return torch.from_numpy(best + worth(improvement, chances[X.squeeze(-1).long().numpy()]))

    return GenericMCObjective(values)


class _FiniteModel(Model):
    """A posterior over finitely many candidates as a model of BoTorch, whose points are their numbers."""

    def __init__(self, posterior: Posterior) -> None:
        super().__init__()
        mean, covariance = posterior.joint()
        self.mean, self.covariance = torch.as_tensor(mean).double(), torch.as_tensor(covariance).double()

    @property
    def num_outputs(self) -> int:
        return 1

    def posterior(self, X: Tensor, *args: Any, **kwargs: Any) -> GPyTorchPosterior:
        """Of points (..., q, 1)."""
        rows = X.squeeze(-1).long()
        covariance = self.covariance[rows.unsqueeze(-1), rows.unsqueeze(-2)]
        return normal_posterior(self.mean[rows], covariance)
