"""Kernels between molecules by their latents, and how a surrogate that has such a kernel sees molecules.

    k(z, z') = Matérn 5/2 of |A (z - z')| / l       A the axes along which latents say what a molecule is made of

Nothing in them is fitted to scores: l is such that two molecules of the model's corpus are as alike, in the mean, as
``ALIKE``. Molecules that have no part in common may be neighbours here, and what a latent kernel and one of parts both
say is better than either: the mean of the two is a member of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from scipy.optimize import brentq

from designloop.molecules.chemistry import count_fingerprints
from designloop.molecules.errors import MoleculeError
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.records import Candidate
from designloop.strategies.surrogates.axes import Axes
from designloop.strategies.surrogates.kernels import MoleculeFeatures, features_of_molecule
from designloop.strategies.surrogates.views import StandardFormView

ALIKE = 0.4
"""Kernel between two molecules of the corpus, in the mean: wide, as latents tell molecules apart only roughly."""

CORPUS_ROWS = 2000
"""Molecules of the model's corpus that axes and length are taken from."""

_PAIRED = 400
"""Of these, molecules whose distances the length is taken from."""

_ROOT = 5**0.5


def matern(distance: np.ndarray) -> np.ndarray:
    """Matérn 5/2 of distances in units of the length."""
    r = _ROOT * distance
    return np.asarray((1 + r + r * r / 3) * np.exp(-r))


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(m, n) Euclidean distances of (m, d) and (n, d) points."""
    squares = np.square(first).sum(1)[:, None] + np.square(second).sum(1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)))


def latents_of_points(molecules: Sequence[MoleculeFeatures], units: int) -> np.ndarray:
    """(n, units) latents of molecules that were seen with them.

    Raises:
        ValueError: some were seen without.
    """
    rows = [molecule.latent for molecule in molecules if molecule.latent is not None]
    if len(rows) < len(molecules):
        raise ValueError(
            f"found {len(rows)} latents of {len(molecules)} molecules, expected one of each; "
            "see them by an EncodedView where a kernel is of latents"
        )
    return np.stack(rows) if rows else np.zeros((0, units))


def points_of_latents(latents: np.ndarray) -> list[MoleculeFeatures]:
    """(n, latent) latents that no molecule has been written from, as kernels of latents see them."""
    return [MoleculeFeatures("", {}, row) for row in latents]


@dataclass(frozen=True)
class LatentSimilarity:
    """The kernel of others with n latents, and its slope."""

    axes: Axes
    length: float
    latents: np.ndarray
    """(n, latent)"""
    points: np.ndarray
    """(n, dims) the same, along the axes."""

    def __call__(self, others: Sequence[MoleculeFeatures]) -> np.ndarray:
        """(m, n) float32."""
        apart = distances(self._along(latents_of_points(others, len(self.axes.centre))), self.points) / self.length
        return matern(apart).astype(np.float32)

    def slopes(self, latents: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """(m, latent) gradients of ``sum_i weights_i k(z, z_i)``, at (m, latent) latents, of (m, n) weights."""
        x = self._along(latents)
        r = _ROOT * distances(x, self.points) / self.length
        # d k / d x = -5/3 (1 + r) exp(-r) (x - x_i) / l², so what is summed are pulls towards the points.
        pulls = weights * (5 / 3) * (1 + r) * np.exp(-r) / self.length**2
        along = pulls @ self.points - pulls.sum(1, keepdims=True) * x
        return np.asarray(along @ self.axes.directions.numpy().T)

    def _along(self, latents: np.ndarray) -> np.ndarray:
        return np.asarray(self.axes(torch.from_numpy(latents)).numpy())


@dataclass(frozen=True)
class LatentMatern:
    """Matérn 5/2 of distances along axes of latent space."""

    axes: Axes
    length: float

    @classmethod
    def calibrated(cls, axes: Axes, latents: np.ndarray, alike: float = ALIKE) -> LatentMatern:
        """The kernel whose mean over pairs of (n, latent) latents is ``alike``."""
        x = axes(torch.from_numpy(latents)).numpy()
        apart = distances(x, x)[np.triu_indices(len(x), 1)]
        scale = float(np.median(apart))
        return cls(axes, brentq(lambda length: matern(apart / length).mean() - alike, 1e-3 * scale, 1e3 * scale))

    def to(self, molecules: Sequence[MoleculeFeatures]) -> LatentSimilarity:
        """The kernel of others with these."""
        latents = latents_of_points(molecules, len(self.axes.centre))
        return LatentSimilarity(self.axes, self.length, latents, self.axes(torch.from_numpy(latents)).numpy())


def kernel_of_model(vae: SequenceVAE, corpus: Corpus, dims: int, rng: np.random.Generator) -> LatentMatern:
    """The kernel on the axes that say most about molecules that a model was trained on."""
    codec = vae.codec
    rows = rng.permutation(corpus.train)[:CORPUS_ROWS]
    selfies = codec.selfies_of(corpus.rows.take(rows))
    features = np.log1p(count_fingerprints([codec.to_smiles(text) or "C" for text in selfies], "ecfp4", 1024))
    latents = vae.latents(selfies).cpu()
    return LatentMatern.calibrated(Axes.explaining(latents, features, dims), latents[:_PAIRED].numpy())


class EncodedView(StandardFormView):
    """Standard forms, seen by kernels of molecules and of latents.

    All that is asked for at once is encoded at once, and nothing encoded is kept: a batch of another size may round
    differently, so what is seen follows from what is asked alone.

    Args:
        standard_forms: of the campaign; None where a SMILES has none.
        vae: whose latents they are.
    """

    def __init__(self, standard_forms: Callable[[Sequence[str]], Sequence[str | None]], vae: SequenceVAE) -> None:
        super().__init__(standard_forms)
        self._vae = vae
        self._selfies = lru_cache(20_000)(vae.codec.to_selfies)

    def __reduce__(self) -> tuple[type[EncodedView], tuple[object, ...]]:
        """Elsewhere it remembers nothing yet."""
        return type(self), (self._standard_forms, self._vae)

    def names(self, drawn: Sequence[Candidate]) -> Sequence[str | None]:
        """Their standard forms; None for what the model's alphabet cannot express, as nothing is learned from it."""
        return [form if form is not None and self._expresses(form) else None for form in super().names(drawn)]

    def features(self, names: Sequence[str]) -> np.ndarray:
        """(n,) of ``MoleculeFeatures`` with latents."""
        rows = np.empty(len(names), dtype=object)
        if len(names):
            latents = self._vae.latents([self._selfies(name) for name in names]).cpu().numpy()
            known = zip(names, latents, strict=True)
            rows[:] = [replace(features_of_molecule(name), latent=latent) for name, latent in known]
        return rows

    def _expresses(self, smiles: str) -> bool:
        try:
            self._selfies(smiles)
        except MoleculeError:
            return False
        return True
