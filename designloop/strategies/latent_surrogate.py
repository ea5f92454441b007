"""What a score is believed to be, given a molecule's latent, before it is paid for: a Gaussian process (BoTorch).

    x = (z - centre) A                          axes along which latents say what a molecule is made of
    y = standard normal quantile of the rank    a Gaussian copula: many scores are exactly 0, few are good
    f ~ GP(m, s² k(|x - x'| / l)),  y = f + e   Matérn 5/2, one length scale, Gaussian noise

BoTorch and GPyTorch know only torch's global generator, so whatever of theirs runs here runs inside ``seeded``.
Sources: Eriksson et al. 2019 (Thompson sampling of a finite set); Salinas et al. 2020 (copula targets).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.stats import norm, rankdata, spearmanr
from torch import Tensor

from designloop.randomness import seeded

with warnings.catch_warnings():
    # linear_operator still compiles a function with torch.jit.script, which warns at import.
    warnings.filterwarnings("ignore", "`torch.jit.script", DeprecationWarning)
    from botorch.acquisition import qLogExpectedImprovement
    from botorch.exceptions.warnings import BotorchWarning
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.sampling import SobolQMCNormalSampler
    from gpytorch.kernels import MaternKernel, ScaleKernel
    from gpytorch.mlls import ExactMarginalLogLikelihood
    from gpytorch.priors import LogNormalPrior
    from linear_operator.utils.warnings import NumericalWarning

Acquisition = Literal["thompson", "qlogei"]

Admissible = Callable[[int], bool]
"""Whether the molecule at an index may be paid for; asked only when its turn has come, for screening is dear."""


@contextmanager
def quiet() -> Iterator[None]:
    """Drops BoTorch's remarks on jitter and on L-BFGS stopping at its limit: neither is a failure here."""
    with warnings.catch_warnings():
        for category in (BotorchWarning, NumericalWarning):
            warnings.simplefilter("ignore", category)
        yield


def normal_scores(scores: np.ndarray) -> np.ndarray:
    """(n,) standard normal quantiles of the scores' ranks, ties sharing theirs, standardised again.

    Args:
        scores: (n,) with at least two different values.
    """
    quantiles = norm.ppf((rankdata(scores) - 0.5) / len(scores))
    standardised: np.ndarray = (quantiles - quantiles.mean()) / quantiles.std(ddof=1)
    return standardised


def rank_correlation(predicted: np.ndarray, scores: np.ndarray) -> float | None:
    """Spearman's correlation of (n,) predictions and scores; None where it is undefined: fewer than 3, or all alike."""
    if len(scores) < 3 or np.ptp(scores) == 0 or np.ptp(predicted) == 0:
        return None
    return float(spearmanr(predicted, scores).statistic)


@dataclass(frozen=True)
class Axes:
    """A linear view of the latents, scaled to the mean variance of a unit cube, 1/12."""

    centre: Tensor
    """(latent,)"""
    directions: Tensor
    """(latent, dims)"""

    @classmethod
    def explaining(cls, latents: Tensor, features: np.ndarray, dims: int, ridge: float = 0.01) -> Axes:
        """The ``dims`` axes of latent space that say most about what molecules are made of; no score is looked at.

        Reduced-rank ridge regression: distances between projected latents are those between the fingerprints that the
        latents predict, so directions that change nothing in the molecule do not count, however far they reach.
        Source: Mukherjee & Zhu 2011, "Reduced rank ridge regression and its kernel extensions".

        Args:
            latents: (n, latent) of molecules of any kind.
            features: (n, features) of the same molecules.
            ridge: share of a latent unit's sum of squares that is added to it.
        """
        centre = latents.double().mean(0)
        x = latents.double() - centre
        y = torch.from_numpy(features).double()
        gram = x.T @ x
        gram += ridge * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
        # Weights are gram⁻¹ xᵀy; with gram = L Lᵀ and c = L⁻¹ xᵀy = U S Vᵀ, their leading parts are L⁻ᵀ U S.
        lower = torch.linalg.cholesky(gram)
        c = torch.linalg.solve_triangular(lower, x.T @ (y - y.mean(0)), upper=False)
        squares, u = torch.linalg.eigh(c @ c.T)
        leading = u[:, -dims:] * squares[-dims:].clamp_min(0).sqrt()
        directions = torch.linalg.solve_triangular(lower.T, leading, upper=True)
        return cls(centre, directions / (12 * (x @ directions).var(0).mean()).sqrt())

    def __call__(self, z: Tensor) -> Tensor:
        """(n, latent) -> (n, dims) double."""
        return (z.double() - self.centre) @ self.directions


@dataclass(frozen=True)
class LatentGP:
    """A fitted GP of (standardised) score on latents; the hyperparameters have the highest posterior density."""

    axes: Axes
    model: SingleTaskGP
    best: float
    """Greatest target it was fitted on."""

    @classmethod
    def fit(cls, latents: Tensor, scores: np.ndarray, axes: Axes, seed: int, steps: int = 40) -> LatentGP:
        """Fits the hyperparameters by L-BFGS.

        The prior of the length scale grows with the root of the number of dimensions, as distances do.
        Source: Hvarfner et al. 2024, "Vanilla Bayesian optimization performs great in high dimensions".

        Args:
            latents: (n, latent)
            scores: (n,) with at least two different values.
            steps: the most that L-BFGS takes.
        """
        x, y = axes(latents), torch.from_numpy(normal_scores(scores))
        dims = x.shape[-1]
        prior = LogNormalPrior(math.sqrt(2) + 0.5 * math.log(dims), math.sqrt(3))
        kernel = ScaleKernel(MaternKernel(2.5, lengthscale_prior=prior))
        with seeded(seed), quiet():
            model = SingleTaskGP(x, y.unsqueeze(-1), covar_module=kernel, outcome_transform=None)
            mll = ExactMarginalLogLikelihood(model.likelihood, model)
            fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": steps}})
        return cls(axes, model.eval(), float(y.max()))

    @torch.no_grad()
    def mean(self, z: Tensor) -> np.ndarray:
        """(n,) posterior means at (n, latent) latents."""
        with quiet():
            found: np.ndarray = self.model.posterior(self.axes(z)).mean.squeeze(-1).numpy()
        return found

    @torch.no_grad()
    def samples(self, z: Tensor, n: int, seed: int) -> np.ndarray:
        """(n, m) joint posterior samples at (m, latent) latents."""
        with seeded(seed), quiet():
            found: np.ndarray = self.model.posterior(self.axes(z)).rsample(torch.Size([n])).squeeze(-1).numpy()
        return found

    def picks(
        self, z: Tensor, wanted: int, acquisition: Acquisition, seed: int, admissible: Admissible = lambda at: True
    ) -> Iterator[int]:
        """Indices of molecules in the order in which to pay for them: a batch of ``wanted``, then the rest.

        Args:
            z: (n, latent) the molecules' latents.
            admissible: asked about an index when its turn has come; what is not admissible is passed over.
        """
        if acquisition == "thompson":
            return in_turns(self.samples(z, wanted, seed), admissible)
        return self._by_qlogei(self.axes(z), wanted, seed, admissible)

    def _by_qlogei(self, x: Tensor, wanted: int, seed: int, admissible: Admissible, most: int = 128) -> Iterator[int]:
        """A greedy batch by qLogEI, the picks so far pending, of the ``most`` best alone; the rest as they stood alone.

        Source: Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization".
        """
        gain = qLogExpectedImprovement(self.model, self.best, SobolQMCNormalSampler(torch.Size([128]), seed=seed))

        def gains(rows: list[int]) -> Tensor:
            with seeded(seed), quiet(), torch.no_grad():
                found: Tensor = gain(x[rows].unsqueeze(1))
            return found

        alone = gains(list(range(len(x)))).argsort(descending=True, stable=True).tolist() if len(x) else []
        considered, picked = alone[:most], list[int]()
        while considered and len(picked) < wanted:
            at = considered.pop(int(gains(considered).argmax()))
            if admissible(at):
                picked.append(at)
                gain.set_X_pending(x[picked])
                yield at
        yield from (at for at in [*considered, *alone[most:]] if admissible(at))


def in_turns(preferences: np.ndarray, admissible: Admissible = lambda at: True) -> Iterator[int]:
    """Indices in the order in which voters, taking turns, pick their favourite of what is left and admissible.

    Args:
        preferences: (voters, n), the greater the better.
    """
    left, turn = preferences.copy(), 0
    for _ in range(left.shape[1]):
        at = int(left[turn % len(left)].argmax())
        left[:, at] = -np.inf
        if admissible(at):
            turn += 1
            yield at
