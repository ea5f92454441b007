"""The library's evidence against closed forms: linear VAEs of its own parts, exact, widened, masked and trained."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.datasets import load_breast_cancer, load_iris
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.linear.linear_gaussian import (
    LinearGaussian,
    canonicalise,
    factor_analysis,
    log_evidence,
    posterior,
    ppca,
)
from designloop.vae.linear.linear_vae import as_vae, exact_vae, expected_elbo, linear_gaussian_of, untrained_vae
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine


def standardised(data: np.ndarray) -> Tensor:
    return torch.from_numpy((data - data.mean(0)) / data.std(0))


CANCER, IRIS = standardised(load_breast_cancer().data), standardised(load_iris().data)

MODELS = {
    "ppca of breast_cancer, 10": (lambda: ppca(CANCER, 10), CANCER),
    "ppca of iris, 2": (lambda: ppca(IRIS, 2), IRIS),
    "factor analysis of breast_cancer, 2": (lambda: factor_analysis(CANCER, 2), CANCER),
}


@pytest.mark.parametrize("name", MODELS)
def test_elbo_iwae_and_evidence_are_one(name) -> None:
    made, x = MODELS[name]
    model = made()
    exact = log_evidence(model, x)
    vae = as_vae(model)
    torch.testing.assert_close(expected_elbo(vae, x), exact, rtol=0, atol=1e-6)
    for k in (1, 2, 7):
        result = importance_evidence(vae, x, k=k, generator=generator(k)).log_evidence
        torch.testing.assert_close(result, exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_a_wider_encoder_loses_what_it_has_to(name) -> None:
    made, x = MODELS[name]
    model = made()
    latent = model.weights.shape[1]
    gap = latent * (0.69 - math.log(1.69)) / 2
    exact = log_evidence(model, x)
    wide = as_vae(model, widen=1.3)
    torch.testing.assert_close(expected_elbo(wide, x), exact - gap, rtol=0, atol=1e-6)
    rows, exact = x[:100], exact[:100]
    means = {}
    for k, repeats in ((1, 40), (10, 20), (100, 5)):
        result = importance_evidence(
            wide, rows.repeat(repeats, 1), k=k, generator=generator(k)
        ).log_evidence - exact.repeat(repeats)
        means[k], error = float(result.mean()), float(result.std()) / math.sqrt(len(result))
        if k == 1:
            assert means[1] == pytest.approx(-gap, abs=4 * error)
    assert means[1] < means[10] < means[100] < 0.01
    tight = float((importance_evidence(wide, rows, k=5000, generator=generator(3)).log_evidence - exact).mean())
    assert tight == pytest.approx(0, abs=0.002)


def test_the_noise_free_elbo_is_the_mean_of_noisy_ones() -> None:
    vae = untrained_vae(4, 3, generator(), dtype=torch.float64)
    noise = vae.draw_noise(len(IRIS), generator(1), samples=2000)
    with torch.no_grad():
        draws = torch.stack([vae.elbo(IRIS, noise=draw) for draw in noise])
    error = draws.std(0) / math.sqrt(len(draws))
    assert float(((draws.mean(0) - expected_elbo(vae, IRIS)) / error).abs().max()) < 4.5  # 150 rows: by chance 0.1 %


def masked(x: Tensor, seed: int = 0) -> Tensor:
    """True where observed, in 70 % of the entries; the first entry of a row that has none."""
    mask = torch.rand(x.shape, generator=generator(seed)) < 0.7
    mask[:, 0] |= ~mask.any(1)
    return mask


@pytest.mark.parametrize("name", MODELS)
def test_a_full_covariance_encoder_is_exact_under_any_mask(name) -> None:
    made, x = MODELS[name]
    model = made()
    x, mask = x[:100], masked(x[:100])
    exact = log_evidence(model, x, mask)
    vae = exact_vae(model)
    hidden = torch.where(mask, x, torch.full_like(x, torch.nan))
    with torch.no_grad():
        one_draw = vae.elbo(hidden, mask, noise=vae.draw_noise(len(x), generator(0)))
    torch.testing.assert_close(one_draw, exact, rtol=0, atol=1e-6)
    result = importance_evidence(vae, hidden, mask, k=3, generator=generator(1)).log_evidence
    torch.testing.assert_close(result, exact, rtol=0, atol=1e-6)
    covariance = posterior(model, x, mask).covariance
    assert float((covariance[1] - covariance[2]).abs().max()) > 1e-6


def test_its_elbo_has_the_gradient_of_the_evidence_so_that_fitting_it_is_maximum_likelihood() -> None:
    x, mask = IRIS[:50], masked(IRIS[:50])
    vae = exact_vae(factor_analysis(IRIS, 1))
    assert isinstance(vae.decoder, MLPDecoder)
    assert isinstance(vae.likelihood, Gaussian)
    layer, log_variance = vae.decoder.net[0], vae.likelihood.log_variance
    assert isinstance(layer, nn.Linear)
    weights = [layer.weight, layer.bias, log_variance]
    hidden = torch.where(mask, x, torch.full_like(x, torch.nan))
    noise = vae.draw_noise(len(x), generator(0))
    slopes = torch.autograd.grad(vae.elbo(hidden, mask, noise=noise).sum(), weights)
    model = LinearGaussian(layer.weight, layer.bias, log_variance.exp())
    exact = torch.autograd.grad(log_evidence(model, hidden, mask).sum(), weights)
    torch.testing.assert_close(slopes, exact, rtol=1e-6, atol=1e-6)
    assert len(list(vae.parameters())) == 3, "the encoder has no weights of its own"


def test_reconstruction_is_the_conditional_mean_of_what_is_missing() -> None:
    model = ppca(IRIS, 2)
    mask = torch.tensor([True, False, True, False]).expand(10, 4)
    result = exact_vae(model).reconstruct(IRIS[:10], mask)
    c = model.covariance
    seen, missing = [0, 2], [1, 3]
    gain = c[missing][:, seen] @ torch.linalg.inv(c[seen][:, seen])
    torch.testing.assert_close(result[:, missing], (IRIS[:10] - model.offset)[:, seen] @ gain.T + model.offset[missing])


def test_a_diagonal_amortised_encoder_meets_masked_evidence_through_iwae() -> None:
    """The exact posterior of masked rows is correlated; a diagonal encoder's ELBO is below, its IWAE is not."""
    model = ppca(IRIS, 2)
    exact_decoder = as_vae(model)
    x, mask = IRIS.repeat(7, 1), masked(IRIS.repeat(7, 1), seed=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = MLPEncoder(4, 2, [32], reads_mask=True).double()
    vae = VAE(encoder, exact_decoder.decoder.requires_grad_(False),  # type: ignore[attr-defined]
              exact_decoder.likelihood.requires_grad_(False), StandardNormal(2).double())  # fmt: skip
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    fit(vae, ELBO(), (Batch(x, mask) for _ in range(400)), optimizer, generator=generator(), schedule=cosine(400))
    x, mask = IRIS, masked(IRIS, seed=2)
    exact = log_evidence(model, x, mask)
    gap = float((exact - expected_elbo(vae, x, mask)).mean())
    assert gap > 0.01
    missed = exact - importance_evidence(vae, x, mask, k=3000, generator=generator(3)).log_evidence
    error = float(missed.std()) / math.sqrt(len(missed))
    assert float(missed.mean()) == pytest.approx(0, abs=max(0.01, 4 * error))
    assert abs(float(missed.mean())) < 0.1 * gap


def test_a_trained_linear_vae_comes_near_the_maximum_and_spans_its_subspace() -> None:
    best = ppca(IRIS, 2)
    top = float(log_evidence(best, IRIS).mean())
    vae = untrained_vae(4, 2, generator(), dtype=torch.float64)
    batch = Batch(IRIS.repeat(7, 1))
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.03)
    fit(vae, ELBO(), (batch for _ in range(700)), optimizer, generator=generator(1), schedule=cosine(700))
    own = linear_gaussian_of(vae)
    evidence = float(log_evidence(own, IRIS).mean())
    assert top - 0.02 < float(expected_elbo(vae, IRIS).mean()) <= evidence <= top
    assert np.degrees(subspace_angles(own.weights.numpy(), best.weights.numpy()).max()) < 1
    # Its diagonal encoder has made it canonical: turned further it stays what it is, up to the order of its units.
    turned = canonicalise(own).covariance
    torch.testing.assert_close(turned, own.covariance)


def test_there_and_back_again() -> None:
    for model in (canonicalise(ppca(IRIS, 2)), factor_analysis(IRIS, 1)):
        again = linear_gaussian_of(as_vae(model))
        torch.testing.assert_close(again.weights, model.weights)
        torch.testing.assert_close(again.offset, model.offset)
        torch.testing.assert_close(again.variance, model.variance)


def test_the_parts_are_trainable_and_of_the_models_dtype() -> None:
    for dtype in (torch.float32, torch.float64):
        vae = untrained_vae(5, 2, generator(), per_feature=True, dtype=dtype)
        parameters = dict(vae.named_parameters())
        assert {name.split(".")[0] for name in parameters} == {"encoder", "decoder", "likelihood"}
        assert all(parameter.requires_grad and parameter.dtype == dtype for parameter in parameters.values())
        assert vae.sample(3, generator=generator()).dtype == dtype
    assert isinstance(vae.likelihood, Gaussian)
    assert vae.likelihood.log_variance.shape == (5,)


def test_an_untrained_vae_follows_its_generator_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (untrained_vae(5, 2, generator(seed)) for seed in (0, 0, 1))
    expected_elbo(first, torch.zeros(2, 5))
    linear_gaussian_of(first)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(linear_gaussian_of(first).weights, linear_gaussian_of(again).weights)
    assert not torch.equal(linear_gaussian_of(first).weights, linear_gaussian_of(other).weights)


def test_what_is_not_linear_is_told() -> None:
    curved = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3, [8]), Gaussian(3), StandardNormal(2))
    with pytest.raises(VAEError, match="the decoder is not linear in z; give MLPDecoder no hidden widths"):
        linear_gaussian_of(curved)
    with pytest.raises(VAEError, match="the likelihood is Bernoulli, expected Gaussian"):
        linear_gaussian_of(VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Bernoulli(), StandardNormal(2)))
    sharp = LinearGaussian(torch.full((3, 1), 1e6), torch.zeros(3), torch.ones(1) * 1e-6)
    with pytest.raises(VAEError, match=r"log scales .* scale the data or lower latent"):
        as_vae(sharp)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = Path(__file__).parents[3] / "docs" / "vae" / "linear.md"
    (source,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    quick = source.replace("steps, chains = 2000, 1000", "steps, chains = 20, 60")
    assert quick != source
    monkeypatch.chdir(tmp_path)
    exec(compile(quick, str(page), "exec"), {})
    assert (tmp_path / "linear.svg").stat().st_size > 10_000
    assert "g_R" in capsys.readouterr().out
