"""Detectors as files: numbers in safetensors, what they are of as JSON in its header; nothing that runs code is read.

    detector.save("cells.safetensors")
    detector = load_detector("cells.safetensors")

A file of the robust detector holds the rows learnt from, in whose scores the unit of its own scores is: who may not see
the rows may not see the file either.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from designloop.vae.anomaly.blocks import kind_from
from designloop.vae.anomaly.detector import Detector, NeuralDetector, RobustDetector
from designloop.vae.anomaly.neural import starting_vae
from designloop.vae.anomaly.robust import Member
from designloop.vae.anomaly.table import TableDetector, table_from
from designloop.vae.errors import VAEError
from designloop.vae.linear.linear_gaussian import LinearGaussian
from designloop.vae.priors.learned import LearnedPrior
from designloop.vae.weights import load_weights, read_about


def load_detector(path: str | Path) -> Detector | TableDetector:
    """The detector that ``save`` wrote, of the precision that it had; its scores are the same.

    Raises:
        VAEError: the file is none of a detector, or is damaged.
    """
    about = read_about(path)
    try:
        detector = _DETECTORS[about["detector"]](about)
        table = table_from(about["table"]) if "table" in about else None
    except (KeyError, TypeError, ValueError) as error:
        raise VAEError(
            f"{path} does not say of which detector it is ({type(error).__name__}: {error}); give a file that a "
            "detector's save wrote"
        ) from error
    load_weights(detector, path)
    detector.eval().requires_grad_(False)
    return detector if table is None else TableDetector(table, detector)


def _robust_from(about: Mapping[str, Any]) -> RobustDetector:
    members = [Member(*sizes) for sizes in about["members"]]
    return RobustDetector(members, kind_from(about["of"]), torch.zeros(about["rows"], dtype=torch.bool))


def _neural_from(about: Mapping[str, Any]) -> NeuralDetector:
    kind = kind_from(about["of"])
    latent, components, dtype = about["latent"], about["components"], getattr(torch, about["dtype"])
    blank = LinearGaussian(torch.zeros(kind.width, latent), torch.zeros(kind.width), torch.ones(1))
    equal, axes = torch.ones(components), torch.eye(latent).expand(components, latent, latent)
    prior = LearnedPrior(equal, torch.zeros(components, latent), axes)
    vae = starting_vae(kind, blank, about["hidden"], seed=0).with_prior(prior).to(dtype)
    kept = torch.zeros(about["rows"], dtype=torch.bool)
    levels, gap = torch.zeros(kind.features, dtype=dtype), torch.zeros((), dtype=dtype)
    return NeuralDetector(vae, kind, kept, about["steps"], levels, gap)


_DETECTORS = {"robust": _robust_from, "neural": _neural_from}
