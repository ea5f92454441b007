"""A prior for each label: p(z | c) = p_c(z), of whatever priors there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from designloop.vae.errors import MissingContextError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import require_labels
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.base import Prior


class ByLabel(Prior):
    """p(z | c) = p_c(z), c a label of the context; each label's prior may be of its own kind.

    ``conditional.aggregate_prior`` makes one of a fitted VAE's latents. All priors are asked about all rows, and each
    row takes its own label's answer, so that it compiles whole.

    Args:
        priors: one a label, of one latent width.
        key: name of the context's entry with the labels, integers (batch,) from 0.

    Raises:
        VAEError: there are no priors, or they differ in width.
    """

    def __init__(self, priors: Sequence[Any], key: str = "condition") -> None:
        super().__init__()
        widths = sorted({prior.latent for prior in priors})
        if len(widths) != 1:
            raise VAEError(f"priors have widths {widths}, expected one width; give each label a prior of the same z")
        self.latent: int = widths[0]
        self.key = key
        self.priors = nn.ModuleList(priors)

    def _label_priors(self) -> list[Any]:
        return list(self.priors)

    def _of_own_label(self, answers: list[Tensor], context: Context | None, trailing: int = 0) -> Tensor:
        """Of one tensor a label, (..., batch, *trailing axes), the one of each row's label."""
        if context is None or self.key not in context:
            raise MissingContextError(type(self).__name__, self.key, list(context or ()))
        labels = context[self.key]
        require_labels(labels, len(self.priors), self.key)
        stacked = torch.stack(answers)
        index = labels.view(1, -1, *([1] * trailing)).expand(1, *stacked.shape[1:])
        return stacked.gather(0, index).squeeze(0)

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, batch, latent) draws; it has none without a context."""
        return self._of_own_label(
            [prior.sample(n, context, generator) for prior in self._label_priors()], context, trailing=1
        )

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z | c) in nats at z (..., batch, latent)."""
        return self._of_own_label([prior.log_prob(z, context) for prior in self._label_priors()], context)

    def kl(self, posterior: Posterior, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, as each row's own prior takes it."""
        return self._of_own_label([prior.kl(posterior, z, context) for prior in self._label_priors()], context)
