"""Epochs are ``fit`` over the same batches; validation, early stopping, loaders and progress are what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from designloop.testing.draws import generator
from designloop.vae.disentanglement.hsic import HSIC
from designloop.vae.disentanglement.total_correlation import TotalCorrelation
from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.epochs import Epoch, History, fit_epochs
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine, ramp


def small_vae(hidden: tuple[int, ...] = ()) -> VAE:
    torch.manual_seed(0)
    return VAE(MLPEncoder(3, 2, hidden), MLPDecoder(2, 3, hidden), Gaussian(3), StandardNormal(2))


X = torch.randn(50, 1, generator=generator(1)) @ torch.ones(1, 3) + 0.3 * torch.randn(50, 3, generator=generator(2))


def state(vae: VAE) -> list[Tensor]:
    return [value.clone() for value in vae.state_dict().values()]


def same(ours: VAE, theirs: VAE) -> bool:
    return all(torch.equal(a, b) for a, b in zip(state(ours), state(theirs), strict=True))


def test_epochs_are_one_fit_over_the_rows_in_new_orders() -> None:
    ours, theirs, orders = small_vae(), small_vae(), generator(3)
    steps: list[Step] = []
    schedule, beta = cosine(12), ramp(0.0, 1.0, 12)
    history = fit_epochs(
        ours, ELBO(beta), X, epochs=3, batch=16, rate=0.01, seed=3, schedule=schedule, on_step=steps.append, clip=5.0
    )
    batches = [Batch(X[rows]) for _ in range(3) for rows in torch.randperm(50, generator=orders).split(16)]
    optimizer = torch.optim.Adam(theirs.parameters(), lr=0.01)
    fit(theirs, ELBO(beta), batches, optimizer, generator=generator(3), schedule=schedule, clip=5.0)
    assert same(ours, theirs)
    assert [step.number for step in steps] == list(range(12))
    assert [epoch.number for epoch in history.epochs] == [1, 2, 3]
    assert history.epochs[1].loss == pytest.approx(sum(step.loss for step in steps[4:8]) / 4)
    assert history.best is history.epochs[-1]
    assert history.best.validation is None
    assert not history.stopped_early


@pytest.mark.parametrize("kind", ["frame", "array", "lists", "batch", "loader of rows", "loader of batches", "dicts"])
def test_data_come_as_tables_or_in_batches(kind: str) -> None:
    def run(data: Any, **options: Any) -> VAE:
        vae = small_vae()
        fit_epochs(vae, ELBO(), data, epochs=2, batch=16, **options)
        return vae

    if kind in ("frame", "array", "lists", "batch"):
        data: Any = {"frame": pd.DataFrame(X.numpy()), "array": X.double().numpy(), "lists": X.tolist(),
                     "batch": Batch(X)}[kind]  # fmt: skip
        assert same(run(data), run(X))
        return
    parts = X.split(16)
    loader: Any = {
        "loader of rows": DataLoader(TensorDataset(X), batch_size=16),
        "loader of batches": [Batch(part) for part in parts],
        "dicts": [{"x": part} for part in parts],
    }[kind]
    vae = small_vae()
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)
    fit(vae, ELBO(), [Batch(part) for part in parts] * 2, optimizer, generator=generator())
    assert same(run(loader), vae)


def test_masks_contexts_targets_and_weights_are_cut_with_their_rows() -> None:
    mask, seen = torch.rand(50, 3, generator=generator(4)) < 0.8, []
    mask[:, 0] = True
    rows = torch.arange(50.0)
    data = Batch(X, mask, {"row": rows}, {"row": rows}, rows + 1)

    class Watches(ELBO):
        def forward(self, out: Any) -> Tensor:
            index = out.context["row"].long()
            assert torch.equal(out.x, X[index])
            assert torch.equal(out.mask, mask[index])
            assert torch.equal(out.targets["row"], out.context["row"])
            assert torch.equal(out.weights, out.context["row"] + 1)
            seen.extend(index.tolist())
            return super().forward(out)

    history = fit_epochs(small_vae(), Watches(), data, epochs=2, batch=16, validation=0.2)
    assert len(seen) == 80
    assert len(set(seen)) == 40  # ten rows are never learnt from
    assert history.best.validation is not None


def overfitted(patience: int | None, epochs: int = 60) -> tuple[VAE, History, list[list[Tensor]]]:
    """A wide model of few rows, whose validation falls and rises again."""
    vae, states = small_vae((64,)), []
    noise = torch.randn(24, 3, generator=generator(5))
    history = fit_epochs(
        vae, ELBO(), noise[:8], epochs=epochs, batch=8, rate=0.02, validation=noise[8:], patience=patience,
        on_epoch=lambda epoch: states.append(state(vae)),
    )  # fmt: skip
    return vae, history, states


def test_a_run_that_no_longer_helps_stops_and_gives_its_best_weights_back() -> None:
    vae, history, states = overfitted(patience=5)
    values = [float(epoch.validation) for epoch in history.epochs if epoch.validation is not None]
    lowest = min(range(len(values)), key=values.__getitem__)
    assert history.best == history.epochs[lowest]
    assert history.stopped_early
    assert len(values) == lowest + 1 + 5
    assert all(torch.equal(a, b) for a, b in zip(state(vae), states[lowest], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(state(vae), states[-1], strict=True))
    wanted = [value < min(values[:index], default=np.inf) for index, value in enumerate(values)]
    assert [epoch.is_best for epoch in history.epochs] == wanted
    _, without, _ = overfitted(patience=None)
    assert len(without.epochs) == 60
    assert not without.stopped_early
    assert without.best.validation is not None
    assert history.best.validation is not None
    assert without.best.validation <= history.best.validation


def test_validation_is_the_negative_elbo_whatever_the_loss_weighs() -> None:
    vae = small_vae()
    history = fit_epochs(vae, 7.0 * ELBO(0.1), X[:40], epochs=1, batch=20, validation=Batch(X[40:]), seed=9)
    wanted = vae(X[40:], generator=generator(9))
    assert history.best.validation == pytest.approx(float((wanted.kl - wanted.log_prob).mean().detach()))


def test_progress_is_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Epoch] = []
    fit_epochs(small_vae(), ELBO(), X, epochs=2, validation=0.2, progress=True, on_epoch=seen.append)
    written = capsys.readouterr()
    assert written.out == ""
    lines = written.err.splitlines()
    assert lines[0] == f"epoch 1/2: loss {seen[0].loss:.4f}, held out {seen[0].validation:.4f} nats a row (best)"
    assert len(lines) == 2
    fit_epochs(small_vae(), ELBO(), X, epochs=1)
    assert capsys.readouterr().err == ""


def test_model_and_data_go_to_the_device_that_is_named() -> None:
    vae = small_vae()
    fit_epochs(vae, ELBO(), X, epochs=1, device="cpu")
    assert {parameter.device.type for parameter in vae.parameters()} == {"cpu"}
    with pytest.raises(RuntimeError, match="bogus"):
        fit_epochs(small_vae(), ELBO(), X, epochs=1, device="bogus")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0 and batch 128, expected at least 1 of each"),
        ({"epochs": 1, "patience": 3}, "patience is 3 with validation=None; give rows or a share to validate on"),
        ({"epochs": 1, "validation": 1.0}, "validation is 1.0, 50 of 50 rows; give a share between 0 and 1"),
        (
            {"epochs": 1, "data": [Batch(X)], "validation": 0.5},
            "validation is a share and data gives batches; give",
        ),
        (
            {"epochs": 2, "data": iter([Batch(X)])},
            "data gave no batch in an epoch; give what can be gone",
        ),
        ({"epochs": 1, "validation": iter([])}, "validation has no rows; give some, or what can be gone through"),
        ({"epochs": 1, "data": [(X, X)]}, "data gives tuples of 2 parts, expected Batch, rows or a mapping; let the"),
        ({"epochs": 1, "validation": 1}, "validation is 1, 50 of 50 rows; give a share between 0 and 1"),
        ({"epochs": 1, "validation": np.float32(1.5)}, "validation is 1.5, 75 of 50 rows; give a share"),
        ({"epochs": 1, "data": X[:0]}, "the batch has no rows, so that nothing can be learnt of it"),
    ],
)
def test_what_cannot_be_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(VAEError, match=message):
        fit_epochs(small_vae(), ELBO(), options.pop("data", X), **options)


def test_latents_that_are_given_go_with_their_rows() -> None:
    seen: list[Tensor] = []

    class Watches(ELBO):
        def forward(self, out: Any) -> Tensor:
            assert torch.equal(out.z, out.x[:, :2])
            seen.append(out.z)
            return super().forward(out)

    fit_epochs(small_vae(), Watches(), Batch(X, z=X[:, :2]), epochs=1, batch=16, validation=0.2)
    assert sum(map(len, seen)) == 40


def test_an_epoch_without_a_number_is_no_best_one() -> None:
    values = iter([np.nan, 3.0, np.nan, 2.0, 4.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("designloop.vae.training.epochs._negative_elbo", lambda *_: next(values))
        history = fit_epochs(small_vae(), ELBO(), X, epochs=5, validation=X[:10])
    assert [epoch.is_best for epoch in history.epochs] == [True, True, False, True, False]
    assert history.best.number == 4


@pytest.mark.parametrize("rows", [129, 131])
def test_terms_of_a_batch_have_nothing_to_say_of_the_few_rows_that_are_left_over(rows: int) -> None:
    x = torch.randn(rows, 3, generator=generator())
    labels = torch.arange(rows) % 3
    loss = ELBO() + TotalCorrelation(rows) + HSIC("label") + HSIC("label", given="label", draws=True)
    history = fit_epochs(small_vae(), loss, Batch(x, context={"label": labels}), epochs=2)
    assert len(history.epochs) == 2
    with pytest.raises(VAEError, match="no stratum of 3 rows has as many as 4; give larger batches or fewer labels"):
        fit_epochs(small_vae(), HSIC("label", given="label"), Batch(x[:3], context={"label": labels[:3]}), epochs=1)
