"""Counterfactuals against closed forms and against a simulator's truth."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae import (
    VAE,
    Gaussian,
    MLPDecoder,
    MLPEncoder,
    StandardNormal,
    TokenSequence,
    causal,
    importance_evidence,
)
from designloop.vae.causal import counterfactual
from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.posteriors import FullNormal
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors import StructuralCausal
from designloop.vae.priors.structural.base import Structural
from designloop.vae.simulators.regulators import Regulators, cells, regulators

CAUSES = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0]])
NOISE = 0.3
"""Variance of x given z."""


class Exact(nn.Module):
    """p(z | x) of a linear decoder and a linear structural prior, in closed form."""

    def __init__(self, weights: Tensor, bias: Tensor, prior: StructuralCausal) -> None:
        super().__init__()
        self.weights, self.bias = weights, bias
        keeps = torch.eye(len(prior.matrix)).double() - prior.matrix.detach()
        self.precision = keeps.T @ (keeps / prior.log_scale.detach().exp().square().unsqueeze(1))
        self.mean = torch.linalg.solve(keeps, prior.offset.detach())

    def forward(self, x: Tensor, mask: Any = None, context: Any = None) -> FullNormal:
        precision = self.precision + self.weights.T @ self.weights / NOISE
        pulled = self.weights.T @ (x - self.bias).T / NOISE + (self.precision @ self.mean).unsqueeze(1)
        factor = torch.linalg.cholesky(precision).expand(len(x), -1, -1)
        return FullNormal(torch.linalg.solve(precision, pulled).T, factor)


def linear_vae(causes: Tensor = CAUSES, seed: int = 0) -> VAE:
    """A linear-Gaussian VAE whose encoder is exact."""
    draw = generator(seed)
    units = len(causes)
    prior = StructuralCausal(causes).double()
    for parameter in (prior.effects, prior.offset, prior.log_scale):
        parameter.data = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    prior.log_scale.data *= 0.3
    decoder = MLPDecoder(units, 4).double()
    for parameter in decoder.parameters():
        parameter.data = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    return with_exact_encoder(prior, decoder)


def with_exact_encoder(prior: StructuralCausal, decoder: MLPDecoder) -> VAE:
    weights, bias = (parameter.detach() for parameter in decoder.parameters())
    return VAE(Exact(weights, bias, prior), decoder, Gaussian(4, NOISE, learned=False), prior).double()


def joint(vae: VAE, do: dict[int, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means and covariance of (x, x′) by the linear maps from all noise to both worlds: x′ less its own noise."""
    prior = vae.prior
    assert isinstance(prior, StructuralCausal)
    a, b = prior.matrix.detach().numpy(), prior.offset.detach().numpy()
    scale = prior.log_scale.detach().exp().numpy()
    weights, bias = (parameter.detach().numpy() for parameter in vae.decoder.parameters())  # type: ignore[attr-defined]
    inverse = np.linalg.inv(np.eye(len(a)) - a)
    cut, shift, noises = a.copy(), b.copy(), np.diag(scale)
    for unit, value in do.items():
        cut[unit], shift[unit], noises[unit] = 0, value, 0
    other = np.linalg.inv(np.eye(len(a)) - cut)
    own, moved = weights @ inverse @ np.diag(scale), weights @ other @ noises
    covariance_x = own @ own.T + NOISE * np.eye(4)
    return (
        weights @ inverse @ b + bias,
        weights @ other @ shift + bias,
        covariance_x,
        np.stack([moved @ own.T, moved @ moved.T]),
    )


@pytest.mark.parametrize("do", [{0: 1.5}, {1: -2.0}, {0: 0.3, 2: 1.0}])
def test_in_the_linear_gaussian_case_it_is_the_conditional_expectation_and_its_draws_have_the_conditional_law(
    do: dict[int, float],
) -> None:
    """E[x′ | x] = μ′ + C_x′x C_xx⁻¹ (x − μ), by the joint normal of both worlds, which knows no posterior of z."""
    vae = linear_vae()
    x = torch.randn(5, 4, generator=generator(1), dtype=torch.float64)
    mean, other_mean, own, (cross, moved) = joint(vae, do)
    gain = cross @ np.linalg.inv(own)
    said = counterfactual(vae, x, do=do)
    np.testing.assert_allclose(said.changed, other_mean + (x.numpy() - mean) @ gain.T, atol=1e-10)
    np.testing.assert_allclose(said.factual, vae.reconstruct(x), atol=1e-12)
    for unit, value in do.items():
        np.testing.assert_allclose(said.changed_z[:, unit], value)
    many = counterfactual(vae, x[:1].expand(20_000, -1), do=do, draws=1, generator=generator(2)).changed
    law = moved - gain @ cross.T
    np.testing.assert_allclose(np.cov(many.numpy().T), law, atol=6 * np.abs(np.diag(law)).max() / 20_000**0.5)
    averaged = counterfactual(vae, x, do=do, draws=4000, generator=generator(3)).changed
    np.testing.assert_allclose(averaged, said.changed, atol=6 * (np.diag(law).max() / 4000) ** 0.5)


def test_a_row_that_was_set_already_stays_so() -> None:
    """In a world of do(z_1 = 0.7) unit 1 owes nothing to unit 0, there and in what would have been."""
    prior = linear_vae().prior
    assert isinstance(prior, StructuralCausal)
    context = {"do": prior.interventions({1: 0.7}, 6)}
    z = prior.sample(1, context, generator())[0].detach()
    changed = prior.counterfactual(z, {0: 2.0}, context).detach()
    np.testing.assert_allclose(changed[:, 1], 0.7)
    effect = (2.0 - z[:, 0]) * float(prior.effects[2, 0].detach())
    np.testing.assert_allclose(changed[:, 2] - z[:, 2], effect)
    np.testing.assert_allclose(prior.counterfactual(z, {1: -1.0}, context).detach()[:, 1], -1.0)

    class Known(nn.Module):
        def forward(self, x: Tensor, mask: Any = None, context: Any = None) -> DiagonalNormal:
            return DiagonalNormal(x, torch.ones_like(x))

    class Itself(nn.Module):
        def forward(self, z: Tensor, context: Any = None) -> Tensor:
            return z

    vae = VAE(Known(), Itself(), Gaussian(3), prior).double()
    said = counterfactual(vae, z, context=context, do={0: 2.0})
    np.testing.assert_allclose(said.changed, changed)


class Truth(Structural):
    """A simulator's own mechanisms."""

    def __init__(self, truth: Regulators) -> None:
        super().__init__(torch.from_numpy(truth.causes))
        self.truth = truth
        self.log_scale.data = torch.from_numpy(np.log(truth.noises / truth.spreads))

    def means(self, z: Tensor) -> Tensor:
        rows = z.detach().reshape(-1, self.latent).numpy()
        columns = [self.truth.expected(rows, i) for i in range(self.latent)]
        return torch.from_numpy(np.stack(columns, 1)).view(z.shape)


def test_with_additive_noise_it_is_the_true_counterfactual() -> None:
    """Of a known nonlinear model whose latents x says exactly."""
    truth = regulators(np.random.default_rng(0))
    seen = cells(truth, 30, np.random.default_rng(1))

    class Reads(nn.Module):
        def forward(self, x: Tensor, mask: Any = None, context: Any = None) -> DiagonalNormal:
            z = torch.from_numpy(truth.read(x.numpy()))
            return DiagonalNormal(z, torch.full_like(z, 1e-6))

    class Expresses(nn.Module):
        def forward(self, z: Tensor, context: Any = None) -> Tensor:
            return torch.from_numpy(truth.expression(z.numpy()))

    vae = VAE(Reads(), Expresses(), Gaussian(30, 1e-4, learned=False), Truth(truth)).double()
    x = torch.from_numpy(truth.expression(seen.factors))
    values = np.linspace(-2, 2, 30)
    for j in range(5):
        said = counterfactual(vae, x, do={j: torch.from_numpy(values)})
        expected = truth.counterfactual(seen.factors, {j: values})
        np.testing.assert_allclose(said.changed_z, expected, atol=1e-6)
        np.testing.assert_allclose(truth.read(said.changed.numpy()), expected, atol=1e-6)
    drawn = vae.prior.sample(2000, None, generator(), do={2: 1.0}).detach().numpy()  # type: ignore[call-arg]
    other = truth.factors(np.random.default_rng(3).standard_normal((2000, 5)), {2: 1.0})
    np.testing.assert_allclose(drawn.mean(0), other.mean(0), atol=5 * (2 / 2000) ** 0.5)


def test_without_labels_two_worlds_make_the_same_data_and_answer_otherwise() -> None:
    """The arrows turned round, and a decoder that goes with them: every x as likely, and do(z_0 = v) another thing."""
    vae = linear_vae()
    prior, (weights, bias) = vae.prior, (parameter.detach() for parameter in vae.decoder.parameters())  # type: ignore[attr-defined]
    assert isinstance(prior, StructuralCausal)
    keeps = torch.eye(3).double() - prior.matrix.detach()
    root = torch.linalg.solve(keeps, torch.diag(prior.log_scale.detach().exp()))  # z = root ε + mean
    mean = torch.linalg.solve(keeps, prior.offset.detach())
    turned = StructuralCausal(CAUSES.T).double()
    # z′ has the law of z, and its arrows the other way: a Cholesky factor with the units in the other order.
    upper = torch.linalg.cholesky((root @ root.T).flip(0, 1)).flip(0, 1)
    scale = upper.diagonal()
    matrix = torch.eye(3).double() - torch.linalg.inv(upper / scale)
    turned.effects.data, turned.log_scale.data = matrix, scale.log()
    turned.offset.data = mean - matrix @ mean
    decoder = MLPDecoder(3, 4).double()
    for parameter, value in zip(decoder.parameters(), (weights, bias), strict=True):
        parameter.data = value
    other = with_exact_encoder(turned, decoder)
    x = torch.randn(50, 4, generator=generator(4), dtype=torch.float64)
    one, two = (importance_evidence(model, x, k=2, generator=generator()).log_evidence for model in (vae, other))
    torch.testing.assert_close(one, two, rtol=0, atol=1e-9)
    apart = counterfactual(vae, x, do={0: 2.0}).changed - counterfactual(other, x, do={0: 2.0}).changed
    assert float(apart.abs().mean()) > 0.5


def test_what_cannot_be_asked_is_told() -> None:
    vae, x = linear_vae(), torch.zeros(3, 4)
    with pytest.raises(VAEError, match="do sets unit 7, the units are 0 to 2"):
        counterfactual(vae, x, do={7: 0.0})
    with pytest.raises(
        ShapeError, match=re.escape("do[1] has shape (2,), expected () or (3,); give a number, or one a row")
    ):
        counterfactual(vae, x, do={1: [0.0, 1.0]})
    with pytest.raises(VAEError, match="draws is 3 and generator None; give a number of draws"):
        counterfactual(vae, x, do={1: 0.0}, draws=3)
    plain = VAE(MLPEncoder(4, 3), MLPDecoder(3, 4), Gaussian(4), StandardNormal(3))
    with pytest.raises(
        VAEError, match=r"counterfactual asks for a structural causal model, the prior is StandardNormal"
    ):
        counterfactual(plain, x, do={0: 0.0})
    graph = plain.with_prior(causal.LearnedGraph(3))
    with pytest.raises(VAEError, match=r"or take vae.with_prior\(prior.settled\(\)\) of a LearnedGraph"):
        counterfactual(graph, x, do={0: 0.0})
    tokens = VAE(MLPEncoder(4, 3), MLPDecoder(3, 4), TokenSequence(4, 2, 3, 3), StructuralCausal(CAUSES))
    with pytest.raises(CapabilityError, match="TokenSequence offers no mean"):
        counterfactual(tokens, x, do={0: 0.0})
