"""The Gaussian process of the peers: exact, Matérn 5/2, a length for each coordinate, fitted by BoTorch."""

from __future__ import annotations

import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.utils.gpytorch_modules import get_covar_module_with_dim_scaled_prior
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from designloop.strategies.surrogates.base import quiet

STEPS = 30
"""Of L-BFGS at most, from the last fit's lengths on, so that they go on from batch to batch."""


def standardized(values: Tensor) -> Tensor:
    """(n, 1) values of mean 0 and deviation 1; zeros where all are equal."""
    spread = values.std() if len(values) > 1 else torch.zeros(())
    return ((values - values.mean()) / (spread if float(spread) > 0 else 1.0)).unsqueeze(-1)


def untrained(points: Tensor, values: Tensor) -> SingleTaskGP:
    """A process of standardized values, its lengths at the mode of their prior, which grows with the root of d.

    That prior (Hvarfner et al. 2024, "Vanilla Bayesian optimization performs great in high dimensions") makes TuRBO
    stronger than the bounds of its paper, which were made for spaces of fewer dimensions.

    Args:
        points: (n, d) in the unit cube, double.
        values: (n,)
    """
    kernel = get_covar_module_with_dim_scaled_prior(ard_num_dims=points.shape[-1], use_rbf_kernel=False)
    with quiet():
        # Values are standardized here: a process that did it itself would not be differentiable in its inputs.
        return SingleTaskGP(points, standardized(values), covar_module=kernel, outcome_transform=None)


def fitted(points: Tensor, values: Tensor, before: SingleTaskGP | None = None, steps: int = STEPS) -> SingleTaskGP:
    """The process with the lengths, noise and mean of greatest posterior density.

    Args:
        before: of an earlier batch, where the fit begins.
    """
    model = untrained(points, values)
    if before is not None:
        model.load_state_dict(before.state_dict())
    with quiet():
        fit_gpytorch_mll(
            ExactMarginalLogLikelihood(model.likelihood, model), optimizer_kwargs={"options": {"maxiter": steps}}
        )
    return model


def lengths_of(model: SingleTaskGP) -> Tensor:
    """(d,) length of each coordinate."""
    lengths: Tensor = model.covar_module.lengthscale.detach().squeeze(0)
    return lengths
