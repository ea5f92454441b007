from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import torch
from botorch.acquisition import qLogExpectedImprovement
from botorch.optim import optimize_acqf_discrete
from botorch.sampling import SobolQMCNormalSampler
from scipy.stats import spearmanr
from torch import Tensor

from designloop.strategies.acquisition.base import Acquisition, Admissible, anything
from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
from designloop.strategies.acquisition.thompson import Thompson, in_turns
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.search.machine import rank_correlation
from designloop.strategies.surrogates.latent_gp import Axes, LatentGP, LatentSurrogate, normal_scores
from designloop.strategies.surrogates.views import LatentView
from tests.test_randomness import global_state
from tests.tiny import tiny_vae

LATENT = 12


def sphere(n: int, seed: int) -> Tensor:
    """(n, LATENT) points as an encoder would give them."""
    z = torch.randn(n, LATENT, generator=torch.Generator().manual_seed(seed))
    return z / z.square().mean(-1, keepdim=True).sqrt()


def scores_of(z: Tensor) -> np.ndarray:
    """(n,) a smooth score, 0 for more than a third of the molecules."""
    return np.asarray(np.maximum((z[:, 0] + 0.5 * z[:, 1] * z[:, 2]).numpy(), 0.0))


ACQUISITIONS: dict[str, Acquisition] = {
    "thompson": Thompson(),
    "qlogei": LogExpectedImprovement(),
    "upper_bound": UpperBound(1.0),
}


def chosen(
    gp: LatentGP, z: Tensor, wanted: int, name: str, seed: int = 0, admissible: Admissible = anything
) -> Iterator[int]:
    return ACQUISITIONS[name].select(gp(z.numpy()), wanted, seed, admissible)


def mean_of(gp: LatentGP, z: Tensor) -> np.ndarray:
    return gp(z.numpy()).moments()[0]


@pytest.fixture(scope="module")
def axes() -> Axes:
    z = sphere(400, seed=1)
    return Axes.explaining(z, z[:, :4].numpy(), dims=4)


@pytest.fixture(scope="module")
def gp(axes: Axes) -> LatentGP:
    z = sphere(150, seed=2)
    return LatentGP.fit(z.numpy(), scores_of(z), axes, seed=0)


# ---- the global generators


def test_fit_and_choice_leave_the_global_generators_as_they_were(axes: Axes, gp: LatentGP) -> None:
    z = sphere(30, seed=5)
    before = global_state()
    LatentGP.fit(z.numpy(), scores_of(z), axes, seed=0)
    mean_of(gp, z)
    next(chosen(gp, z, 5, "thompson", seed=0))
    next(chosen(gp, z, 5, "qlogei", seed=0))
    assert global_state() == before


# ---- targets and the measure


def test_normal_scores_keep_the_order_and_the_ties() -> None:
    y = normal_scores(np.array([0.0, 0.3, 0.0, 0.9, 0.31]))
    assert y[0] == y[2] < y[1] < y[4] < y[3]
    assert y.mean() == pytest.approx(0)
    assert y.std(ddof=1) == pytest.approx(1)


def test_rank_correlation_is_spearmans_and_none_where_there_is_none() -> None:
    assert rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([0.1, 0.2, 0.3])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([0.3, 0.2, 0.1])) == pytest.approx(-1)
    assert rank_correlation(np.array([1.0, 2.0]), np.array([0.1, 0.2])) is None
    assert rank_correlation(np.array([1.0, 2.0, 9.0]), np.zeros(3)) is None
    assert rank_correlation(np.ones(3), np.array([0.1, 0.2, 0.3])) is None


# ---- the axes


def test_axes_see_what_the_features_depend_on_and_nothing_else() -> None:
    z = sphere(500, seed=3)
    z[:, 5] *= 10  # reaches far and says nothing
    features = (z[:, :2] @ torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])).numpy()
    axes = Axes.explaining(z, features, dims=2)
    inside, elsewhere = axes.directions[:2].square().sum(), axes.directions[2:].square().sum()
    assert elsewhere < 1e-3 * inside


def test_axes_have_the_mean_variance_of_a_unit_cube(axes: Axes) -> None:
    assert axes(sphere(4000, seed=4)).var(0).mean().item() == pytest.approx(1 / 12, rel=0.1)


# ---- the GP


def test_the_gp_orders_molecules_that_it_has_not_seen(gp: LatentGP) -> None:
    new = sphere(200, seed=6)
    assert spearmanr(mean_of(gp, new), scores_of(new)).statistic > 0.8


def test_the_mean_is_that_of_the_textbook(axes: Axes) -> None:
    """The posterior mean against GP regression written out in NumPy, at the hyperparameters that were fitted."""
    z, new = sphere(40, seed=7), sphere(10, seed=8)
    gp = LatentGP.fit(z.numpy(), scores_of(z), axes, seed=0)
    kernel = gp.model.covar_module
    scale, length = kernel.outputscale.item(), kernel.base_kernel.lengthscale.item()
    noise, mean = gp.model.likelihood.noise.item(), gp.model.mean_module.constant.item()

    def matern(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        r = np.sqrt(5) * np.linalg.norm(a[:, None] - b[None], axis=-1) / length
        return np.asarray(scale * (1 + r + r**2 / 3) * np.exp(-r))

    x, new_x = axes(z).numpy(), axes(new).numpy()
    weights = np.linalg.solve(matern(x, x) + noise * np.eye(len(x)), normal_scores(scores_of(z)) - mean)
    np.testing.assert_allclose(mean_of(gp, new), mean + matern(new_x, x) @ weights, rtol=1e-5, atol=1e-6)


def test_fitting_again_gives_the_same_gp(axes: Axes, gp: LatentGP) -> None:
    z, new = sphere(150, seed=2), sphere(20, seed=9)
    torch.rand(7)  # whatever the global generator stood at
    np.testing.assert_array_equal(mean_of(LatentGP.fit(z.numpy(), scores_of(z), axes, seed=0), new), mean_of(gp, new))


@pytest.mark.parametrize("acquisition", sorted(ACQUISITIONS))
def test_choices_are_an_order_of_all_that_starts_with_the_promising(gp: LatentGP, acquisition: str) -> None:
    new = sphere(150, seed=10)
    order = list(chosen(gp, new, 10, acquisition, seed=1))
    assert sorted(order) == list(range(150))
    assert order == list(chosen(gp, new, 10, acquisition, seed=1))
    scores = scores_of(new)
    assert scores[order[:10]].mean() > np.quantile(scores, 0.8)


def test_thompson_sampling_depends_on_its_seed(gp: LatentGP) -> None:
    new = sphere(100, seed=10)
    assert list(chosen(gp, new, 10, "thompson", seed=1)) != list(chosen(gp, new, 10, "thompson", seed=2))


def test_qlogei_chooses_the_batch_that_botorchs_own_optimizer_chooses(gp: LatentGP) -> None:
    new = sphere(30, seed=12)
    gain = qLogExpectedImprovement(gp.model, gp.best, SobolQMCNormalSampler(torch.Size([128]), seed=0))
    batch, _ = optimize_acqf_discrete(gain, q=5, choices=gp.axes(new))
    ours = list(islice(chosen(gp, new, 5, "qlogei", seed=0), 5))
    torch.testing.assert_close(gp.axes(new[ours]), batch)


def test_in_turns_each_voter_takes_its_favourite_of_what_is_left() -> None:
    votes = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])
    assert list(in_turns(votes)) == [0, 2, 1]
    assert list(in_turns(votes[:, :1])) == [0]
    assert list(in_turns(votes[:, :0])) == []


def test_who_chose_what_is_not_admissible_chooses_again() -> None:
    votes = np.array([[3.0, 2.0, 1.0], [3.0, 1.0, 2.0]])
    asked: list[int] = []

    def admissible(row: int) -> bool:
        asked.append(row)
        return row != 0

    assert list(in_turns(votes, admissible)) == [1, 2]
    assert asked == [0, 1, 2]


def test_what_is_not_admissible_is_never_chosen(gp: LatentGP) -> None:
    new = sphere(40, seed=10)
    for acquisition in ACQUISITIONS:
        rows = chosen(gp, new, 10, acquisition, seed=1, admissible=lambda row: row % 2 == 0)
        assert sorted(rows) == list(range(0, 40, 2))
        assert list(chosen(gp, new[:0], 10, acquisition, seed=1)) == []


def test_the_posterior_is_botorchs(gp: LatentGP) -> None:
    z = sphere(12, seed=20)
    posterior, theirs = gp(z.numpy()), gp.model.posterior(gp.axes(z))
    mean, doubt = posterior.moments()
    np.testing.assert_allclose(mean, theirs.mean.squeeze(-1).detach().numpy())
    np.testing.assert_allclose(doubt, theirs.variance.squeeze(-1).sqrt().detach().numpy(), rtol=1e-6)
    drawn = posterior.samples(20_000, seed=0)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), posterior.joint()[1], atol=0.03)


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_twins_among_the_candidates_are_no_error(gp: LatentGP, name: str) -> None:
    """Their covariance is singular: a matrix that a plain Cholesky factorisation refuses."""
    twins = sphere(1, seed=21).repeat(120, 1)
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(gp(twins.numpy()).joint()[1])
    assert sorted(chosen(gp, twins, 5, name)) == list(range(120))


def test_of_too_few_molecules_or_equal_scores_there_is_no_belief(axes: Axes) -> None:
    surrogate = LatentSurrogate(LatentView(tiny_vae()), axes, start=4)
    z = sphere(4, seed=1).numpy()

    def archive(scores: list[float]) -> Archive:
        return Archive(tuple(Member("C" * (k + 1), "", s, (s,), z[k]) for k, s in enumerate(scores)))

    assert surrogate.fit(archive([0.1, 0.2, 0.3]), 0) is None
    assert surrogate.fit(archive([0.1, 0.1, 0.1, 0.1]), 0) is None
    assert surrogate.fit(archive([0.1, 0.2, 0.3, 0.4]), 0) is not None


def test_an_archive_without_latents_is_refused(axes: Axes) -> None:
    surrogate = LatentSurrogate(LatentView(tiny_vae()), axes, start=2)
    members = (Member("C", "", 0.1, (0.1,), np.zeros(LATENT, np.float32)), Member("CC", "", 0.2, (0.2,)))
    with pytest.raises(ValueError, match="found 1 latents of 2 molecules, expected one of each"):
        surrogate.fit(Archive(members), 0)
