"""Problems of outlier detection that nobody planted, PyOD's detectors, and ours: all learn without any label.

Each problem takes a class of a data set that scikit-learn ships for normal and all others for anomalous. A split learns
from 70 % of the normal rows with one anomaly to nine of them, and is judged on all other rows by the area under the
receiver's operating curve.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import datasets
from torch import Tensor

from designloop.vae.anomaly.detector import Detector, fit_detector
from designloop.vae.simulators.anomalies import Array, Planted

OURS, FLOOR = "designloop", "mean z-score"

DETECTORS = {
    "IForest": "iforest",
    "ECOD": "ecod",
    "LOF": "lof",
    "KNN": "knn",
    "PCA": "pca",
    "GMM": "gmm",
    "VAE": "vae",
}
"""PyOD's, and the modules where they are."""

LEARNT, ANOMALIES = 0.7, 0.1
"""Share of the normal rows that is learnt from, and share of the anomalies among what is learnt from."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A class against the rest."""

    name: str
    x: Array
    """(rows, features)"""
    anomalous: NDArray[np.bool_]
    """(rows,)"""

    def split(self, number: int) -> Planted:
        """Rows to learn from, and all others to judge by."""
        rng = np.random.default_rng([number, len(self.x)])
        normal, other = (rng.permutation(np.flatnonzero(self.anomalous == which)) for which in (False, True))
        learnt = round(LEARNT * len(normal))
        within = round(learnt * ANOMALIES / (1 - ANOMALIES))
        test = np.concatenate([normal[learnt:], other[within:]])
        train = np.concatenate([normal[:learnt], other[:within]])
        return Planted(self.x[train], self.x[test], self.anomalous[test])


def problems() -> Iterator[Problem]:
    """All classes of iris, wine and the digits, and the benign of breast_cancer: 17 problems."""
    for name, load in (("iris", datasets.load_iris), ("wine", datasets.load_wine), ("digit", datasets.load_digits)):
        found = load()
        x = found.data / 16 if name == "digit" else found.data  # grey levels from 0 to 1
        for kind in np.unique(found.target):
            yield Problem(f"{name} {kind}", x, found.target != kind)
    found = datasets.load_breast_cancer()
    yield Problem("breast_cancer benign", found.data, found.target == 0)


def detector_of(problem: Planted, seed: int, dtype: torch.dtype = torch.float32) -> Detector:
    """Our detector of a problem's rows, at its defaults."""
    return fit_detector(torch.from_numpy(problem.train).to(dtype), generator=torch.Generator().manual_seed(seed))


def rows_of(x: Array, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows as our detector takes them."""
    return torch.from_numpy(x).to(dtype)


def standardised(problem: Planted) -> tuple[Array, Array]:
    """Rows to learn from and to judge by, in units of the standard deviation of the former."""
    centre, scale = problem.train.mean(0), problem.train.std(0)
    scale = np.where(scale > 0, scale, 1)
    return (problem.train - centre) / scale, (problem.test - centre) / scale


def mean_z(problem: Planted) -> Array:
    """(rows,) mean absolute z of a row's features: the floor."""
    score: Array = np.abs(standardised(problem)[1]).mean(1)
    return score


def peers() -> Mapping[str, Callable[[Planted, int], Array]]:
    """PyOD's detectors at their defaults, on standardised rows, as (problem, seed) -> scores of its test.

    Raises:
        InputError: PyOD is not installed.
    """
    from designloop.api import InputError

    if find_spec("pyod") is None:
        raise InputError("pyod is not installed; run `pip install 'designloop[benchmarks]'`, or take another method")
    return {name: _Peer(module, name) for name, module in DETECTORS.items()}


@dataclass(frozen=True, slots=True)
class _Peer:
    """One of PyOD's detectors; only what is random is told a seed, and only its progress bar is turned off."""

    module: str
    name: str

    def __call__(self, problem: Planted, seed: int) -> Array:
        detector: Any = getattr(import_module(f"pyod.models.{self.module}"), self.name)
        how = {"random_state": seed} if self.name in ("IForest", "GMM", "VAE") else {}
        if self.name == "VAE":
            how["verbose"] = 0
        train, test = standardised(problem)
        # Its networks draw from the global generators, and it warns of its own dependencies.
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            before = np.random.get_state()  # noqa: NPY002
            try:
                fitted = detector(**how).fit(train)
                scores: Array = np.asarray(fitted.decision_function(test), dtype=float)
            finally:
                np.random.set_state(before)  # noqa: NPY002
        return scores
