"""What a score is believed to be, given a molecule's latent, before it is paid for: a Gaussian process (BoTorch).

    x = (z - centre) A                          axes along which latents say what a molecule is made of
    y = standard normal quantile of the rank    a Gaussian copula: many scores are exactly 0, few are good
    f ~ GP(m, s² k(|x - x'| / l)),  y = f + e   Matérn 5/2, one length scale, Gaussian noise

Sources: Eriksson et al. 2019 (Thompson sampling of a finite set); Salinas et al. 2020 (copula targets).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from scipy.stats import norm, rankdata
from torch import Tensor

from designloop.molecules.chemistry import count_fingerprints
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.randomness import seeded
from designloop.strategies.archive.archive import Archive
from designloop.strategies.surrogates.base import Posterior, quiet
from designloop.strategies.surrogates.views import LatentView

AXES_FROM = 2000
"""Molecules of the model's corpus that the GP's view of the latents is fitted on."""


def normal_scores(scores: np.ndarray) -> np.ndarray:
    """(n,) standard normal quantiles of the scores' ranks, ties sharing theirs, standardised again.

    Args:
        scores: (n,) with at least two different values.
    """
    quantiles = norm.ppf((rankdata(scores) - 0.5) / len(scores))
    standardised: np.ndarray = (quantiles - quantiles.mean()) / quantiles.std(ddof=1)
    return standardised


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


def axes_of_model(vae: SequenceVAE, corpus: Corpus, dims: int, rng: np.random.Generator) -> Axes:
    """The axes that say most about molecules that the model was trained on."""
    codec = vae.codec
    rows = rng.permutation(corpus.train)[:AXES_FROM]
    selfies = codec.selfies_of(corpus.rows.take(rows))
    features = np.log1p(count_fingerprints([codec.to_smiles(text) or "C" for text in selfies], "ecfp4", 1024))
    return Axes.explaining(vae.latents(selfies).cpu(), features, dims)


@dataclass(frozen=True)
class LatentGP:
    """A fitted GP of (standardised) score on latents; the hyperparameters have the highest posterior density."""

    axes: Axes
    model: SingleTaskGP
    best: float
    """Greatest target it was fitted on."""

    @classmethod
    def fit(cls, latents: np.ndarray, scores: np.ndarray, axes: Axes, seed: int, steps: int = 40) -> LatentGP:
        """Fits the hyperparameters by L-BFGS.

        The prior of the length scale grows with the root of the number of dimensions, as distances do.
        Source: Hvarfner et al. 2024, "Vanilla Bayesian optimization performs great in high dimensions".

        Args:
            latents: (n, latent)
            scores: (n,) with at least two different values.
            steps: the most that L-BFGS takes.
        """
        x, y = axes(torch.from_numpy(latents)), torch.from_numpy(normal_scores(scores))
        dims = x.shape[-1]
        prior = LogNormalPrior(math.sqrt(2) + 0.5 * math.log(dims), math.sqrt(3))
        kernel = ScaleKernel(MaternKernel(2.5, lengthscale_prior=prior))
        with seeded(seed), quiet():
            model = SingleTaskGP(x, y.unsqueeze(-1), covar_module=kernel, outcome_transform=None)
            mll = ExactMarginalLogLikelihood(model.likelihood, model)
            fit_gpytorch_mll(mll, optimizer_kwargs={"options": {"maxiter": steps}})
        return cls(axes, model.eval(), float(y.max()))

    @torch.no_grad()
    def __call__(self, features: np.ndarray) -> Posterior:
        """The posterior over candidates, of their latents (m, latent), in the unit of the GP's targets."""
        with quiet():
            normal = self.model.posterior(self.axes(torch.from_numpy(features))).distribution
            mean, covariance = normal.mean.numpy(), normal.covariance_matrix.numpy()
        noise = float(self.model.likelihood.noise)
        return Posterior([mean], lambda: [np.diagonal(covariance)], lambda: [covariance], [noise], self.best)


@dataclass(frozen=True)
class LatentSurrogate:
    """The kind of belief: a GP of the score on latents. The archive has to hold these."""

    view: LatentView
    axes: Axes
    start: int = 20
    """Scored molecules before it is fitted."""

    def fit(self, archive: Archive, seed: int) -> LatentGP | None:
        """The belief after what an archive holds; None of too few molecules, or where all scored alike."""
        if len(archive) < self.start or np.ptp(archive.scores) == 0:
            return None
        return LatentGP.fit(self.view.features_of(archive.members), archive.scores, self.axes, seed)
