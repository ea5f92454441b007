"""Anomalies: scores of a fitted VAE, p-values that hold for any score, and a detector that needs no setting.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.vae.lazy import lazy

if TYPE_CHECKING:
    from designloop.vae.anomaly.conformal import conformal_p_values as conformal_p_values
    from designloop.vae.anomaly.conformal import false_positive_law as false_positive_law
    from designloop.vae.anomaly.detector import Detector as Detector
    from designloop.vae.anomaly.detector import Settings as Settings
    from designloop.vae.anomaly.detector import fit_detector as fit_detector
    from designloop.vae.anomaly.kinds import KINDS as KINDS
    from designloop.vae.anomaly.kinds import kind_of as kind_of
    from designloop.vae.anomaly.scores import SCORES as SCORES
    from designloop.vae.anomaly.scores import Score as Score
    from designloop.vae.anomaly.scores import anomaly_score as anomaly_score
    from designloop.vae.anomaly.scores import decoder_nll as decoder_nll
    from designloop.vae.anomaly.scores import fixed_evidence as fixed_evidence
    from designloop.vae.anomaly.scores import negative_elbo as negative_elbo
    from designloop.vae.anomaly.scores import negative_evidence as negative_evidence
    from designloop.vae.anomaly.scores import pearson as pearson
    from designloop.vae.anomaly.scores import pearson_residuals as pearson_residuals
    from designloop.vae.anomaly.scores import reconstruction_error as reconstruction_error

_HOME = {
    "Detector": "detector",
    "KINDS": "kinds",
    "SCORES": "scores",
    "Score": "scores",
    "Settings": "detector",
    "anomaly_score": "scores",
    "conformal_p_values": "conformal",
    "decoder_nll": "scores",
    "false_positive_law": "conformal",
    "fit_detector": "detector",
    "fixed_evidence": "scores",
    "kind_of": "kinds",
    "negative_elbo": "scores",
    "negative_evidence": "scores",
    "pearson": "scores",
    "pearson_residuals": "scores",
    "reconstruction_error": "scores",
}

__all__ = [
    "Detector",
    "KINDS",
    "SCORES",
    "Score",
    "Settings",
    "anomaly_score",
    "conformal_p_values",
    "decoder_nll",
    "false_positive_law",
    "fit_detector",
    "fixed_evidence",
    "kind_of",
    "negative_elbo",
    "negative_evidence",
    "pearson",
    "pearson_residuals",
    "reconstruction_error",
]

__getattr__, __dir__ = lazy(__name__, _HOME, __all__)
