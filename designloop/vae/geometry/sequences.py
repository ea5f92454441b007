"""Fisher–Rao metrics of autoregressive likelihoods, p(x | z) = ∏ₜ p(xₜ | x₍<t₎, z).

    G(z) = E_{x ~ p(x | z)} Σₜ JₜᵀFₜJₜ,    Jₜ of the logits of token t behind x₍<t₎,  Fₜ = diag(pₜ) − pₜpₜᵀ

The score of a token has mean zero given those before it, so the terms of different t do not mix: the sum along a
sequence is its *conditional* metric, and the Fisher–Rao metric is its mean over sequences. Sequences are drawn with the
same noise at all z, one Gumbel variable for each position and token: the metric is a function of z. A likelihood is
autoregressive here if it has ``logits(params, x)``, position t having seen x₍<t₎ (``TokenSequence``).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from designloop.vae.capabilities import require
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.geometry.metric import Pullback, pushforward
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.tokens import TokenSequence
from designloop.vae.model import VAE

PAD, END = TokenSequence.PAD, TokenSequence.END
CHUNK = 64


class ConditionalFisherRao(Pullback):
    """The conditional Fisher–Rao metric along given sequences, their mean where there are several.

    It is what a geodesic between two sequences holds fixed: with x the two of them, it is smooth in z.

    Args:
        vae: fitted; its likelihood offers ``logits``.
        x: (sequences, length) tokens, END and then PAD behind each.
        context: name -> (1, …), the same for all points, or (batch, …) for those of a single call.
        chunk: rows times sequences at a time.

    Raises:
        CapabilityError: the likelihood has no ``logits``.
        ShapeError: x is not a batch of sequences.
    """

    def __init__(self, vae: VAE, x: Tensor, context: Context | None = None, chunk: int = CHUNK) -> None:
        if x.ndim != 2 or x.shape[0] < 1:
            raise ShapeError("x", x.shape, "(at least 1, length)", "give the sequences that the metric is taken along")
        require(vae.likelihood, "logits")
        super().__init__(vae, context, max(1, chunk // x.shape[0]))
        self.x = x

    def form(self, z: Tensor, tangents: Tensor, context: Context | None) -> Tensor:
        """(batch, k, k) mean over the sequences of the Fisher information along each."""
        sequences = self.x.shape[0]
        x = self.x.repeat(z.shape[0], 1)
        form, _ = _along(
            self.vae, _repeat(z, sequences), _repeat(tangents, sequences), x, _repeat_all(context, sequences)
        )
        mean: Tensor = form.unflatten(0, (-1, sequences)).mean(1)
        return mean


class SequenceFisherRao(Pullback):
    """The Fisher–Rao metric of an autoregressive likelihood: the mean over sequences drawn at each z.

    Sequences are drawn with common random numbers, so that two calls agree. The gradient in z includes how the drawn
    sequences' probabilities change (the score-function term, against the mean of the others), so it is that of the
    expectation; one draw's own value is constant but for jumps there. For smooth curves take many samples, or
    ``ConditionalFisherRao``.

    Args:
        vae: fitted; its likelihood offers ``logits``.
        samples: sequences for each z, at least two.
        generator: draws the noise, once.
        context: name -> (1, …), the same for all points.
        chunk: rows times samples at a time.

    Raises:
        CapabilityError: the likelihood has no ``logits``.
        VAEError: fewer than two samples.
    """

    def __init__(
        self,
        vae: VAE,
        samples: int,
        generator: torch.Generator,
        context: Context | None = None,
        chunk: int = CHUNK,
    ) -> None:
        require(vae.likelihood, "logits")
        if samples < 2:
            raise VAEError(f"samples is {samples}, expected at least 2; one draw has no others to be compared with")
        super().__init__(vae, context, max(1, chunk // samples))
        likelihood: Any = vae.likelihood  # what has logits has a vocabulary
        origin = next(p for p in vae.parameters() if p.is_floating_point()).new_zeros(1, vae.prior.latent)
        with torch.no_grad():
            planned = vae.decode(origin, self._context_of(origin, slice(0, 1))).shape[1]
        shape = (samples, planned, likelihood.vocabulary)
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64, device=generator.device)
        self.gumbel = -(-uniform.log()).log().to(origin)

    def form(self, z: Tensor, tangents: Tensor, context: Context | None) -> Tensor:
        """(batch, k, k) mean over the draws of the Fisher information along each."""
        draws = self.gumbel.shape[0]
        z, tangents, context = _repeat(z, draws), _repeat(tangents, draws), _repeat_all(context, draws)
        with torch.no_grad():
            params = self.vae.decode(z, context)
            x = sequences_at(self.vae.likelihood, params, self.gumbel.repeat(len(z) // draws, 1, 1))
        form, log_prob = _along(self.vae, z, tangents, x, context)
        form, log_prob = form.unflatten(0, (-1, draws)), log_prob.unflatten(0, (-1, draws))
        if form.requires_grad:
            others = (form.sum(1, keepdim=True) - form).detach() / (draws - 1)
            score = log_prob - log_prob.detach()  # zero, with the slope of log p
            form = form + (form.detach() - others) * score[..., None, None]
        mean: Tensor = form.mean(1)
        return mean


def sequences_at(likelihood: Likelihood, params: Tensor, gumbel: Tensor) -> Tensor:
    """(batch, length) sequences drawn by argmax(logits + gumbel), END and then PAD behind each.

    A draw of p(x | params) if the noise is of Gumbel's distribution, a greedy one where it is zero. All positions are
    guessed at once and guessed again behind what was guessed, until nothing changes: position t is right after t + 1
    passes at the latest, most are sooner.

    Args:
        likelihood: offers ``logits``, and always ends a sequence at its last position.
        params: (batch, …).
        gumbel: (batch, length, vocabulary).

    Source: Song et al. 2021, "Accelerating feedforward computation via parallel nonlinear equation solving".
    """
    x = torch.full(gumbel.shape[:2], END, dtype=torch.long, device=gumbel.device)
    for _ in range(x.shape[1] + 1):
        new = _cut((likelihood.logits(params, x) + gumbel).argmax(-1))
        if torch.equal(new, x):
            break
        x = new
    return x


def _cut(x: Tensor) -> Tensor:
    """Sequences with PAD behind the first END."""
    ended = (x == END).long()
    return torch.where(ended.cumsum(1) - ended > 0, PAD, x)


def _along(vae: VAE, z: Tensor, tangents: Tensor, x: Tensor, context: Context | None) -> tuple[Tensor, Tensor]:
    """(batch, k, k) Fisher information of the tokens along x, and (batch,) log p(x | z)."""
    likelihood = vae.likelihood
    logits, pushed = pushforward(lambda point: likelihood.logits(vae.decode(point, context), x), z, tangents)
    log_chances = logits.log_softmax(-1)
    chances = (log_chances.exp() * (x != PAD).unsqueeze(-1)).unsqueeze(1)  # (batch, 1, length, vocabulary)
    # Tᵀ (diag p − ppᵀ) T of each position: the covariance of the tangents under p, about their mean.
    centred = pushed - (chances * pushed).sum(-1, keepdim=True)
    form = (chances * centred).flatten(2) @ centred.flatten(2).transpose(-1, -2)
    log_probs = log_chances.gather(-1, x.unsqueeze(-1)).squeeze(-1)
    return form, torch.where(x == PAD, 0, log_probs).sum(-1)


def _repeat(rows: Tensor, times: int) -> Tensor:
    """Each row so many times, one behind the other."""
    return rows.repeat_interleave(times, 0)


def _repeat_all(context: Context | None, times: int) -> Context | None:
    return None if context is None else {name: _repeat(value, times) for name, value in context.items()}
