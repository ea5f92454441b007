from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from designloop.testing import check_prior
from designloop.vae.errors import VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.autoregressive import AutoregressiveNormal, NormalChain, RandomWalk
from designloop.vae.priors.standard_normal import StandardNormal

Z = torch.randn(5, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("steps", "channels"), [(2, 1), (4, 2)])
def test_keeps_the_contract(steps: int, channels: int) -> None:
    assert "divergence" in check_prior(AutoregressiveNormal(steps, channels, 0.8)).passed
    assert "divergence" in check_prior(RandomWalk(steps, channels, 0.5, 1.5)).passed


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.97])
def test_density_is_that_of_the_covariance(correlation: float) -> None:
    """Six steps of one channel have covariance ρ^|s − t|; three of two channels two such blocks."""
    prior = AutoregressiveNormal(6, 1, correlation).double()
    rho = float(prior.correlation.detach())
    covariance = rho ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    np.testing.assert_allclose(prior.log_prob(Z).detach(), multivariate_normal(cov=covariance).logpdf(Z), rtol=1e-9)
    two = AutoregressiveNormal(3, 2, correlation).double()
    blocks = sum(multivariate_normal(cov=covariance[:3, :3]).logpdf(two.paths(Z)[..., channel]) for channel in (0, 1))
    np.testing.assert_allclose(two.log_prob(Z).detach(), blocks, rtol=1e-9)


def test_divergence_is_that_of_multivariate_normals() -> None:
    prior = AutoregressiveNormal(6, 1, 0.7, learned=False).double()
    rho = float(prior.correlation)
    covariance = torch.from_numpy(rho ** np.abs(np.subtract.outer(np.arange(6), np.arange(6))))
    q = DiagonalNormal(Z[0], (0.3 * Z[1]).exp())
    known = torch.distributions.MultivariateNormal(torch.zeros(6, dtype=torch.float64), covariance)
    own = torch.distributions.MultivariateNormal(q.mean, torch.diag_embed(q.scale.square()))
    torch.testing.assert_close(prior.kl(q, Z[0]), torch.distributions.kl_divergence(own, known))
    assert not list(prior.parameters())


def test_no_correlation_is_the_standard_normal() -> None:
    q = DiagonalNormal(Z[0], (0.3 * Z[1]).exp())
    plain, flat = StandardNormal(6).double(), AutoregressiveNormal(3, 2, 0.0).double()
    torch.testing.assert_close(flat.log_prob(Z), plain.log_prob(Z))
    torch.testing.assert_close(flat.kl(q, Z[0]), plain.kl(q, Z[0]))


def test_a_correlation_of_one_is_refused() -> None:
    with pytest.raises(VAEError, match=r"correlation is 1\.0, expected between -1 and 1; 0 is the standard normal"):
        AutoregressiveNormal(3, correlation=1.0)


def test_a_random_walk_has_the_covariance_of_sums() -> None:
    walk = RandomWalk(6, wander=0.5, start=2.0).double()
    covariance = 4 + 0.25 * np.minimum.outer(np.arange(6), np.arange(6))
    np.testing.assert_allclose(walk.log_prob(Z).detach(), multivariate_normal(cov=covariance).logpdf(Z), rtol=1e-6)
    drawn = walk.sample(40_000, generator=torch.Generator().manual_seed(0)).detach().numpy()
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=0.15)


@pytest.mark.parametrize("prior", [AutoregressiveNormal(6, 1, 0.9), RandomWalk(6, wander=0.3, start=4.0)])
def test_a_chain_has_a_tridiagonal_precision_and_goes_over_other_steps(prior: NormalChain) -> None:
    own, beside = (part.squeeze(-1).detach() for part in prior.precision())
    dense = torch.diag(own) + torch.diag(beside, 1) + torch.diag(beside, -1)
    points = Z[0].float()
    squares = torch.einsum("bi,ij,bj->b", points, dense, points)
    constant = torch.logdet(dense) - 6 * float(np.log(2 * np.pi))
    torch.testing.assert_close(prior.log_prob(points).detach(), 0.5 * (constant - squares), rtol=1e-4, atol=1e-4)
    longer = prior.over(9)
    assert (prior.latent, longer.latent, longer.sample(2).shape) == (6, 9, (2, 9))
    first = longer.over(6)
    torch.testing.assert_close(first.log_prob(points), prior.log_prob(points))
    assert first.raw is prior.raw


def test_a_walk_without_width_is_refused() -> None:
    with pytest.raises(
        VAEError, match=r"wander is 0\.0, expected a positive standard deviation; give it in the path's"
    ):
        RandomWalk(3, wander=0.0)
    with pytest.raises(VAEError, match=r"start is -1\.0, expected a positive standard deviation"):
        RandomWalk(3, start=-1.0)
