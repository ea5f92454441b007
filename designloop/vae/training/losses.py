"""Losses: an ELBO and weighted penalties, added up.

    loss = ELBO(beta=0.1) + 0.5 * PropertyRegression(head, "logp")

A term sees one ``ForwardPass`` and gives a value for each row or one for the batch; ``fit`` minimises the weighted mean
of the rows plus the batch values. Terms are modules: they may have parameters, and an ``update`` that is called after
each step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import require
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import values_can_be_read
from designloop.vae.model import VAE, ForwardPass
from designloop.vae.training.schedules import Schedule


class Term(nn.Module):
    """One named term of a loss. Subclasses give ``forward(out) -> (batch,) or ()``.

    ``step`` is the number of the step, as ``fit`` counts it: what schedules read.
    """

    step: Tensor
    needs_posterior: bool = True
    """Whether it looks at the posterior or its KL; where no term does and latents are given, rows are not encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def learned(self) -> Iterator[nn.Parameter]:
        """Its parameters that the optimizer of a fit is to hold: all of them, unless some learn against the loss."""
        return self.parameters()

    def update(self, out: ForwardPass) -> None:
        """Called once after each optimiser step, with the pass of that step."""
        self.step += 1

    def __add__(self, other: Term | Loss) -> Loss:
        return Loss([(1.0, self)]) + other

    def __mul__(self, weight: float | Schedule) -> Loss:
        return Loss([(weight, self)])

    __rmul__ = __mul__


class Loss(nn.Module):
    """A weighted sum of terms.

    Each term has a name of its own in the report: of several of one name, the second is ``name_2``, and so on.
    """

    def __init__(self, parts: list[tuple[float | Schedule, Term]]) -> None:
        super().__init__()
        self.parts = parts
        self.terms = nn.ModuleList([term for _, term in parts])  # so that their parameters are found

    def distinct(self) -> dict[str, Term]:
        """The terms by name, each once however often it stands in the sum."""
        named: dict[str, Term] = {}
        for _, term in self.parts:
            if any(term is other for other in named.values()):
                continue
            name, number = term.name, 2
            while name in named:
                name, number = f"{term.name}_{number}", number + 1
            named[name] = term
        return named

    @property
    def needs_posterior(self) -> bool:
        """Whether any term does."""
        return any(term.needs_posterior for _, term in self.parts)

    def __add__(self, other: Term | Loss) -> Loss:
        more = other if isinstance(other, Loss) else Loss([(1.0, other)])
        return Loss([*self.parts, *more.parts])

    def forward(self, out: ForwardPass) -> tuple[Tensor, dict[str, Tensor]]:
        """The number to minimise and each term's own weighted mean, by name.

        Raises:
            VAEError: a term gave neither one value a row nor one for the batch, or no row has any weight.
        """
        batch = out.x.shape[0]
        if not batch:
            raise VAEError("the batch has no rows, so that nothing can be learnt of it; leave empty batches out")
        if out.weights is not None and values_can_be_read(out.weights) and not bool(out.weights.any()):
            raise VAEError("weights are all 0, so that no row of the batch teaches anything; leave such batches out")
        total: Tensor | float = 0.0
        report: dict[str, Tensor] = {}
        weighted: dict[int, Tensor] = {}
        for name, term in self.distinct().items():
            value = term(out)
            if value.shape == (batch,):
                value = value.mean() if out.weights is None else (value * out.weights).sum() / out.weights.sum()
            elif value.ndim != 0:
                raise VAEError(
                    f"{term.name} gave shape {tuple(value.shape)}, expected ({batch},) or (); reduce it inside the term"
                )
            weighted[id(term)], report[name] = value, value.detach()
        for weight, term in self.parts:
            strength = weight(int(term.step)) if callable(weight) else weight
            total = total + strength * weighted[id(term)]
        assert isinstance(total, Tensor)
        return total, report

    def learned(self) -> list[nn.Parameter]:
        """The parameters of all terms that the optimizer of a fit is to hold."""
        return [parameter for term in self.distinct().values() for parameter in term.learned()]

    def update(self, out: ForwardPass) -> None:
        """Passes the step on to each term, once however often it stands in the sum."""
        for term in self.distinct().values():
            term.update(out)

    def start(self, step: int) -> None:
        """Lets all schedules of the terms begin at a step."""
        for term in self.distinct().values():
            term.step.fill_(step)


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


class IWELBO(Term):
    """−log (1/k Σ_k p(x, z_k) / q(z_k | x)), nats a row, over the k draws of the pass: ``fit(…, draws=k)``.

    A tighter bound than the ELBO's, which it is at one draw; but the gradient to the encoder grows weaker beside its
    noise as k grows (Rainforth et al. 2018).

    Source: Burda et al. 2016, "Importance weighted autoencoders".
    """

    def forward(self, out: ForwardPass) -> Tensor:
        """(draws · batch,) the bound of each row, the same for all draws of it.

        Raises:
            CapabilityError: the prior has no ``log_prob``.
            VAEError: z was not drawn from the posteriors, so that the weights are none, and have no bound.
        """
        if out.noise is None:
            raise VAEError(
                "the pass has latents that were given, or the posterior's mean, expected draws of the posterior; leave "
                "Batch(z=…) out, or give the pass a generator or noise"
            )
        bound = out.by_draw(out.log_weight).logsumexp(0) - math.log(out.draws)
        return -bound.repeat(out.draws)


class PropertyRegression(Term):
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
        return f"propertyregression_{self.target}"

    def forward(self, out: ForwardPass) -> Tensor:
        """(batch,) mean squared error.

        Raises:
            VAEError: the batch has no such target, or one of another shape than the head gives.
        """
        wanted, said = target_of(out, self.target), self.head(out.posterior.mean)
        if wanted.shape != said.shape:
            raise ShapeError(
                f"targets[{self.target!r}]",
                wanted.shape,
                f"{tuple(said.shape)} as the head gives",
                "reshape one of them",
            )
        error: Tensor = (said - wanted).square()
        return error.flatten(1).mean(-1)


class PropertyLoss(Term):
    """The oracle's scores as a loss of the decoder: relative trajectory balance, squared nats a row.

        (log Z(z, c) + log p(x | z, c) − log p₀(x | z, c) − scale · score(x))²

    p₀ is the frozen pretrained model at the same latent z, context c and writing of x. Every score of the batch pulls:
    the probability of what scored well rises, that of what scored badly falls. Where the loss is 0 the model is
    p₀(x | z, c) e^{scale · score(x)} / Z(z, c), whichever x were scored and however they were drawn. As p and p₀ are
    those of one z, neither q(z | x) nor p(z) nor the number of ways to write x is needed.

    Sources: Venkatraman et al. 2024, "Amortizing intractable inference in diffusion models for vision, language, and
    control"; Zhang et al. 2023, "Robust scheduling with GFlowNets" (log Z as a mean).

    Args:
        reference: the frozen pretrained model.
        target: name in the batch's targets, of (batch,) scores.
        scale: nats of log-probability that one unit of score is worth.
        log_z: (z, context) -> (batch,), trained beside the model. None takes the mean of the other terms over the rows
            of a group: a row that is alone teaches nothing.
        group: name in the batch's targets of (batch,) numbers of groups, for rows whose latents are so near that one Z
            does for all. None groups the rows of one z and context.
    """

    needs_posterior = False

    def __init__(
        self,
        reference: VAE,
        target: str = "score",
        scale: float = 1.0,
        log_z: Callable[[Tensor, Context], Tensor] | None = None,
        group: str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(reference, VAE):
            raise VAEError(
                f"found a {type(reference).__name__} as reference, expected the pretrained VAE; "
                "a head that predicts a property from the latent is PropertyRegression(head, target)"
            )
        # Held outside the module tree: a loss does not own the model it compares with.
        self._models, self.target, self.scale = (reference.requires_grad_(False),), target, scale
        self.log_z, self.group = log_z, group

    def forward(self, out: ForwardPass) -> Tensor:
        """(batch,) squared nats.

        Raises:
            VAEError: the batch has no such target.
            ShapeError: the scores are not one a row.
        """
        score = target_of(out, self.target)
        if score.shape != out.log_prob.shape:
            name = f"targets[{self.target!r}]"
            raise ShapeError(name, score.shape, f"{tuple(out.log_prob.shape)}", "give one score a row")
        (reference,) = self._models
        z = out.z.detach()
        with torch.no_grad():
            before = reference.decode_and_score(out.x, z, out.mask, out.context)[2]
        wanted = self.scale * score - (out.log_prob - before)
        log_z = self._means(wanted, out) if self.log_z is None else self.log_z(z, out.context)
        return (log_z - wanted).square()

    def _means(self, values: Tensor, out: ForwardPass) -> Tensor:
        """(batch,) the mean of values (batch,) over each row's group."""
        if self.group is None:
            parts = [out.z.detach(), *out.context.values()]
            keys = torch.cat([part.reshape(len(values), -1).to(values) for part in parts], -1)
        else:  # as they are: numbers of groups above 2²⁴ are not all there are in float32
            keys = target_of(out, self.group).reshape(len(values), -1).to(values.device)
        group = keys.unique(dim=0, return_inverse=True)[1]
        sums = values.new_zeros(len(values)).index_add(0, group, values)
        sizes = values.new_zeros(len(values)).index_add(0, group, torch.ones_like(values))
        mean: Tensor = (sums / sizes.clamp_min(1))[group]
        return mean


def target_of(out: ForwardPass, name: str) -> Tensor:
    """What a batch says under a name.

    Raises:
        VAEError: nothing.
    """
    if name not in out.targets:
        given = ", ".join(sorted(out.targets)) or "none"
        raise VAEError(f"the batch has no target {name!r} ({given}); give Batch(targets={{{name!r}: …}})")
    return out.targets[name]


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

    needs_posterior = False

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
