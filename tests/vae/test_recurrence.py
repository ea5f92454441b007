from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from designloop.vae.recurrence import recur


def step_by_step(push: Tensor, carry: Tensor) -> Tensor:
    path = [push[..., 0, :]]
    for step in range(1, push.shape[-2]):
        path.append(push[..., step, :] + (carry if carry.ndim == 1 else carry[..., step - 1, :]) * path[-1])
    return torch.stack(path, -2)


@settings(deadline=None, max_examples=20)
@given(steps=st.integers(1, 40), channels=st.integers(1, 3), alike=st.booleans(), seed=st.integers(0, 100))
def test_all_steps_at_once_are_the_steps_one_by_one(steps: int, channels: int, alike: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    push = torch.randn(2, 3, steps, channels, dtype=torch.float64, generator=generator)
    shape = (channels,) if alike else (3, steps - 1, channels)
    carry = 1.2 * torch.randn(shape, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(recur(push, carry), step_by_step(push, carry), rtol=1e-9, atol=1e-9)


def test_its_slopes_are_those_of_the_steps_one_by_one() -> None:
    push = torch.randn(9, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    carry = torch.full((8, 2), 0.8, dtype=torch.float64).requires_grad_()
    slopes = [torch.autograd.grad(way(push, carry).square().sum(), (push, carry)) for way in (recur, step_by_step)]
    for own, known in zip(*slopes, strict=True):
        torch.testing.assert_close(own, known)
