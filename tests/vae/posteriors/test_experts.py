"""Products of experts against the closed form of linear-Gaussian models, and what holds of every expert."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import MultivariateNormal

from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.posteriors.experts import Expert, product_of
from designloop.vae.posteriors.full_normal import FullNormal


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def full_expert(seed: int, rows: int = 4, latent: int = 3, rank: int = 3) -> Expert:
    root = numbers(rows, latent, rank, seed=seed)
    return Expert(root @ root.mT, numbers(rows, latent, seed=seed + 50))


def test_the_product_is_that_of_normals_over_the_prior() -> None:
    """q(z | a) q(z | b) / p(z), by their densities: equal up to a constant of each row."""
    a, b = full_expert(1), full_expert(2)
    q, prior = product_of([a, b]), MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    z = numbers(200, 4, 3, seed=3)
    apart = q.log_prob(z) - (a.posterior().log_prob(z) + b.posterior().log_prob(z) - prior.log_prob(z))
    torch.testing.assert_close(apart, apart[:1].expand_as(apart))


def test_experts_of_independent_units_are_those_of_diagonal_matrices() -> None:
    precision, pull = numbers(4, 3).square(), numbers(4, 3, seed=1)
    alone, dense = Expert(precision, pull).posterior(), Expert(torch.diag_embed(precision), pull).posterior()
    assert isinstance(alone, DiagonalNormal)
    assert isinstance(dense, FullNormal)
    z = numbers(5, 4, 3, seed=2)
    torch.testing.assert_close(alone.log_prob(z), dense.log_prob(z))
    mixed, both = (
        product_of([Expert(precision, pull), full_expert(4)]),
        product_of([full_expert(4), Expert(torch.diag_embed(precision), pull)]),
    )
    torch.testing.assert_close(mixed.log_prob(z), both.log_prob(z))


def test_without_a_part_the_posterior_is_the_prior() -> None:
    there = torch.tensor([True, False, True, False])
    for expert in (full_expert(1), Expert(numbers(4, 3).square(), numbers(4, 3, seed=1))):
        whole, some = expert.posterior(), expert.where(there).posterior()
        torch.testing.assert_close(some.mean, torch.where(there[:, None], whole.mean, 0.0))
        torch.testing.assert_close(some.variance, torch.where(there[:, None], whole.variance, 1.0))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 3), st.floats(-6, 3))
def test_one_expert_more_never_makes_it_wider(seed: int, rank: int, log_size: float) -> None:
    """Λ⁻¹ of all ⪯ Λ⁻¹ of fewer ⪯ I in every direction, whatever the experts say."""
    size = 10.0**log_size
    experts = [full_expert(seed + step, rank=rank) for step in range(3)]
    experts = [Expert(size * expert.precision, size * expert.pull) for expert in experts]
    wider = torch.eye(3, dtype=torch.float64).expand(4, 3, 3)
    for many in (1, 2, 3):
        posterior = product_of(experts[:many])
        assert isinstance(posterior, FullNormal)
        narrower = posterior.covariance
        assert bool((torch.linalg.eigvalsh(wider - narrower) > -1e-9).all())
        wider = narrower


def test_a_normal_wider_than_the_prior_is_no_expert() -> None:
    """What its precision less the prior's would be is negative, and the product with another such no distribution."""
    scale = torch.tensor([[1.5]], dtype=torch.float64)
    taken = 1 / scale.square() - 1
    assert float(taken) < 0
    assert not bool((1 + 2 * taken > 0).all())


def test_the_normals_themselves_count_the_prior_too_often() -> None:
    """Two experts that say nothing leave the prior; as normals they would say it twice, and halve its variance."""
    nothing = Expert(torch.zeros(1, 1).double(), torch.zeros(1, 1).double())
    assert product_of([nothing, nothing]).variance.item() == 1.0
    twice = 1 / (1 / nothing.posterior().variance + 1 / nothing.posterior().variance)
    assert twice.item() == 0.5


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(ShapeError, match=r"precision has shape \(3, 2\), expected \(3, 4\), or \(3, 4, 4\) of full"):
        Expert(torch.zeros(3, 2), torch.zeros(3, 4))
