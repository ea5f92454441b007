"""Approximate posteriors q(z | x): one file a family. The names are loaded when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.posteriors.base import Posterior as Posterior
    from designloop.vae.posteriors.diagonal_normal import DiagonalNormal as DiagonalNormal
    from designloop.vae.posteriors.experts import Expert as Expert
    from designloop.vae.posteriors.full_normal import FullNormal as FullNormal
    from designloop.vae.posteriors.markov_normal import MarkovNormal as MarkovNormal
    from designloop.vae.posteriors.mixture import Mixture as Mixture

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "base": ["Posterior"],
        "diagonal_normal": ["DiagonalNormal"],
        "experts": ["Expert"],
        "full_normal": ["FullNormal"],
        "markov_normal": ["MarkovNormal"],
        "mixture": ["Mixture"],
    },
)
