"""Priors p(z): each says where latents come from before any datum is seen. One file a family.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.priors.autoregressive import AutoregressiveNormal as AutoregressiveNormal
    from designloop.vae.priors.autoregressive import NormalChain as NormalChain
    from designloop.vae.priors.autoregressive import RandomWalk as RandomWalk
    from designloop.vae.priors.base import Prior as Prior
    from designloop.vae.priors.by_label import ByLabel as ByLabel
    from designloop.vae.priors.conditional import ConditionalNormal as ConditionalNormal
    from designloop.vae.priors.learned import LearnedPrior as LearnedPrior
    from designloop.vae.priors.mixture import GaussianMixture as GaussianMixture
    from designloop.vae.priors.mixture import VampPrior as VampPrior
    from designloop.vae.priors.standard_normal import NoisedStandardNormal as NoisedStandardNormal
    from designloop.vae.priors.standard_normal import StandardNormal as StandardNormal
    from designloop.vae.priors.structural.linear import StructuralCausal as StructuralCausal

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "autoregressive": ["AutoregressiveNormal", "NormalChain", "RandomWalk"],
        "base": ["Prior"],
        "by_label": ["ByLabel"],
        "conditional": ["ConditionalNormal"],
        "learned": ["LearnedPrior"],
        "mixture": ["GaussianMixture", "VampPrior"],
        "standard_normal": ["NoisedStandardNormal", "StandardNormal"],
        "structural.linear": ["StructuralCausal"],
    },
)
