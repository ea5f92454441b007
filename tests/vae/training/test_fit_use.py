"""The training loop as it is called: what it takes and refuses, and what it leaves as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.errors import VAEError
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine, ramp
from tests.vae.training.linear import data, linear_vae, same, weights


def test_bare_rows_are_a_batch_and_what_is_neither_is_told() -> None:
    def run(batches: object) -> dict[str, Tensor]:
        vae = linear_vae()
        fit(vae, ELBO(), batches, torch.optim.SGD(vae.parameters(), lr=0.1), generator=generator())  # type: ignore[arg-type]
        return weights(vae)

    x = data(4)
    assert same(run([x, x]), run([Batch(x)] * 2))
    assert same(run([x.double().numpy()] * 2), run([Batch(x)] * 2))
    with pytest.raises(VAEError, match="batches gives a tuple, expected Batch or rows; write"):
        run([(x, x)])
    with pytest.raises(VAEError, match="batches is one Batch, expected a stream of them"):
        run(Batch(x))
    with pytest.raises(VAEError, match="batches is one table, expected a stream of batches"):
        run(x)  # not its rows, one at a time
    with pytest.raises(
        VAEError, match="batches gave nothing, so that nothing was learnt; a generator that was used up"
    ):
        run([])


def test_a_term_that_stands_twice_steps_once_and_every_term_has_its_own_name() -> None:
    steps: list[Step] = []
    vae, bound = linear_vae(), ELBO(ramp(0.0, 1.0, 4))
    loss = bound + 0.5 * bound + ELBO(0.25)
    fit(
        vae,
        loss,
        [Batch(data(4))] * 3,
        torch.optim.SGD(vae.parameters(), lr=0.01),
        generator=generator(),
        on_step=steps.append,
    )
    assert int(bound.step) == 3
    for step in steps:
        assert step.terms["elbo"] == pytest.approx(step.number / 4 * step.kl - step.log_prob, rel=1e-5)
        assert step.terms["elbo_2"] == pytest.approx(0.25 * step.kl - step.log_prob, rel=1e-5)
        assert step.loss == pytest.approx(1.5 * step.terms["elbo"] + step.terms["elbo_2"], rel=1e-5)


def test_a_second_fit_is_as_the_first_whatever_schedule_that_had() -> None:
    """Rates are given back, and schedules of the loss begin where ``start`` says."""
    vae, loss = linear_vae(), 1.0 * ELBO(ramp(0.0, 1.0, 4))
    optimizer = torch.optim.SGD(vae.parameters(), lr=0.25)
    for schedule in (cosine(5), None):
        betas: list[float] = []
        rates: list[float] = []

        def note(step: Step) -> None:
            betas.append((step.loss + step.log_prob) / step.kl)  # noqa: B023
            rates.append(optimizer.param_groups[0]["lr"])  # noqa: B023

        batches = [Batch(data(4))] * 5
        fit(vae, loss, batches, optimizer, generator=generator(), schedule=schedule, on_step=note, clip=1.0)
        assert betas == pytest.approx([0, 0.25, 0.5, 0.75, 1], abs=1e-4)
        assert rates == pytest.approx([0.25 * (schedule(step) if schedule else 1) for step in range(5)])
        assert optimizer.param_groups[0]["lr"] == 0.25
    optimizer.param_groups[0]["lr"] = 0.5  # what is set between two fits counts
    fit(vae, loss, [Batch(data(4))], optimizer, generator=generator(), schedule=lambda step: 0.5, clip=1.0)
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_an_exception_leaves_the_model_for_use_and_the_rates_as_they_were() -> None:
    vae = linear_vae()
    optimizer = torch.optim.SGD(vae.parameters(), lr=0.25)

    def stop(step: Step) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(vae, ELBO(), [Batch(data(4))], optimizer, generator=generator(), schedule=lambda step: 0.1, on_step=stop)
    assert not vae.training
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_the_optimizer_of_another_model_is_refused() -> None:
    vae, other = linear_vae(), linear_vae()
    with pytest.raises(VAEError, match="the optimizer holds no parameter that the loss depends on, so that nothing"):
        fit(vae, ELBO(), [Batch(data(4))], torch.optim.Adam(other.parameters()), generator=generator())
    frozen = linear_vae().requires_grad_(False)
    frozen.encoder.requires_grad_(True)  # type: ignore[attr-defined]
    with pytest.raises(VAEError, match="the optimizer holds no parameter that the loss depends on"):
        fit(frozen, ELBO(), [Batch(data(4))], torch.optim.Adam(frozen.decoder.parameters()), generator=generator())  # type: ignore[attr-defined]
