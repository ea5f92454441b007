"""Training by epochs: over a table or a loader, with validation, early stopping and a line of progress, all on ``fit``.

history = fit_epochs(vae, ELBO(), x, epochs=200, validation=0.1, patience=10)
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.model import VAE
from designloop.vae.training.batches import Batch, as_batch
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import Loss, Term
from designloop.vae.training.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the data came to."""

    number: int
    """From 1."""
    loss: float
    """Mean of the steps' losses."""
    validation: float | None
    """Negative ELBO of the rows held out, nats a row, at the same noise in every epoch; None without such rows."""
    is_best: bool
    """Whether the validation was never as low before, NaN above all numbers; always without rows held out."""


@dataclass(frozen=True, slots=True)
class History:
    """What a run came to."""

    epochs: list[Epoch]
    best: Epoch
    """Whose weights the model has now: the one of lowest validation, or the last."""
    stopped_early: bool


def fit_epochs(
    vae: VAE,
    loss: Loss | Term,
    data: Any,
    *,
    epochs: int,
    batch: int = 128,
    rate: float = 1e-3,
    optimizer: torch.optim.Optimizer | None = None,
    validation: Any | None = None,
    patience: int | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    schedule: Schedule | None = None,
    progress: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
    **options: Any,
) -> History:
    """Fits a VAE by passes over its data, in a new order each.

    Args:
        vae: trained in place; with ``validation`` it has the weights of its best epoch in the end.
        loss: as for ``fit``.
        data: rows alone (a tensor, an array, a data frame, lists), a ``Batch`` of all rows with their masks, contexts,
            targets, weights and latents, or what can be gone through again and again and gives batches: a
            ``DataLoader`` of ``Batch``, of rows, or of ``{"x": …, "mask": …, "context": …}``.
        epochs: passes at most.
        batch: rows of a step, of data that is not batched already.
        rate: of Adam, where no ``optimizer`` is given.
        optimizer: of the model's parameters, once it is on its device.
        validation: rows or batches that are not learnt from, as ``data``; or the share of the rows to hold out.
        patience: epochs without a lower validation after which to stop; None for none.
        device: to move model and data to; None leaves the model where it is.
        seed: of all that is drawn: orders, rows held out, noise.
        schedule: step number -> factor on the learning rate, as for ``fit``.
        progress: write a line an epoch to the terminal's error stream.
        on_epoch: called after each epoch.
        options: the others of ``fit``: ``clip``, ``draws``, ``precision``, ``on_step``.

    Raises:
        VAEError: no epochs, patience without validation, a share that is none, or as ``fit``.
    """
    if epochs < 1 or batch < 1:
        raise VAEError(f"epochs is {epochs} and batch {batch}, expected at least 1 of each; 100 and 128 are a start")
    if patience is not None and (validation is None or patience < 1):
        raise VAEError(f"patience is {patience} with validation={validation!r}; give rows or a share to validate on")
    loss = loss if isinstance(loss, Loss) else Loss([(1.0, loss)])
    if device is not None:
        vae.to(device)
        loss.to(device)
    where = _device_of(vae)
    orders = torch.Generator().manual_seed(seed)
    noise = torch.Generator(where).manual_seed(seed)
    learnt, held = _sources(vae, data, validation, batch, orders)
    optimizer = optimizer or torch.optim.Adam([*vae.parameters(), *loss.learned()], lr=rate)
    on_step = options.pop("on_step", None)
    done: list[Epoch] = []
    start = 0
    kept: list[dict[str, Tensor]] = []
    for number in range(1, epochs + 1):
        losses: list[float] = []

        def note(step: Step, losses: list[float] = losses) -> None:
            losses.append(step.loss)
            if on_step is not None:
                on_step(step)

        start = fit(
            vae, loss, learnt(), optimizer, generator=noise, schedule=schedule, start=start, on_step=note, **options
        )
        if not losses:
            raise VAEError("data gave no batch in an epoch; give what can be gone through again, such as a DataLoader")
        held_out_loss = None if held is None else _negative_elbo(vae, held(), seed)
        is_best = (
            not done
            or held_out_loss is None
            or _height(held_out_loss) < min(_height(epoch.validation) for epoch in done)
        )
        done.append(Epoch(number, sum(losses) / len(losses), held_out_loss, is_best))
        if is_best and held_out_loss is not None:
            kept = [_copy(vae), _copy(loss)]
        if progress:
            _write(done[-1], epochs)
        if on_epoch is not None:
            on_epoch(done[-1])
        best = next(epoch for epoch in reversed(done) if epoch.is_best)
        if patience is not None and number - best.number >= patience:
            break
    if kept:
        vae.load_state_dict(kept[0])
        loss.load_state_dict(kept[1])
    return History(done, best, best.number < done[-1].number < epochs)


Source = Callable[[], Iterable[Batch]]
"""One pass over the batches, each time it is called."""


def _sources(
    vae: VAE, data: Any, validation: Any | None, batch: int, orders: torch.Generator
) -> tuple[Source, Source | None]:
    """Passes to learn from and, if asked for, to validate on."""
    whole = _whole(vae, data)
    if not isinstance(validation, int | float | np.number):
        held = None if validation is None else _whole(vae, validation)
        in_order = None if validation is None else _passes(validation, held, batch, None)
        return _passes(data, whole, batch, orders), in_order
    if whole is None:
        raise VAEError("validation is a share and data gives batches; give the rows to validate on")
    many = round(validation * len(whole.x))
    if not 1 <= many < len(whole.x):
        raise VAEError(f"validation is {validation}, {many} of {len(whole.x)} rows; give a share between 0 and 1")
    order = torch.randperm(len(whole.x), generator=orders)
    held_out, learnt = _rows(whole, order[:many]), _rows(whole, order[many:])
    return _passes(None, learnt, batch, orders), _passes(None, held_out, batch, None)


def _whole(vae: VAE, data: Any) -> Batch | None:
    """All rows as one batch of tensors on the model's device; None for what gives batches itself."""
    table = data
    while isinstance(table, list | tuple) and len(table):  # rows of numbers, or a list of batches?
        table = table[0]
    of_numbers = isinstance(table, int | float) or (table is data and isinstance(data, Tensor | Batch))
    if not of_numbers and not (table is data and (hasattr(data, "__array__") or hasattr(data, "toarray"))):
        return None
    given = data if isinstance(data, Batch) else Batch(data)
    x, mask, context = vae.take_rows(given.x, given.mask, given.context)
    out = vae.take_rows(x, mask, given.targets)[2]
    weights = vae.take_rows(x, mask, {} if given.weights is None else {"weights": given.weights})[2].get("weights")
    z = vae.take_rows(x, mask, {} if given.z is None else {"z": given.z})[2].get("z")
    return Batch(x, mask, context, out, weights, z)


def _passes(data: Any, whole: Batch | None, batch: int, orders: torch.Generator | None) -> Source:
    def cut() -> Iterator[Batch]:
        assert whole is not None
        many = len(whole.x)
        order = torch.arange(many) if orders is None else torch.randperm(many, generator=orders)
        return (_rows(whole, rows) for rows in order.split(batch))

    def go_through() -> Iterator[Batch]:
        return (_of_loader(given) for given in data)

    return go_through if whole is None else cut


def _of_loader(given: Any) -> Batch:
    if isinstance(given, Mapping):
        return Batch(**given)
    if isinstance(given, list | tuple) and len(given) > 1:
        raise VAEError(
            f"data gives {type(given).__name__}s of {len(given)} parts, expected Batch, rows or a mapping; let the "
            'loader\'s collate_fn give {"x": …, "mask": …}, so that it is told what stands for what'
        )
    if isinstance(given, list | tuple) and len(given) == 1:  # a row of a TensorDataset
        given = given[0]
    return as_batch(given)


def _rows(batch: Batch, rows: Tensor) -> Batch:
    def take(value: Tensor | None) -> Tensor | None:
        return None if value is None else value[rows.to(value.device)]

    def take_all(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: value[rows.to(value.device)] for name, value in values.items()}

    return replace(
        batch, x=batch.x[rows.to(batch.x.device)], mask=take(batch.mask), context=take_all(batch.context),
        targets=take_all(batch.targets), weights=take(batch.weights), z=take(batch.z),
    )  # fmt: skip


@torch.no_grad()
def _negative_elbo(vae: VAE, batches: Iterable[Batch], seed: int) -> float:
    """Mean over the rows, by their weights, whatever schedules the loss has: epochs are then comparable."""
    generator = torch.Generator(_device_of(vae)).manual_seed(seed)
    total, rows = 0.0, 0.0
    for batch in batches:
        out = vae(batch.x, batch.mask, batch.context, weights=batch.weights, generator=generator)
        weights = torch.ones_like(out.log_prob) if out.weights is None else out.weights
        total += float((weights * (out.kl - out.log_prob)).sum())
        rows += float(weights.sum())
    if not rows:
        raise VAEError("validation has no rows; give some, or what can be gone through again, a list or a DataLoader")
    return total / rows


def _height(validation: float | None) -> float:
    """A validation to be compared: what is no number is worse than any."""
    return math.inf if validation is None or math.isnan(validation) else validation


def _device_of(vae: VAE) -> torch.device:
    return next((parameter.device for parameter in vae.parameters()), torch.device("cpu"))


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _write(epoch: Epoch, epochs: int) -> None:
    held_out = "" if epoch.validation is None else f", held out {epoch.validation:.4f} nats a row"
    best = " (best)" if epoch.is_best and epoch.validation is not None else ""
    sys.stderr.write(f"epoch {epoch.number}/{epochs}: loss {epoch.loss:.4f}{held_out}{best}\n")
