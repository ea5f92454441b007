"""Anomalies: scores of a fitted VAE, p-values that hold for any score, and a detector that needs no setting.

The names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.anomaly.conformal import conformal_p_values as conformal_p_values
    from designloop.vae.anomaly.conformal import false_positive_law as false_positive_law
    from designloop.vae.anomaly.contamination import contamination_evidence as contamination_evidence
    from designloop.vae.anomaly.detector import Detector as Detector
    from designloop.vae.anomaly.detector import NeuralDetector as NeuralDetector
    from designloop.vae.anomaly.detector import RobustDetector as RobustDetector
    from designloop.vae.anomaly.detector import fit_detector as fit_detector
    from designloop.vae.anomaly.detector import fit_neural as fit_neural
    from designloop.vae.anomaly.detector import fit_robust as fit_robust
    from designloop.vae.anomaly.files import load_detector as load_detector
    from designloop.vae.anomaly.kinds import KINDS as KINDS
    from designloop.vae.anomaly.kinds import kind_of as kind_of
    from designloop.vae.anomaly.neural import Settings as Settings
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
    from designloop.vae.anomaly.table import TableDetector as TableDetector
    from designloop.vae.anomaly.table import fit_table_detector as fit_table_detector

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "conformal": ["conformal_p_values", "false_positive_law"],
        "contamination": ["contamination_evidence"],
        "detector": [
            "Detector",
            "NeuralDetector",
            "RobustDetector",
            "fit_detector",
            "fit_neural",
            "fit_robust",
        ],
        "files": ["load_detector"],
        "kinds": ["KINDS", "kind_of"],
        "neural": ["Settings"],
        "scores": [
            "SCORES",
            "Score",
            "anomaly_score",
            "decoder_nll",
            "fixed_evidence",
            "negative_elbo",
            "negative_evidence",
            "pearson",
            "pearson_residuals",
            "reconstruction_error",
        ],
        "table": ["TableDetector", "fit_table_detector"],
    },
)
