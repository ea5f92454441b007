"""A structural causal model whose graph is learned with it, by a penalty on cycles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from designloop.vae.causal.additive_noise import AdditiveNoise
from designloop.vae.causal.graph import without_cycles
from designloop.vae.causal.mechanisms import Mechanisms
from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.base import Prior
from designloop.vae.priors.normal import log_normal

KEY = "do"
"""Of the context's entry with interventions, as the settled model reads it."""

_LEAST = 1e-12
"""Added to squares of strengths, so that the root of none has a slope without bound."""


class LearnedGraph(Prior):
    """p(z) = Π_i N(z_i; f_i(z_j, j ≠ i), s_i²): every unit may act on every other, and a loss says which do.

    It is a density as soon as there is no cycle, which ``causal.Cycles`` asks for, and has few arrows by
    ``causal.Arrows``; ``settled`` then gives the structural causal model that was learned. Until there is no cycle it
    is a pseudo-likelihood: each unit given all others. It knows of no interventions, and refuses a context that has
    some: the settled model takes them.

    Args:
        latent: width of z.
        hidden: width of each unit's network.
        threshold: strength above which an arrow is one.

    Sources: Zheng et al. 2018, "DAGs with NO TEARS"; Zheng et al. 2020, "Learning sparse nonparametric DAGs"; Ng et al.
    2020, "On the role of sparsity and DAG constraints" (a scale learned for each unit).
    """

    elsewhere: Tensor

    def __init__(self, latent: int, hidden: int = 16, threshold: float = 0.1) -> None:
        super().__init__()
        self.latent, self.hidden, self.threshold = latent, hidden, threshold
        self.mechanisms = Mechanisms(latent, hidden)
        self.log_scale = nn.Parameter(torch.zeros(latent))
        self.register_buffer("elsewhere", 1 - torch.eye(latent), persistent=False)

    def strengths(self) -> Tensor:
        """(latent, latent) how strong the arrow from unit j to unit i is, at [i, j]: the norm of what goes along it."""
        return (self.mechanisms.squares() * self.elsewhere + _LEAST).sqrt() * self.elsewhere

    def cycles(self) -> Tensor:
        """() tr exp(S ∘ S) − latent, S the strengths: 0 where no arrows make a cycle, more the stronger they are."""
        return torch.matrix_exp(self.strengths().square()).diagonal().sum() - self.latent

    def noise_of(self, z: Tensor) -> Tensor:
        """(..., latent) s ε that made z, from (..., latent)."""
        return z - self.mechanisms(z, self.elsewhere)  # type: ignore[no-any-return]

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z) in nats at z (..., batch, latent).

        Raises:
            VAEError: the context sets units.
        """
        _refuse_interventions(context)
        return log_normal(self.noise_of(z), self.log_scale.exp())

    def condition(self, posterior: Posterior, context: Context | None = None) -> Posterior:
        """The posterior as it is. Errors as ``log_prob``."""
        _refuse_interventions(context)
        return posterior

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws of the settled model; with a context (n, batch, latent). Errors as ``log_prob``."""
        _refuse_interventions(context)
        return self.settled().sample(n, context, generator)

    def settled(self, threshold: float | None = None) -> AdditiveNoise:
        """The structural causal model of the arrows that are stronger than a threshold, the weakest of cycles cut.

        Its weights are a copy: give it to ``vae.with_prior``, and fit a little more, as cut arrows leave their mark.
        """
        causes = without_cycles(self.strengths().detach(), self.threshold if threshold is None else threshold)
        with torch.random.fork_rng(devices=[]):
            prior = AdditiveNoise(causes, self.hidden, KEY).to(self.log_scale)
        prior.mechanisms.load_state_dict(self.mechanisms.state_dict())
        prior.log_scale.data.copy_(self.log_scale.detach())
        return prior


def _refuse_interventions(context: Context | None) -> None:
    """Nothing, unless the context has them: of a graph that is still learned nobody knows what follows."""
    if context is not None and KEY in context:
        raise VAEError(
            f"context[{KEY!r}] sets units, and a LearnedGraph knows of no interventions; leave it out, or take "
            "vae.with_prior(prior.settled())"
        )
