"""Refinement of latents, where the best latent is known: a linear Gaussian model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.inference.refinement import refine
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal

WEIGHT = torch.tensor([[1.0, 0.5], [-0.3, 1.0], [0.2, 0.4]])


def linear(z: Tensor, context: Context | None = None) -> Tensor:
    """z W' plus what the context adds."""
    return z @ WEIGHT.T + (context["shift"] if context else 0.0)


def model() -> VAE:
    return VAE(MLPEncoder(3, 2), linear, Gaussian(3), StandardNormal(2))


def test_it_arrives_at_the_likeliest_latent() -> None:
    """Least squares; a unit step can only come as near as it is long, so the steps shrink."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(8, 3, generator=generator)
    wanted = torch.linalg.lstsq(WEIGHT, x.T).solution.T
    result = refine(model(), x, torch.zeros(8, 2), steps=200, length=0.5, decay=0.95, momentum=0.5)
    assert torch.allclose(result, wanted, atol=2e-3)


def test_a_masked_entry_and_a_context_are_heeded() -> None:
    x, mask = torch.tensor([[1.0, 2.0, 50.0]]), torch.tensor([[True, True, False]])
    context = {"shift": torch.tensor([[0.5]])}
    wanted = torch.linalg.solve(WEIGHT[:2], x[0, :2] - 0.5)
    result = refine(
        model(), x, torch.zeros(1, 2), steps=300, length=0.5, decay=0.97, mask=mask, context=context
    )  # fmt: skip
    assert torch.allclose(result[0], wanted, atol=5e-3)


def test_rows_that_have_arrived_stay_and_each_row_goes_alone() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [-2.0, 0.0, 1.0]])
    start = torch.zeros(3, 2)
    asked: list[int] = []

    def arrived(decoded: Tensor, rows: Tensor) -> Tensor:
        asked.append(len(rows))
        enough: Tensor = (rows[:, 0] < 0) | (decoded.norm(dim=1) > 1)
        return enough

    result = refine(model(), x, start, steps=50, length=0.4, arrived=arrived)
    assert torch.equal(result[2], start[2])
    assert 1 < float(linear(result[:1]).norm()) < 1.6
    assert torch.equal(result[0], result[1])
    assert asked[:2] == [3, 2]
    assert len(asked) < 10
    alone = refine(model(), x[:1], start[:1], steps=50, length=0.4, arrived=arrived)
    assert torch.allclose(alone[0], result[0])


def test_each_step_is_as_long_as_it_says_and_is_projected() -> None:
    x = torch.tensor([[4.0, 1.0, 0.0]])
    stepped = refine(model(), x, torch.zeros(1, 2), steps=1, length=0.3)
    assert float(stepped.norm()) == pytest.approx(0.3)
    start = torch.tensor([[0.0, 1.0]])
    round_ = refine(model(), x, start, steps=60, length=0.3, project=lambda z: z / z.norm(dim=-1, keepdim=True))
    assert float(round_.norm()) == pytest.approx(1.0)
    angles = torch.linspace(0, 2 * torch.pi, 20_000)
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    best = circle[(x - circle @ WEIGHT.T).square().sum(1).argmin()]
    assert torch.allclose(round_[0], best, atol=0.01)


def test_no_weight_and_no_start_changes() -> None:
    vae, start = model(), torch.zeros(2, 2)
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    assert torch.equal(refine(vae, torch.ones(2, 3), start, steps=0, length=1.0), start)
    refine(vae, torch.ones(2, 3), start, steps=3, length=1.0)
    assert not start.any()
    assert all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in vae.parameters())


@pytest.mark.parametrize(
    "wrong", [{"steps": -1}, {"length": 0.0}, {"decay": 0.0}, {"decay": 1.5}, {"momentum": 1.0}, {"momentum": -0.1}]
)
def test_a_schedule_that_cannot_be_is_told(wrong: dict[str, float]) -> None:
    options = {"steps": 3, "length": 1.0, **wrong}
    with pytest.raises(VAEError, match="expected steps ≥ 0, length > 0"):
        refine(model(), torch.ones(1, 3), torch.zeros(1, 2), **options)  # type: ignore[arg-type]


def test_a_start_may_be_of_another_kind_and_precision() -> None:
    x, start = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(4, 2)
    wanted = refine(model(), x, start, steps=5, length=0.5)
    for given in (start.double(), start.numpy(), start.tolist(), start.long()):
        assert torch.equal(refine(model(), x, given, steps=5, length=0.5), wanted)  # type: ignore[arg-type]
