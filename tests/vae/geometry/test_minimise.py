"""The batched L-BFGS on functions whose minima are known."""

from __future__ import annotations

import numpy as np
import scipy.optimize
import torch
from torch import Tensor

from designloop.vae.geometry.minimise import minimise
from tests.vae.geometry.known import rng


def test_quadratics_of_many_scales() -> None:
    scales = 10 ** torch.linspace(-2, 2, 10, dtype=torch.float64)
    target = torch.randn(6, 10, dtype=torch.float64, generator=rng())

    def value(x: Tensor, rows: Tensor) -> Tensor:
        return (scales * (x - target[rows]).square()).sum(-1) * 10.0 ** (rows - 3)

    result = minimise(value, torch.zeros_like(target), torch.ones(6).double(), steps=400, tolerance=1e-16)
    torch.testing.assert_close(result, target, rtol=1e-5, atol=1e-5)


def test_rosenbrock_with_no_more_work_than_scipy() -> None:
    start = torch.tensor([[-1.2, 1.0], [2.0, 2.0], [0.0, -1.0]], dtype=torch.float64)
    asked = torch.zeros(3)

    def value(x: Tensor, rows: Tensor) -> Tensor:
        asked[rows] += 1
        return (1 - x[:, 0]).square() + 100 * (x[:, 1] - x[:, 0].square()).square()

    result = minimise(value, start, torch.full((3,), 0.1).double(), tolerance=1e-12)
    torch.testing.assert_close(result, torch.ones_like(start), rtol=1e-4, atol=1e-4)
    theirs = [
        scipy.optimize.minimize(scipy.optimize.rosen, row, jac=scipy.optimize.rosen_der, method="L-BFGS-B").nfev
        for row in start.numpy()
    ]
    assert np.all(asked.numpy() <= 2 * np.array(theirs))


def test_a_row_knows_nothing_of_the_others_and_none_is_asked_when_done() -> None:
    easy, hard = torch.zeros(1, 2).double(), torch.tensor([[-1.2, 1.0]]).double()
    asked = torch.zeros(2)

    def value(x: Tensor, rows: Tensor) -> Tensor:
        asked[rows] += 1
        rosenbrock = (1 - x[:, 0]).square() + 100 * (x[:, 1] - x[:, 0].square()).square()
        return torch.where(rows == 0, x.square().sum(1), rosenbrock)

    def hard_alone(x: Tensor, rows: Tensor) -> Tensor:
        return value(x, rows + 1)

    both = minimise(value, torch.cat([easy, hard]), torch.full((2,), 0.1).double())
    assert asked[0] == 1
    torch.testing.assert_close(both[1:], minimise(hard_alone, hard, torch.full((1,), 0.1).double()), rtol=0, atol=0)


def test_where_the_function_is_not_finite_the_line_search_turns_back() -> None:
    def value(x: Tensor, rows: Tensor) -> Tensor:
        return (x - x.log()).sum(1)  # not a number below zero, least at one

    result = minimise(value, torch.tensor([[0.01, 5.0]]).double(), torch.tensor([100.0]).double(), tolerance=1e-14)
    torch.testing.assert_close(result, torch.ones(1, 2).double(), rtol=1e-5, atol=0)
