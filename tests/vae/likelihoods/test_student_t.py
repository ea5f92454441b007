from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from designloop.testing import check_likelihood
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.student_t import StudentT


def rows(seed: int = 0) -> torch.Tensor:
    return torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("df", [0.7, 3.0, 40.0])
def test_density_against_scipy(df: float) -> None:
    likelihood = StudentT(3, df, 0.6, per_feature=True).double()
    params, x = rows(), 5 * rows(1)
    own = [
        float(parameter.detach()[0].exp()) for parameter in (likelihood.log_df, likelihood.log_scale)
    ]  # made in float32
    wanted = scipy.stats.t(own[0], params.numpy(), own[1]).logpdf(x.numpy())
    np.testing.assert_allclose(likelihood.log_prob(params, x).detach(), wanted.sum(1), rtol=1e-11)
    variance = scipy.stats.t(own[0], params.numpy(), own[1]).var() if df > 2 else np.full((4, 3), np.inf)
    np.testing.assert_allclose(likelihood.variance(params).detach(), variance, rtol=1e-11)


def test_keeps_the_contract() -> None:
    assert "fisher" in check_likelihood(StudentT(3, 8.0, 0.5), rows()).passed


def test_many_degrees_of_freedom_are_a_gaussian() -> None:
    params, x, tangents = rows(), rows(1), rows(2).unsqueeze(1)
    heavy, plain = StudentT(3, 1e9, 0.5).double(), Gaussian(3, 0.25).double()
    torch.testing.assert_close(heavy.log_prob(params, x), plain.log_prob(params, x), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(heavy.fisher(params, tangents), plain.fisher(params, tangents), rtol=1e-6, atol=1e-6)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(VAEError, match="df is 0, expected a positive number"):
        StudentT(3, 0)
    with pytest.raises(VAEError, match=r"scale is -1\.0, expected a positive number"):
        StudentT(3, scale=-1.0)
    with pytest.raises(ShapeError, match=r"x has shape \(4, 2\), expected \(batch, 3\)"):
        StudentT(3).log_prob(torch.zeros(4, 3), torch.zeros(4, 2))


def test_both_parameters_are_learned_unless_fixed() -> None:
    assert {name for name, _ in StudentT(3).named_parameters()} == {"log_df", "log_scale"}
    fixed = StudentT(3, learned=False)
    assert not list(fixed.parameters())
    assert set(fixed.state_dict()) == {"log_df", "log_scale"}
