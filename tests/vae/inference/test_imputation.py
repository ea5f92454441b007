"""Imputation on a linear-Gaussian model, where what is missing has a mean and a variance in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae.denoising import denoise
from designloop.vae.errors import CapabilityError
from designloop.vae.inference.gibbs import gibbs_missing
from designloop.vae.inference.imputation import impute, sample_missing
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.linear.linear_gaussian import LinearGaussian, canonicalise, log_evidence, posterior
from designloop.vae.linear.linear_vae import as_vae, expected_elbo
from designloop.vae.model import VAE
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.standard_normal import StandardNormal
from tests.vae.inference.linear_case import HIDDEN, MASK, NOISE, WEIGHTS, X, rough_vae


def conditional() -> tuple[Tensor, Tensor]:
    """Mean and variance of what is missing, by the formula of conditional normals."""
    covariance = (WEIGHTS @ WEIGHTS.T + NOISE * torch.eye(4, dtype=torch.float64)).numpy()
    mean, variance = X.numpy().copy(), np.zeros((3, 4))
    for row, seen in enumerate(MASK.numpy()):
        gain = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        mean[row, ~seen] = gain @ X[row].numpy()[seen]
        left = covariance[np.ix_(~seen, ~seen)] - gain @ covariance[np.ix_(seen, ~seen)]
        variance[row, ~seen] = np.diag(left)
    return torch.from_numpy(mean), torch.from_numpy(variance)


def test_mean_and_variance_are_those_of_the_conditional_normal() -> None:
    mean, variance = conditional()
    result = impute(rough_vae(), HIDDEN, MASK, k=40_000, generator=generator())
    error = (variance / result.evidence.effective_samples.unsqueeze(1)).sqrt()
    assert bool(((result.mean - mean).abs() < 5 * error)[~MASK].all())
    assert result.variance is not None
    assert bool((result.variance[MASK] == 0).all())
    torch.testing.assert_close(result.variance[~MASK], variance[~MASK], rtol=0.05, atol=0)
    assert torch.equal(result.mean[MASK], X[MASK])


def test_many_draws_come_nearer_and_the_vae_says_the_same() -> None:
    mean, _ = conditional()
    means = [impute(rough_vae(), HIDDEN, MASK, k=k, generator=generator(1)).mean for k in (30, 30_000)]
    apart = [float((estimate - mean)[~MASK].square().mean()) for estimate in means]
    assert apart[1] < apart[0] / 10


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = impute(rough_vae(), HIDDEN, MASK, k=50, generator=generator())
    monkeypatch.setattr("designloop.vae.inference.evidence.ROWS_AT_ONCE", 7)
    parts = impute(rough_vae(), HIDDEN, MASK, k=50, generator=generator())
    torch.testing.assert_close(parts.mean, whole.mean)
    torch.testing.assert_close(parts.variance, whole.variance)
    torch.testing.assert_close(parts.evidence.log_evidence, whole.evidence.log_evidence)


def test_completed_rows_have_the_conditional_distribution() -> None:
    mean, variance = conditional()
    result = sample_missing(rough_vae(), HIDDEN, MASK, n=4000, k=20_000, generator=generator())
    assert result.shape == (4000, 3, 4)
    assert torch.equal(result[:, MASK], X[MASK].expand(4000, -1))
    error = (variance / 4000 + variance / 2000).sqrt()  # of the rows drawn, and of the pool they are drawn from
    assert bool(((result.mean(0) - mean).abs() < 5 * error)[~MASK].all())
    torch.testing.assert_close(result.var(0)[~MASK], variance[~MASK], rtol=0.15, atol=0)


def test_classes_have_no_mean_but_can_be_drawn() -> None:
    vae = rough_vae(Categorical(3), outputs=12)
    x = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1], [1, 0, 0, 0]]).double()
    with pytest.raises(CapabilityError, match="Categorical offers no mean; draw from it by sample"):
        impute(vae, x, MASK, k=5, generator=generator())
    result = sample_missing(vae, x.masked_fill(~MASK, torch.nan), MASK, n=6, k=20, generator=generator())
    assert torch.equal(result[:, MASK], x[MASK].expand(6, -1))
    assert set(result.flatten().tolist()) <= {0.0, 1.0, 2.0}


class SameRows(nn.Module):
    """An encoder that is given the same rows whatever is masked."""

    def __init__(self, encoder: nn.Module, rows: Tensor) -> None:
        super().__init__()
        self.encoder, self.rows = encoder, rows

    def forward(self, x: Tensor, mask: Tensor | None, context: object) -> DiagonalNormal:
        posterior: DiagonalNormal = self.encoder(self.rows)
        return posterior


@pytest.mark.parametrize("fill", ["zeros", "conditional means"])
def test_filling_in_the_likelihood_adds_what_is_filled_in_and_before_the_encoder_leaves_a_bound(fill: str) -> None:
    """The mean over q of a quadratic function is that over 2q points, so that all bounds are without noise."""
    variance = torch.tensor([NOISE / 100]).double()
    exact = canonicalise(LinearGaussian(WEIGHTS, torch.zeros(4).double(), variance))
    filled = torch.where(
        MASK, X, torch.zeros(4) if fill == "zeros" else posterior(exact, X, MASK).mean @ exact.weights.T
    )
    vae, evidence = as_vae(exact).requires_grad_(False), log_evidence(exact, X, MASK)
    whole = expected_elbo(vae, filled)
    blind = VAE(SameRows(vae.encoder, filled), vae.decoder, vae.likelihood, vae.prior)  # type: ignore[arg-type]
    observed = expected_elbo(blind, HIDDEN, MASK)
    given = vae.encode(filled)
    squares = (filled - vae.decode(given.mean)).square() + given.variance @ exact.weights.square().T
    log_fill = (-0.5 * (squares / variance + (2 * np.pi * variance).log())).masked_fill(MASK, 0).sum(1)
    torch.testing.assert_close(whole, observed + log_fill)
    masked = ~MASK.all(1)
    assert bool((observed[masked] < evidence[masked]).all()), "a valid bound, and looser than the best"
    torch.testing.assert_close(observed[~masked], evidence[~masked])
    if fill == "conditional means":
        assert bool((whole > evidence)[masked].any()), "no bound of what is observed"


@pytest.mark.parametrize("level", [0.0, 1e3, 3e3, 1e4])
def test_variances_do_not_drown_in_the_mean(level: float) -> None:
    """A decoder that says one number: the variance of what is missing is the likelihood's, of what is said 0."""
    vae = VAE(
        lambda x, mask, context: DiagonalNormal(torch.zeros(2, 1), torch.ones(2, 1)),
        lambda z, context: torch.full((len(z), 3), level), Gaussian(3, 0.25, learned=False), StandardNormal(1),
    )  # fmt: skip
    x, mask = torch.full((2, 3), level), torch.tensor([[True, False, True], [False, True, True]])
    variance = impute(vae, x, mask, k=500, generator=generator()).variance
    assert variance is not None
    torch.testing.assert_close(variance, torch.where(mask, 0.0, 0.25), rtol=1e-4, atol=0)
    again = denoise(vae, x, k=500, generator=generator()).variance
    torch.testing.assert_close(again, torch.zeros(2, 3), rtol=0, atol=1e-4)


def test_whole_numbers_do_not_make_draws_whole() -> None:
    """Rows of an integer type, beside a Gaussian of mean .5 and variance 1."""
    vae = VAE(
        lambda x, mask, context: DiagonalNormal(torch.zeros(len(x), 1), torch.ones(len(x), 1)),
        lambda z, context: torch.full((len(z), 2), 0.5), Gaussian(2, 1.0, learned=False), StandardNormal(1),
    )  # fmt: skip
    x, mask = torch.tensor([[3, 0]]), torch.tensor([[True, False]])
    chains = gibbs_missing(vae, x, mask, n=4000, sweeps=1, generator=generator()).rows
    for rows in (sample_missing(vae, x, mask, n=4000, k=10, generator=generator()), chains):
        assert rows.dtype == torch.float32
        assert bool((rows[:, 0, 0] == 3).all())
        assert float(rows[:, 0, 1].mean()) == pytest.approx(0.5, abs=5 / 4000**0.5)
        assert float(rows[:, 0, 1].var()) == pytest.approx(1.0, abs=5 * (2 / 4000) ** 0.5)
