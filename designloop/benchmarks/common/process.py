"""The Gaussian process of the peers: exact, Matérn 5/2, a length for each coordinate, fitted by BoTorch."""

from __future__ import annotations

from typing import Literal

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.constraints import Interval
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from designloop.strategies.surrogates.base import quiet

Lengths = Literal["prior", "bounds"]
"""What holds lengths: a prior that grows with the root of d (Hvarfner et al. 2024, "Vanilla Bayesian optimization
performs great in high dimensions"), or the bounds of TuRBO's paper, which were made for spaces of fewer dimensions."""

_LENGTHS, _NOISE = (0.005, 4.0), (1e-8, 1e-3)
"""Those bounds, in sides of the cube, and the ones of the noise's variance."""


def standardized(values: Tensor) -> Tensor:
    """(n, 1) values of mean 0 and deviation 1; zeros where all are equal."""
    spread = values.std() if len(values) > 1 else torch.zeros(())
    return ((values - values.mean()) / (spread if float(spread) > 0 else 1.0)).unsqueeze(-1)


def untrained(points: Tensor, values: Tensor, lengths: Lengths = "prior") -> SingleTaskGP:
    """A process of standardized values, its lengths where their fit begins: at the mode of the prior, where it is that.

    Args:
        points: (n, d) in the unit cube, double.
        values: (n,)
    """
    dims = points.shape[-1]
    if lengths == "prior":
        kernel, likelihood = get_covar_module_with_dim_scaled_prior(ard_num_dims=dims, use_rbf_kernel=False), None
    else:
        kernel = ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=dims, lengthscale_constraint=Interval(*_LENGTHS)))
        likelihood = GaussianLikelihood(noise_constraint=Interval(*_NOISE))
    with quiet():
        # Values are standardized here: a process that did it itself would not be differentiable in its inputs.
        return SingleTaskGP(
            points, standardized(values), likelihood=likelihood, covar_module=kernel, outcome_transform=None
        )


def fitted(model: SingleTaskGP, before: SingleTaskGP | None = None, steps: int | None = None) -> SingleTaskGP:
    """The process, its lengths, noise and mean now those of greatest posterior density.

    Args:
        before: of an earlier batch, where the fit begins.
        steps: of L-BFGS at most; None: until it has converged.
    """
    if before is not None:
        for part in ("mean_module", "covar_module", "likelihood"):
            getattr(model, part).load_state_dict(getattr(before, part).state_dict())
    options = {} if steps is None else {"options": {"maxiter": steps}}
    with quiet():
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model), optimizer_kwargs=options)
    return model


def lengths_of(model: SingleTaskGP) -> Tensor:
    """(d,) length of each coordinate."""
    kernel = model.covar_module
    own = kernel.base_kernel if isinstance(kernel, ScaleKernel) else kernel
    lengths: Tensor = own.lengthscale.detach().squeeze(0)
    return lengths
