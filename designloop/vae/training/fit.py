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
from designloop.vae.training.batches import Batch, as_batch, is_table
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
    """Mean KL(q || p), nats a row; NaN where the rows were not encoded."""
    gradient_norm: float
    """Of all parameters that the optimizer holds, before it was clipped."""
    clipped: bool
    """Whether the gradient was longer than ``clip``, and cut to it."""


def fit(
    vae: VAE,
    loss: Loss | Term,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    *,
    generator: torch.Generator,
    schedule: Schedule | None = None,
    clip: float = math.inf,
    draws: int | None = None,
    precision: torch.dtype | None = None,
    start: int = 0,
    on_step: Callable[[Step], None] | None = None,
) -> int:
    """Fits a VAE by stochastic gradients; the stream of batches says for how long.

    Args:
        vae: trained in place.
        loss: ``ELBO(…) + weight * Penalty(…)``; terms with parameters are trained if the optimizer holds them.
        batches: one step each; rows alone (a tensor, an array, a data frame) are a batch without more.
        generator: draws the posterior's noise, on the model's device.
        schedule: step number -> factor on the optimizer's learning rates, which are as they were again behind.
        clip: greatest norm of the gradient; longer ones are cut to it, and ``Step.clipped`` says when. The default cuts
            none: losses are nats a row, whose gradients may rightly be hundreds long, and where the rows that pull
            hardest are cut the most, what is learnt is not the minimum of the loss.
        draws: of the posterior for each row; terms are averaged over them, or weigh them (``IWELBO``). None for one.
        precision: autocast to it (``torch.bfloat16`` where a machine multiplies in it); None: the weights' own.
        start: number of the first step, for a run that is resumed: all schedules begin there, those of the loss too.
        on_step: called after each step.

    Returns:
        Number of the next step.

    Raises:
        VAEError: the loss stopped being finite; the weights are those before that step. Or data cannot be, the
            optimizer is another model's, or there is nothing to learn from.
    """
    loss = loss if isinstance(loss, Loss) else Loss([(1.0, loss)])
    if isinstance(batches, Batch):
        raise VAEError("batches is one Batch, expected a stream of them, one a step; give [batch] * steps")
    if is_table(batches):
        raise VAEError("batches is one table, expected a stream of batches; give [x] * steps, or x to fit_epochs")
    _require_learned(loss, optimizer)
    base_rates = [group.setdefault("base_lr", group["lr"]) for group in optimizer.param_groups]
    trainer = _Trainer(vae, loss, optimizer, generator, clip=clip, draws=draws, precision=precision)
    number = start
    loss.start(start)
    vae.train()
    try:
        for data in batches:
            if schedule is not None:
                for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                    group["lr"] = rate * schedule(number)
            step = trainer.step(as_batch(data), number)
            if on_step is not None:
                on_step(step)
            number += 1
    finally:  # however it ends, the model is left for use, and the rates as they were given
        vae.eval()
        for group in optimizer.param_groups:
            group["lr"] = group.pop("base_lr")
    if number == start == 0:
        raise VAEError("batches gave nothing, so that nothing was learnt; a generator that was used up gives no more")
    return number


@dataclass(frozen=True)
class _Trainer:
    """What all steps of a fit share."""

    vae: VAE
    loss: Loss
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    clip: float
    draws: int | None
    precision: torch.dtype | None

    def step(self, batch: Batch, number: int) -> Step:
        """Takes one step, of this number.

        Raises:
            VAEError: the loss is not finite, or depends on none of the optimizer's parameters.
        """
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        with _autocast(self.precision, self.generator.device.type):
            out = self.vae(
                batch.x, batch.mask, batch.context, None, batch.targets, batch.weights,
                generator=self.generator, draws=self.draws, z=batch.z,
                encode=batch.z is None or self.loss.needs_posterior,
            )  # fmt: skip
            value, terms = self.loss(out)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        slopes = [p.grad for p in parameters if p.grad is not None]
        if not slopes:
            raise VAEError(
                "the optimizer holds no parameter that the loss depends on, so that nothing would be learnt; build it "
                "of this model's own, torch.optim.Adam(vae.parameters()), after the model was copied or moved"
            )
        norm = nn.utils.get_total_norm(slopes)
        if not math.isfinite(float(norm)) or not math.isfinite(float(value.detach())):
            self.optimizer.zero_grad(set_to_none=True)
            raise VAEError(
                f"the loss is {float(value.detach())} with gradient norm {float(norm)} at step {number}; "
                "the weights are those before it: lower the learning rate or check the data for NaN"
            )
        clipped = float(norm) > self.clip - 1e-6  # below, torch's clipping multiplies all gradients by 1
        if clipped:
            nn.utils.clip_grads_with_norm_(parameters, self.clip, norm)
        self.optimizer.step()
        self.loss.update(out)
        return Step(
            number,
            float(value.detach()),
            {name: float(term) for name, term in terms.items()},
            float(out.log_prob.detach().mean()),
            float(out.kl.detach().mean()),
            float(norm),
            clipped,
        )


def _require_learned(loss: Loss, optimizer: torch.optim.Optimizer) -> None:
    """Refuses an optimizer that holds parameters of a term which learn against the loss."""
    theirs = {id(parameter) for parameter in loss.parameters()} - {id(parameter) for parameter in loss.learned()}
    if any(id(parameter) in theirs for group in optimizer.param_groups for parameter in group["params"]):
        raise VAEError(
            "the optimizer holds parameters of a term that trains them itself, against the loss; build it of "
            "[*vae.parameters(), *loss.learned()]"
        )


def _autocast(precision: torch.dtype | None, device: str) -> AbstractContextManager[object]:
    return nullcontext() if precision is None else torch.autocast(device, dtype=precision)
