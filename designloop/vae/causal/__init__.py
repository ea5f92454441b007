"""Causal representations: a latent of concepts that cause each other, and what a row would have been under do(…).

    z_i = f_i(z_j, j causes i) + s_i ε_i,     x | z ~ likelihood(decoder(z)),     label_i | z ~ N(z_i, noise²)

The latent's law is a structural causal model: of a graph that is given (``StructuralCausal``, ``AdditiveNoise``), or
one that is learned (``LearnedGraph``, with the terms ``Cycles`` and ``Arrows``). Labels of the concepts on some rows
(``Concepts``) say which unit is which; without them nothing does. ``counterfactual`` then answers for a row, and
``consistency_score`` says whether what changed is what should have. The names are loaded when first used.

Sources: Pearl 2009, "Causality"; Yang et al. 2021, "CausalVAE"; Locatello et al. 2019, "Challenging common assumptions"
(that no factor is identified without labels); Schölkopf et al. 2021, "Toward causal representation learning".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.causal.additive_noise import AdditiveNoise as AdditiveNoise
    from designloop.vae.causal.concepts import Arrows as Arrows
    from designloop.vae.causal.concepts import Concepts as Concepts
    from designloop.vae.causal.concepts import Cycles as Cycles
    from designloop.vae.causal.consistency import Consistency as Consistency
    from designloop.vae.causal.counterfactuals import Counterfactual as Counterfactual
    from designloop.vae.causal.counterfactuals import counterfactual as counterfactual
    from designloop.vae.causal.graph import descendants as descendants
    from designloop.vae.causal.graph import structural_distance as structural_distance
    from designloop.vae.causal.learned_graph import LearnedGraph as LearnedGraph
    from designloop.vae.causal.score import consistency_score as consistency_score
    from designloop.vae.causal.score import outside_shares as outside_shares

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "additive_noise": ["AdditiveNoise"],
        "concepts": ["Arrows", "Concepts", "Cycles"],
        "consistency": ["Consistency"],
        "counterfactuals": ["Counterfactual", "counterfactual"],
        "graph": ["descendants", "structural_distance"],
        "learned_graph": ["LearnedGraph"],
        "score": ["consistency_score", "outside_shares"],
    },
)
