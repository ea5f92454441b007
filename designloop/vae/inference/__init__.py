"""What is asked of a fitted VAE: evidence, what is missing, better posteriors. The names are loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.inference.evidence import Evidence as Evidence
    from designloop.vae.inference.evidence import annealed_evidence as annealed_evidence
    from designloop.vae.inference.evidence import importance_evidence as importance_evidence
    from designloop.vae.inference.gibbs import GibbsDraws as GibbsDraws
    from designloop.vae.inference.gibbs import gibbs_missing as gibbs_missing
    from designloop.vae.inference.imputation import Imputation as Imputation
    from designloop.vae.inference.imputation import impute as impute
    from designloop.vae.inference.imputation import sample_missing as sample_missing
    from designloop.vae.inference.newton import NewtonEncoder as NewtonEncoder
    from designloop.vae.inference.newton import with_newton as with_newton
    from designloop.vae.inference.refinement import refine as refine

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "evidence": ["Evidence", "annealed_evidence", "importance_evidence"],
        "gibbs": ["GibbsDraws", "gibbs_missing"],
        "imputation": ["Imputation", "impute", "sample_missing"],
        "newton": ["NewtonEncoder", "with_newton"],
        "refinement": ["refine"],
    },
)
