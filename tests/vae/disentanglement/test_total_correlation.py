"""Estimators of total correlation against the closed form of normals, against each other, and against plain loops."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.disentanglement.total_correlation import (
    DensityRatio,
    TotalCorrelation,
    gaussian_total_correlation,
    membership,
    permute_groups,
    stratified_log_weights,
    stratified_log_weights_within,
    total_correlation_of,
    weighted_log_weights,
)
from designloop.vae.errors import MissingContextError, ShapeError, VAEError
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE, ForwardPass
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.epochs import fit_epochs
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO, Loss, PropertyRegression

CORRELATED = torch.tensor([[1.0, 0.7, 0.3], [0.7, 1.0, 0.1], [0.3, 0.1, 1.0]], dtype=torch.float64)


def posteriors(rows: int, latent: int = 3, seed: int = 0) -> DiagonalNormal:
    numbers = torch.randn(2, rows, latent, generator=generator(seed), dtype=torch.float64)
    return DiagonalNormal(numbers[0], (0.3 * numbers[1] - 0.5).exp())


def normal_posteriors(rows: int, covariance: Tensor, scale: float, seed: int = 0) -> DiagonalNormal:
    """Whose aggregate is N(0, covariance), as there are more and more rows."""
    spread = torch.linalg.cholesky(covariance - scale**2 * torch.eye(len(covariance), dtype=torch.float64))
    noise = torch.randn(rows, len(covariance), generator=generator(seed), dtype=torch.float64)
    return DiagonalNormal(noise @ spread.T, torch.full_like(noise, scale))


def a_pass(q: DiagonalNormal, z: Tensor, **context: Tensor) -> ForwardPass:
    zeros = z.new_zeros(len(z))
    return ForwardPass(z, None, q, z, z, zeros, zeros, context)


def test_it_is_the_logarithm_of_mixtures_written_out() -> None:
    q, z = posteriors(4), posteriors(3, seed=1).mean
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    result = total_correlation_of(z, q, weights.log(), [[0, 2], [1]])
    for row in range(3):
        density = torch.distributions.Normal(q.mean, q.scale).log_prob(z[row]).exp()
        joint = (weights * density.prod(1)).sum()
        pair, single = (weights * density[:, 0] * density[:, 2]).sum(), (weights * density[:, 1]).sum()
        assert float(result[row]) == pytest.approx(float((joint / (pair * single)).log()), abs=1e-12)


def test_one_component_one_group_and_one_unit_have_none() -> None:
    q = posteriors(5)
    z = q.rsample(generator())
    torch.testing.assert_close(total_correlation_of(z, q, groups=[[0, 1, 2]]), torch.zeros(5, dtype=torch.float64))
    component = DiagonalNormal(q.mean[:1], q.scale[:1])
    torch.testing.assert_close(
        total_correlation_of(z, component), torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("latent", [2, 3, 7])
@pytest.mark.parametrize("rows", [16, 1000])
def test_weighted_is_the_naive_mixture_and_a_constant(latent: int, rows: int) -> None:
    """On the same batch: (d − 1) ln N, which at M = N is its exact bias, as the naive mixture is q(z) then."""
    q = posteriors(16, latent)
    z = q.rsample(generator(1))
    apart = total_correlation_of(z, q, weighted_log_weights(16, rows)) - total_correlation_of(z, q)
    torch.testing.assert_close(apart, torch.full_like(apart, (latent - 1) * math.log(rows)), rtol=0, atol=1e-6)


def test_stratified_weights_are_chens_averaged_over_which_row_is_last() -> None:
    batch, rows = 4, 11
    m = batch - 1
    for own in range(batch):
        others = [row for row in range(batch) if row != own]
        mean = torch.zeros(batch, dtype=torch.float64)
        for last in others:  # Chen et al. 2018, eq. S6: M + 1 rows in a batch, one of them the row itself
            drawn = torch.full((batch,), 1 / m, dtype=torch.float64)
            drawn[own], drawn[last] = 1 / rows, (rows - m) / (rows * m)
            mean += drawn / len(others)
        torch.testing.assert_close(stratified_log_weights(batch, rows)[own].exp(), mean)


def test_stratified_densities_are_unbiased_over_all_batches_and_exact_for_all_rows() -> None:
    q = posteriors(6)
    z = posteriors(1, seed=3).mean
    densities = torch.distributions.Normal(q.mean, q.scale).log_prob(z).sum(1).exp()
    result = []
    for others in itertools.combinations(range(1, 6), 2):
        rows = torch.tensor([0, *others])
        result.append(stratified_log_weights(3, 6)[0].exp() @ densities[rows])
    assert float(torch.stack(result).mean()) == pytest.approx(float(densities.mean()), rel=1e-12)
    torch.testing.assert_close(stratified_log_weights(6, 6).exp(), torch.full((6, 6), 1 / 6, dtype=torch.float64))


def normal_log_ratio(z: Tensor, covariance: Tensor, groups: list[list[int]]) -> Tensor:
    def log_density(units: list[int]) -> Tensor:
        own = covariance[units][:, units]
        normal = torch.distributions.MultivariateNormal(torch.zeros(len(units)).double(), own)
        result: Tensor = normal.log_prob(z[:, units])
        return result

    return log_density(list(range(z.shape[1]))) - torch.stack([log_density(group) for group in groups]).sum(0)


@pytest.mark.parametrize("groups", [[[0], [1], [2]], [[0, 1], [2]]])
def test_estimates_reach_the_closed_form_of_a_normal(groups: list[list[int]]) -> None:
    """The full aggregate within 0.02 nats, batches of 250 of 2,000 within 0.06, beside the truth at the same draws."""
    q = normal_posteriors(2000, CORRELATED, 0.5)
    z = q.rsample(generator(1))
    truth = normal_log_ratio(z, CORRELATED, groups)
    full = total_correlation_of(z[:500], q, groups=groups)
    assert float((full - truth[:500]).mean()) == pytest.approx(0, abs=0.02)
    stratum, naive = [], []
    for rows in torch.arange(2000).split(250):
        own = DiagonalNormal(q.mean[rows], q.scale[rows])
        stratum.append(total_correlation_of(z[rows], own, stratified_log_weights(250, 2000), groups))
        naive.append(total_correlation_of(z[rows], own, groups=groups))
    assert float((torch.cat(stratum) - truth).mean()) == pytest.approx(0, abs=0.06)
    assert float(torch.cat(naive).mean()) > float(torch.cat(stratum).mean())  # a row's own component weighs too much
    many = normal_posteriors(200_000, CORRELATED, 0.0).mean
    wanted = float(gaussian_total_correlation(CORRELATED, groups))
    assert float(normal_log_ratio(many, CORRELATED, groups).mean()) == pytest.approx(wanted, abs=0.01)


def test_the_closed_form_of_two_units() -> None:
    assert float(gaussian_total_correlation(CORRELATED[:2, :2])) == pytest.approx(-0.5 * math.log(1 - 0.7**2))
    assert float(gaussian_total_correlation(CORRELATED, [[0, 1, 2]])) == pytest.approx(0, abs=1e-12)
    chain = gaussian_total_correlation(CORRELATED, [[0, 1], [2]]) + gaussian_total_correlation(CORRELATED[:2, :2])
    torch.testing.assert_close(gaussian_total_correlation(CORRELATED), chain)  # TC of all = between groups + within


def test_a_discriminator_finds_the_closed_form() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ratio = DensityRatio(2, generator(), hidden=(32,), rate=1e-2)
    spread = torch.linalg.cholesky(CORRELATED[:2, :2]).float()
    own = generator(2)
    for step in range(400):
        for group in ratio.optimizer.param_groups:
            group["lr"] = 1e-2 * (1 - step / 400)
        ratio.learn(torch.randn(512, 2, generator=own) @ spread.T)
    with torch.no_grad():
        result = ratio.log_ratio(torch.randn(20_000, 2, generator=own) @ spread.T).mean()
    assert float(result) == pytest.approx(float(gaussian_total_correlation(CORRELATED[:2, :2])), abs=0.04)


def test_within_strata_it_is_that_of_each_stratum() -> None:
    q, labels = posteriors(9), torch.tensor([0, 1, 0, 1, 1, 0, 0, 1, 2])
    z = q.rsample(generator(1))
    result = total_correlation_of(z, q, stratified_log_weights_within(labels, torch.tensor([20, 30, 5])))
    for label, rows in ((0, 20), (1, 30)):
        own = labels == label
        alone = total_correlation_of(z[own], DiagonalNormal(q.mean[own], q.scale[own]), stratified_log_weights(4, rows))
        torch.testing.assert_close(result[own], alone)
    assert float(result[8]) == pytest.approx(0, abs=1e-12)
    term = TotalCorrelation(torch.tensor([20, 30, 5]), given="type")
    torch.testing.assert_close(term(a_pass(q, z, type=labels)), result.mean())
    whole = total_correlation_of(z, q, stratified_log_weights(9, 50))
    torch.testing.assert_close(TotalCorrelation(50)(a_pass(q, z)), whole.mean())
    few = DiagonalNormal(q.mean[:4], q.scale[:4])
    part = total_correlation_of(z[:4], few, stratified_log_weights(4, 50)).mean()
    torch.testing.assert_close(TotalCorrelation(50, most=4)(a_pass(q, z)), part)


def test_shuffled_groups_stay_together_and_lose_the_others() -> None:
    z = torch.arange(40.0).view(10, 4)
    result = permute_groups(z, generator(), [[0, 3], [1], [2]])
    assert (result[:, 3] - result[:, 0] == 3).all()
    assert (result[:, 1] - result[:, 0] != 1).any()
    assert all(torch.equal(result[:, unit].sort().values, z[:, unit]) for unit in range(4))


def test_a_step_moves_the_vae_by_the_term_and_the_discriminator_by_its_own() -> None:
    ratio = DensityRatio(3, generator())
    before = [parameter.clone() for parameter in ratio.discriminator.parameters()]
    mean = torch.randn(8, 3, generator=generator(1), requires_grad=True)
    out = a_pass(DiagonalNormal(mean, torch.ones(8, 3)), mean)
    ratio(out).mean().backward()
    assert mean.grad is not None
    assert float(mean.grad.abs().sum()) > 0
    grad = mean.grad.clone()
    ratio.update(out)
    assert torch.equal(mean.grad, grad)
    assert all(not torch.equal(a, b) for a, b in zip(before, ratio.discriminator.parameters(), strict=True))
    assert int(ratio.step) == 1


def test_the_vaes_own_steps_never_move_the_discriminator() -> None:
    def parts() -> tuple[VAE, Loss, DensityRatio]:
        ratio = DensityRatio(2, generator(), rate=0.0)  # which its own steps leave alone
        return VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2)), ELBO() + 5.0 * ratio, ratio

    x = torch.randn(16, 3, generator=generator(1))
    vae, loss, ratio = parts()
    before = [parameter.clone() for parameter in ratio.discriminator.parameters()]
    fit_epochs(vae, loss, x, epochs=2, rate=0.1)
    assert all(torch.equal(a, b) for a, b in zip(before, ratio.discriminator.parameters(), strict=True))
    assert loss.learned() == []
    everything = torch.optim.SGD([*vae.parameters(), *loss.parameters()], lr=0.1)
    with pytest.raises(VAEError, match="the optimizer holds parameters of a term that trains them itself, against the"):
        fit(vae, loss, [Batch(x)], everything, generator=generator())
    head = PropertyRegression(torch.nn.Linear(2, 1), "y")
    assert (head + loss).learned() == list(head.parameters())


def test_what_cannot_be_is_told() -> None:
    q = posteriors(4)
    with pytest.raises(ShapeError, match=r"z has shape \(4, 2\), expected \(batch, 3\) as the posterior"):
        total_correlation_of(q.mean[:, :2], q)
    with pytest.raises(ShapeError, match=r"log_weights has shape \(3,\), expected \(4, 4\) or \(4,\)"):
        total_correlation_of(q.mean, q, torch.zeros(3))
    with pytest.raises(VAEError, match=r"groups is \[\[0\], \[0, 1\]\], expected each of the units 0 to 2 in one"):
        membership([[0], [0, 1]], 3)
    with pytest.raises(VAEError, match="batch is 8 of 4 rows, expected 2 to 4; give rows the length of the data"):
        stratified_log_weights(8, 4)
    with pytest.raises(VAEError, match="give one number, or one a label where given is set"):
        TotalCorrelation(5, given="type")
    with pytest.raises(MissingContextError, match="TotalCorrelation reads context"):
        TotalCorrelation(torch.tensor([2, 2]), given="type")(a_pass(q, q.mean))
