"""The peers and rows of imputation's benchmark, from little."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae.methods.imputation import breast_cancer, curved_tables, linear_tables, self_masked
from designloop.benchmarks.vae.methods.imputation.gaussian_em import JointGaussian, gaussian_em
from designloop.benchmarks.vae.registry import load
from designloop.testing.draws import generator
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.self_masking import SelfMasking
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MLPDecoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.missing import mcar, surface
from designloop.vae.simulators.missing import self_masked as hide_by_value


@pytest.mark.filterwarnings("ignore:.*Early stopping criterion not reached")  # of so few rows
def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (linear_tables, self_masked, curved_tables):
        monkeypatch.setattr(module, "ROWS", 60)
        monkeypatch.setattr(module, "STEPS", 2)
        monkeypatch.setattr(module, "DRAWS", 5)
    monkeypatch.setattr(curved_tables, "SHARES", (0.3,))
    monkeypatch.setattr(breast_cancer, "MASKS", (0,))
    monkeypatch.setattr(breast_cancer, "STEPS", 2)
    monkeypatch.setattr(breast_cancer, "ITERATIONS", (2, 3))
    lines: list[str] = []
    rows = load("imputation").run([0], lines.append)
    assert len({row.measure for row in rows}) == len(rows)
    exact = [row for row in rows if row.bar == "< 1e-9"]
    assert len(exact) == 3
    assert all(row.holds for row in exact), "what filling in does to a bound is exact at any size"
    assert json.loads(json.dumps([as_json("imputation", row) for row in rows]))


def test_a_joint_gaussian_fills_in_by_the_formula_of_conditional_normals() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((4, 4))
    model = JointGaussian(rng.standard_normal(4), root @ root.T + np.eye(4))
    x, mask = rng.standard_normal((5, 4)), rng.random((5, 4)) < 0.5
    mask[0] = True
    filled, left = model.fill_in(np.where(mask, x, np.nan), mask)
    total = np.zeros((4, 4))
    for row, seen in enumerate(mask):
        hidden, c = ~seen, model.covariance
        gain = c[np.ix_(hidden, seen)] @ np.linalg.inv(c[np.ix_(seen, seen)]) if seen.any() else np.zeros((4, 0))
        np.testing.assert_allclose(filled[row, hidden], (model.mean[hidden] + gain @ (x - model.mean)[row, seen]))
        total[np.ix_(hidden, hidden)] += c[np.ix_(hidden, hidden)] - gain @ c[np.ix_(seen, hidden)]
    np.testing.assert_allclose(left, total, atol=1e-12)
    np.testing.assert_array_equal(filled[mask], x[mask])


def test_em_finds_the_covariance_behind_missing_entries() -> None:
    rng = np.random.default_rng(1)
    flat = surface(rng, features=4, bend=0.0, noise=0.5)
    x = flat.sample(4000, rng)
    mask = mcar((4000, 4), rng, 0.3)
    weights = flat.outer @ flat.inner
    model = gaussian_em(np.where(mask, x, np.nan), mask)
    np.testing.assert_allclose(model.covariance, weights @ weights.T + 0.25 * np.eye(4), atol=0.12)
    whole = gaussian_em(x, np.ones_like(mask))
    np.testing.assert_allclose(whole.covariance, np.cov(x.T, bias=True))


def test_the_true_surfaces_answer_is_the_conditional_mean_where_it_is_flat() -> None:
    rng = np.random.default_rng(2)
    flat = surface(rng, features=5, bend=0.0, noise=0.4)
    x, mask = flat.sample(20, rng), mcar((20, 5), rng, 0.4)
    weights = flat.outer @ flat.inner
    exact = JointGaussian(np.zeros(5), weights @ weights.T + 0.16 * np.eye(5)).fill_in(x, mask)[0]
    result = curved_tables.fill_by_truth(flat, x, mask, points=161)
    np.testing.assert_allclose(result[~mask], exact[~mask], atol=1e-3)


def test_the_ceiling_of_self_masked_tables_is_below_what_forgets_that_they_are() -> None:
    rng = np.random.default_rng(3)
    truth = surface(rng, self_masked.FEATURES, self_masked.LATENT, bend=0.0, noise=self_masked.NOISE)
    table, weights = truth.sample(300, rng), truth.outer @ truth.inner
    mask = hide_by_value(table, rng, 0.0, self_masked.STEEPNESS, columns=self_masked.HIDING)
    covariance = weights @ weights.T + self_masked.NOISE**2 * np.eye(self_masked.FEATURES)
    ignoring = JointGaussian(np.zeros(self_masked.FEATURES), covariance).fill_in(table, mask)[0]
    error = np.sqrt(((ignoring - table)[~mask] ** 2).mean())
    filled = self_masked.fill_by_truth(weights, table, mask)
    assert np.sqrt(((filled - table)[~mask] ** 2).mean()) < 0.95 * error
    assert np.array_equal(filled[mask], table[mask])
    likelihood = SelfMasking(Gaussian(6, self_masked.NOISE**2), torch.tensor([1] * 5 + [0]), self_masked.STEEPNESS)
    decoder = MLPDecoder(2, 6)
    decoder.load_state_dict({"net.0.weight": torch.from_numpy(weights), "net.0.bias": torch.zeros(6)})
    encoder = FullEncoder(6, 2, reads_mask=True)  # that knows nothing: the weights have to make it good
    torch.nn.init.zeros_(encoder.net[0].weight)  # type: ignore[arg-type]
    torch.nn.init.zeros_(encoder.net[0].bias)  # type: ignore[arg-type]
    vae = VAE(encoder, decoder, likelihood, StandardNormal(2)).double()
    rows, seen = torch.from_numpy(table[:6]), torch.from_numpy(mask[:6])
    by_draws = impute(vae, rows, seen, k=4000, generator=generator()).mean.numpy()
    np.testing.assert_allclose(by_draws, filled[:6], atol=0.15)
