"""The one training loop: every VAE of the project, from PPCA to the sequence VAE, is fitted here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from designloop.vae.errors import VAEError
from designloop.vae.model import VAE
from designloop.vae.training.batches import Batch
from designloop.vae.training.losses import Loss, Term
from designloop.vae.training.schedules import Schedule


@dataclass(frozen=True, slots=True)
class Step:
    """What ``fit`` reports after each step."""

    number: int
    """From 0."""
    loss: float
    terms: Mapping[str, float]
    """Each term's own value, before its weight."""
    log_prob: float
    """Mean log p(x | z), nats a row."""
    kl: float
    """Mean KL(q || p), nats a row."""


def fit(
    vae: VAE,
    loss: Loss | Term,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    *,
    generator: torch.Generator,
    schedule: Schedule | None = None,
    clip: float = 1.0,
    precision: torch.dtype | None = None,
    start: int = 0,
    on_step: Callable[[Step], None] | None = None,
) -> int:
    """Fits a VAE by stochastic gradients; the stream of batches says for how long.

    Args:
        vae: trained in place.
        loss: ``ELBO(…) + weight * Penalty(…)``; terms with parameters are trained if the optimizer holds them.
        batches: one step each.
        generator: draws the posterior's noise, on the model's device.
        schedule: step number -> factor on the optimizer's learning rates as they were when it was first given here.
        clip: greatest norm of the gradient.
        precision: autocast to it (``torch.bfloat16`` where the CPU has AMX); None trains in the parameters' own.
        start: number of the first step, for a run that is resumed.
        on_step: called after each step.

    Returns:
        Number of the next step.

    Raises:
        VAEError: the loss stopped being finite; the weights are those before that step.
    """
    loss = loss if isinstance(loss, Loss) else Loss([(1.0, loss)])
    base_rates = [group.setdefault("base_lr", group["lr"]) for group in optimizer.param_groups]
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    vae.train()
    number = start
    for batch in batches:
        if schedule is not None:
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * schedule(number)
        noise = vae.draw_noise(batch.x.shape[0], generator)
        with _autocast(precision, batch.x.device.type):
            out = vae(batch.x, batch.mask, batch.context, noise, batch.targets, batch.weights)
            value, terms = loss(out)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if not math.isfinite(float(norm)) or not math.isfinite(float(value.detach())):
            optimizer.zero_grad(set_to_none=True)
            raise VAEError(
                f"the loss is {float(value.detach())} with gradient norm {float(norm)} at step {number}; "
                "the weights are those before it: lower the learning rate or check the data for NaN"
            )
        if float(norm) > clip - 1e-6:  # below, torch's clipping multiplies all gradients by 1
            nn.utils.clip_grads_with_norm_(parameters, clip, norm)
        optimizer.step()
        loss.update(out)
        if on_step is not None:
            on_step(
                Step(
                    number,
                    float(value.detach()),
                    {name: float(term) for name, term in terms.items()},
                    float(out.log_prob.detach().mean()),
                    float(out.kl.detach().mean()),
                )
            )
        number += 1
    vae.eval()
    return number


def _autocast(precision: torch.dtype | None, device: str) -> AbstractContextManager[object]:
    return nullcontext() if precision is None else torch.autocast(device, dtype=precision)
