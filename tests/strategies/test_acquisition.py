from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import torch
from botorch.acquisition import qLogExpectedImprovement
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf_discrete
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.means import ZeroMean
from scipy.stats import chisquare
from torch import Tensor

from designloop.strategies.acquisition.base import Acquisition, Admissible, anything
from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
from designloop.strategies.acquisition.thompson import Thompson, in_turns
from designloop.strategies.acquisition.uniform import Uniform
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.search.judged import rank_correlation
from designloop.strategies.surrogates.axes import Axes
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import MoleculeFeatures
from designloop.strategies.surrogates.latent_kernels import LatentMatern, points_of_latents
from designloop.strategies.surrogates.noise import LEAST
from tests.strategies.plain_axes import plain_axes
from tests.test_randomness import global_state

LATENT, LENGTH = 12, 3.0


def sphere(n: int, seed: int) -> Tensor:
    """(n, LATENT) points as an encoder would give them."""
    z = torch.randn(n, LATENT, generator=torch.Generator().manual_seed(seed))
    return z / z.square().mean(-1, keepdim=True).sqrt()


def seen(z: Tensor) -> list[MoleculeFeatures]:
    return points_of_latents(z.numpy())


def scores_of(z: Tensor) -> np.ndarray:
    """(n,) a smooth score, 0 for more than a third of the molecules."""
    return np.asarray(np.maximum((z[:, 0] + 0.5 * z[:, 1] * z[:, 2]).numpy(), 0.0))


ACQUISITIONS: dict[str, Acquisition] = {
    "thompson": Thompson(),
    "qlogei": LogExpectedImprovement(),
    "upper_bound": UpperBound(1.0),
    "uniform": Uniform(),
}


def chosen(
    gp: FixedGP, z: Tensor, wanted: int, name: str, seed: int = 0, admissible: Admissible = anything
) -> Iterator[int]:
    return ACQUISITIONS[name].select(gp(seen(z)), wanted, seed, admissible)


@pytest.fixture(scope="module")
def axes() -> Axes:
    z = sphere(400, seed=1)
    return Axes.explaining(z, z[:, :4].numpy(), dims=4)


@pytest.fixture(scope="module")
def gp() -> FixedGP:
    z = sphere(150, seed=2)
    return FixedGP.fit(LatentMatern(plain_axes(LATENT), LENGTH), seen(z), scores_of(z))


def botorch_of(gp: FixedGP) -> SingleTaskGP:
    """The same process in BoTorch."""
    z = sphere(150, seed=2).double()
    kernel = ScaleKernel(MaternKernel(2.5))
    noise = torch.full((150, 1), LEAST).double()
    targets = torch.from_numpy(scores_of(z)).unsqueeze(-1)
    model = SingleTaskGP(z, targets, noise, covar_module=kernel, mean_module=ZeroMean(), outcome_transform=None)
    kernel.outputscale, kernel.base_kernel.lengthscale = 1.0, LENGTH
    return model.eval()


# ---- the global generators


def test_choice_leaves_the_global_generators_as_they_were(gp: FixedGP) -> None:
    z = sphere(30, seed=5)
    before = global_state()
    next(chosen(gp, z, 5, "thompson", seed=0))
    next(chosen(gp, z, 5, "qlogei", seed=0))
    assert global_state() == before


# ---- the measure


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


# ---- choices


def test_the_control_chooses_each_as_often_whatever_is_believed_of_it(gp: FixedGP) -> None:
    new = sphere(20, seed=10)
    first = [next(chosen(gp, new, 5, "uniform", seed)) for seed in range(2000)]
    assert chisquare(np.bincount(first, minlength=20)).pvalue > 0.001
    order = list(chosen(gp, new, 5, "uniform", seed=3))
    assert sorted(order) == list(range(20))
    assert order == list(chosen(gp, new, 9, "uniform", seed=3))


@pytest.mark.parametrize("acquisition", sorted(ACQUISITIONS.keys() - {"uniform"}))
def test_choices_are_an_order_of_all_that_starts_with_the_promising(gp: FixedGP, acquisition: str) -> None:
    new = sphere(150, seed=10)
    order = list(chosen(gp, new, 10, acquisition, seed=1))
    assert sorted(order) == list(range(150))
    assert order == list(chosen(gp, new, 10, acquisition, seed=1))
    scores = scores_of(new)
    assert scores[order[:10]].mean() > np.quantile(scores, 0.8)


def test_thompson_sampling_depends_on_its_seed(gp: FixedGP) -> None:
    new = sphere(100, seed=10)
    assert list(chosen(gp, new, 10, "thompson", seed=1)) != list(chosen(gp, new, 10, "thompson", seed=2))


def test_qlogei_chooses_the_batch_that_botorchs_own_optimizer_chooses(gp: FixedGP) -> None:
    new = sphere(30, seed=12).double()
    sampler = SobolQMCNormalSampler(torch.Size([128]), seed=0)
    batch, _ = optimize_acqf_discrete(qLogExpectedImprovement(botorch_of(gp), gp.best, sampler), q=5, choices=new)
    ours = list(islice(chosen(gp, new, 5, "qlogei", seed=0), 5))
    torch.testing.assert_close(new[ours], batch)


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


def test_what_is_not_admissible_is_never_chosen(gp: FixedGP) -> None:
    new = sphere(40, seed=10)
    for acquisition in ACQUISITIONS:
        rows = chosen(gp, new, 10, acquisition, seed=1, admissible=lambda row: row % 2 == 0)
        assert sorted(rows) == list(range(0, 40, 2))
        assert list(chosen(gp, new[:0], 10, acquisition, seed=1)) == []


def test_the_posterior_is_botorchs(gp: FixedGP) -> None:
    z = sphere(12, seed=20)
    posterior, theirs = gp(seen(z)), botorch_of(gp).posterior(z.double())
    mean, doubt = posterior.moments()
    np.testing.assert_allclose(mean, theirs.mean.squeeze(-1).detach().numpy(), atol=2e-3)
    np.testing.assert_allclose(doubt, theirs.variance.squeeze(-1).sqrt().detach().numpy(), atol=2e-3)
    drawn = posterior.samples(20_000, seed=0)
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(drawn.T), posterior.joint()[1], atol=0.03)


@pytest.mark.parametrize("name", ACQUISITIONS)
def test_twins_among_the_candidates_are_no_error(gp: FixedGP, name: str) -> None:
    """Their covariance is all but singular."""
    twins = sphere(1, seed=21).repeat(120, 1)
    assert np.linalg.cond(gp(seen(twins)).joint()[1]) > 1e6
    assert sorted(chosen(gp, twins, 5, name)) == list(range(120))
