"""Scores against closed forms and scipy; that they repeat; and a peptide against ZINC on the shipped sequence VAE."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor, nn

import designloop
from designloop.molecules import corpus
from designloop.testing.draws import generator
from designloop.vae.anomaly.conformal import conformal_p_values
from designloop.vae.anomaly.scores import (
    SCORES,
    anomaly_score,
    decoder_nll,
    fixed_evidence,
    fixed_noise,
    negative_elbo,
    negative_evidence,
    pearson,
    pearson_residuals,
    reconstruction_error,
)
from designloop.vae.errors import CapabilityError, VAEError
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.linear.linear_gaussian import log_evidence, posterior, ppca
from designloop.vae.linear.linear_vae import as_vae, exact_vae
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.standard_normal import StandardNormal

FEATURES, LATENT = 6, 2


def rows(n: int = 50) -> Tensor:
    z = torch.randn(n, LATENT, dtype=torch.float64, generator=generator())
    weights = torch.randn(LATENT, FEATURES, dtype=torch.float64, generator=generator(1))
    return z @ weights + 0.5 * torch.randn(n, FEATURES, dtype=torch.float64, generator=generator(2))


def a_mask(x: Tensor) -> Tensor:
    mask = torch.rand(x.shape, generator=generator(3)) < 0.6
    mask[:, 0] |= ~mask.any(1)
    return mask


def counting() -> tuple[VAE, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = VAE(
            MLPEncoder(FEATURES, LATENT, [8]), MLPDecoder(LATENT, FEATURES), NegativeBinomial(FEATURES, 2.0, size=None),
            StandardNormal(LATENT),
        ).double().eval()  # fmt: skip
    return vae, torch.poisson(torch.full((20, FEATURES), 3.0, dtype=torch.float64), generator=generator())


@pytest.mark.parametrize("k", [1, 7, 64])
def test_the_evidence_of_ppca_is_exact_for_every_k(k: int) -> None:
    x = rows()
    model = ppca(x, LATENT)
    torch.testing.assert_close(negative_evidence(as_vae(model), x, k=k), -log_evidence(model, x), atol=1e-8, rtol=0)
    assert torch.equal(anomaly_score(as_vae(model), x, k=k), negative_evidence(as_vae(model), x, k=k))


def test_the_evidence_of_what_is_observed_is_exact() -> None:
    x = rows()
    model, mask = ppca(x, LATENT), a_mask(x)
    holes = torch.where(mask, x, torch.nan)
    result = negative_evidence(exact_vae(model), holes, mask, k=3)
    torch.testing.assert_close(result, -log_evidence(model, x, mask), atol=1e-8, rtol=0)


def test_an_encoder_too_wide_costs_the_elbo_what_it_has_to_and_the_evidence_nothing() -> None:
    x = rows()
    model = ppca(x, LATENT)
    wide = as_vae(model, widen=1.3)
    gap = LATENT * (0.69 - math.log(1.69)) / 2
    torch.testing.assert_close(negative_elbo(wide, x, k=4096), gap - log_evidence(model, x), atol=0.02, rtol=0)
    torch.testing.assert_close(negative_evidence(wide, x, k=4096), -log_evidence(model, x), atol=5e-3, rtol=0)
    result = fixed_evidence(wide, x, k=256)
    assert bool((result.effective_samples > 128).all())


def test_the_decoders_nll_squared_error_and_residuals_are_those_of_the_mean() -> None:
    x = rows()
    model = ppca(x, LATENT)
    vae, mask = as_vae(model), a_mask(x)
    seen = (posterior(model, x).mean @ model.weights.T + model.offset).numpy()
    sd = math.sqrt(float(model.variance))
    entries = -norm.logpdf(x.numpy(), seen, sd)
    np.testing.assert_allclose(decoder_nll(vae, x), entries.sum(1), rtol=1e-9)
    np.testing.assert_allclose(reconstruction_error(vae, x), ((x.numpy() - seen) ** 2).mean(1), rtol=1e-9)
    np.testing.assert_allclose(pearson_residuals(vae, x), (x.numpy() - seen) / sd, rtol=1e-7)
    np.testing.assert_allclose(pearson(vae, x), (((x.numpy() - seen) / sd) ** 2).mean(1), rtol=1e-9)
    # Where entries are missing, they count neither above nor below.
    whole = exact_vae(model)
    seen = (posterior(model, x, mask).mean @ model.weights.T + model.offset).numpy()
    observed, squares = mask.numpy(), (x.numpy() - seen) ** 2
    np.testing.assert_allclose(
        reconstruction_error(whole, x, mask), (squares * observed).sum(1) / observed.sum(1), rtol=1e-8
    )
    assert bool((pearson_residuals(whole, x, mask)[~mask] == 0).all())


def test_pearson_residuals_of_counts_are_in_units_of_the_negative_binomials_spread() -> None:
    vae, x = counting()
    with torch.no_grad():
        mean = vae.reconstruct(x)
    torch.testing.assert_close(pearson_residuals(vae, x), (x - mean) / (mean + mean.square() / 2.0).sqrt())


@pytest.mark.parametrize("name", list(SCORES))
def test_a_score_is_a_function_of_its_row_alone(name: str) -> None:
    score = SCORES[name]
    for vae, x in ((as_vae(ppca(rows(), LATENT), widen=1.3), rows()), counting()):
        torch.manual_seed(1)
        once = score(vae, x)
        assert torch.equal(score(vae, x), once)
        assert once.shape == (len(x),)
        turned = torch.cat([score(vae, rows) for rows in x.flip(0).split(3)]).flip(0)
        torch.testing.assert_close(turned, once, rtol=1e-10, atol=1e-10)


def test_no_dropout_is_drawn_and_the_mode_stays() -> None:
    class Forgetful(nn.Module):
        def forward(self, x: Tensor, mask: Tensor | None = None, context: object = None) -> DiagonalNormal:
            mean = nn.functional.dropout(x[:, :LATENT], 0.5, self.training)
            return DiagonalNormal(mean, torch.ones_like(mean))

    like = as_vae(ppca(rows(), LATENT))
    vae = VAE(Forgetful(), like.decoder, like.likelihood, like.prior).train()
    for score in SCORES.values():
        assert torch.equal(score(vae, rows()), score(vae, rows()))
        assert vae.training


def test_the_fixed_points_are_spread_as_a_standard_normal_and_draw_nothing() -> None:
    before = torch.get_rng_state()
    points = fixed_noise(8, 2048, torch.zeros((), dtype=torch.float64))
    assert torch.equal(torch.get_rng_state(), before)
    assert float(points.mean(0).abs().max()) < 0.005
    torch.testing.assert_close(torch.cov(points.T), torch.eye(8, dtype=torch.float64), atol=0.03, rtol=0)
    assert fixed_noise(8, 4, torch.zeros(())).dtype == torch.float32


def test_scores_keep_the_dtype() -> None:
    vae = as_vae(ppca(rows(), LATENT)).float()
    assert all(score(vae, rows().float()).dtype == torch.float32 for score in SCORES.values())


def test_what_cannot_be_is_said() -> None:
    vae, hole = as_vae(ppca(rows(), LATENT)), rows()
    hole[3, 2] = torch.nan
    with pytest.raises(VAEError, match="k is 0, expected at least one draw"):
        anomaly_score(vae, rows(), k=0)
    for score in SCORES.values():
        with pytest.raises(VAEError, match="1 entries that are NaN or infinite, the first in row 3"):
            score(vae, hole)
        with pytest.raises(VAEError, match="mask observes nothing of 50 rows"):
            score(vae, rows(), torch.zeros(50, FEATURES, dtype=torch.bool))


def test_a_peptide_among_zincs_molecules_is_an_anomaly() -> None:
    """Its p-value is the least that so many molecules can give; those of other molecules of ZINC are spread."""
    model = designloop.load_model()
    zinc = torch.from_numpy(corpus.zinc_tokens().take(corpus.held_out_rows()[:110]))
    scores = anomaly_score(model, zinc, k=4)
    peptide = "CC(C)CC(NC(=O)C(Cc1ccccc1)NC(=O)CNC(=O)CNC(=O)C(N)Cc1ccc(O)cc1)C(=O)O"  # Leu-enkephalin
    x = model.tokens([model.codec.to_selfies(peptide)])
    result = anomaly_score(model, x, k=4)
    assert torch.equal(result, anomaly_score(model, x, k=4))
    calibration = scores[:80]
    assert float(conformal_p_values(result, calibration)) == 1 / 81
    assert float(conformal_p_values(scores[80:], calibration).median()) > 0.2
    with pytest.raises(CapabilityError, match="TokenSequence offers no mean; draw from it by sample"):
        reconstruction_error(model, x)


def test_each_part_of_the_model_is_left_in_the_mode_that_it_had() -> None:
    """Such as an encoder that is frozen while all else learns."""
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2)).train()
    vae.encoder.eval()  # type: ignore[attr-defined]
    modes = [module.training for module in vae.modules()]
    anomaly_score(vae, torch.zeros(2, 3))
    assert [module.training for module in vae.modules()] == modes
    assert len(set(modes)) == 2
