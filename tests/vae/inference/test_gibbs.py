"""Chains on a linear-Gaussian model, where what is missing has a law in closed form."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.errors import CapabilityError, VAEError
from designloop.vae.inference.gibbs import GibbsDraws, gibbs_missing
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.self_masking import SelfMasking
from designloop.vae.linear.linear_gaussian import LinearGaussian, posterior
from designloop.vae.linear.linear_vae import exact_vae
from designloop.vae.model import VAE
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.base import Prior
from tests.vae.inference.linear_case import HIDDEN, MASK, NOISE, WEIGHTS, X, rough_vae

CHAINS = 4000

TRUE = LinearGaussian(WEIGHTS, torch.zeros(4).double(), torch.tensor([NOISE]).double())


def rough(likelihood: Likelihood | None = None, outputs: int = 4, prior: Prior | None = None) -> VAE:
    return rough_vae(likelihood, outputs, prior=prior, gain=0.3, width=0.7)


def run(vae: VAE, sweeps: int, metropolis: bool = True) -> GibbsDraws:
    return gibbs_missing(vae, HIDDEN, MASK, n=CHAINS, sweeps=sweeps, metropolis=metropolis, generator=generator())


def standardise(draws: Tensor, row: int) -> Tensor:
    """(chains, 2) what is missing of a row, which is standard normal where its law is the exact conditional."""
    covariance = WEIGHTS @ WEIGHTS.T + NOISE * torch.eye(4, dtype=torch.float64)
    seen = MASK[row]
    gain = covariance[~seen][:, seen] @ covariance[seen][:, seen].inverse()
    left = covariance[~seen][:, ~seen] - gain @ covariance[seen][:, ~seen]
    centred = draws[:, row, ~seen] - gain @ X[row, seen]
    standard: Tensor = torch.linalg.solve_triangular(torch.linalg.cholesky(left), centred.T, upper=False)
    return standard.T


def furthest(draws: Tensor) -> float:
    """Of means and second moments of what is missing from those of the exact law, in standard errors."""
    units = []
    for row in (0, 1):
        standard = standardise(draws, row)
        products = torch.stack([standard[:, 0] ** 2 - 1, standard[:, 1] ** 2 - 1, standard.prod(1)], 1)
        values = torch.cat([standard, products], 1)
        spread = torch.tensor([1.0, 1.0, 2**0.5, 2**0.5, 1.0]).double()  # of the values under the exact law
        units.append(values.mean(0).abs() / spread * len(draws) ** 0.5)
    return float(torch.cat(units).max())


def test_chains_of_a_rough_encoder_end_in_the_exact_conditional_law() -> None:
    result = run(rough(), sweeps=50)
    assert furthest(result.rows) < 4
    assert torch.equal(result.rows[:, MASK], X[MASK].expand(CHAINS, -1))
    assert bool(((result.accepted > 0.05) & (result.accepted < 0.95)).all())


def test_without_metropolis_a_rough_encoder_leaves_a_bias() -> None:
    assert furthest(run(rough(), sweeps=30, metropolis=False).rows) > 10


@pytest.mark.parametrize("metropolis", [True, False])
def test_an_exact_encoder_is_always_accepted_and_gibbs(metropolis: bool) -> None:
    result = run(exact_vae(TRUE), sweeps=3, metropolis=metropolis)
    assert furthest(result.rows) < 4
    assert float(result.accepted.min()) == 1


def test_the_exact_law_is_left_as_it_is() -> None:
    """Chains begin in the exact law, and one sweep with a rough encoder follows: a wrong step leaves it at once."""
    vae = rough()

    def encode(x: Tensor, mask: Tensor | None, context: Context | None) -> Posterior:
        return vae.encoder(x, mask, context) if mask is None else posterior(TRUE, x, mask)

    mixed = VAE(encode, vae.decoder, vae.likelihood, vae.prior)
    assert furthest(run(mixed, sweeps=1).rows) < 4
    assert furthest(run(mixed, sweeps=1, metropolis=False).rows) > 10


def test_entries_that_hide_themselves_have_the_mean_that_importance_weights_give() -> None:
    likelihood = SelfMasking(Gaussian(4, NOISE, learned=False), torch.tensor([1, 1, -1, 1]), 3.0, 0.2).double()
    vae = rough(likelihood)
    known = impute(vae, HIDDEN, MASK, k=3000, generator=generator())
    assert known.variance is not None
    drawn = gibbs_missing(vae, HIDDEN, MASK, n=500, sweeps=30, generator=generator()).rows
    error = (known.variance / 500 + known.variance / known.evidence.effective_samples.unsqueeze(1)).sqrt()
    assert bool(((drawn.mean(0) - known.mean).abs() < 4 * error)[~MASK].all())
    plain = impute(rough(), HIDDEN, MASK, k=3000, generator=generator())
    assert bool(((drawn.mean(0) - plain.mean).abs() > 4 * error)[~MASK].any()), "the mask matters"


def test_classes_can_be_drawn_and_a_seed_gives_the_same() -> None:
    vae = rough(Categorical(3), outputs=12)
    x = torch.tensor([[0, 2, 1, 1], [2, 2, 0, 1], [1, 0, 0, 0]]).double()
    draws = [gibbs_missing(vae, x, MASK, n=5, sweeps=4, generator=generator()).rows for _ in range(2)]
    assert torch.equal(*draws)
    assert torch.equal(draws[0][:, MASK], x[MASK].expand(5, -1))
    assert set(draws[0].flatten().tolist()) <= {0.0, 1.0, 2.0}


class OfDraws(Prior):
    """A prior that can only be drawn from."""

    latent = 2

    def sample(self, n: int, context: object = None, generator: torch.Generator | None = None) -> Tensor:
        return torch.zeros(n, 2)


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(VAEError, match="sweeps is 0, expected at least 1; 20 are a start"):
        gibbs_missing(rough(), HIDDEN, MASK, n=1, sweeps=0)
    with pytest.raises(VAEError, match="n is 0, expected at least 1"):
        gibbs_missing(rough(), HIDDEN, MASK, n=0, sweeps=1)
    with pytest.raises(VAEError, match="mask is None, so that nothing is missing"):
        gibbs_missing(rough(), X, None, n=1, sweeps=1)  # type: ignore[arg-type]
    with pytest.raises(VAEError, match="observes nothing"):
        gibbs_missing(rough(), HIDDEN, torch.zeros_like(MASK), n=1, sweeps=1)
    drawn = rough(prior=OfDraws())
    with pytest.raises(CapabilityError, match="OfDraws offers no log_prob"):
        gibbs_missing(drawn, HIDDEN, MASK, n=1, sweeps=1)
    assert gibbs_missing(drawn, HIDDEN, MASK, n=2, sweeps=1, metropolis=False).rows.shape == (2, 3, 4)
