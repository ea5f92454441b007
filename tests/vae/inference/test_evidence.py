"""Evidence against closed forms: PPCA's likelihood, with masks and a wrong encoder; annealing against both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.inference import evidence
from designloop.vae.inference.evidence import annealed_evidence, importance_evidence, log_weights
from designloop.vae.inference.refinement import refine
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.likelihoods.tokens import TokenSequence
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.learned import LearnedPrior
from designloop.vae.priors.standard_normal import NoisedStandardNormal, StandardNormal
from designloop.vae.priors.structural.linear import StructuralCausal


class OnlySamples(Prior):
    latent = 2

    def sample(self, n, context=None, generator=None):
        return torch.zeros(n, 2)


class Linear(nn.Module):
    """The exact posterior of PPCA in its canonical rotation, moved and widened; masked entries are taken for 0."""

    def __init__(self, weights: Tensor, noise: float, widen: float, move: float) -> None:
        super().__init__()
        self.weights, self.widen, self.move = weights, widen, move
        self.precision = 1 + weights.square().sum(0) / noise
        self.noise = noise

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Any = None) -> DiagonalNormal:
        if mask is not None:
            x = torch.where(mask, x, torch.zeros_like(x))
        mean = x @ self.weights / self.noise / self.precision + self.move
        return DiagonalNormal(mean, self.widen * self.precision.rsqrt().expand_as(mean))


def ppca(widen: float = 1.0, move: float = 0.0) -> tuple[VAE, Tensor, PCA]:
    """A VAE at PPCA's maximum on iris, the data, and scikit-learn's model of it."""
    data = load_iris().data
    x = (data - data.mean(0)) / data.std(0)
    known = PCA(2).fit(x)
    # scikit-learn divides by n − 1; its variances are turned to the maximum's, so that its score is that of ours.
    shrink = (len(x) - 1) / len(x)
    known.explained_variance_ *= shrink
    known.noise_variance_ *= shrink
    scale = np.sqrt(known.explained_variance_ - known.noise_variance_)
    weights = torch.from_numpy(known.components_.T * scale)
    decoder = MLPDecoder(2, 4).double()
    decoder.load_state_dict({"net.0.weight": weights, "net.0.bias": torch.zeros(4).double()})
    encoder = Linear(weights, float(known.noise_variance_), widen, move)
    likelihood = Gaussian(4, learned=False).double()
    likelihood.log_variance.fill_(math.log(known.noise_variance_))  # in float64, for which its start is too rough
    return VAE(encoder, decoder, likelihood, StandardNormal(2).double()), torch.from_numpy(x), known


def test_the_exact_posterior_gives_scikit_learns_evidence_at_every_draw() -> None:
    vae, x, known = ppca()
    result = importance_evidence(vae, x, k=30, generator=generator())
    np.testing.assert_allclose(result.log_evidence, known.score_samples(x.numpy()), rtol=1e-10)
    np.testing.assert_allclose(result.effective_samples, 30)
    assert bool((result.pareto_k == -math.inf).all())


@pytest.mark.parametrize(("widen", "move"), [(1.3, 0.0), (1.6, 0.3)])
def test_a_wrong_encoder_meets_the_evidence_with_more_draws(widen: float, move: float) -> None:
    vae, x, known = ppca(widen, move)
    exact = torch.from_numpy(known.score_samples(x.numpy()))
    few, many = (importance_evidence(vae, x, k=k, generator=generator()) for k in (1, 4000))
    assert float((few.log_evidence - exact).mean()) < -0.1
    # the error of a row's log mean is the weights' relative spread over √k, which is 1 / effective − 1 / k
    error = (1 / many.effective_samples - 1 / 4000).sqrt()
    assert bool(((many.log_evidence - exact).abs() < 5 * error).all())
    assert bool((many.pareto_k < 0.7).all())


def test_masked_entries_leave_the_marginal_of_the_others() -> None:
    _, x, known = ppca()
    mask = torch.rand(x.shape, generator=generator(1)) < 0.6
    mask[:, 0] |= ~mask.any(1)
    covariance = known.get_covariance()
    exact = [
        multivariate_normal(np.zeros(int(m.sum())), covariance[np.ix_(m, m)]).logpdf(row[m])
        for row, m in zip(x.numpy(), mask.numpy(), strict=True)
    ]
    hidden = x.masked_fill(~mask, torch.nan)
    wide, _, _ = ppca(2.5)
    result = importance_evidence(wide, hidden, mask, k=4000, generator=generator())
    error = (1 / result.effective_samples - 1 / 4000).sqrt()
    assert bool(((result.log_evidence - torch.tensor(exact)).abs() < 5 * error + 1e-6).all())


def test_effective_samples_and_evidence_of_known_weights() -> None:
    weights = torch.tensor([[1.0, 3.0], [1.0, 1.0], [2.0, 0.0]], dtype=torch.float64)
    result = evidence.summary(weights.log())
    torch.testing.assert_close(result.log_evidence.exp(), weights.mean(0))
    torch.testing.assert_close(result.effective_samples, torch.tensor([16 / 6, 16 / 10], dtype=torch.float64))


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, x, _ = ppca(1.3)
    whole = log_weights(vae, x, k=7, generator=generator())
    assert whole.shape == (7, len(x))
    monkeypatch.setattr(evidence, "ROWS_AT_ONCE", 2 * len(x))
    torch.testing.assert_close(log_weights(vae, x, k=7, generator=generator()), whole, rtol=1e-12, atol=1e-12)
    assert not torch.equal(log_weights(vae, x, k=7, generator=generator(1)), whole)


def test_context_goes_with_its_row() -> None:
    """Each row's size is its own: a row has the same weights alone as among others."""
    vae = VAE(lambda x, mask, context: DiagonalNormal(x[:, :2] / 9, torch.ones_like(x[:, :2])),
              MLPDecoder(2, 3).double(), Poisson("size"), StandardNormal(2).double())  # fmt: skip
    x = torch.tensor([[3.0, 0, 1], [9, 4, 2]], dtype=torch.float64)
    size = torch.tensor([1.0, 7.0], dtype=torch.float64)
    z = torch.randn(5, 2, 2, dtype=torch.float64, generator=generator())
    both = evidence.log_likelihood(vae, z, x, None, {"size": size})
    for row in (0, 1):
        here = slice(row, row + 1)
        alone = evidence.log_likelihood(vae, z[:, here], x[here], None, {"size": size[here]})
        torch.testing.assert_close(both[:, here], alone)


def test_a_decoder_that_sees_one_leading_axis_only_does() -> None:
    """A recurrent likelihood of tokens: the weights are those of a plain loop over the draws."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = TokenSequence(vocabulary=5, features=3, hidden=4, embedding=3, lookahead=2).double()
        plan = nn.Linear(2, 4 * 3).double()
    tokens = torch.tensor([[2, 3, 1, 0], [4, 1, 0, 0], [3, 3, 2, 1]])
    vae = VAE(
        lambda x, mask, context: DiagonalNormal(x[:, :2] / 3.0, torch.ones(3, 2, dtype=torch.float64)),
        lambda z, context: plan(z).view(-1, 4, 3), head, StandardNormal(2).double(),
    )  # fmt: skip
    result = log_weights(vae, tokens, tokens != 0, k=5, generator=generator())
    posterior, noise = vae.encode(tokens), generator()
    for row in result:
        z = posterior.rsample(noise)
        with torch.no_grad():
            log_joint = head.log_prob(vae.decode(z), tokens) + vae.prior.log_prob(z)
        torch.testing.assert_close(row, log_joint - posterior.log_prob(z))


def test_annealing_from_the_prior_gives_the_evidence_without_the_encoder() -> None:
    vae, x, known = ppca(0.1, 9.0)  # an encoder that is far off
    x = x[::15]
    exact = torch.from_numpy(known.score_samples(x.numpy()))
    result = annealed_evidence(vae, x, generator=generator(), chains=400, temperatures=30)
    error = (1 / result.effective_samples - 1 / 400).sqrt()
    assert bool((result.effective_samples > 40).all())
    assert bool(((result.log_evidence - exact).abs() < 5 * error).all())
    assert float((result.log_evidence - exact).mean()) == pytest.approx(0.0, abs=4 * float(error.mean()) / 10**0.5)
    missed = importance_evidence(vae, x, k=100, generator=generator())
    assert float((missed.log_evidence - exact).mean()) < -10
    few = [annealed_evidence(vae, x, generator=generator(1), chains=3, temperatures=3).log_evidence for _ in range(2)]
    assert torch.equal(*few)


def test_annealing_is_without_bias_even_where_it_is_rough() -> None:
    """Four temperatures and one leap: the weights spread, and their mean over many chains is still the evidence."""
    vae, x, known = ppca()
    x = x[:3]
    exact = torch.from_numpy(known.score_samples(x.numpy()))
    result = annealed_evidence(vae, x, generator=generator(3), chains=20_000, temperatures=4, leaps=1)
    error = (1 / result.effective_samples - 1 / 20_000).sqrt()
    assert bool((result.effective_samples < 15_000).all())
    assert bool(((result.log_evidence - exact).abs() < 5 * error).all())


def test_what_cannot_be_is_refused() -> None:
    vae, x, _ = ppca()
    with pytest.raises(VAEError, match="k is 0, expected at least one draw"):
        importance_evidence(vae, x, k=0)
    with pytest.raises(VAEError, match="leaps is 0, expected at least 1"):
        annealed_evidence(vae, x, generator=generator(), leaps=0)
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[[3, 7]] = False
    with pytest.raises(VAEError, match=r"mask observes nothing of 2 rows of 150 \(3, 7\); leave those rows out"):
        importance_evidence(vae, x, mask, k=1)
    with pytest.raises(VAEError, match=r"mask is of torch.float64, expected torch.bool"):
        importance_evidence(vae, x, mask.double(), k=1)
    with pytest.raises(VAEError, match=r"mask has shape \(150, 1\), expected \(150, 4\) as x has"):
        importance_evidence(vae, x, mask[:, :1], k=1)
    x[5, 1] = torch.nan
    with pytest.raises(VAEError, match="x has 1 entries that are NaN or infinite, the first in row 5; give a mask"):
        annealed_evidence(vae, x, generator=generator())
    for asked in (lambda: importance_evidence(vae.with_prior(OnlySamples()), x[:2], k=1),
                  lambda: annealed_evidence(vae.with_prior(OnlySamples()), x[:2], generator=generator())):  # fmt: skip
        with pytest.raises(CapabilityError, match=r"OnlySamples offers no log_prob; it can only be sampled from"):
            asked()


def test_evidence_under_an_intervention_is_that_of_the_other_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """do(z_0 = v): x is normal with the mean and the covariance that the cut graph says; units that are set stay so."""
    prior = StructuralCausal(torch.tensor([[0, 0], [1, 0]])).double()
    prior.effects.data.fill_(1.5)
    weights = torch.tensor([[1.0, -0.4], [0.3, 1.0], [0.5, 0.2]]).double()
    decoder = MLPDecoder(2, 3).double()
    decoder.load_state_dict({"net.0.weight": weights, "net.0.bias": torch.zeros(3).double()})
    vae = VAE(lambda x, mask, context: DiagonalNormal(x[:, :2] / 2, torch.ones(len(x), 2).double()), decoder,
              Gaussian(3, 0.5, learned=False).double(), prior).requires_grad_(False)  # fmt: skip
    x = torch.tensor([[0.5, -1.0, 0.2], [1.0, 2.0, -0.3], [0.0, 0.4, 1.0]]).double()
    set_to = torch.tensor([2.0, -1.0, torch.nan]).double()
    context = {"do": prior.interventions({0: set_to}, 3)}
    exact = []
    for row, value in zip(x.numpy(), set_to.tolist(), strict=True):
        seen = math.isnan(value)
        mean = weights.numpy() @ (np.zeros(2) if seen else np.array([value, 1.5 * value]))
        of_z = np.array([[1, 1.5], [1.5, 3.25]]) if seen else np.diag([0.0, 1.0])
        covariance = weights.numpy() @ of_z @ weights.numpy().T + 0.5 * np.eye(3)
        exact.append(multivariate_normal(mean, covariance).logpdf(row))
    annealed = annealed_evidence(vae, x, None, context, generator=generator(), chains=200, temperatures=30)
    error = (1 / annealed.effective_samples - 1 / 200).sqrt()
    assert bool(((annealed.log_evidence - torch.tensor(exact)).abs() < 5 * error).all())
    weighted = importance_evidence(vae, x, None, context, k=4000, generator=generator())
    error = (1 / weighted.effective_samples - 1 / 4000).sqrt()
    assert bool(((weighted.log_evidence - torch.tensor(exact)).abs() < 5 * error).all())
    z = refine(vae, x, torch.zeros(3, 2), steps=300, length=0.3, decay=0.97, context=context)
    assert torch.equal(z[:2, 0], set_to[:2])
    offset = x[:2] - set_to[:2, None] * weights[:, 0]  # the other unit is then a line's slope
    torch.testing.assert_close(z[:2, 1], offset @ weights[:, 1] / weights[:, 1].square().sum(), atol=5e-3, rtol=0)
    torch.testing.assert_close(z[2], torch.linalg.lstsq(weights, x[2, :, None]).solution[:, 0], atol=5e-3, rtol=0)


ROUND = LearnedPrior(torch.ones(1), torch.zeros(1, 2), torch.eye(2).unsqueeze(0))
"""N(0, I), as a mixture of one."""


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("noised", [NoisedStandardNormal(2), ROUND])
def test_a_level_of_noise_a_row_may_be_a_column(noised: Prior, shape: tuple[int, ...]) -> None:
    """N(0, (1 + σ²) I), each row its own σ; k as many as there are rows."""
    level = torch.tensor([0.0, 0.5, 1.0, 3.0])
    context = {"noise": level.view(shape)}
    z = torch.randn(4, 4, 2, generator=generator())
    wanted = torch.distributions.Normal(0.0, (1 + level.square()).sqrt()[:, None])
    torch.testing.assert_close(noised.log_prob(z, context), wanted.log_prob(z).sum(-1))
    q = DiagonalNormal(z[0], z[1].exp())
    kl = torch.distributions.kl_divergence(torch.distributions.Normal(q.mean, q.scale), wanted)
    torch.testing.assert_close(noised.kl(q, q.mean, context), kl.sum(-1), rtol=1e-4, atol=1e-5)
    assert noised.sample(3, context, generator()).shape == (3, 4, 2)
    with pytest.raises(ShapeError, match=r"context\['noise'\] has shape \(4, 2\), expected \(batch,\); give one level"):
        noised.log_prob(z, {"noise": torch.zeros(4, 2)})
