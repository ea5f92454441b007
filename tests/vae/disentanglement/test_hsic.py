"""HSIC against sums over all pairs, triples and quadruples, and against all permutations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from torch import Tensor

from designloop.vae.disentanglement.hsic import (
    HSIC,
    centre_kernel,
    conditional_hsic,
    hsic_of,
    independence,
    kernel,
    median_distance,
    of_kernels,
)
from designloop.vae.errors import MissingContextError, ShapeError, VAEError
from designloop.vae.model import ForwardPass
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal


def rows(n: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(k: Tensor, l: Tensor, unbiased: bool) -> float:  # noqa: E741
    """The three expectations, over all indices or over distinct ones, by loops."""
    n = len(k)
    tuples = itertools.permutations if unbiased else lambda of, r: itertools.product(of, repeat=r)
    pairs = [float(k[i, j] * l[i, j]) for i, j in tuples(range(n), 2)]
    triples = [float(k[i, j] * l[i, q]) for i, j, q in tuples(range(n), 3)]
    quadruples = [float(k[i, j] * l[q, r]) for i, j, q, r in tuples(range(n), 4)]
    return float(np.mean(pairs) + np.mean(quadruples) - 2 * np.mean(triples))


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_dense_computation(unbiased: bool, labels: bool, dtype: torch.dtype) -> None:
    x = rows(8, 2).to(dtype)
    y = torch.tensor([0, 1, 2, 0, 1, 0, 0, 2]) if labels else (x[:, :1] ** 2 + 0.3 * rows(8, 1, 1)).to(dtype)
    k, l = (kernel(rows).double() for rows in (x, y))  # noqa: E741
    assert float(hsic_of(x, y, unbiased)) == pytest.approx(dense(k, l, unbiased), abs=1e-6)
    assert float(hsic_of(y, x, unbiased)) == pytest.approx(dense(k, l, unbiased), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 12), st.integers(0, 1000), st.booleans())
def test_it_is_symmetric_and_knows_no_order(n: int, seed: int, unbiased: bool) -> None:
    x, y = rows(n, 2, seed), rows(n, 3, seed + 1)
    value = float(hsic_of(x, y, unbiased))
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    assert float(hsic_of(y, x, unbiased)) == pytest.approx(value, abs=1e-12)
    assert float(hsic_of(x[order], y[order], unbiased)) == pytest.approx(value, abs=1e-12)
    assert unbiased or value >= 0


def test_the_kernel_is_a_gaussian_of_median_width() -> None:
    x = rows(50, 3)
    width = float(median_distance(x))
    assert width == pytest.approx(np.sort(pdist(x.numpy()))[(50 * 49 // 2 - 1) // 2])  # the lower of two middles
    wanted = (-0.5 * torch.cdist(x, x).square() / width**2).exp()
    torch.testing.assert_close(kernel(x), wanted)
    torch.testing.assert_close(kernel(7 * x + 2), wanted)  # so no unit matters
    torch.testing.assert_close(kernel(x, 2.0), (-torch.cdist(x, x).square() / 8).exp())
    assert kernel(torch.tensor([3, 5, 3])).int().tolist() == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_the_nulls_mean_over_all_permutations_is_known() -> None:
    """tr K̄ tr L̄ / (n² (n − 1)) for the biased one, 0 for the unbiased one."""
    k, l = kernel(rows(6, 2)), kernel(rows(6, 2, 1))  # noqa: E741
    orders = [torch.tensor(order) for order in itertools.permutations(range(6))]
    biased = torch.stack([of_kernels(k, l[order][:, order]) for order in orders]).mean()
    assert float(biased) == pytest.approx(
        float(centre_kernel(k).trace() * centre_kernel(l).trace()) / (36 * 5), abs=1e-12
    )
    assert float(torch.stack([of_kernels(k, l[order][:, order], True) for order in orders]).mean()) == pytest.approx(
        0, abs=1e-12
    )


@pytest.mark.parametrize("labels", [False, True])
def test_the_shuffled_null_has_that_mean_and_the_value_is_hsic(labels: bool) -> None:
    x, y = rows(60, 2), torch.arange(60) % 3 if labels else rows(60, 1, 1)
    result = independence(x, y, permutations=400, generator=torch.Generator().manual_seed(0))
    k, l = centre_kernel(kernel(x)), centre_kernel(kernel(y).double())  # noqa: E741
    wanted = float(k.trace() * l.trace()) / (60**2 * 59)
    assert float(result.value) == pytest.approx(float(hsic_of(x, y)), abs=1e-12)
    error = float(result.null.std()) / 20
    assert float(result.null.mean()) == pytest.approx(wanted, abs=4 * error)


def test_independent_pairs_are_rejected_as_often_as_promised_and_dependent_ones_found() -> None:
    generator = torch.Generator().manual_seed(0)
    result = [
        independence(rows(40, 2, seed), rows(40, 1, 1000 + seed), permutations=99, generator=generator)
        for seed in range(100)
    ]
    assert 0 <= sum(test.p_value <= 0.05 for test in result) <= 12  # binomial(100, 0.05): 99.9 % are at most 12
    assert 0.4 < np.mean([test.p_value for test in result]) < 0.6
    ring = rows(300, 2, 5)
    ring = ring / ring.norm(dim=1, keepdim=True)  # uncorrelated, and not independent
    circle = independence(ring[:, :1], ring[:, 1:], permutations=99, generator=generator)
    assert circle.p_value == pytest.approx(0.01)
    assert circle.above()


def test_given_labels_a_common_cause_is_no_dependence() -> None:
    generator = torch.Generator().manual_seed(0)
    s = torch.arange(300) % 3
    x = 3 * s.unsqueeze(1) + rows(300, 1)
    y = (s + (rows(300, 1, 1)[:, 0] > 0.5)) % 3
    assert independence(x, y, permutations=99, generator=generator).above()
    assert not independence(x, y, s, permutations=99, generator=generator).above()
    direct = independence(x + 0.8 * y.unsqueeze(1), y, s, permutations=99, generator=generator)
    assert direct.above()
    wanted = sum(float(hsic_of(x[s == stratum], y[s == stratum])) / 3 for stratum in range(3))
    assert float(conditional_hsic(x, y, s)) == pytest.approx(wanted, abs=1e-12)
    assert float(independence(x, y, s, generator=generator).value) == pytest.approx(wanted, abs=1e-12)


def test_the_term_is_hsic_of_its_units_and_has_a_gradient() -> None:
    mean = rows(30, 3).requires_grad_()
    drug, line = torch.arange(30) % 2, torch.arange(30) % 3
    zeros = torch.zeros(30)
    out = ForwardPass(mean, None, DiagonalNormal(mean, torch.ones(30, 3)), mean + 1, mean, zeros, zeros,
                {"drug": drug, "line": line})  # fmt: skip
    value = HSIC("drug", units=[0, 2], given="line")(out)
    torch.testing.assert_close(value, conditional_hsic(mean[:, [0, 2]], drug, line, True))
    torch.testing.assert_close(HSIC("drug")(out), hsic_of(mean, drug, True))
    value.backward()
    assert mean.grad is not None
    assert (mean.grad[:, 1] == 0).all()
    assert (mean.grad[:, 0] != 0).any()
    assert (HSIC("drug") + HSIC("line")).terms[1].name == "hsic_line"
    with pytest.raises(MissingContextError, match=r"HSIC reads context\['dose'\], the context holds drug, line"):
        HSIC("dose")(out)


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(VAEError, match="the median distance among 5 rows is 0, expected different ones; give a width"):
        kernel(torch.eye(5)[:, :1])
    with pytest.raises(ShapeError, match=r"labels has shape \(4, 1\), expected \(rows,\)"):
        kernel(torch.zeros(4, 1, dtype=torch.long))
    with pytest.raises(ShapeError, match=r"y has shape \(3,\), expected \(3 rows as x, at least 4, …\)"):
        hsic_of(rows(3, 1), rows(3, 1)[:, 0], unbiased=True)
    with pytest.raises(VAEError, match="no stratum of 6 rows has as many as 4"):
        conditional_hsic(rows(6, 1), rows(6, 1), torch.arange(6) % 3)


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e4])
def test_where_the_origin_lies_is_no_matter_in_float32_either(offset: float) -> None:
    x = (rows(60, 2) * 64).round() / 64  # numbers that float32 can write at any of these offsets
    y = x[:, :1] + rows(60, 1, 1).round()
    wanted = float(hsic_of(x, y, True))
    assert float(hsic_of(x.float() + offset, y.float() - offset, True)) == pytest.approx(wanted, rel=1e-3)


def test_what_does_not_vary_depends_on_nothing() -> None:
    """Also in training: a posterior that has collapsed is not pushed, and does not end the run."""
    same, other = torch.full((8, 2), 0.3), rows(8, 1).float()
    for pair in ((same, other), (other, same), (same, torch.arange(8) % 2)):
        assert float(hsic_of(*pair, unbiased=True)) == pytest.approx(0, abs=1e-6)
    assert independence(same, other, permutations=9, generator=torch.Generator().manual_seed(0)).p_value == 1
    mean = same.clone().requires_grad_()
    zeros = torch.zeros(8)
    context = {"drug": torch.arange(8) % 2, "line": torch.arange(8) // 4}
    out = ForwardPass(mean, None, DiagonalNormal(mean, torch.ones(8, 2)), mean, mean, zeros, zeros, context)
    for term in (HSIC("drug"), HSIC("drug", given="line"), HSIC("drug", widths=(0.5, None))):
        value = term(out)
        assert float(value.detach()) == pytest.approx(0, abs=1e-6)
        (slope,) = torch.autograd.grad(value, mean, retain_graph=True)
        assert torch.equal(slope, torch.zeros(8, 2))


def test_widths_of_the_term_are_those_of_hsic() -> None:
    mean = torch.cat([torch.zeros(25, 1), rows(5, 1).float()])  # most pairs are alike, so that there is no median
    zeros, age = torch.zeros(30), rows(30, 1, 2)[:, 0].float()
    out = ForwardPass(mean, None, DiagonalNormal(mean, mean + 1), mean, mean, zeros, zeros, {"age": age})
    with pytest.raises(VAEError, match="the median distance among 30 rows is 0, expected different ones; give a width"):
        HSIC("age")(out)
    torch.testing.assert_close(HSIC("age", widths=(0.5, 2.0))(out), hsic_of(mean, age, True, (0.5, 2.0)))
