from __future__ import annotations

from itertools import islice

import pytest
import torch
from torch import Tensor

from designloop.strategies.search.crank_nicolson import crank_nicolson, turned


def states(
    log_likelihood: object, steps: int, chains: int = 400, units: int = 3, level: float = 0.7, start: float = 0.0
) -> Tensor:
    """(steps, chains, units) after a first fifth that is left out."""
    generator = torch.Generator().manual_seed(0)
    first = torch.full((chains, units), start, dtype=torch.float64)
    walk = crank_nicolson(first, log_likelihood, torch.full((chains,), level, dtype=torch.float64), generator)  # type: ignore[arg-type]
    return torch.stack([step.z for step in islice(walk, steps)][steps // 5 :])


def flat(z: Tensor) -> Tensor:
    return torch.zeros(len(z), dtype=z.dtype)


def test_with_a_flat_likelihood_the_moments_are_those_of_the_prior() -> None:
    z = states(flat, 250, start=3.0).flatten(0, 1)
    assert z.mean(0).abs().max() < 0.05
    assert torch.cov(z.T) == pytest.approx(torch.eye(3).numpy(), abs=0.06)
    assert z.square().square().mean(0) == pytest.approx(3 * torch.ones(3).numpy(), abs=0.3)


def test_with_a_flat_likelihood_every_proposal_is_taken() -> None:
    walk = crank_nicolson(torch.zeros(50, 4), flat, torch.full((50,), 2.0), torch.Generator().manual_seed(1))
    assert all(bool(step.taken.all()) for step in islice(walk, 20))


def test_with_a_normal_likelihood_the_moments_are_those_of_the_conjugate_posterior() -> None:
    """Prior N(0, 1), y = 1.5 observed with variance 0.5 a unit: mean y / (1 + 0.5), variance 0.5 / 1.5."""
    z = states(lambda z: -(z - 1.5).square().sum(-1) / (2 * 0.5), 400).flatten(0, 1)
    assert z.mean(0) == pytest.approx([1.0] * 3, abs=0.05)
    assert z.var(0) == pytest.approx([1 / 3] * 3, abs=0.04)


def test_what_is_impossible_is_left_and_never_entered_again() -> None:
    """The positive half of one unit: there |z| is half-normal, of mean sqrt(2 / pi)."""

    def half(z: Tensor) -> Tensor:
        return torch.where(z[:, 0] > 0, 0.0, -torch.inf).to(z.dtype)

    z = states(half, 300, level=1.5, start=-1.0)
    assert bool((z[:, :, 0] > 0).all())
    assert z[:, :, 0].mean() == pytest.approx((2 / torch.pi) ** 0.5, abs=0.04)


def test_noise_of_a_level_turns_a_latent_by_the_angle_whose_tangent_is_the_level() -> None:
    z, noise = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([[0.0, 2.0], [2.0, 0.0]])
    after = turned(z, torch.tensor([0.5, 0.0]), noise)
    assert (after[0, 1] / after[0, 0]).item() == pytest.approx(0.5)
    assert after.norm(dim=1) == pytest.approx([2.0, 2.0])
    assert torch.equal(after[1], z[1])
