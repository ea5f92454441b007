"""Categorical likelihood: each feature is one of several classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import values_can_be_read
from designloop.vae.likelihoods.entrywise import Entrywise


class Categorical(Entrywise):
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

    @property
    def params_per_entry(self) -> int:
        """A logit a class."""
        return self.classes

    def mask_of_params(self, mask: Tensor) -> Tensor:
        """(batch, features · classes): the logits of a feature's classes lie side by side."""
        return mask.repeat_interleave(self.classes, -1)

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log pmf of logits, in nats."""
        log_chances = self.class_logits(params).log_softmax(-1)
        chosen = x.long().unsqueeze(-1).expand(*log_chances.shape[:-1], 1)
        return log_chances.gather(-1, chosen).squeeze(-1)

    def view(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """(batch, features · classes) zeros and a one for the class, and the mask as wide."""
        x, mask = super().view(x, mask)
        self.require_values(x)
        one_hot = functional.one_hot(x.long(), self.classes).flatten(-2)
        like = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        return one_hot.to(like), None if mask is None else self.mask_of_params(mask)

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

    def require_values(self, x: Tensor) -> None:
        """Numbers of classes, from 0."""
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
