"""Losses: an ELBO and weighted penalties, added up.

    loss = ELBO(beta=0.1) + 0.5 * PropertyLoss(head, "logp")

A term sees one ``ForwardPass`` and gives a value for each row or one for the batch; ``fit`` minimises the weighted mean
of the rows plus the batch values. Terms are modules: they may have parameters, and an ``update`` that is called after
each step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import require
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.model import VAE, ForwardPass
from designloop.vae.training.schedules import Schedule


class Term(nn.Module):
    """One named term of a loss. Subclasses give ``forward(out) -> (batch,) or ()``."""

    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def update(self, out: ForwardPass) -> None:
        """Called once after each optimiser step, with the pass of that step."""
        self.step += 1

    def __add__(self, other: Term | Loss) -> Loss:
        return Loss([(1.0, self)]) + other

    def __mul__(self, weight: float | Schedule) -> Loss:
        return Loss([(weight, self)])

    __rmul__ = __mul__


class Loss(nn.Module):
    """A weighted sum of terms."""

    def __init__(self, parts: list[tuple[float | Schedule, Term]]) -> None:
        super().__init__()
        self.parts = parts
        self.terms = nn.ModuleList([term for _, term in parts])  # so that their parameters are found

    def __add__(self, other: Term | Loss) -> Loss:
        more = other if isinstance(other, Loss) else Loss([(1.0, other)])
        return Loss([*self.parts, *more.parts])

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """The number to minimise and each term's own weighted mean, by name.

        Raises:
            VAEError: a term gave neither one value a row nor one for the batch.
        """
        batch = out.x.shape[0]
        total: Tensor | float = 0.0
        report: dict[str, Tensor] = {}
        for weight, term in self.parts:
            value = term(out)
            if value.shape == (batch,):
                value = value.mean() if out.weights is None else (value * out.weights).sum() / out.weights.sum()
            elif value.ndim != 0:
                raise VAEError(
                    f"{term.name} gave shape {tuple(value.shape)}, expected ({batch},) or (); reduce it inside the term"
                )
            strength = weight(int(term.step)) if callable(weight) else weight
            total = total + strength * value
            report[term.name] = value.detach()
        assert isinstance(total, Tensor)
        return total, report

    def update(self, out: ForwardPass) -> None:
        """Passes the step on to each term."""
        for _, term in self.parts:
            term.update(out)


class ELBO(Term):
    """−(log p(x | z) − β max(KL, free_bits)), nats a row.

    Args:
        beta: weight of the KL, a number or a schedule (Higgins et al. 2017; annealing as Bowman et al. 2016).
        free_bits: nats of KL that cost nothing (Kingma et al. 2016), for the row as a whole.
    """

    def __init__(self, beta: float | Schedule = 1.0, free_bits: float = 0.0) -> None:
        super().__init__()
        self.beta, self.free_bits = beta, free_bits

    def forward(self, out: ForwardPass) -> Tensor:
        beta = self.beta(int(self.step)) if callable(self.beta) else self.beta
        kl = out.kl.clamp_min(self.free_bits) if self.free_bits else out.kl
        return beta * kl - out.log_prob


class PropertyLoss(Term):
    """Squared error of a head that predicts ``targets[target]`` from the posterior mean, averaged over its outputs.

    It pulls what the head can say into the latent (Gómez-Bombarelli et al. 2018, joint property prediction).

    Args:
        head: (batch, latent) -> (batch, outputs).
        target: name in the batch's targets, of (batch, outputs).
    """

    def __init__(self, head: nn.Module, target: str) -> None:
        super().__init__()
        self.head, self.target = head, target

    @property
    def name(self) -> str:
        return f"propertyloss_{self.target}"

    def forward(self, out: ForwardPass) -> Tensor:
        """(batch,) mean squared error.

        Raises:
            VAEError: the batch has no such target, or one of another shape than the head gives.
        """
        if self.target not in out.targets:
            given = ", ".join(sorted(out.targets)) or "none"
            raise VAEError(
                f"the batch has no target {self.target!r} ({given}); give Batch(targets={{{self.target!r}: …}})"
            )
        wanted, said = out.targets[self.target], self.head(out.posterior.mean)
        if wanted.shape != said.shape:
            raise ShapeError(
                f"targets[{self.target!r}]",
                wanted.shape,
                f"{tuple(said.shape)} as the head gives",
                "reshape one of them",
            )
        error: Tensor = (said - wanted).square()
        return error.flatten(1).mean(-1)


class ReferenceKL(Term):
    """KL(reference || model) of the next-token distributions, nats a row, along the data and at the z of the pass.

    Keeps the decoder of a fine-tuned sequence model near the frozen one it came from (Jaques et al. 2017, "Sequence
    tutor").

    Args:
        reference: the frozen model; its likelihood, as that of the model that is trained, works token by token.
        rows: look at the first so many rows of a batch only; None for all.

    Raises:
        CapabilityError: the reference's likelihood does not work token by token.
    """

    def __init__(self, reference: VAE, rows: int | None = None) -> None:
        super().__init__()
        require(reference.likelihood, "logits")
        # Held outside the module tree: a loss does not own the model it compares with.
        self._models, self.rows = (reference.requires_grad_(False),), rows

    def forward(self, out: ForwardPass) -> Tensor:
        """() mean over the rows.

        Raises:
            VAEError: the pass has no logits, as its likelihood does not work token by token.
        """
        if out.logits is None:
            raise VAEError("the pass has no next-token logits; train a VAE with a TokenSequence likelihood")
        (reference,) = self._models
        x, z = out.x[: self.rows], out.z[: self.rows].detach()
        context = {name: value[: self.rows] for name, value in out.context.items()}
        with torch.no_grad():
            logits = reference.likelihood.logits(reference.decode_along(x, z, context), x)
            wanted = logits.log_softmax(-1)
        divergences = (wanted.exp() * (wanted - out.logits[: self.rows].log_softmax(-1))).sum(-1)
        rows: Tensor = (divergences * (x != 0)).sum(-1)
        return rows.mean()
