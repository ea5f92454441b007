"""The learned prior: the corpus' own Gaussian, and its conjugate update against pseudo-data that say the same."""

from __future__ import annotations

import numpy as np
import torch

from designloop.randomness import rng_of
from designloop.strategies.archive.archive import rank_weights
from designloop.strategies.learning.learned_prior import corpus_prior, refit
from designloop.vae.priors.learned import LearnedPrior
from tests.tiny import tiny_corpus, tiny_vae


def moments(prior: LearnedPrior) -> tuple[np.ndarray, np.ndarray]:
    return prior.means[0].numpy(), prior.covariances[0].numpy()


def test_corpus_prior_is_the_latents_own_gaussian() -> None:
    vae, corpus = tiny_vae(), tiny_corpus()
    mean, covariance = moments(corpus_prior(vae, corpus, rng_of(0, "rows")))
    latents = vae.latents(vae.codec.selfies_of(corpus.rows.take(corpus.train))).double().numpy()
    np.testing.assert_allclose(mean, latents.mean(0), atol=1e-5)
    np.testing.assert_allclose(covariance, np.cov(latents.T, bias=True), atol=1e-3)


def test_refitted_prior_is_that_of_elites_and_as_many_seen_before() -> None:
    """The moments of a sample in which elites stand by their weights beside ``strength`` rows of the old prior."""
    torch.manual_seed(0)
    before = LearnedPrior(torch.ones(1), torch.tensor([[1.0, -1.0]]), torch.tensor([[[2.0, 0.5], [0.5, 1.0]]]))
    elites = torch.randn(30, 2) * 0.2 + torch.tensor([3.0, 2.0])
    weights = rank_weights(30)
    many, strength = 1 / np.square(weights).sum(), 7.0
    old = np.array([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]])
    old = old @ np.linalg.cholesky(np.array([[2.0, 0.5], [0.5, 1.0]])).T + [1.0, -1.0]
    rows = np.concatenate([elites.numpy(), old])
    counted = np.concatenate([many * weights, np.full(4, strength / 4)])
    mean = np.average(rows, axis=0, weights=counted)
    covariance = np.cov(rows.T, aweights=counted, bias=True)
    moments_after = moments(refit(before, elites, strength))
    np.testing.assert_allclose(moments_after[0], mean, rtol=1e-5)
    np.testing.assert_allclose(moments_after[1], covariance, rtol=1e-4)


def test_elites_that_are_all_alike_leave_a_prior_that_can_be_drawn_from() -> None:
    before = LearnedPrior(torch.ones(1), torch.zeros(1, 3), torch.eye(3)[None])
    after = refit(before, torch.ones(50, 3), 3.0)
    assert torch.isfinite(after.sample(10)).all()
    assert float((after.sample(2000, generator=torch.Generator().manual_seed(0)) - 1).square().mean()) < 1
