"""Metrics against closed forms, reverse-mode Jacobians, and the divergence that they are the limit of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.geometry.metric import (
    ExpectedEuclidean,
    FisherRao,
    expected_euclidean_metric,
    log_volume,
    metric_tensor,
    pullback_metric,
    pushforward,
    volume,
)
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.likelihoods.tokens import TokenSequence
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.surfaces import SURFACES, Surface
from tests.vae.geometry.known import rng, surface_metric, vae_of


def network(likelihood: Likelihood, params: int, latent: int = 3) -> VAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = MLPDecoder(latent, params, [16])
    return VAE(MLPEncoder(params, latent), decoder, likelihood, StandardNormal(latent)).double().eval()


def latents(n: int = 7, latent: int = 3, seed: int = 1) -> Tensor:
    return torch.randn(n, latent, dtype=torch.float64, generator=rng(seed))


def jacobian(vae: VAE, z: Tensor, of=lambda params: params) -> Tensor:
    """(batch, params, latent) by reverse mode, row by row."""
    rows = [torch.autograd.functional.jacobian(lambda point: of(vae.decode(point[None]))[0], row) for row in z]
    return torch.stack(rows)


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.name)
def test_the_metric_of_known_surfaces(surface: Surface) -> None:
    z = torch.from_numpy(surface.pairs(30, np.random.default_rng(0))[0])
    torch.testing.assert_close(metric_tensor(surface_metric(surface), z), surface.metric(z), rtol=0, atol=1e-9)
    single = metric_tensor(FisherRao(surface_metric(surface).vae.float()), z.float()).double()
    largest = surface.metric(z).amax((1, 2))
    assert float(((single - surface.metric(z)).abs().amax((1, 2)) / largest).max()) < 1e-5


def test_a_gaussian_of_fixed_variance_has_jtj_over_it() -> None:
    vae, z = network(Gaussian(20, 0.4, learned=False), 20), latents()
    j = jacobian(vae, z)
    wanted = j.transpose(1, 2) @ j / 0.4  # which the module rounded to float32 when it was made
    torch.testing.assert_close(pullback_metric(vae, z), wanted, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(expected_euclidean_metric(vae, z), j.transpose(1, 2) @ j, rtol=1e-12, atol=1e-12)


def test_a_gaussian_with_a_variance_network() -> None:
    """JμᵀJμ/σ² + 2 JσᵀJσ/σ², and JμᵀJμ + JσᵀJσ."""
    vae, z = network(HeteroscedasticGaussian(0.0), 10), latents()
    of_mean = jacobian(vae, z, lambda params: params[:, :5])
    of_deviation = jacobian(vae, z, lambda params: (0.5 * params[:, 5:]).exp())
    deviation = (0.5 * vae.decode(z)[:, 5:]).exp().unsqueeze(-1).detach()
    mean, spread = of_mean / deviation, math.sqrt(2) * of_deviation / deviation
    wanted = mean.transpose(1, 2) @ mean + spread.transpose(1, 2) @ spread
    torch.testing.assert_close(pullback_metric(vae, z), wanted, rtol=1e-11, atol=1e-12)
    wanted = of_mean.transpose(1, 2) @ of_mean + of_deviation.transpose(1, 2) @ of_deviation
    torch.testing.assert_close(expected_euclidean_metric(vae, z), wanted, rtol=1e-11, atol=1e-12)


def test_the_expected_euclidean_metric_is_the_mean_over_random_surfaces() -> None:
    """E[JᵀJ] of x = μ + σ ε over 20,000 draws of ε, within 5 standard errors."""
    vae, z = network(HeteroscedasticGaussian(0.0), 10), latents(2)
    noise = torch.randn(20_000, 1, 5, 1, dtype=torch.float64, generator=rng(4))
    j = jacobian(vae, z, lambda p: p[:, :5]) + noise * jacobian(vae, z, lambda p: (0.5 * p[:, 5:]).exp())
    draws = j.transpose(-1, -2) @ j
    error = draws.std(0) / math.sqrt(len(draws))
    assert bool(((draws.mean(0) - expected_euclidean_metric(vae, z)).abs() < 5 * error).all())


def test_fisher_rao_is_twice_the_divergence_of_neighbours() -> None:
    """2 KL(p(x | z) || p(x | z + h t)) / h² -> tᵀ G t; for Bernoulli and Poisson the KL is closed."""

    def bernoulli(params: Tensor, other: Tensor) -> Tensor:
        p, q = params.sigmoid(), other.sigmoid()
        return (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(-1)

    def poisson(params: Tensor, other: Tensor) -> Tensor:
        return (params.exp() * (params - other) - params.exp() + other.exp()).sum(-1)

    for likelihood, divergence in ((Bernoulli(), bernoulli), (Poisson(), poisson)):
        vae, z, along = network(likelihood, 12), latents(), latents(seed=2)
        h = 1e-3
        forward, back = (divergence(vae.decode(z), vae.decode(z + sign * h * along)) for sign in (1, -1))
        form = torch.einsum("bi,bij,bj->b", along, pullback_metric(vae, z), along)
        torch.testing.assert_close(((forward + back) / h**2).detach(), form, rtol=1e-4, atol=1e-8)


def test_volume() -> None:
    surface = SURFACES[0]
    z = torch.from_numpy(surface.pairs(20, np.random.default_rng(0))[0])
    metric = surface_metric(surface)
    torch.testing.assert_close(volume(metric, z), z[:, 0].sin())
    torch.testing.assert_close(log_volume(metric, z), z[:, 0].sin().log())
    flat = FisherRao(vae_of(lambda point: point[:, :1].expand(-1, 3), Gaussian(3, 1.0, learned=False), 2))
    assert volume(flat, z).tolist() == [0.0] * 20


def test_chunks_and_mates_do_not_matter() -> None:
    vae, z = network(Bernoulli(), 12), latents(9)
    whole = metric_tensor(FisherRao(vae), z)
    torch.testing.assert_close(metric_tensor(FisherRao(vae, chunk=2), z), whole)
    torch.testing.assert_close(metric_tensor(FisherRao(vae), z[4:5]), whole[4:5])
    assert metric_tensor(FisherRao(vae), z[:0]).shape == (0, 3, 3)


def test_it_is_differentiable_in_z_alone() -> None:
    vae, z = network(Bernoulli(), 12), latents(4)
    assert not metric_tensor(FisherRao(vae), z).requires_grad
    (result,) = torch.autograd.grad(log_volume(FisherRao(vae), z.requires_grad_()).sum(), z)
    step = torch.zeros_like(z)
    step[:, 1] = 1e-5
    wanted = (log_volume(FisherRao(vae), z + step) - log_volume(FisherRao(vae), z - step)) / 2e-5
    torch.testing.assert_close(result[:, 1], wanted.detach(), rtol=1e-5, atol=1e-7)


class Scaled(nn.Module):
    """A decoder that reads the context."""

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        assert context is not None
        return z * context["scale"][:, None]


class Hyper(nn.Module):
    """Linear maps of every kind: with a bias and without, of what does not depend on z, and of weights that do."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.weights = nn.Linear(2, 4), nn.Linear(4, 3, bias=False), nn.Linear(2, 12)
        self.constant: Tensor
        self.register_buffer("constant", torch.randn(4, generator=rng()))

    def forward(self, z: Tensor) -> Tensor:
        hidden = self.first(z).tanh()
        own, offset = self.weights(z).view(3, 4), self.weights(z)[:3]
        fixed = functional.linear(self.constant, weight=own, bias=offset)
        return torch.cat(
            [self.second(hidden), functional.linear(hidden, own, offset), fixed, self.second(self.constant)]
        )


def test_tangents_go_through_linear_maps_as_in_reverse_mode() -> None:
    """Values, Jacobians, and gradients of what the Jacobians make, whatever depends on z."""
    torch.manual_seed(0)
    net = Hyper().double()
    z = torch.randn(5, 2, dtype=torch.float64, generator=rng(), requires_grad=True)
    unit = torch.eye(2, dtype=torch.float64).expand(5, -1, -1)
    value, pushed = pushforward(lambda z: torch.stack([net(point) for point in z.unbind()]), z, unit)
    jacobians = torch.stack(
        [torch.autograd.functional.jacobian(net, point, create_graph=True) for point in z]  # (features, latent)
    )
    torch.testing.assert_close(value, torch.stack([net(point) for point in z]))
    torch.testing.assert_close(pushed.transpose(1, 2), jacobians)
    (ours,), (wanted,) = (
        torch.autograd.grad(output.sin().sum(), z, retain_graph=True) for output in (pushed, jacobians)
    )
    torch.testing.assert_close(ours, wanted)


def test_context_is_one_row_for_all_or_a_row_each() -> None:
    vae = VAE(MLPEncoder(2, 2), Scaled(), Gaussian(2, 1.0, learned=False), StandardNormal(2)).double()
    z, scales = latents(5, 2), torch.arange(1.0, 6.0, dtype=torch.float64)
    unit = torch.eye(2, dtype=torch.float64).expand(5, 2, 2)
    torch.testing.assert_close(pullback_metric(vae, z, {"scale": scales[1:2]}), 4 * unit)
    together = metric_tensor(FisherRao(vae, {"scale": scales}, chunk=2), z)
    torch.testing.assert_close(together, scales.square()[:, None, None] * unit)
    with pytest.raises(ShapeError, match=r"context\['scale'\] has shape \(5,\), expected \(1, …\) or \(3, …\)"):
        pullback_metric(vae, z[:3], {"scale": scales})


def test_the_size_of_a_library_scales_the_metric_of_counts() -> None:
    """Twice the counts tell twice as much: the Fisher information of a Poisson is its mean in the log rate."""
    vae = network(Poisson(size="library_size"), 6)
    single, double = (pullback_metric(vae, latents(), {"library_size": torch.tensor([s]).double()}) for s in (1.0, 2.0))
    torch.testing.assert_close(double, 2 * single)


def test_what_cannot_be_is_said() -> None:
    vae = network(Gaussian(4), 4)
    with pytest.raises(ShapeError, match=r"z has shape \(5, 2\), expected \(batch, 3\)"):
        pullback_metric(vae, latents(5, 2))
    with pytest.raises(ShapeError, match=r"z has shape \(3,\), expected \(batch, latent\)"):
        pullback_metric(vae, latents()[0])
    with pytest.raises(ShapeError, match=r"tangents has shape \(4, 1, 3\), expected \(5, k, 3\)"):
        FisherRao(vae)(latents(5), torch.zeros(4, 1, 3, dtype=torch.float64))
    tokens = network(TokenSequence(5, 2, 4, 3), 4)
    with pytest.raises(CapabilityError, match=r"TokenSequence offers no fisher; .*SequenceFisherRao or Conditional"):
        FisherRao(tokens)
    with pytest.raises(CapabilityError, match="TokenSequence offers no mean; draw from it by sample"):
        ExpectedEuclidean(tokens)
    random = VAE(MLPEncoder(4, 3), nn.Dropout(), Gaussian(3), StandardNormal(3))
    random.decode = lambda z, context=None: nn.functional.dropout(z)  # type: ignore[method-assign]
    with pytest.raises(VAEError, match=r"the decoder draws random numbers.*call vae\.eval\(\)"):
        pullback_metric(random, latents().float())


def test_what_does_not_depend_on_z_has_no_length() -> None:
    constant = vae_of(lambda z: torch.ones(z.shape[0], 3, dtype=z.dtype), Gaussian(3, 1.0, learned=False), 2)
    assert pullback_metric(constant, latents(4, 2)).tolist() == torch.zeros(4, 2, 2).tolist()
