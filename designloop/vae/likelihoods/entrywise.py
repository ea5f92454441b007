"""Likelihoods of entries that are independent given the decoder's output: what they share, masks above all.

A masked entry counts for nothing, in value and in gradient, whatever stands in the data *or in the params* there: both
are replaced before anything is computed, and so is what comes of them after. 0 · ∞ is no 0: a log rate of 100 has a
mean that float32 cannot write, and one such masked entry would make the evidence of its whole row NaN.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from designloop.vae.errors import ShapeError
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.checks import require_width


class Entrywise(Likelihood):
    """A likelihood that is a product over a row's entries: the base class of those of numbers, counts and classes.

    A subclass gives ``log_prob_of_observed``; a masked entry never reaches it: a 0 with params of 0 stands there.
    """

    features: int | None = None
    """Width of a row, of a likelihood with numbers of its own for each feature; None where any width will do."""

    @property
    def params_per_entry(self) -> int:
        """How many params an entry of a row has."""
        return 1

    @abstractmethod
    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, …) log-probability of each entry in nats; all are observed."""

    def require_values(self, x: Tensor) -> None:
        """Refuses data that cannot be, masked entries replaced by 0.

        Raises:
            VAEError: some entries are none of this likelihood's.
        """

    def mask_of_params(self, mask: Tensor) -> Tensor:
        """(batch, … · params an entry) True for params of observed entries; they lie in blocks of a row's width."""
        return mask if self.params_per_entry == 1 else torch.cat([mask] * self.params_per_entry, -1)

    def entry_log_prob(
        self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(..., batch, …) log-probability of each entry in nats, 0 where masked. Arguments as ``log_prob``."""
        if self.features is not None and x.shape[-1] != self.features:  # one number would stand for all features
            remedy = f"give {type(self).__name__}(features=…) the width of a row"
            raise ShapeError("x", x.shape, f"(batch, {self.features})", remedy)
        require_width(params, x, self.params_per_entry)
        if mask is not None:
            x = x.masked_fill(~mask, 0)
            params = torch.where(self.mask_of_params(mask), params, torch.zeros_like(params))
        self.require_values(x)
        log_probs = self.log_prob_of_observed(params, x, context)
        return log_probs if mask is None else torch.where(mask, log_probs, torch.zeros_like(log_probs))

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(..., batch) log-probability in nats of each row, the sum over its observed entries, of all its axes.

        Args:
            params: (..., batch, …) decoder output, as wide as x or as many times wider as an entry has params.
            x: (batch, …) data.
            mask: (batch, …) True where observed.

        Raises:
            ShapeError: params do not go with x.
            VAEError: some observed entries are none of this likelihood's.
        """
        axes = tuple(range(-max(x.ndim - 1, 1), 0))
        return self.entry_log_prob(params, x, mask, context).sum(axes)
