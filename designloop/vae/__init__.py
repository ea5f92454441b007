"""The shared core library: VAE = encoder + decoder + likelihood + prior, and one training loop for all of them.

Knows no molecule. A likelihood, a prior or a term of a loss is one small file that every model can be composed of. The
names are loaded when first used; the training loop is ``designloop.vae.fit.fit``, in a module of its own name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from designloop.vae.errors import VAEError as VAEError
    from designloop.vae.likelihoods.base import Likelihood as Likelihood
    from designloop.vae.likelihoods.bernoulli import Bernoulli as Bernoulli
    from designloop.vae.likelihoods.gaussian import Gaussian as Gaussian
    from designloop.vae.likelihoods.tokens import TokenSequence as TokenSequence
    from designloop.vae.losses import ELBO as ELBO
    from designloop.vae.losses import Loss as Loss
    from designloop.vae.losses import PropertyLoss as PropertyLoss
    from designloop.vae.losses import ReferenceKL as ReferenceKL
    from designloop.vae.losses import Term as Term
    from designloop.vae.losses import ramp as ramp
    from designloop.vae.model import VAE as VAE
    from designloop.vae.model import Pass as Pass
    from designloop.vae.networks import MLPDecoder as MLPDecoder
    from designloop.vae.networks import MLPEncoder as MLPEncoder
    from designloop.vae.posterior import DiagonalNormal as DiagonalNormal
    from designloop.vae.priors.base import Prior as Prior
    from designloop.vae.priors.standard_normal import NoisedStandardNormal as NoisedStandardNormal
    from designloop.vae.priors.standard_normal import StandardNormal as StandardNormal

_HOME = {
    "Bernoulli": "likelihoods.bernoulli",
    "DiagonalNormal": "posterior",
    "ELBO": "losses",
    "Gaussian": "likelihoods.gaussian",
    "Likelihood": "likelihoods.base",
    "Loss": "losses",
    "MLPDecoder": "networks",
    "MLPEncoder": "networks",
    "NoisedStandardNormal": "priors.standard_normal",
    "Pass": "model",
    "Prior": "priors.base",
    "PropertyLoss": "losses",
    "ReferenceKL": "losses",
    "StandardNormal": "priors.standard_normal",
    "Term": "losses",
    "TokenSequence": "likelihoods.tokens",
    "VAE": "model",
    "VAEError": "errors",
    "ramp": "losses",
}

__all__ = [
    "Bernoulli",
    "DiagonalNormal",
    "ELBO",
    "Gaussian",
    "Likelihood",
    "Loss",
    "MLPDecoder",
    "MLPEncoder",
    "NoisedStandardNormal",
    "Pass",
    "Prior",
    "PropertyLoss",
    "ReferenceKL",
    "StandardNormal",
    "Term",
    "TokenSequence",
    "VAE",
    "VAEError",
    "ramp",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
