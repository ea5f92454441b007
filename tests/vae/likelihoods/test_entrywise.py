"""What all likelihoods of independent entries share: masks, sums over all axes of a row, and params that go with x."""

from __future__ import annotations

import pytest
import torch

from designloop.vae.errors import ShapeError
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.likelihoods.student_t import StudentT
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal

LIKELIHOODS: dict[str, Entrywise] = {
    "gaussian": Gaussian(4),
    "heteroscedastic": HeteroscedasticGaussian(),
    "student": StudentT(4),
    "bernoulli": Bernoulli(),
    "poisson": Poisson(),
    "negative binomial": NegativeBinomial(4, size=None),
    "decoded dispersion": NegativeBinomial(4, decoded=True, size=None),
    "categorical": Categorical(3),
}
EXTREMES = (1e3, -1e3, torch.inf, -torch.inf, torch.nan)


def a_case(name: str) -> tuple[Entrywise, torch.Tensor, torch.Tensor, torch.Tensor]:
    likelihood = LIKELIHOODS[name]
    generator = torch.Generator().manual_seed(0)
    params = torch.randn(5, 4 * likelihood.params_per_entry, generator=generator)
    x = (torch.rand(5, 4, generator=generator) < 0.5).float()
    mask = torch.rand(5, 4, generator=generator) < 0.5
    mask[:, 0] = True
    return likelihood, params, x, mask


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_params_of_masked_entries_reach_neither_value_nor_gradient(name: str, extreme: float) -> None:
    likelihood, params, x, mask = a_case(name)
    wanted = likelihood.log_prob(params, x, mask)
    hidden = params.masked_fill(~likelihood.mask_of_params(mask), extreme).requires_grad_()
    own = [weight for weight in likelihood.parameters() if weight.requires_grad]
    value = likelihood.log_prob(hidden, x.masked_fill(~mask, torch.nan), mask)
    slope, *slopes = torch.autograd.grad(value.sum(), [hidden, *own])
    torch.testing.assert_close(value, wanted, rtol=0, atol=0)
    assert bool((slope[~likelihood.mask_of_params(mask)] == 0).all())
    assert all(bool(each.isfinite().all()) for each in (slope, *slopes))


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_an_image_is_the_row_of_its_pixels(name: str) -> None:
    if name in ("student", "gaussian", "negative binomial", "decoded dispersion"):
        pytest.skip("of a declared width")
    likelihood, params, x, mask = a_case(name)
    as_image = (params.unflatten(-1, (2, -1)), x.unflatten(-1, (2, 2)), mask.unflatten(-1, (2, 2)))
    if name == "heteroscedastic":  # means, and log variances behind them, a line each
        means, variances = (part.unflatten(-1, (2, 2)) for part in params.chunk(2, -1))
        as_image = (torch.cat([means, variances], -1), *as_image[1:])
    torch.testing.assert_close(likelihood.log_prob(*as_image), likelihood.log_prob(params, x, mask))
    assert likelihood.entry_log_prob(*as_image).shape == (5, 2, 2)


def test_params_that_would_broadcast_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"params has shape \(5, 4\), expected \(…, 5, 1, any\) for x of \(5, 1, 4\)"):
        Bernoulli().log_prob(torch.zeros(5, 4), torch.zeros(5, 1, 4))
    with pytest.raises(ShapeError, match=r"params has shape \(3, 4\), expected \(…, 5, any\) for x of \(5, 4\)"):
        Bernoulli().log_prob(torch.zeros(3, 4), torch.zeros(5, 4))
    assert Bernoulli().log_prob(torch.zeros(7, 5, 4), torch.zeros(5, 4)).shape == (7, 5)
    assert Bernoulli().log_prob(torch.zeros(1, 4), torch.zeros(5, 4)).shape == (5,)


def test_a_steep_decoder_leaves_the_evidence_and_the_mean_of_masked_rows_numbers() -> None:
    """Half of the draws decode the missing entry to a rate that float32 cannot write, and weigh nothing."""
    torch.manual_seed(0)
    decoder = MLPDecoder(1, 2)
    decoder.load_state_dict({"net.0.weight": torch.tensor([[0.0], [1e4]]), "net.0.bias": torch.tensor([0.0, -400.0])})
    vae = VAE(MLPEncoder(2, 1), decoder, Poisson(), StandardNormal(1))
    x, mask = torch.tensor([[1.0, torch.nan]]), torch.tensor([[True, False]])
    generator = torch.Generator().manual_seed(1)
    evidence = importance_evidence(vae, x, mask, k=200, generator=generator).log_evidence
    torch.testing.assert_close(evidence, torch.tensor([-1.0]), atol=0.2, rtol=0)  # Poisson(1) at 1: e^-1


def test_draws_of_no_weight_add_nothing_to_a_mean_even_where_their_own_cannot_be_written() -> None:
    """The observed count pins z to 0; elsewhere the other's rate overflows, and weighs exp(-inf) = 0."""
    torch.manual_seed(0)
    decoder = MLPDecoder(1, 2)
    decoder.load_state_dict({"net.0.weight": torch.tensor([[-3e3], [1e3]]), "net.0.bias": torch.zeros(2)})
    vae = VAE(MLPEncoder(2, 1), decoder, Poisson(), StandardNormal(1))
    x, mask = torch.tensor([[1.0, torch.nan]]), torch.tensor([[True, False]])
    filled = impute(vae, x, mask, k=4000, generator=torch.Generator().manual_seed(1))
    assert bool(filled.mean.isfinite().all())
    assert filled.variance is not None
    assert bool(filled.variance.isfinite().all())
