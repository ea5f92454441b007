"""Categorical likelihood: each feature is one of several classes."""

from __future__ import annotations

import torch
from torch import Tensor

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.checks import require_width, values_can_be_read


class Categorical(Likelihood):
    """x_i ~ Categorical(softmax(logits_i)); the decoder gives the logits of all features' classes, one after another.

    Args:
        classes: of each feature, numbered from 0.

    Raises:
        VAEError: there are fewer than two classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        if classes < 2:
            raise VAEError(f"classes is {classes}, expected at least 2; leave out what is always the same")
        self.classes = classes

    def class_logits(self, params: Tensor) -> Tensor:
        """(..., features, classes) of params (..., features · classes)."""
        logits: Tensor = params.unflatten(-1, (-1, self.classes))
        return logits

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch,) log pmf in nats, over the observed entries.

        Args:
            params: (..., batch, features · classes) logits.
            x: (batch, features) numbers of classes.
            mask: (batch, features) True where observed.

        Raises:
            VAEError: some observed entries are no number of a class.
        """
        require_width(params, x, self.classes)
        if mask is not None:
            x = torch.where(mask, x, torch.zeros_like(x))
        self._require_classes(x)
        log_chances = self.class_logits(params).log_softmax(-1)
        chosen = x.long().unsqueeze(-1).expand(*log_chances.shape[:-1], 1)
        log_probs = log_chances.gather(-1, chosen).squeeze(-1)
        return (log_probs if mask is None else log_probs * mask).sum(-1)

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) numbers of classes."""
        chances = self.probabilities(params)
        drawn = torch.multinomial(chances.flatten(0, -2), 1, generator=generator)
        return drawn.view(chances.shape[:-1])

    def probabilities(self, params: Tensor) -> Tensor:
        """(..., features, classes) of each class. Their number has no mean, so there is no ``mean``."""
        return self.class_logits(params).softmax(-1)

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, k, k) quadratic form on tangents of the logits: their covariance over the classes.

        Args:
            params: (batch, features · classes).
            tangents: (batch, k, features · classes).
        """
        chances = self.probabilities(params).unsqueeze(-3)
        ways = tangents.unflatten(-1, (-1, self.classes))
        centred = ways - (chances * ways).sum(-1, keepdim=True)
        scaled: Tensor = (centred * chances.sqrt()).flatten(-2)
        return scaled @ scaled.transpose(-1, -2)

    def _require_classes(self, x: Tensor) -> None:
        if not values_can_be_read(x):
            return
        wrong = ~((x >= 0) & (x < self.classes))
        if x.is_floating_point():
            wrong |= x != x.floor()
        if bool(wrong.any()):
            raise VAEError(
                f"x has {int(wrong.sum())} entries that are no class, the first is {x[wrong][0].item():g}; "
                f"number the classes 0 to {self.classes - 1}, or mask what is missing"
            )
