"""What a score is believed to be, given a molecule's latent, before it is paid for: a Gaussian process (BoTorch).

    y = standardised normal score of the molecule's rank         a Gaussian copula: many scores are exactly 0
    f ~ GP(mean, s² k(|a - b| / l)),   y = f + noise             one length scale: the latents are rotation invariant

BoTorch and GPyTorch know only torch's global generator, so whatever runs them here runs inside ``seeded``.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from scipy.stats import norm, rankdata, spearmanr
from torch import Tensor

if TYPE_CHECKING:
    from botorch.models import SingleTaskGP

Acquisition = Literal["thompson", "qlogei"]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs a block under global generators (torch's, NumPy's, Python's) that follow from ``seed``; leaves them as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the libraries inside use it
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002


def normal_scores(scores: np.ndarray) -> np.ndarray:
    """(n,) standard normal quantiles of the scores' ranks, ties sharing theirs, standardised again.

    Args:
        scores: (n,) with at least two different values.
    """
    quantiles = norm.ppf((rankdata(scores) - 0.5) / len(scores))
    standardised: np.ndarray = (quantiles - quantiles.mean()) / quantiles.std(ddof=1)
    return standardised


def rank_correlation(predicted: np.ndarray, scores: np.ndarray) -> float | None:
    """Spearman's correlation of (n,) predictions and scores; None where it is undefined (fewer than 3, or all alike)."""
    if len(scores) < 3 or np.ptp(scores) == 0 or np.ptp(predicted) == 0:
        return None
    return float(spearmanr(predicted, scores).statistic)


@dataclass(frozen=True)
class Axes:
    """Leading principal axes of a cloud of latents."""

    centre: Tensor
    """(latent,)"""
    directions: Tensor
    """(latent, dims) orthonormal."""

    @classmethod
    def of(cls, cloud: Tensor, dims: int) -> Axes:
        """The ``dims`` axes along which (n, latent) latents spread most."""
        cloud = cloud.double()
        centre = cloud.mean(0)
        _, vectors = torch.linalg.eigh(torch.cov((cloud - centre).T))
        return cls(centre, vectors.flip(-1)[:, :dims])

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
    def fit(cls, latents: Tensor, scores: np.ndarray, axes: Axes, seed: int, steps: int = 60) -> LatentGP:
        """Fits the hyperparameters by L-BFGS.

        The prior of the length scale grows with the root of the number of dimensions, as distances do.
        Source: Hvarfner et al. 2024, "Vanilla Bayesian optimization performs great in high dimensions".

        Args:
            latents: (n, latent)
            scores: (n,) with at least two different values.
            steps: the most that L-BFGS takes.
        """
        from botorch.fit import fit_gpytorch_mll
        from botorch.models import SingleTaskGP
        from gpytorch.kernels import MaternKernel, ScaleKernel
        from gpytorch.mlls import ExactMarginalLogLikelihood
        from gpytorch.priors import LogNormalPrior

        x, y = axes(latents), torch.from_numpy(normal_scores(scores))
        dims = x.shape[-1]
        prior = LogNormalPrior(math.sqrt(2) + 0.5 * math.log(dims), math.sqrt(3))
        kernel = ScaleKernel(MaternKernel(2.5, lengthscale_prior=prior))
        with seeded(seed), _quiet():
            model = SingleTaskGP(x, y.unsqueeze(-1), covar_module=kernel, outcome_transform=None)
            mll = ExactMarginalLogLikelihood(model.likelihood, model)
            fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": steps}})
        return cls(axes, model.eval(), float(y.max()))

    @torch.no_grad()
    def mean(self, z: Tensor) -> np.ndarray:
        """(n,) posterior means at (n, latent) latents."""
        with _quiet():
            found: np.ndarray = self.model.posterior(self.axes(z)).mean.squeeze(-1).numpy()
        return found

    def rank(self, z: Tensor, wanted: int, acquisition: Acquisition, seed: int) -> list[int]:
        """Order in which to pay for molecules at (n, latent) latents: a batch of ``wanted`` first, then the rest."""
        with seeded(seed), _quiet(), torch.no_grad():
            return (self._by_thompson if acquisition == "thompson" else self._by_qlogei)(self.axes(z), wanted)

    def _by_thompson(self, x: Tensor, wanted: int) -> list[int]:
        """Joint posterior samples take turns; each takes its best of what is left. x: (n, dims)."""
        samples = self.model.posterior(x).rsample(torch.Size([wanted])).squeeze(-1)
        return in_turns(samples.numpy())

    def _by_qlogei(self, x: Tensor, wanted: int, most: int = 128) -> list[int]:
        """A greedy batch by qLogEI, the picks so far pending, of the ``most`` best alone; the rest as they stood alone."""
        from botorch.acquisition import qLogExpectedImprovement
        from botorch.sampling import SobolQMCNormalSampler

        gain = qLogExpectedImprovement(self.model, self.best, SobolQMCNormalSampler(torch.Size([128]), seed=0))
        alone = gain(x.unsqueeze(1)).argsort(descending=True, stable=True)
        pool, order = alone[:most].tolist(), []
        for _ in range(min(wanted, len(pool))):
            at = pool.pop(int(gain(x[pool].unsqueeze(1)).argmax()))
            order.append(at)
            gain.set_X_pending(x[order])
        return [*order, *(at for at in alone.tolist() if at not in set(order))]


def in_turns(preferences: np.ndarray) -> list[int]:
    """Order in which voters, taking turns, each pick their favourite of what is left.

    Args:
        preferences: (voters, n), the greater the better.
    """
    left, order = preferences.copy(), []
    for turn in range(left.shape[1]):
        at = int(left[turn % len(left)].argmax())
        order.append(at)
        left[:, at] = -np.inf
    return order


@contextmanager
def _quiet() -> Iterator[None]:
    """Drops BoTorch's and linear_operator's remarks on jitter and on L-BFGS stopping early: neither is a failure here."""
    from botorch.exceptions.warnings import BotorchWarning
    from linear_operator.utils.warnings import NumericalWarning

    with warnings.catch_warnings():
        for category in (BotorchWarning, NumericalWarning):
            warnings.simplefilter("ignore", category)
        yield
