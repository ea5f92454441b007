"""TuRBO against its paper's rules, and its process against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from botorch.exceptions.errors import ModelFittingError
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern
from torch import Tensor

from designloop.benchmarks.common.process import Lengths, fitted, lengths_of, standardized, untrained
from designloop.benchmarks.common.turbo import Rules, Turbo, box, perturbed
from designloop.randomness import seeded


def turbo(dims: int = 34, rules: Rules | None = None, seed: int = 0) -> Turbo:
    points = torch.rand(5, dims, generator=torch.Generator().manual_seed(seed), dtype=torch.double)
    return Turbo(points, torch.linspace(0, 1, 5, dtype=torch.double), rules or Rules(), seed)


def told(search: Turbo, *best: float) -> list[float]:
    """Lengths of the region after batches whose best values these are."""
    lengths = []
    for value in best:
        points = torch.rand(2, search.points.shape[1], dtype=torch.double)
        search.tell(points, torch.tensor([value, -1.0], dtype=torch.double))
        lengths.append(search.region.length)
    return lengths


def test_three_successes_running_double_the_region_up_to_its_greatest_length() -> None:
    assert told(turbo(), 2, 3, 4, 5, 6, 7, 8, 9, 10) == [0.8, 0.8, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6, 1.6]


@pytest.mark.parametrize(
    ("dims", "batch", "failures"), [(34, 10, 4), (40, 10, 4), (2, 1, 4), (2, 10, 1), (128, 10, 13)]
)
def test_failures_running_halve_it_as_many_as_a_batch_goes_into_the_dimensions(
    dims: int, batch: int, failures: int
) -> None:
    lengths = told(turbo(dims, Rules(batch=batch)), *[0.5] * (2 * failures))
    assert lengths == [0.8] * (failures - 1) + [0.4] * failures + [0.2]


def test_a_success_ends_a_run_of_failures_and_the_other_way_round() -> None:
    assert told(turbo(), 0, 0, 0, 2, 0, 0, 0) == [0.8] * 7
    assert told(turbo(), 2, 3, 0, 4, 5) == [0.8] * 5


def test_a_gain_of_less_than_a_thousandth_is_a_failure() -> None:
    assert told(turbo(), 1.0005, 1.0008, 1.0009, 1.001) == [0.8, 0.8, 0.8, 0.4]
    assert turbo().tell(torch.zeros(1, 34, dtype=torch.double), torch.tensor([1.002], dtype=torch.double))


def test_a_batch_without_a_molecule_is_a_failure() -> None:
    search = turbo(2)
    assert not search.tell(torch.zeros(0, 2, dtype=torch.double), torch.zeros(0, dtype=torch.double))
    assert search.region.length == 0.4


def test_a_region_below_its_shortest_begins_anew_around_the_best_of_all() -> None:
    search = turbo(2)
    lengths = told(search, *[0.0] * 8)
    assert lengths == [0.8 / 2**k for k in range(1, 7)] + [0.8, 0.4]
    assert (search.restarts, len(search.values), search.centre) == (1, 5 + 16, 4)


def test_a_search_that_forgets_begins_anew_from_even_points() -> None:
    search = turbo(2, Rules(restart=16))
    assert told(search, *[0.0] * 7)[-1] == 0.8
    assert (search.restarts, len(search.points)) == (1, 0)
    again = search.ask()
    assert again.shape == (16, 2)
    # Sobol's points in base 2: of 16, one in each sixteenth of either axis.
    assert (again * 16).long().sort(dim=0).values.tolist() == [[k, k] for k in range(16)]
    assert not search.tell(again[:0], torch.zeros(0, dtype=torch.double))
    other = search.ask()
    assert not torch.equal(again, other)
    assert search.tell(other, -torch.ones(16, dtype=torch.double)), "what was better is forgotten"
    assert (search.centre, search.region.length) == (0, 0.8)
    assert search.ask().shape == (10, 2)


def test_sides_are_as_the_lengths_and_their_product_as_that_of_a_cube() -> None:
    lengths = torch.tensor([0.5, 1.0, 2.0, 8.0], dtype=torch.double)
    low, high = box(torch.full((4,), 0.5, dtype=torch.double), 0.1, lengths)
    assert float((high - low).prod()) == pytest.approx(0.1**4)
    assert ((high - low) / lengths).tolist() == pytest.approx([float((high - low)[0] / lengths[0])] * 4)
    low, high = box(torch.tensor([0.1, 0.9], dtype=torch.double), 0.8, torch.ones(2, dtype=torch.double))
    assert (low.tolist(), high.tolist()) == ([0.0, 0.5], [0.5, 1.0])


@pytest.mark.parametrize(("dims", "moved"), [(6, 6.0), (128, 20.0)])
def test_candidates_differ_from_the_centre_in_twenty_coordinates_in_the_mean(dims: int, moved: float) -> None:
    centre = torch.full((dims,), 0.5, dtype=torch.double)
    with seeded(0):
        points = perturbed(centre, centre - 0.2, centre + 0.3, 2000)
    differ = (points != centre).sum(1).double()
    assert float(differ.mean()) == pytest.approx(moved, abs=0.4)
    assert int(differ.min()) >= 1
    assert 0.3 <= float(points.min()) < 0.305
    assert 0.795 < float(points.max()) <= 0.8


def test_one_coordinate_at_least_is_moved_where_nearly_none_would_be() -> None:
    centre = torch.full((1000,), 0.5, dtype=torch.double)
    with seeded(0):
        differ = (perturbed(centre, centre - 0.5, centre + 0.5, 1000) != centre).sum(1)
    assert int(differ.min()) >= 1


def quadratic(points: Tensor) -> Tensor:
    """Greatest, 0, at .7 in each of the first five coordinates; the others do nothing."""
    return -(points[:, :5] - 0.7).square().sum(1)


def test_it_finds_the_top_of_a_hill_better_than_chance_at_as_many_calls() -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(20, 10, generator=generator, dtype=torch.double)
    search = Turbo(start, quadratic(start), Rules(candidates=300), seed=1)
    for _ in range(7):
        points = search.ask()
        assert points.shape == (10, 10)
        assert len(points.unique(dim=0)) == 10
        assert (points >= 0).all()
        assert (points <= 1).all()
        search.tell(points, quadratic(points))
    by_chance = quadratic(torch.rand(1000, 10, generator=generator, dtype=torch.double)).max()
    assert float(search.values.max()) > float(by_chance)  # of ten times as many
    assert float(search.values.max()) > -0.03


def test_draws_follow_from_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.random.get_rng_state()
    asked = [turbo(6, Rules(batch=3, candidates=50), seed=0).ask() for _ in range(2)]
    assert torch.equal(*asked)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_process_is_scikit_learns_with_the_same_lengths() -> None:
    rng = np.random.default_rng(0)
    x, new = rng.random((30, 4)), rng.random((7, 4))
    y = np.sin(5 * x[:, 0]) + x[:, 1]
    values = torch.from_numpy(y)
    model = fitted(untrained(torch.from_numpy(x), values))
    lengths, level = lengths_of(model).numpy(), model.likelihood.noise.item()
    constant = model.mean_module.constant.item()
    peer = GaussianProcessRegressor(Matern(lengths, nu=2.5), alpha=level, optimizer=None)
    peer.fit(x, standardized(values).squeeze(-1).numpy() - constant)
    mean, covariance = peer.predict(new, return_cov=True)
    with torch.no_grad():
        posterior = model.posterior(torch.from_numpy(new))
    assert posterior.mean.squeeze(-1).numpy() == pytest.approx(mean + constant, abs=1e-5)
    assert posterior.distribution.covariance_matrix.numpy() == pytest.approx(covariance, abs=1e-5)
    assert lengths[:2].max() < lengths[2:].min()  # what does nothing varies slowly


@pytest.mark.parametrize("lengths", ["prior", "bounds"])
def test_lengths_are_held_by_a_prior_or_by_bounds(lengths: Lengths) -> None:
    points = torch.rand(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    model = fitted(untrained(points, 1e-6 * points[:, 0], lengths))
    bounded, own = lengths == "bounds", lengths_of(model)
    assert own.shape == (3,)
    assert bool(own.max() <= 4) is bounded, "nothing changes along two axes"
    assert len(list(model.named_priors())) == (0 if bounded else 2)


def density(model: SingleTaskGP) -> float:
    """Log posterior density of a process's lengths, noise and mean, a point."""
    model.train()
    evidence = ExactMarginalLogLikelihood(model.likelihood, model)
    with torch.no_grad():
        return float(evidence(model(*model.train_inputs), model.train_targets))


def test_a_fit_goes_on_from_the_one_before() -> None:
    points = torch.rand(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    values = points[:, 0].square()
    before = fitted(untrained(points, values))
    assert density(before) > density(fitted(untrained(points, values), steps=1)) + 0.05
    assert density(fitted(untrained(points, values), before, steps=1)) >= density(before) - 1e-6


def test_lengths_that_ended_at_a_bound_leave_it_where_what_is_known_asks_for_it() -> None:
    """One value at first, along whose equals nothing tells lengths; then a wave along the first axis."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(12, 3, generator=generator, dtype=torch.double)
    search = Turbo(points, 1e-3 * points[:, 1], Rules(batch=2, candidates=20, lengths="bounds", steps=None), seed=0)
    search.ask()
    assert search._model is not None
    assert float(lengths_of(search._model)[0]) > 3.9
    more = torch.rand(40, 3, generator=generator, dtype=torch.double)
    search.replace(more, torch.sin(12 * more[:, 0]))
    search.ask()
    own = lengths_of(search._model)
    assert torch.equal(own, lengths_of(fitted(untrained(search.points, search.values, "bounds"))))
    assert float(own[0]) < 1


def test_a_fit_that_comes_to_nothing_goes_on_from_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    search = turbo(3, Rules(batch=2, candidates=20, lengths="bounds"))
    search.ask()
    begun = list[bool]()

    def failing(model: SingleTaskGP, before: SingleTaskGP | None = None, steps: int | None = None) -> SingleTaskGP:
        begun.append(before is not None)
        if before is None:
            raise ModelFittingError("all attempts failed")
        return fitted(model, before, steps)

    monkeypatch.setattr("designloop.benchmarks.common.turbo.fitted", failing)
    assert search.ask().shape == (2, 3)
    assert begun == [False, True]


def test_equal_values_are_no_error() -> None:
    points = torch.rand(6, 3, dtype=torch.double)
    search = Turbo(points, torch.zeros(6, dtype=torch.double), Rules(batch=2, candidates=20), seed=0)
    assert search.ask().isfinite().all()
    assert standardized(torch.ones(1, dtype=torch.double)).tolist() == [[0.0]]
