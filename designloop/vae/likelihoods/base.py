"""What a likelihood is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import optional

Context = Mapping[str, Tensor]
"""What is known of a row beside its data: name -> (batch, …)."""


class Likelihood(nn.Module, ABC):
    """Decoder outputs as a distribution over data: the base class of all likelihoods.

    It may have parameters of its own; it never changes its arguments. ``params`` is whatever the decoder returns,
    (batch, …). ``log_prob`` and ``sample`` are what every likelihood has. The other methods are offered where there is
    something to offer; one that is left out raises ``CapabilityError`` when it is asked for.
    """

    @abstractmethod
    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(batch,) log p(x | params) in nats, summed over the observed entries of each row.

        Args:
            params: (batch, …) decoder output.
            x: (batch, …) data.
            mask: True where an entry is observed; None when all are.
        """

    @abstractmethod
    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, …) one draw a row."""

    @optional("its entries depend on each other: take log_prob, of whole rows")
    def entry_log_prob(
        self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(..., batch, …) log-probability of each entry of x in nats, 0 where masked; ``log_prob`` is their sum."""
        raise NotImplementedError

    @optional("draw from it by sample, or take a likelihood of numbers, counts or binary data")
    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, …) the expected data."""
        raise NotImplementedError

    @optional("draw from it by sample, or take a likelihood of numbers, counts or binary data")
    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, …) the variance of each entry of the data."""
        raise NotImplementedError

    def mean_of_missing(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, …) the expected data where they are missing: ``mean``, unless that they are missing tells of them."""
        return self.mean(params, context)

    def variance_of_missing(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, …) the variance of each entry where it is missing."""
        return self.variance(params, context)

    def sample_missing(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, …) one draw a row of the data as they are where they are missing."""
        return self.sample(params, generator, context)

    @optional("define it, or take SequenceFisherRao or ConditionalFisherRao for sequences of tokens")
    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, k, k) quadratic form of the Fisher information on tangents (batch, k, …) of ``params``."""
        raise NotImplementedError

    @optional("it does not work token by token: take TokenSequence")
    def logits(self, params: Tensor, x: Tensor) -> Tensor:
        """(batch, length, vocabulary) next-token logits along x."""
        raise NotImplementedError

    def score(
        self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """``log_prob``, and beside it the next-token ``logits`` along x if the likelihood works token by token."""
        return self.log_prob(params, x, mask, context), None

    def view(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What a network had best see of rows, (batch, …), and which of it is observed: x itself, with 0 where masked.

        Counts are seen by their logarithms, classes as zeros and a one; what belongs to an entry lies side by side.
        """
        return x if mask is None else torch.where(mask, x, torch.zeros_like(x)), mask
