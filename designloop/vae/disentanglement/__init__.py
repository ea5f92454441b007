"""Disentanglement: exact β-VAEs, total correlation, independence criteria, scores, and latents of subspaces.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.disentanglement.beta import Curves as Curves
    from designloop.vae.disentanglement.beta import beta_curves as beta_curves
    from designloop.vae.disentanglement.beta import beta_optimum as beta_optimum
    from designloop.vae.disentanglement.beta import rate_and_error as rate_and_error
    from designloop.vae.disentanglement.hsic import HSIC as HSIC
    from designloop.vae.disentanglement.hsic import Independence as Independence
    from designloop.vae.disentanglement.hsic import conditional_hsic as conditional_hsic
    from designloop.vae.disentanglement.hsic import hsic_of as hsic_of
    from designloop.vae.disentanglement.hsic import independence as independence
    from designloop.vae.disentanglement.scores import DCI as DCI
    from designloop.vae.disentanglement.scores import dci as dci
    from designloop.vae.disentanglement.scores import dci_of as dci_of
    from designloop.vae.disentanglement.scores import factor_vae_score as factor_vae_score
    from designloop.vae.disentanglement.scores import importances as importances
    from designloop.vae.disentanglement.scores import mig as mig
    from designloop.vae.disentanglement.scores import sap as sap
    from designloop.vae.disentanglement.subspaces import Subspaces as Subspaces
    from designloop.vae.disentanglement.subspaces import counterfactual as counterfactual
    from designloop.vae.disentanglement.subspaces import move as move
    from designloop.vae.disentanglement.total_correlation import DensityRatio as DensityRatio
    from designloop.vae.disentanglement.total_correlation import TotalCorrelation as TotalCorrelation
    from designloop.vae.disentanglement.total_correlation import (
        gaussian_total_correlation as gaussian_total_correlation,
    )
    from designloop.vae.disentanglement.total_correlation import stratified_log_weights as stratified_log_weights
    from designloop.vae.disentanglement.total_correlation import (
        stratified_log_weights_within as stratified_log_weights_within,
    )
    from designloop.vae.disentanglement.total_correlation import total_correlation_of as total_correlation_of
    from designloop.vae.disentanglement.total_correlation import weighted_log_weights as weighted_log_weights

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "beta": ["Curves", "beta_curves", "beta_optimum", "rate_and_error"],
        "hsic": ["HSIC", "Independence", "conditional_hsic", "hsic_of", "independence"],
        "scores": ["DCI", "dci", "dci_of", "factor_vae_score", "importances", "mig", "sap"],
        "subspaces": ["Subspaces", "counterfactual", "move"],
        "total_correlation": [
            "DensityRatio",
            "TotalCorrelation",
            "gaussian_total_correlation",
            "stratified_log_weights",
            "stratified_log_weights_within",
            "total_correlation_of",
            "weighted_log_weights",
        ],
    },
)
