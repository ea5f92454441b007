from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from designloop.testing import check_prior
from designloop.vae.errors import VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.priors.standard_normal import StandardNormal

Z = torch.randn(5, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("steps", "channels"), [(2, 1), (4, 2)])
def test_keeps_the_contract(steps: int, channels: int) -> None:
    assert "divergence" in check_prior(AutoregressiveNormal(steps, channels, 0.8)).passed


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
