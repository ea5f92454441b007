"""The prior that a campaign draws from: the model's own, one learned from its corpus, or one refitted to the elites.

    N(m, C):    m = (n x̄ + ν m₀) / (n + ν),   C = (n S + ν C₀) / (n + ν) + n ν (x̄ − m₀)(x̄ − m₀)ᵀ / (n + ν)²

x̄ and S are the elites' weighted mean and covariance, n as many elites as their weights amount to; m₀ and C₀ the
corpus', believed as if seen ν times: few elites move the prior little, many of one kind take it with them. It is an
estimation-of-distribution step in the latent space.
Sources: Murphy 2012, section 4.6.3 (the conjugate update); Tripp et al. 2020 (the weights).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.strategies.archive.archive import Archive, Member, rank_weights
from designloop.strategies.learning.base import ToldRound
from designloop.vae.priors.learned import LearnedPrior

CORPUS_ROWS = 4000
"""Molecules of the model's corpus that the learned prior is fitted to."""


def corpus_prior(vae: SequenceVAE, replay: Corpus, rng: np.random.Generator) -> LearnedPrior:
    """The Gaussian of the latents of some molecules that the model was trained on."""
    rows = rng.permutation(replay.train)[:CORPUS_ROWS]
    return LearnedPrior.fit(vae.latents(vae.codec.selfies_of(replay.rows.take(rows))))


def refit(prior: LearnedPrior, latents: Tensor, strength: float) -> LearnedPrior:
    """The prior, one Gaussian, after it has seen the latents of elites.

    Args:
        latents: (n, latent) of elites, best first.
        strength: ν, the number of elites that the prior before them weighs as much as.
    """
    z = latents.double()
    weights = torch.from_numpy(rank_weights(len(z))).to(z)
    n = 1.0 / float(weights.square().sum())  # as many as equal weights would need for the same variance of a mean
    mean = weights @ z
    old = prior.means[0].double()
    spread = (z - mean).T @ (weights[:, None] * (z - mean))
    apart = mean - old
    share = n / (n + strength)
    covariance = (
        share * spread + (1 - share) * prior.covariances[0].double() + share * (1 - share) * torch.outer(apart, apart)
    )
    both = share * mean + (1 - share) * old
    return LearnedPrior(latents.new_ones(1), both[None].to(latents), covariance[None].to(latents))


class CampaignPrior:
    """The model under the prior that a campaign draws from today.

    Args:
        elites: what a refitted prior is refitted to; None where it stays as the corpus has it.
    """

    def __init__(
        self,
        vae: SequenceVAE,
        corpus: LearnedPrior,
        elites: Callable[[Archive], list[Member]] | None,
        archive: Archive,
    ) -> None:
        self._vae, self._corpus, self._elites = vae, corpus, elites
        self.model = self._model(archive)

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Refits to the elites of the day; the model draws from the outcome."""
        self.model = self._model(told_round.archive)
        return {}

    def restarted(self, archive: Archive) -> None:
        """Refits to what a search goes on with that began anew, or was joined with an earlier one."""
        self.model = self._model(archive)

    def _model(self, archive: Archive) -> SequenceVAE:
        elites = self._elites(archive) if self._elites is not None else []
        if len(elites) < 2:
            return self._vae.with_prior(self._corpus)
        latents = self._vae.latents([elite.selfies for elite in elites])
        return self._vae.with_prior(refit(self._corpus, latents, float(self._corpus.latent)))
