"""Detectors of rows with missing entries."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.anomaly.contamination import contamination_evidence
from designloop.vae.anomaly.detector import Detector, NeuralDetector, fit_detector, fit_neural, fit_robust
from designloop.vae.anomaly.kinds import Binary, Counts, Numbers, kind_of
from designloop.vae.anomaly.neural import KindEncoder, Settings, starting_vae
from designloop.vae.anomaly.observed import deviation_of, quantile_of, spread_of, variance_of
from designloop.vae.anomaly.robust import fit_members, surprise
from designloop.vae.anomaly.scores import negative_evidence, pearson
from designloop.vae.errors import VAEError
from designloop.vae.linear.linear_gaussian import log_evidence, posterior, ppca
from designloop.vae.simulators.anomalies import clustered, flipped_signs, one_against_rest

QUICK = Settings(steps=25)


def holes(x: Tensor, share: float = 0.3, seed: int = 5) -> Tensor:
    mask = torch.rand(x.shape, generator=generator(seed)) >= share
    mask[torch.arange(len(x)), torch.arange(len(x)) % x.shape[1]] = True
    return mask


def clean(n: int = 200, seed: int = 0) -> Tensor:
    return torch.from_numpy(flipped_signs(n, np.random.default_rng(seed)).train)


def fitted(which: str, x: Tensor, mask: Tensor | None) -> Detector:
    return fit_robust(x, mask) if which == "robust" else fit_neural(x, mask, generator=generator(), settings=QUICK)


def test_moments_of_observed_entries_are_numpys_of_each_column() -> None:
    x = clean(50)
    mask = holes(x)
    for feature, (column, seen) in enumerate(zip(x.T, mask.T, strict=True)):
        there = column[seen].numpy()
        assert float(spread_of(x, mask)[feature]) == pytest.approx(there.std())
        assert float(variance_of(x, mask, 1)[feature]) == pytest.approx(there.var(ddof=1))
        assert float(quantile_of(x, 0.3, mask)[feature]) == pytest.approx(np.quantile(there, 0.3))
        middle = quantile_of(x, 0.5, mask)
        wanted = 1.4826 * np.median(np.abs(there - np.median(there)))
        assert float(deviation_of(x, middle, mask)[feature]) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", [Numbers, Counts, Binary])
def test_what_a_kind_learns_of_a_feature_is_what_its_observed_rows_say(kind) -> None:
    x = clean(60)[:, :3]
    x = {Numbers: x, Counts: x.square().floor(), Binary: (x > 0).double()}[kind]
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[40:, 1] = False
    whole, short = kind.of(x, mask), kind.of(x[:40])
    for name, learnt in whole.state_dict().items():
        if learnt.ndim == 1:
            assert float(learnt[1]) == pytest.approx(float(short.state_dict()[name][1])), name


@pytest.mark.parametrize("which", ["robust", "neural"])
def test_a_mask_of_ones_changes_nothing_and_what_is_masked_never_matters(which: str) -> None:
    x = clean(60)
    all_seen, mask = torch.ones_like(x, dtype=torch.bool), holes(x)
    assert torch.equal(fitted(which, x, all_seen).score(x, mask=all_seen), fitted(which, x, None).score(x))
    junk = torch.where(mask, x, torch.tensor(torch.nan, dtype=x.dtype))
    torch.testing.assert_close(
        fitted(which, x, mask).score(x, mask=mask), fitted(which, junk, mask).score(junk, mask=mask)
    )


def test_surprise_of_a_normal_is_its_mean_over_what_is_missing() -> None:
    model = ppca(clean(300), 3)
    x = clean(1, seed=1)
    mask = holes(x, 0.5)
    covariance, off = model.covariance, model.offset
    o, m = mask[0], ~mask[0]
    gain = covariance[m][:, o] @ covariance[o][:, o].inverse()
    mean = off[m] + gain @ (x[0, o] - off[o])
    law = torch.distributions.MultivariateNormal(mean, covariance[m][:, m] - gain @ covariance[o][:, m])
    torch.manual_seed(0)
    full = x.repeat(40_000, 1)
    full[:, m] = law.sample((40_000,))
    wanted = -log_evidence(model, full)
    error = float(wanted.std()) / 200
    assert float(surprise(model, x, mask)) == pytest.approx(float(wanted.mean()), abs=4 * error)
    torch.testing.assert_close(surprise(model, x, torch.ones_like(mask)), -log_evidence(model, x))


@pytest.mark.parametrize("which", ["robust", "neural"])
def test_a_row_is_no_odder_for_what_nobody_measured(which: str) -> None:
    """Normal rows with half their entries missing score about as others do: they fell 9 nats below before."""
    x = clean(300)
    detector = fitted(which, x[:150], None)
    new = x[150:]
    whole, part = detector.score(new), detector.score(new, mask=holes(new, 0.5))
    assert abs(float(part.mean() - whole.mean())) < 0.35 * float(whole.std())
    mixed = torch.cat([detector.score(new[:75], mask=holes(new[:75], 0.5)), detector.score(new[75:])])
    assert 0.35 < roc_auc_score([0] * 75 + [1] * 75, mixed) < 0.65


def test_anomalies_are_found_though_a_third_of_all_entries_is_missing() -> None:
    problem = clustered(60, np.random.default_rng(0), contamination=0.1)
    x, test = torch.from_numpy(problem.train), torch.from_numpy(problem.test)
    detector = fit_detector(x.numpy(), holes(x).numpy(), generator=generator(), settings=QUICK)
    assert not bool(detector.kept[-6:].any())
    assert roc_auc_score(problem.anomalous, detector.score(test, mask=holes(test))) > 0.95
    assert contamination_evidence(clean(60), holes(clean(60))) < 0


def test_missing_entries_cost_little_where_few_are_missing() -> None:
    problem = one_against_rest(150, np.random.default_rng(0))
    x, test = torch.from_numpy(problem.train).float(), torch.from_numpy(problem.test).float()
    whole = roc_auc_score(problem.anomalous, fitted("neural", x, None).score(test))
    part = roc_auc_score(problem.anomalous, fitted("neural", x, holes(x, 0.1)).score(test, mask=holes(test, 0.1)))
    assert part > whole - 0.05


def test_the_encoder_starts_at_the_posterior_of_what_is_observed() -> None:
    x = clean(80)
    kind = Numbers.of(x)
    views = kind.prepare(x)
    start = ppca(views, 3)
    vae, mask = starting_vae(kind, start, 8, seed=0), holes(views)
    assert isinstance(vae.encoder, KindEncoder)
    given, exact = vae.encode(views, mask), posterior(start, views, mask)
    torch.testing.assert_close(given.mean, exact.mean)
    torch.testing.assert_close(given.variance, exact.variance)
    by_draws = negative_evidence(vae, views, mask, k=512)
    torch.testing.assert_close(by_draws, -log_evidence(start, views, mask), atol=0.2, rtol=0.02)


def test_other_scores_are_means_over_the_observed() -> None:
    x = clean(60)
    detector, mask = fitted("neural", x, None), holes(x)
    assert isinstance(detector, NeuralDetector)
    prepared = detector.kind.prepare(x)
    torch.testing.assert_close(detector.score(x, pearson, mask=mask), pearson(detector.vae, prepared, mask))
    robust = fit_robust(x)
    assert bool(robust.score(x, pearson, mask=mask).isfinite().all())


def test_what_cannot_be_is_said() -> None:
    x = clean(30)
    mask = torch.ones_like(x, dtype=torch.bool)
    with pytest.raises(VAEError, match="feature 2 is observed in 1 rows of 30, expected at least 2; leave it out"):
        fit_robust(x, mask & ((torch.arange(30) == 0).unsqueeze(1) | (torch.arange(12) != 2)))
    with pytest.raises(VAEError, match="mask observes nothing of 1 rows"):
        fit_robust(x, mask & (torch.arange(30) != 4).unsqueeze(1))
    with pytest.raises(VAEError, match="NaN or infinite"):
        fit_robust(torch.full_like(x, torch.nan), mask)
    with pytest.raises(VAEError, match="no counts"):
        Counts.of(x, mask)


def test_the_kind_is_that_of_observed_entries() -> None:
    counts = torch.poisson(torch.full((50, 3), 4.0), generator=generator()).double()
    mask = holes(counts)
    assert kind_of(torch.where(mask, counts, counts - 0.5), mask) == "counts"
    assert kind_of(torch.where(mask, counts / 2, counts), mask) == "numbers"


def test_members_see_and_score_observed_entries() -> None:
    x = clean(60)
    mask = holes(x)
    members, _ = fit_members(x, mask)
    for member in members:
        assert torch.equal(member.reference_mask, mask)
        assert bool((member.reference[~mask] == 0).all())
        low, middle, high = np.percentile(member.score(x, mask=mask).numpy(), [25, 50, 75])
        assert middle == pytest.approx(0, abs=1e-9)
        assert high - low == pytest.approx(1)
