"""The VAE's evidence against a closed form: a linear-Gaussian VAE at PPCA's maximum (Tipping & Bishop 1999)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_iris
from torch import Tensor, nn

from designloop.vae.errors import CapabilityError, VAEError
from designloop.vae.inference.active_units import active_units
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.priors.standard_normal import NoisedStandardNormal, StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO


def standardised(data: np.ndarray) -> Tensor:
    return torch.from_numpy((data - data.mean(0)) / data.std(0))


def ppca(x: Tensor, q: int, widen: float = 1.0) -> tuple[VAE, float]:
    """A VAE with PPCA's maximum-likelihood weights in the canonical rotation, and the exact log-likelihood a row."""
    n, d = x.shape
    values, vectors = torch.linalg.eigh(x.T @ x / n)
    values, vectors = values.flip(0), vectors.flip(1)
    noise = float(values[q:].mean())
    weights = vectors[:, :q] * (values[:q] - noise).sqrt()
    inverse = torch.diag(1 / (values[:q] - noise + noise))

    class Encoder(nn.Module):
        def forward(self, x: Tensor, mask: Tensor | None = None, context: object = None) -> DiagonalNormal:
            mean = x @ weights @ inverse
            return DiagonalNormal(mean, widen * (noise / values[:q]).sqrt().expand_as(mean))

    decoder = MLPDecoder(q, d).double()
    decoder.load_state_dict({"net.0.weight": weights, "net.0.bias": torch.zeros(d).double()})
    vae = VAE(Encoder(), decoder, Gaussian(d, noise, learned=False).double(), StandardNormal(q).double())
    exact = -0.5 * (d * math.log(2 * math.pi) + float(values[:q].log().sum()) + (d - q) * math.log(noise) + d)
    return vae, exact


CASES = [(load_breast_cancer, 2, -31.6849), (load_breast_cancer, 5, -24.6251), (load_iris, 2, -3.6863)]


@pytest.mark.parametrize(("loader", "q", "published"), CASES)
def test_evidence_of_ppca(loader, q, published) -> None:
    x = standardised(loader().data)
    vae, exact = ppca(x, q)
    assert exact == pytest.approx(published, abs=5e-5)
    generator = torch.Generator().manual_seed(0)
    for k in (1, 7):
        rows = importance_evidence(vae, x, k=k, generator=generator).log_evidence
        assert float(rows.mean()) == pytest.approx(exact, abs=1e-6)


def test_elbo_of_ppca_in_expectation_and_with_a_wider_encoder() -> None:
    x = standardised(load_breast_cancer().data)
    vae, exact = ppca(x, 2)
    wide, _ = ppca(x, 2, widen=1.3)
    noise = vae.draw_noise(len(x), torch.Generator().manual_seed(1), samples=100)
    with torch.no_grad():
        mean = torch.stack([vae.elbo(x, noise=draw) for draw in noise]).mean()
        single = importance_evidence(
            wide, x.repeat(40, 1), k=1, generator=torch.Generator().manual_seed(2)
        ).log_evidence
    assert float(mean) == pytest.approx(exact, abs=0.05)
    gap = 2 * (0.69 - math.log(1.69)) / 2
    error = float(single.std()) / math.sqrt(len(single))
    assert float(single.mean()) == pytest.approx(exact - gap, abs=4 * error)
    many = importance_evidence(wide, x, k=100, generator=torch.Generator().manual_seed(3)).log_evidence
    assert float(single.mean()) < float(many.mean()) < exact + 0.01


def test_pass_is_pure_and_compiles_whole() -> None:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(6, 2, [8]), MLPDecoder(2, 6, [8]), Bernoulli(), StandardNormal(2))
    x = (torch.rand(5, 6) > 0.5).float()
    noise = vae.draw_noise(5, torch.Generator().manual_seed(0))
    eager = vae.elbo(x, noise=noise)
    assert torch.equal(eager, vae.elbo(x, noise=noise))
    compiled = torch.compile(vae.elbo, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, noise=noise), eager)


def test_a_model_that_reads_masks_and_contexts_compiles_whole() -> None:
    """Counts with a library size and a prior that is told the type; what is asked of values is left out."""
    torch.manual_seed(0)
    vae = VAE(
        MLPEncoder(6, 2, [8]), MLPDecoder(2, 6, [8]), NegativeBinomial(6, 2.0), ConditionalNormal(2, nn.Embedding(3, 4))
    )
    x = torch.poisson(torch.full((5, 6), 3.0), generator=torch.Generator().manual_seed(0))
    context = {"library_size": x.sum(-1), "condition": torch.tensor([0, 1, 2, 1, 0])}
    mask = torch.rand(5, 6, generator=torch.Generator().manual_seed(1)) < 0.8
    noise = vae.draw_noise(5, torch.Generator().manual_seed(2))
    compiled = torch.compile(vae.elbo, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x, mask, context, noise=noise), vae.elbo(x, mask, context, noise=noise))


def test_counts_are_learned_in_bfloat16_too() -> None:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(6, 2, [8]), MLPDecoder(2, 6), NegativeBinomial(6), StandardNormal(2))
    x = torch.poisson(torch.full((64, 6), 300.0), generator=torch.Generator().manual_seed(0))
    context, losses = {"library_size": x.sum(-1)}, []
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.05)
    batches = [Batch(x, context=context)] * 60
    fit(
        vae, ELBO(), batches, optimizer, generator=torch.Generator().manual_seed(0), precision=torch.bfloat16,
        on_step=lambda step: losses.append(step.loss),
    )  # fmt: skip
    assert losses[-1] < losses[0] - 5


def test_samples_follow_the_generator_alone() -> None:
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2))
    first, again, other = (vae.sample(4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert first.shape == (4, 3)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_prior_of_another_width_is_refused() -> None:
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2))
    with pytest.raises(VAEError, match="the prior has 5 units, this VAE 2"):
        vae.with_prior(StandardNormal(5))
    assert vae.with_prior(StandardNormal(2)).decoder is vae.decoder


def test_parts_derive_from_their_base_classes() -> None:
    encoder, decoder = MLPEncoder(3, 2), MLPDecoder(2, 3)
    with pytest.raises(VAEError, match=r"Identity does not derive from Likelihood; write class Identity\(Likelihood\)"):
        VAE(encoder, decoder, nn.Identity(), StandardNormal(2))  # type: ignore[arg-type]
    with pytest.raises(VAEError, match=r"Identity does not derive from Prior; write class Identity\(Prior\), from"):
        VAE(encoder, decoder, Gaussian(3), nn.Identity())  # type: ignore[arg-type]
    with pytest.raises(VAEError, match="Identity does not derive from Prior"):
        VAE(encoder, decoder, Gaussian(3), StandardNormal(2)).with_prior(nn.Identity())  # type: ignore[arg-type]


def test_an_elbo_needs_a_density_or_a_closed_kl() -> None:
    class OnlySamples(Prior):
        latent = 2

        def sample(self, n, context=None, generator=None):
            return torch.zeros(n, 2)

    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), OnlySamples())
    assert vae.sample(4).shape == (4, 3)
    with pytest.raises(CapabilityError, match="OnlySamples offers no log_prob; it can only be sampled from"):
        vae.elbo(torch.zeros(1, 3), noise=torch.zeros(1, 2))


def test_a_likelihood_without_a_mean_reconstructs_nothing() -> None:
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 6), Categorical(2), StandardNormal(2))
    with pytest.raises(CapabilityError, match="Categorical offers no mean; draw from it by sample"):
        vae.reconstruct(torch.zeros(1, 3))


def test_noised_prior_is_the_standard_normal_at_level_zero_and_wider_above() -> None:
    prior, plain = NoisedStandardNormal(3).double(), StandardNormal(3).double()
    z = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    q = DiagonalNormal(z, torch.full_like(z, 0.7))
    still = {"noise": torch.zeros(4, dtype=torch.float64)}
    torch.testing.assert_close(prior.kl(q, z, still), plain.kl(q, z))
    torch.testing.assert_close(prior.log_prob(z, still), plain.log_prob(z))
    level = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)
    wanted = torch.distributions.Normal(0.0, (1 + level**2).sqrt().unsqueeze(-1))
    torch.testing.assert_close(prior.log_prob(z, {"noise": level}), wanted.log_prob(z).sum(-1))
    closed = torch.distributions.kl_divergence(torch.distributions.Normal(q.mean, q.scale), wanted).sum(-1)
    torch.testing.assert_close(prior.kl(q, z, {"noise": level}), closed)
    drawn = prior.sample(20_000, {"noise": level}, torch.Generator().manual_seed(1))
    assert drawn.shape == (20_000, 4, 3)
    # 60,000 draws a level: the sd of a sample variance's ratio is 0.6 %, four of them are 2.4 %
    torch.testing.assert_close(drawn.var((0, 2)), 1 + level**2, rtol=0.024, atol=0)


def test_active_units_are_those_whose_means_move() -> None:
    """A unit's mean is a multiple of one feature, whose variance is 1: it is active where the square exceeds 0.01."""
    gains = torch.tensor([0.0, 0.09, 0.11, 2.0], dtype=torch.float64)

    def encode(x: Tensor, mask: object = None, context: object = None) -> DiagonalNormal:
        return DiagonalNormal(x[:, :1] * gains, torch.ones(len(x), 4, dtype=torch.float64))

    x = torch.tensor([[1.0, 0.0], [-1.0, 5.0]], dtype=torch.float64)
    vae = VAE(encode, MLPDecoder(4, 2).double(), Gaussian(2).double(), StandardNormal(4).double())
    assert active_units(vae, x).tolist() == [False, False, True, True]
    assert active_units(vae, x, least=1e-6).tolist() == [False, True, True, True]


def test_data_that_cannot_be_is_refused_at_every_door() -> None:
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2))
    x = torch.zeros(4, 3)
    x[2, 1] = torch.nan
    seen = x.isfinite()
    noise = torch.zeros(4, 2)
    for door in (lambda: vae.elbo(x, noise=noise), lambda: vae.reconstruct(x), lambda: importance_evidence(vae, x, k=1),
                 lambda: active_units(vae, x), lambda: vae(x)):  # fmt: skip
        with pytest.raises(VAEError, match="x has 1 entries that are NaN or infinite, the first in row 2; give a mask"):
            door()
    assert bool(vae.elbo(x, seen, noise=noise).isfinite().all())
    with pytest.raises(VAEError, match=r"mask observes nothing of 4 rows of 4 \(0, 1, 2, 3\); leave those rows out"):
        vae.elbo(x, torch.zeros_like(seen), noise=noise)
