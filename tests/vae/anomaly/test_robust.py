"""The average of robust closed forms, and the question of which detector rows ask for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.anomaly import robust
from designloop.vae.anomaly.contamination import contamination_evidence, folds_of
from designloop.vae.anomaly.detector import NeuralDetector, RobustDetector, fit_detector, fit_robust
from designloop.vae.anomaly.neural import Settings
from designloop.vae.anomaly.robust import (
    ROWS_A_UNIT,
    fit_members,
    isotropic_or_ppca,
    robust_ppca,
    starts_of,
    units_of,
    views_of,
)
from designloop.vae.anomaly.scores import SCORES, negative_elbo
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.linear.linear_gaussian import log_evidence, ppca
from designloop.vae.simulators.anomalies import (
    clustered,
    flipped_signs,
    long_tails,
    off_the_ring,
    one_against_rest,
    overdispersed,
)

QUICK = Settings(steps=25)


def rows_of(make, n: int = 150, contamination: float = 0.0, seed: int = 0) -> Tensor:
    return torch.from_numpy(make(n, np.random.default_rng(seed), contamination=contamination).train)


def test_no_unit_is_one_variance_about_the_mean() -> None:
    x = rows_of(flipped_signs, 40)
    model = isotropic_or_ppca(x, 0)
    law = multivariate_normal(x.mean(0).numpy(), float(x.var(0, correction=0).mean()) * np.eye(12))
    np.testing.assert_allclose(log_evidence(model, x).numpy(), law.logpdf(x.numpy()), rtol=1e-10)


def test_a_member_scores_in_its_own_interquartile_ranges() -> None:
    x = rows_of(flipped_signs)
    members, _ = fit_members(x)
    for member in members:
        low, middle, high = np.percentile(member.score(x).numpy(), [25, 50, 75])
        assert middle == pytest.approx(0, abs=1e-9)
        assert high - low == pytest.approx(1)


def test_a_score_is_the_mean_of_the_members_by_hand() -> None:
    """Two views, and in each the PPCA of the rows that it keeps."""
    x, new = rows_of(flipped_signs, 60), rows_of(flipped_signs, 20, seed=1)
    middles = x.quantile(0.5, dim=0)
    by_medians = (middles, 1.4826 * (x - middles).abs().quantile(0.5, dim=0))
    total = np.zeros(20)
    for centre, scale in ((x.mean(0), x.std(0, correction=0)), by_medians):
        seen, asked = (x - centre) / scale, (new - centre) / scale
        for units in (0, 2):  # 48 rows are kept, too few for 8
            _, kept = robust_ppca(seen, units)
            core = seen[kept]
            sigma = float((core - core.mean(0)).square().mean())
            cov = sigma * np.eye(12) if units == 0 else ppca(core, units).covariance
            law = multivariate_normal(core.mean(0).numpy(), np.asarray(cov))
            low, middle, high = np.percentile(-law.logpdf(seen.numpy()), [25, 50, 75])
            total += (-law.logpdf(asked.numpy()) - middle) / (high - low) / 4
    np.testing.assert_allclose(fit_robust(x).score(new).numpy(), total, rtol=1e-6, atol=1e-8)


@given(rows=st.integers(5, 200), features=st.integers(2, 20))
@settings(max_examples=15, deadline=None)
def test_units_are_at_most_a_tenth_of_the_rows_kept_and_below_the_rank(rows: int, features: int) -> None:
    x = torch.randn(rows, features, generator=generator(), dtype=torch.float64)
    units = units_of(x)
    assert units[0] == 0
    assert set(units) <= {0, 2, 8, 16}
    assert all(q <= math.ceil(0.8 * rows) / ROWS_A_UNIT and q < min(features, rows - 1) for q in units)


def test_rows_at_one_place_are_not_kept() -> None:
    """They were, when concentration started from all rows: a tenth at one place is a direction of its own."""
    x = rows_of(clustered, 100, contamination=0.1)
    for centre, scale in views_of(x):
        for units in (0, 2, 8):
            _, kept = robust_ppca((x - centre) / scale, units)
            assert int(kept.sum()) == 80
            assert not bool(kept[-10:].any())


def test_a_feature_of_which_most_is_one_value_has_its_standard_deviation_for_a_unit() -> None:
    x = rows_of(flipped_signs, 60)
    x[:40, 3] = 1.0
    x[:, 4] = 2.0
    _, (_, scale) = views_of(x)
    assert float(scale[3]) == pytest.approx(float(x[:, 3].std(correction=0)))
    assert float(scale[4]) == 1
    assert bool(fit_robust(x).score(x).isfinite().all())


@pytest.mark.parametrize("make", [flipped_signs, off_the_ring, one_against_rest])
def test_clean_rows_are_seen_to_be_clean(make) -> None:
    assert 150 * contamination_evidence(rows_of(make)) < -Settings().clean


def test_clean_counts_are_seen_to_be_clean_by_their_logarithms() -> None:
    assert 150 * contamination_evidence(rows_of(overdispersed).log1p()) < -Settings().clean


@pytest.mark.parametrize("make", [clustered, long_tails])
def test_far_rows_ask_for_the_robust_one(make) -> None:
    assert contamination_evidence(rows_of(make, contamination=0.1)) > 0


def test_a_skewed_margin_alone_is_no_contamination() -> None:
    x = torch.randn(300, 6, generator=generator(), dtype=torch.float64)
    assert contamination_evidence((0.5 * x).exp()) < 0
    x[::10] *= 6
    assert contamination_evidence(x) > 0


def test_rows_far_out_in_the_tail_of_skewed_margins_are_contamination() -> None:
    def skewed(up: float) -> Tensor:
        draws = generator()
        loadings = torch.rand(8, 2, generator=draws, dtype=torch.float64)
        factors = torch.randn(300, 2, generator=draws, dtype=torch.float64)
        factors[::10] += up
        noise = 0.3 * torch.randn(300, 8, generator=draws, dtype=torch.float64)
        return (0.4 * (factors @ loadings.T + noise)).exp()

    assert 300 * contamination_evidence(skewed(0.0)) < -20
    assert 300 * contamination_evidence(skewed(2.0)) > 0  # one bend for both would pull the tail in: below 0


def test_the_default_takes_what_rows_ask_for_and_few_rows_get_the_robust_one() -> None:
    clean, spoilt = rows_of(flipped_signs), rows_of(clustered, contamination=0.1)
    assert isinstance(fit_detector(clean, generator=generator(), settings=QUICK), NeuralDetector)
    assert isinstance(fit_detector(spoilt, generator=generator(), settings=QUICK), RobustDetector)
    assert isinstance(fit_detector(clean[:20], generator=generator(), settings=QUICK), RobustDetector)


def test_clustered_anomalies_are_found_by_every_score_that_asks_how_far_a_row_is() -> None:
    problem = clustered(150, np.random.default_rng(0), contamination=0.1)
    result = fit_detector(torch.from_numpy(problem.train).float(), generator=generator())
    assert roc_auc_score(problem.anomalous, result.score(torch.from_numpy(problem.test).float())) > 0.95
    for score in SCORES.values():
        assert result.score(torch.from_numpy(problem.test).float(), score).shape == (300,)
    exact, by_draws = (
        result.score(torch.from_numpy(problem.test), of) for of in (SCORES["negative evidence"], negative_elbo)
    )
    torch.testing.assert_close(exact, by_draws, rtol=1e-2, atol=1e-2)  # the encoder of a closed form is exact


def test_units_do_not_matter() -> None:
    x = rows_of(clustered, contamination=0.1)
    scale, shift = torch.logspace(-3, 3, 12, dtype=torch.float64), torch.linspace(-9, 9, 12, dtype=torch.float64)
    torch.testing.assert_close(fit_robust(x).score(x), fit_robust(x * scale + shift).score(x * scale + shift))
    assert contamination_evidence(x) == pytest.approx(contamination_evidence(x * scale + shift), abs=1e-6)


def test_what_cannot_be_is_said() -> None:
    x = rows_of(flipped_signs)
    with pytest.raises(VAEError, match="x varies in 0 directions, expected at least 2 of 12"):
        fit_robust(torch.full_like(x, 0.5))
    with pytest.raises(VAEError, match="x varies in 1 directions"):
        fit_robust(x[:, :1].expand(-1, 5))
    result = fit_robust(x)
    with pytest.raises(ShapeError, match=r"x has shape \(150, 5\), expected \(batch, 12\)"):
        result.score(x[:, :5])
    with pytest.raises(VAEError, match="NaN or infinite"):
        result.score(torch.full_like(x, torch.nan))
    with pytest.raises(VAEError, match="entries that are no counts"):
        fit_robust(rows_of(overdispersed)).score(torch.full((3, 60), -1.0))


@given(rows=st.integers(5, 20_000))
@settings(max_examples=30, deadline=None)
@example(rows=719)
@example(rows=7914)
@example(rows=7919)
@example(rows=23_757)
def test_folds_are_alike_and_take_rows_from_everywhere(rows: int) -> None:
    fold = folds_of(rows)
    sizes = torch.bincount(fold, minlength=5)
    assert int(sizes.max()) - int(sizes.min()) <= 1
    for fifth in fold.chunk(5):  # each is hypergeometric: a fifth of its rows, within six standard deviations
        apart = torch.bincount(fifth, minlength=5) - len(fifth) / 5
        assert float(apart.abs().max()) < 6 * (0.16 * len(fifth)) ** 0.5


def test_distances_are_never_all_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = rows_of(clustered, 120, contamination=0.1)
    whole = list(starts_of(x))
    apart = np.sort(np.linalg.norm(x.numpy()[:, None] - x.numpy(), axis=-1), 1)
    kth = 6  # a twentieth of the rows
    held: list[int] = []
    of_torch = torch.cdist

    def watched(one: Tensor, other: Tensor) -> Tensor:
        held.append(len(one) * len(other))
        return of_torch(one, other)

    monkeypatch.setattr(torch, "cdist", watched)
    monkeypatch.setattr(robust, "DISTANCES_AT_ONCE", 1000)
    for start, wanted in zip(starts_of(x), whole, strict=True):
        assert torch.equal(start, wanted)
    assert max(held) <= 1000
    np.testing.assert_allclose(robust._distance_to(x, kth + 1), apart[:, kth])
