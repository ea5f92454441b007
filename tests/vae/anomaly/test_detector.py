from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.anomaly.detector import fit_neural, fit_robust
from designloop.vae.anomaly.kinds import Binary, Counts, Numbers
from designloop.vae.anomaly.neural import Settings, concentrate, starting_vae
from designloop.vae.anomaly.scores import negative_elbo, negative_evidence, reconstruction_error
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.linear.linear_gaussian import log_evidence, ppca
from designloop.vae.simulators.anomalies import flipped_signs, off_the_ring, overdispersed

QUICK = Settings(steps=25)


def numbers(n: int = 120) -> Tensor:
    return torch.from_numpy(flipped_signs(n, np.random.default_rng(0)).train)


def test_before_it_is_fitted_it_is_ppca() -> None:
    x = numbers()
    kind = Numbers.of(x)
    prepared = kind.prepare(x)
    model = ppca(prepared, 3)
    vae = starting_vae(kind, model, 16, seed=0)
    torch.testing.assert_close(negative_evidence(vae, prepared, k=3), -log_evidence(model, prepared))


def test_gross_outliers_are_not_learnt_from() -> None:
    """Each in a direction of its own: what comes as often, and at one place, is a class."""
    x = numbers(100)
    x[::10] += 20 * torch.randn(10, 12, generator=generator(), dtype=torch.float64)
    kept = concentrate(Numbers.of(x).prepare(x), Settings())
    assert int(kept.sum()) == 80
    assert not bool(kept[::10].any())
    result = fit_neural(x, generator=generator(), settings=QUICK)
    assert torch.equal(result.kept, kept)


@pytest.mark.parametrize(
    ("make", "kind", "likelihood"), [(flipped_signs, Numbers, Gaussian), (overdispersed, Counts, NegativeBinomial)]
)
def test_the_data_choose_the_likelihood_and_anomalies_are_found(make, kind, likelihood) -> None:
    problem = make(200, np.random.default_rng(0), contamination=0.1)
    result = fit_neural(torch.from_numpy(problem.train).float(), generator=generator(), settings=Settings(steps=50))
    assert isinstance(result.kind, kind)
    assert isinstance(result.vae.likelihood, likelihood)
    assert roc_auc_score(problem.anomalous, result.score(torch.from_numpy(problem.test).float())) > 0.65


def test_binary_rows_are_explained_by_bernoulli() -> None:
    """Normal rows have two halves that agree; in an anomaly one half is turned over."""
    half = (torch.rand(400, 1, generator=generator()) < 0.5).expand(-1, 4)
    flips = torch.rand(400, 8, generator=generator(1)) < 0.1
    x = (torch.cat([half, half], 1) ^ flips).float()
    odd = torch.cat([x[300:, :4], 1 - x[300:, 4:]], 1)
    result = fit_neural(x[:200], generator=generator(), settings=Settings(steps=50))
    assert isinstance(result.kind, Binary)
    assert isinstance(result.vae.likelihood, Bernoulli)
    scores = result.score(torch.cat([x[200:300], odd]))
    assert roc_auc_score([0] * 100 + [1] * 100, scores) > 0.95


def test_the_prior_sees_a_hole_that_no_decoder_does() -> None:
    problem = off_the_ring(300, np.random.default_rng(0))
    x = torch.from_numpy(problem.test)
    result = fit_neural(torch.from_numpy(problem.train), generator=generator(), settings=QUICK)
    by_evidence, by_error = (
        roc_auc_score(problem.anomalous, result.score(x, score)) for score in (negative_evidence, reconstruction_error)
    )
    assert by_evidence > by_error + 0.1


def test_units_do_not_matter() -> None:
    x = numbers()
    scale, shift = torch.logspace(-3, 3, 12, dtype=torch.float64), torch.linspace(-9, 9, 12, dtype=torch.float64)
    plain, scaled = (fit_neural(of, generator=generator(), settings=QUICK) for of in (x, x * scale + shift))
    torch.testing.assert_close(plain.score(x), scaled.score(x * scale + shift), rtol=1e-6, atol=1e-6)


def test_a_generator_is_a_detector_and_the_global_one_is_left_alone() -> None:
    x = numbers()
    before = torch.get_rng_state()
    first, same, other = (fit_neural(x, generator=generator(seed), settings=QUICK) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.score(x), same.score(x))
    assert not torch.equal(first.score(x), other.score(x))


def test_p_values_are_small_for_anomalies_and_spread_for_normal_rows() -> None:
    x = numbers(400)
    result = fit_neural(x[:150], generator=generator(), settings=QUICK)
    normal, odd = (result.p_values(of, x[150:300]) for of in (x[300:], x[300:] + 9))
    assert float(odd.max()) == 1 / 151
    assert 0.35 < float(normal.mean()) < 0.65


def test_what_cannot_be_is_said() -> None:
    x = numbers()
    with pytest.raises(VAEError, match="kind is 'count', expected one of binary, counts, numbers"):
        fit_neural(x, generator=generator(), kind="count")
    with pytest.raises(VAEError, match="entries that are no counts"):
        fit_neural(x, generator=generator(), kind="counts")
    with pytest.raises(VAEError, match="x varies in 0 directions, expected at least 2 of 12"):
        fit_neural(torch.full_like(x, 0.5), generator=generator())
    with pytest.raises(VAEError, match="x varies in 1 directions"):
        fit_neural(x[:, :1].expand(-1, 5), generator=generator())
    result = fit_neural(x, generator=generator(), settings=Settings(steps=0))
    assert result.steps == 0
    with pytest.raises(ShapeError, match=r"x has shape \(120, 5\), expected \(batch, 12\)"):
        result.score(x[:, :5])


def test_a_robust_detector_may_be_moved_to_single_precision() -> None:
    x = torch.randn(60, 5, generator=generator(), dtype=torch.float64)
    detector = fit_robust(x)
    exact, by_draws = detector.score(x), detector.score(x, negative_elbo)
    single = detector.float()
    torch.testing.assert_close(single.score(x), exact, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(single.score(x.float()).double(), exact, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(single.score(x, negative_elbo), by_draws, rtol=1e-3, atol=1e-3)
