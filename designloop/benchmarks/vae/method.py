"""What a method of the VAE library is to its benchmark, and the sections that methods answer to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row

CORE = "The core"
"""What the methods are composed of, beside the sections."""

SECTIONS = (
    "Conditional and Controlled Generation",
    "Learning Disentangled Representations",
    "The Latent Riemannian Manifold",
    "Robotics: Trajectory Planning",
    "Anomaly and Outlier Detection",
    "Data Denoising and Imputation",
    "Cross-Modality Translation",
    "AI in the Loop",
    "Causal Representation Learning",
    "Time Series Modeling and Forecasting",
    "VAEs and the Renormalization Group",
)
"""Titles of the textbook's sections on what VAEs are good for, in their order."""


class Method(Protocol):
    """A module of ``methods/``: adding one with these four names is all that a new method takes.

    One of several files is a folder with these names in its ``method.py``. One that takes long may have a fifth,
    ``run_kept(seeds, say, folder) -> (rows, seconds)``, which is called in the place of ``run``: it keeps every piece
    that it has measured in the folder, goes on after an interruption, and tells the seconds of all pieces.
    """

    TITLE: str
    """The section that it answers to, by its exact title; several with "; " between."""
    FILE: str
    """What implements it, from the root of the repository."""
    PAGE: str
    """Its page in docs/vae/."""

    @staticmethod
    def run(seeds: Sequence[int], say: Say) -> list[Row]:
        """Measures the rows of its criteria, in the order in which they are shown."""
        ...
