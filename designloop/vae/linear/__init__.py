"""Linear VAEs, whose every number has a closed form, and what they say of lattice fields.

``LinearGaussian`` is the model, ``ppca`` and ``factor_analysis`` fit it, ``as_vae`` makes a VAE of it; ``waves`` and
what follows are the renormalization of a lattice field. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.linear.linear_gaussian import LinearGaussian as LinearGaussian
    from designloop.vae.linear.linear_gaussian import canonicalise as canonicalise
    from designloop.vae.linear.linear_gaussian import factor_analysis as factor_analysis
    from designloop.vae.linear.linear_gaussian import log_evidence as log_evidence
    from designloop.vae.linear.linear_gaussian import posterior as posterior
    from designloop.vae.linear.linear_gaussian import ppca as ppca
    from designloop.vae.linear.linear_vae import as_vae as as_vae
    from designloop.vae.linear.linear_vae import exact_vae as exact_vae
    from designloop.vae.linear.linear_vae import expected_elbo as expected_elbo
    from designloop.vae.linear.linear_vae import linear_gaussian_of as linear_gaussian_of
    from designloop.vae.linear.linear_vae import untrained_vae as untrained_vae
    from designloop.vae.linear.missing_entries import ppca_of_observed as ppca_of_observed
    from designloop.vae.linear.renormalization import Waves as Waves
    from designloop.vae.linear.renormalization import binder as binder
    from designloop.vae.linear.renormalization import coupling as coupling
    from designloop.vae.linear.renormalization import kept_variances as kept_variances
    from designloop.vae.linear.renormalization import power_below as power_below
    from designloop.vae.linear.renormalization import project_fields as project_fields
    from designloop.vae.linear.renormalization import renormalise as renormalise
    from designloop.vae.linear.renormalization import waves as waves

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "linear_gaussian": ["LinearGaussian", "canonicalise", "factor_analysis", "log_evidence", "posterior", "ppca"],
        "linear_vae": ["as_vae", "exact_vae", "expected_elbo", "linear_gaussian_of", "untrained_vae"],
        "missing_entries": ["ppca_of_observed"],
        "renormalization": [
            "Waves",
            "binder",
            "coupling",
            "kept_variances",
            "power_below",
            "project_fields",
            "renormalise",
            "waves",
        ],
    },
)
