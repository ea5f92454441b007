"""Every posterior against the dense normal of torch that it is, in float64; the mixture against torch's own."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence

from designloop.testing.draws import generator
from designloop.vae.capabilities import offers
from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.networks import FullEncoder, MarkovEncoder
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal, require_diagonal
from designloop.vae.posteriors.full_normal import FullNormal
from designloop.vae.posteriors.markov_normal import MarkovNormal, chain_of_precision
from designloop.vae.posteriors.mixture import Mixture
from designloop.vae.posteriors.partly_set import PartlySet
from designloop.vae.priors.autoregressive import AutoregressiveNormal

ROWS, STEPS, CHANNELS = 3, 4, 2
LATENT = STEPS * CHANNELS


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def diagonal() -> tuple[DiagonalNormal, MultivariateNormal]:
    q = DiagonalNormal(numbers(ROWS, LATENT), numbers(ROWS, LATENT, seed=1).exp())
    return q, MultivariateNormal(q.mean, torch.diag_embed(q.scale.square()))


def full() -> tuple[FullNormal, MultivariateNormal]:
    factor = numbers(ROWS, LATENT, LATENT, seed=2).tril(-1) + torch.diag_embed(numbers(ROWS, LATENT, seed=3).exp())
    q = FullNormal(numbers(ROWS, LATENT), factor)
    return q, MultivariateNormal(q.mean, precision_matrix=factor @ factor.mT)


def markov() -> tuple[MarkovNormal, MultivariateNormal]:
    scale, carry = numbers(ROWS, STEPS, CHANNELS, seed=4).exp(), numbers(ROWS, STEPS - 1, CHANNELS, seed=5)
    q = MarkovNormal(numbers(ROWS, LATENT), scale, carry)
    # Dense, from the definition: (I - Phi) r = S e, unit by unit.
    keeps = torch.eye(LATENT, dtype=torch.float64).repeat(ROWS, 1, 1)
    for step in range(1, STEPS):
        for channel in range(CHANNELS):
            keeps[:, step * CHANNELS + channel, (step - 1) * CHANNELS + channel] = -carry[:, step - 1, channel]
    inverse = torch.linalg.inv(keeps)
    return q, MultivariateNormal(q.mean, inverse @ torch.diag_embed(scale.flatten(1).square()) @ inverse.mT)


CASES = {"diagonal": diagonal, "full": full, "markov": markov}


@pytest.mark.parametrize("name", CASES)
def test_what_a_posterior_is_asked_is_what_torch_says_of_the_same_normal(name: str) -> None:
    q, dense = CASES[name]()
    z = numbers(5, ROWS, LATENT, seed=6)
    torch.testing.assert_close(q.log_prob(z), dense.log_prob(z))
    torch.testing.assert_close(q.variance, dense.variance)
    torch.testing.assert_close(q.entropy(), dense.entropy())
    standard = MultivariateNormal(torch.zeros(LATENT).double(), torch.eye(LATENT).double())
    torch.testing.assert_close(q.standard_kl(), kl_divergence(dense, standard))


@pytest.mark.parametrize("name", CASES)
def test_draws_are_linear_in_their_noise_with_the_covariance_of_the_normal(name: str) -> None:
    q, dense = CASES[name]()
    basis = torch.eye(LATENT, dtype=torch.float64).unsqueeze(1).expand(-1, ROWS, -1)
    columns = (q.at(basis) - q.mean).permute(1, 2, 0)  # of the matrix that the noise goes through
    torch.testing.assert_close(columns @ columns.mT, dense.covariance_matrix)
    noise = numbers(ROWS, LATENT, seed=7)
    torch.testing.assert_close(q.at(noise), q.mean + (columns @ noise.unsqueeze(-1)).squeeze(-1))
    torch.testing.assert_close(q.rsample(generator(9)), q.at(numbers(ROWS, LATENT, seed=9)))


@pytest.mark.parametrize("name", [*CASES, "mixture", "partly set"])
def test_rows_are_taken_in_any_order(name: str) -> None:
    q: Posterior = mixture() if name == "mixture" else partly_set() if name == "partly set" else CASES[name]()[0]
    order = torch.tensor([2, 0, 2, 1])
    some, noise = q[order], numbers(4, q.noise_width, seed=7)
    whole = torch.zeros(3, q.noise_width, dtype=torch.float64).index_copy(0, order[1:], noise[1:])
    torch.testing.assert_close(some.at(noise)[1:], q.at(whole)[order[1:]])
    z = numbers(4, LATENT)
    wanted = [q.log_prob(point.expand(ROWS, -1))[row] for point, row in zip(z, order, strict=True)]
    torch.testing.assert_close(some.log_prob(z), torch.stack(wanted))
    torch.testing.assert_close(q[:2].mean, q.mean[:2])
    torch.testing.assert_close(q[:2].variance, q.variance[:2])


def mixture() -> Mixture:
    return Mixture([diagonal()[0], full()[0]], numbers(ROWS, 2, seed=8))


def test_a_mixture_is_that_of_torch() -> None:
    parts = [DiagonalNormal(numbers(ROWS, 2, seed=s), numbers(ROWS, 2, seed=s + 9).exp()) for s in range(3)]
    log_weights = numbers(ROWS, 3, seed=30)
    q = Mixture(parts, log_weights)
    each = Normal(torch.stack([p.mean for p in parts], 1), torch.stack([p.scale for p in parts], 1))
    dense = MixtureSameFamily(Categorical(logits=log_weights), Independent(each, 1))
    z = numbers(5, ROWS, 2, seed=6)
    torch.testing.assert_close(q.log_prob(z), dense.log_prob(z))
    torch.testing.assert_close(q.mean, dense.mean)
    torch.testing.assert_close(q.variance, dense.variance)
    assert q.noise_width == 3
    drawn = q.at(numbers(20_000, ROWS, 3, seed=31))
    error = (q.variance / 20_000).sqrt()
    assert bool(((drawn.mean(0) - q.mean).abs() < 5 * error).all())
    torch.testing.assert_close(drawn.var(0), q.variance, rtol=0.08, atol=0)
    assert not offers(q, "entropy")
    with pytest.raises(CapabilityError, match="Mixture offers no standard_kl; take the mean of log_prob less"):
        q.standard_kl()


def test_a_mixture_far_from_0_is_as_wide_as_one_at_0() -> None:
    means = torch.tensor([[1e4, -3e4]]), torch.tensor([[1e4 + 1, -3e4]])
    q = Mixture([DiagonalNormal(mean, torch.full((1, 2), 0.5)) for mean in means], torch.zeros(1, 2))
    torch.testing.assert_close(q.variance, torch.tensor([[0.5, 0.25]]), rtol=1e-3, atol=0)


def partly_set() -> PartlySet:
    values = torch.full((ROWS, LATENT), torch.nan, dtype=torch.float64)
    values[0, 1], values[2, 0], values[2, 5] = 2.0, -1.0, 0.0
    return PartlySet(diagonal()[0], values)


def test_set_units_are_numbers_and_the_others_are_as_they_were() -> None:
    q, free = partly_set(), diagonal()[0]
    z = q.at(numbers(ROWS, LATENT, seed=1))
    assert (float(z[0, 1]), float(z[2, 0]), float(z[2, 5])) == (2.0, -1.0, 0.0)
    torch.testing.assert_close(q.mean, torch.where(q.is_set, torch.nan_to_num(q.values), free.mean))
    torch.testing.assert_close(q.log_prob(z)[1], free.log_prob(z)[1])
    kept = [0, *range(2, LATENT)]
    alone = DiagonalNormal(free.mean[:1, kept], free.scale[:1, kept])
    torch.testing.assert_close(q.log_prob(z)[:1], alone.log_prob(z[:1, kept]))
    torch.testing.assert_close(q.entropy()[:1], alone.entropy())
    assert float(q.variance[0, 1]) == 0


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.9])
def test_the_divergence_of_a_chain_from_an_autoregressive_prior_is_closed(correlation: float) -> None:
    q, dense = markov()
    prior = AutoregressiveNormal(STEPS, CHANNELS, correlation).double()
    rho = float(prior.correlation[0].detach())
    lags = (torch.arange(STEPS)[:, None] - torch.arange(STEPS)).abs()
    covariance = torch.kron(torch.tensor(rho, dtype=torch.float64) ** lags, torch.eye(CHANNELS, dtype=torch.float64))
    wanted = kl_divergence(dense, MultivariateNormal(torch.zeros(LATENT).double(), covariance))
    torch.testing.assert_close(prior.kl(q, q.mean).detach(), wanted)
    other = AutoregressiveNormal(LATENT, 1, correlation).double()  # other steps: at the draw, as any two distributions
    z = q.at(numbers(ROWS, LATENT, seed=2))
    torch.testing.assert_close(other.kl(q, z).detach(), (q.log_prob(z) - other.log_prob(z)).detach())


def test_a_chain_comes_of_its_tridiagonal_precision() -> None:
    mean, draw = numbers(ROWS, 5, seed=3), numbers(ROWS, 5, 5, seed=4)
    lower = torch.diag_embed(1 + draw.diagonal(dim1=1, dim2=2).abs())
    lower = lower + torch.diag_embed(draw[:, 0, :4], offset=-1)
    precision = lower @ lower.mT
    q = chain_of_precision(mean, precision.diagonal(dim1=1, dim2=2), precision.diagonal(1, 1, 2))
    dense = MultivariateNormal(mean, precision_matrix=precision)
    z = numbers(7, ROWS, 5, seed=5)
    torch.testing.assert_close(q.log_prob(z), dense.log_prob(z))
    torch.testing.assert_close(q.variance, dense.variance)
    torch.testing.assert_close(q.entropy(), dense.entropy())


def test_a_precision_of_no_normal_is_refused() -> None:
    diagonal = torch.tensor([[2.0, 2.0, 2.0], [2.0, -1.0, 2.0]]).double()
    with pytest.raises(VAEError, match="the precision of row 1 is not positive definite at step 2; expected"):
        chain_of_precision(torch.zeros(2, 3).double(), diagonal, torch.zeros(2, 2).double())


def test_a_diagonal_posterior_pays_for_the_correlation_that_it_has_not() -> None:
    """At the least ½ log(1 + ρ²) nats a step, ½ log 1/(1 − ρ²) at both ends; a chain pays nothing."""
    rho, steps = 0.9, 50
    prior = AutoregressiveNormal(steps, 1, rho).double()
    ends, inner = 1 / (1 - rho**2), (1 + rho**2) / (1 - rho**2)
    precision = torch.tensor([ends, *[inner] * (steps - 2), ends], dtype=torch.float64)
    best = DiagonalNormal(torch.zeros(1, steps).double(), precision.rsqrt().unsqueeze(0))
    wanted = 0.5 * (steps - 2) * math.log(1 + rho**2) - 0.5 * math.log(1 - rho**2)
    assert float(prior.kl(best, best.mean).detach()) == pytest.approx(wanted, rel=1e-6)
    scale = torch.full((1, steps, 1), math.sqrt(1 - rho**2)).double()
    scale[0, 0] = 1
    chain = MarkovNormal(torch.zeros(1, steps).double(), scale, torch.full((1, steps - 1, 1), rho).double())
    assert abs(float(prior.kl(chain, chain.mean).detach())) < 1e-5  # ρ is made in float32


def test_encoders_give_what_they_say_and_learn_every_part() -> None:
    x = torch.randn(5, 6, generator=generator())
    torch.manual_seed(0)
    mask = torch.rand(5, 6, generator=generator(1)) < 0.7
    for encoder in (FullEncoder(6, 4, [8], reads_mask=True), MarkovEncoder(6, 2, 2, [8], reads_mask=True)):
        q = encoder(x.masked_fill(~mask, torch.nan), mask)
        assert q.mean.shape == (5, 4)
        slopes = torch.autograd.grad(q.log_prob(torch.ones(5, 4)).sum(), list(encoder.parameters()))
        assert all(bool((slope != 0).any() & slope.isfinite().all()) for slope in slopes)
        last = slopes[-1]
        assert bool((last != 0).all())  # every number that the network gives is part of the posterior


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(ShapeError, match=r"carry has shape \(1, 4, 1\), expected \(1, 3, 1\) with a mean of \(1, 4\)"):
        MarkovNormal(torch.zeros(1, 4), torch.ones(1, 4, 1), torch.zeros(1, 4, 1))
    with pytest.raises(ShapeError, match=r"log_weights has shape \(3, 1\), expected \(3, 2\), at least one component"):
        Mixture([diagonal()[0], full()[0]], torch.zeros(3, 1))
    with pytest.raises(
        VAEError, match=r"total correlation asks for the scale of each unit by itself, .* is MarkovNormal"
    ):
        require_diagonal(markov()[0], "total correlation")

    class Bare(Posterior):
        mean = torch.zeros(1, 2)

        def at(self, noise: Tensor) -> Tensor:
            return noise

        def log_prob(self, z: Tensor) -> Tensor:
            return z.sum(-1)

    with pytest.raises(CapabilityError, match="Bare offers no variance; take the variance of draws"):
        _ = Bare().variance
    with pytest.raises(CapabilityError, match="Bare offers no __getitem__; define it, so that a pass may draw several"):
        Bare()[torch.tensor([0])]
