"""What is asked of a latent whose units are to be concepts that cause each other: labels, few arrows, no cycle."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from designloop.vae.causal.learned_graph import LearnedGraph
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.forward_pass import ForwardPass
from designloop.vae.likelihoods.checks import values_can_be_read
from designloop.vae.likelihoods.special import LOG_2PI
from designloop.vae.training.losses import Term, target_of


class Concepts(Term):
    """−E_q log N(label; z_i, noise²), nats a row: labels of units as a second thing that is seen of a row.

    Without labels a structural prior fixes no unit: for every normal p(z) there are others, with the arrows turned
    round, under which some other decoder makes the very same data, and under which do(z_j = v) does another thing.

    Args:
        target: name in the batch's targets, of (batch, units): the label of each unit, NaN where a row has none.
        noise: standard deviation of a label about its unit, in the label's unit.

    Raises:
        VAEError: ``noise`` is not positive.
    """

    def __init__(self, target: str = "concepts", noise: float = 0.1) -> None:
        super().__init__()
        if not noise > 0:
            raise VAEError(f"noise is {noise}, expected a positive number; give the labels' standard error")
        self.target, self.noise = target, noise

    def forward(self, out: ForwardPass) -> Tensor:
        """(batch,) 0 for rows without a label.

        Raises:
            VAEError: the batch has no such target, or infinite labels.
            ShapeError: there is not one label a unit.
        """
        labels, mean = target_of(out, self.target), out.posterior.mean
        if labels.shape != mean.shape:
            wanted = f"{tuple(mean.shape)}, one a unit"
            raise ShapeError(f"targets[{self.target!r}]", labels.shape, wanted, "write NaN where there is no label")
        if values_can_be_read(labels) and bool(labels.isinf().any()):
            raise VAEError(f"targets[{self.target!r}] has infinite labels; write NaN where there is none")
        away = torch.where(labels.isnan(), 0.0, labels.nan_to_num() - mean).square()
        spread = torch.where(labels.isnan(), 0.0, out.posterior.variance)
        units = 0.5 * (away + spread) / self.noise**2 + math.log(self.noise) + 0.5 * LOG_2PI
        return units.masked_fill(labels.isnan(), 0.0).sum(-1)


class Cycles(Term):
    """tr exp(S ∘ S) − latent of a ``LearnedGraph`` with strengths S: no cycle where it is 0 (Zheng et al. 2018)."""

    def forward(self, out: ForwardPass) -> Tensor:
        """() the same for all rows.

        Raises:
            VAEError: the prior is no ``LearnedGraph``.
        """
        return _graph(out, self).cycles()


class Arrows(Term):
    """Σ S of a ``LearnedGraph``, which takes weak arrows to 0: a lasso of groups (Zheng et al. 2020)."""

    def forward(self, out: ForwardPass) -> Tensor:
        """() the same for all rows.

        Raises:
            VAEError: the prior is no ``LearnedGraph``.
        """
        return _graph(out, self).strengths().sum()


def _graph(out: ForwardPass, term: Term) -> LearnedGraph:
    if not isinstance(out.prior, LearnedGraph):
        raise VAEError(
            f"{type(term).__name__} reads the arrows of a LearnedGraph, the prior is {type(out.prior).__name__}; "
            "build the VAE with one"
        )
    return out.prior
