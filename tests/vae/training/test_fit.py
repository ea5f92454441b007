"""The training loop: it reaches PPCA's optimum, obeys weights and schedules, and stops at a loss that is no number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE, ForwardPass
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import ELBO, PropertyRegression, Term
from designloop.vae.training.schedules import cosine, ramp
from tests.vae.training.linear import data, linear_vae, same, weights


def test_a_linear_vae_is_fitted_to_the_evidence_of_ppca() -> None:
    """Its ELBO at the optimum is PPCA's log-likelihood in closed form (Tipping & Bishop 1999; Lucas et al. 2019)."""
    x = data(200) - data(200).mean(0)
    values = torch.linalg.eigvalsh(x.T @ x / len(x)).flip(0)
    noise = float(values[2:].mean())
    wanted = -0.5 * (4 * math.log(2 * math.pi) + float(values[:2].log().sum()) + 2 * math.log(noise) + 4)
    vae = linear_vae()
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.03)
    steps: list[Step] = []
    fit(
        vae, ELBO(), (Batch(x) for _ in range(600)), optimizer,
        generator=generator(), schedule=cosine(600), on_step=steps.append,
    )  # fmt: skip
    result = -sum(step.loss for step in steps[-50:]) / 50
    assert result == pytest.approx(wanted, abs=0.05)
    assert -steps[0].loss < wanted - 1
    assert not vae.training


def test_a_step_tells_its_number_and_its_parts() -> None:
    vae = linear_vae()
    steps: list[Step] = []
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
    loss = ELBO(beta=0.5) + 2.0 * PropertyRegression(torch.nn.Linear(2, 1), "t")
    batch = Batch(data(8), targets={"t": torch.ones(8, 1)})
    assert fit(vae, loss, [batch] * 3, optimizer, generator=generator(), start=40, on_step=steps.append) == 43
    assert [step.number for step in steps] == [40, 41, 42]
    for step in steps:
        assert step.terms["elbo"] == pytest.approx(0.5 * step.kl - step.log_prob, rel=1e-5)
        assert step.loss == pytest.approx(step.terms["elbo"] + 2 * step.terms["propertyregression_t"], rel=1e-5)


def test_no_batches_change_nothing() -> None:
    vae = linear_vae()
    before = weights(vae)
    optimizer = torch.optim.Adam(vae.parameters())
    assert fit(vae, ELBO(), [], optimizer, generator=generator(), start=7) == 7
    assert same(weights(vae), before)


def test_rows_of_weight_zero_teach_nothing() -> None:
    """Two rows, one of them weightless, are one row; the noise of both is drawn."""
    x = data(2)

    def learned(second: Tensor, weight: Tensor | None) -> dict[str, Tensor]:
        vae = linear_vae()
        batch = Batch(torch.stack([x[0], second]), weights=weight)
        fit(vae, ELBO(), [batch] * 5, torch.optim.SGD(vae.parameters(), lr=0.1), generator=generator())
        return weights(vae)

    alone = torch.tensor([1.0, 0.0])
    assert same(learned(x[1], alone), learned(100 * x[1], alone))
    assert not same(learned(x[1], alone), learned(x[1], None))
    twice = learned(x[1], torch.tensor([2.0, 2.0]))
    for name, value in learned(x[1], None).items():
        torch.testing.assert_close(twice[name], value)


def test_a_run_in_two_parts_is_the_run_in_one() -> None:
    batches = [Batch(part) for part in data(60).split(6)]

    def optimizer_of(vae: VAE) -> torch.optim.Optimizer:
        return torch.optim.Adam(vae.parameters(), lr=0.01)

    schedule, beta = cosine(10, 3), ramp(0.0, 1.0, 10)
    whole = linear_vae()
    fit(whole, ELBO(beta), batches, optimizer_of(whole), generator=generator(3), schedule=schedule)
    parts, loss = linear_vae(), ELBO(beta)
    optimizer, noise = optimizer_of(parts), generator(3)
    step = fit(parts, loss, batches[:4], optimizer, generator=noise, schedule=schedule)
    assert step == 4
    fit(parts, loss, batches[4:], optimizer, generator=noise, schedule=schedule, start=step)
    assert same(weights(whole), weights(parts))


def test_the_schedule_is_a_factor_on_each_groups_own_rate() -> None:
    vae, rates = linear_vae(), []
    optimizer = torch.optim.SGD(
        [
            {"params": vae.encoder.parameters(), "lr": 0.1},  # type: ignore[attr-defined]
            {"params": vae.decoder.parameters(), "lr": 0.01},  # type: ignore[attr-defined]
        ]
    )

    def note(step: Step) -> None:
        rates.append([group["lr"] for group in optimizer.param_groups])

    fit(
        vae, ELBO(), [Batch(data(4))] * 3, optimizer,
        generator=generator(), schedule=lambda step: 1.0 / (1 + step), on_step=note,
    )  # fmt: skip
    assert rates == [pytest.approx([0.1 / n, 0.01 / n]) for n in (1, 2, 3)]


def test_cosine_warms_up_and_falls_to_its_floor() -> None:
    rate = cosine(10, warmup=4, floor=0.1)
    assert [rate(step) for step in range(4)] == [0.25, 0.5, 0.75, 1.0]
    assert rate(4) == 1.0
    assert rate(7) == pytest.approx(0.55)
    assert rate(10) == rate(99) == pytest.approx(0.1)
    assert cosine(0)(0) == 1.0


def test_gradients_are_clipped_to_the_norm() -> None:
    vae = linear_vae()
    before = weights(vae)
    optimizer = torch.optim.SGD(vae.parameters(), lr=1.0)
    fit(vae, ELBO(), [Batch(1000 * data(4))], optimizer, generator=generator(), clip=0.5)
    moved = math.sqrt(sum(float((value - before[name]).square().sum()) for name, value in weights(vae).items()))
    assert moved == pytest.approx(0.5, rel=1e-3)


class BreaksAt(Term):
    """NaN, or a gradient that is no number, at one step."""

    def __init__(self, bad_step: int, gradient_only: bool = False) -> None:
        super().__init__()
        self.bad_step, self.gradient_only = bad_step, gradient_only

    def forward(self, out: ForwardPass) -> Tensor:
        if int(self.step) != self.bad_step:
            return torch.zeros(())
        return (out.z * 0).sum().sqrt() if self.gradient_only else out.z.sum() * torch.nan


@pytest.mark.parametrize("gradient_only", [False, True])
def test_a_loss_that_is_no_number_leaves_the_weights_before_it(gradient_only: bool) -> None:
    def run(steps: int, breaks: int) -> dict[str, Tensor]:
        vae = linear_vae()
        optimizer = torch.optim.Adam(vae.parameters(), lr=0.01)
        loss = ELBO() + BreaksAt(breaks, gradient_only)
        batches = [Batch(data(8))] * steps
        if breaks < steps:
            with pytest.raises(VAEError, match=rf"gradient norm nan at step {breaks}; the weights are those before it"):
                fit(vae, loss, batches, optimizer, generator=generator())
            assert all(weight.grad is None for weight in vae.parameters())
        else:
            fit(vae, loss, batches, optimizer, generator=generator())
        return weights(vae)

    assert same(run(steps=6, breaks=3), run(steps=3, breaks=99))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            Batch(torch.full((2, 4), torch.nan)),
            "x has 8 entries that are NaN or infinite, the first in row 0; give a mask",
        ),
        (Batch(data(2), torch.zeros(2, 4, dtype=torch.bool)), "mask observes nothing of 2 rows of 2"),
        (
            Batch(data(2), weights=torch.zeros(2)),
            "weights are all 0, so that no row of the batch teaches anything; leave such batches out",
        ),
    ],
)
def test_data_that_is_no_number_and_weights_of_nothing_are_told(bad: Batch, message: str) -> None:
    vae = linear_vae()
    before = weights(vae)
    with pytest.raises(VAEError, match=message):
        fit(vae, ELBO(), [bad], torch.optim.Adam(vae.parameters()), generator=generator())
    assert same(weights(vae), before)


def test_terms_are_updated_after_each_step_with_its_pass() -> None:
    seen: list[int] = []
    vae = linear_vae()

    class Watches(Term):
        def forward(self, out: ForwardPass) -> Tensor:
            self.before = weights(vae)
            return torch.zeros(())

        def update(self, pass_: ForwardPass) -> None:
            super().update(pass_)
            seen.append(pass_.x.shape[0])
            assert not same(self.before, weights(vae))

    optimizer = torch.optim.Adam(vae.parameters())
    fit(vae, ELBO() + Watches(), [Batch(data(rows)) for rows in (3, 5)], optimizer, generator=generator())
    assert seen == [3, 5]


def test_masks_context_and_targets_reach_the_model() -> None:
    got: list[object] = []

    class Watches(Term):
        def forward(self, out: ForwardPass) -> Tensor:
            got.append((out.mask is mask, dict(out.context), dict(out.targets)))
            return torch.zeros(())

    mask, noise, target = torch.ones(3, 4, dtype=torch.bool), torch.zeros(3), torch.ones(3)
    vae = linear_vae()
    batch = Batch(data(3), mask, {"noise": noise}, {"t": target})
    fit(vae, ELBO() + Watches(), [batch], torch.optim.Adam(vae.parameters()), generator=generator())
    assert got == [(True, {"noise": noise}, {"t": target})]


def test_the_stream_is_drawn_one_batch_at_a_time() -> None:
    order: list[str] = []

    def stream() -> Iterator[Batch]:
        for index in range(3):
            order.append(f"batch {index}")
            yield Batch(data(2))

    vae = linear_vae()
    optimizer = torch.optim.Adam(vae.parameters())
    fit(
        vae,
        ELBO(),
        stream(),
        optimizer,
        generator=generator(),
        on_step=lambda step: order.append(f"step {step.number}"),
    )
    assert order == [f"{what} {index}" for index in range(3) for what in ("batch", "step")]


def test_noise_follows_the_generator_and_no_global_one_is_moved() -> None:
    def run(seed: int) -> dict[str, Tensor]:
        vae = linear_vae()
        optimizer = torch.optim.Adam(vae.parameters(), lr=0.01)
        fit(vae, ELBO(), [Batch(data(4))] * 3, optimizer, generator=generator(seed))
        return weights(vae)

    before = torch.get_rng_state()
    assert same(run(1), run(1))
    assert not same(run(1), run(2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("precision", [torch.bfloat16, None])
def test_weights_keep_their_own_precision(precision: torch.dtype | None) -> None:
    vae = linear_vae() if precision else linear_vae().double()
    x = data(16) if precision else data(16).double()
    steps: list[Step] = []
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.02)
    fit(vae, ELBO(), [Batch(x)] * 40, optimizer, generator=generator(), precision=precision, on_step=steps.append)
    assert {weight.dtype for weight in vae.parameters()} == {torch.float32 if precision else torch.float64}
    assert steps[-1].loss < steps[0].loss - 0.5


class Location(VAE):
    """One number a feature, and nothing of the latent: what is learnt is the mean of the data, in closed form."""

    def __init__(self) -> None:
        class Offset(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.offset = torch.nn.Parameter(torch.zeros(1))

            def forward(self, z: Tensor, context: object = None) -> Tensor:
                return self.offset + 0 * z

        super().__init__(MLPEncoder(1, 1), Offset(), Gaussian(1, 1.0, learned=False), StandardNormal(1))


@pytest.mark.parametrize(("clip", "unbiased"), [(None, True), (1.0, False)])
def test_rows_far_away_count_in_full_unless_clipping_is_asked_for(clip: float | None, unbiased: bool) -> None:
    """The mean of 95 % zeros and 5 % at 40 is 2, which steps that are cut to length 1 do not find from batches."""
    vae, steps = Location(), []
    x = torch.where(torch.arange(1000) % 20 == 0, 40.0, 0.0).unsqueeze(1)
    rows = (torch.randint(1000, (20,), generator=generator(seed)) for seed in range(1500))
    offset = vae.decoder.offset  # type: ignore[attr-defined]
    path: list[float] = []

    def note(step: Step) -> None:
        steps.append(step)
        path.append(float(offset.detach()))

    optimizer = torch.optim.SGD([offset], lr=0.02)
    given: dict[str, Any] = {} if clip is None else {"clip": clip}
    fit(vae, ELBO(), (Batch(x[drawn]) for drawn in rows), optimizer, generator=generator(), on_step=note, **given)
    learnt = sum(path[500:]) / len(path[500:])
    assert (abs(learnt - 2) < 0.15) is unbiased
    assert any(step.clipped for step in steps) is not unbiased
    assert [step.clipped for step in steps] == [step.gradient_norm > (clip or math.inf) - 1e-6 for step in steps]
    assert max(step.gradient_norm for step in steps) > 5
