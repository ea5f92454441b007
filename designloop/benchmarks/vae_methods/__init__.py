"""Methods of the VAE library and their bars, each a file of this folder, behind ``designloop benchmark vae NAME``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row

__all__ = ["CORE", "SECTIONS", "Method", "available", "load"]

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
    """A module of this folder: adding one file with these four names is all that a new method takes."""

    TITLE: str
    """The section that it answers to, by its exact title; several with "; " between."""
    FILE: str
    """What implements it, from the root of the repository."""
    PAGE: str
    """Its page in docs/vae/."""

    @staticmethod
    def run(seeds: Sequence[int], say: Say) -> list[Row]:
        """The rows of its bars, in the order in which they are shown."""
        ...


def available() -> list[str]:
    """Names of the methods there are, sorted."""
    return sorted(one.name.replace("_", "-") for one in iter_modules(__path__) if one.name[0] != "_")


def load(name: str) -> Method:
    """The method of a name.

    Raises:
        InputError: there is none; the message lists those there are.
    """
    from designloop.api import InputError

    if name not in available():
        raise InputError(f"no method {name!r} of the benchmark vae; give one of {', '.join(available())}, or none")
    return cast("Method", import_module(f"{__name__}.{name.replace('-', '_')}"))
