"""One pool of free candidates: every proposer its share, interleaved so that a pool that nobody ranks serves each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from designloop.records import Candidate
from designloop.strategies import graph_steps, proposers
from designloop.strategies.property_loss import OF_THE_MODEL

if TYPE_CHECKING:
    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.strategies.property_loss import Settings


def draw(
    vae: SequenceVAE,
    settings: Settings,
    credit: Mapping[str, float],
    elites: Sequence[proposers.Elite],
    n: int,
    rng: np.random.Generator,
    generator: torch.Generator,
    keep: tuple[str, ...],
    model_round: int,
    refine: int = 0,
) -> list[Candidate]:
    """Free candidates of the proposers that ``credit`` names: ``n`` by genetic steps, and what the model gives on top.

    Genetic steps cost next to nothing, so the model's share takes none of them away. Where there are none, ``n`` come
    from the model.

    Args:
        credit: proposer -> what it brought so far; its share follows.
        elites: what is bred and encoded, the best first; with fewer than two, all draws are from the prior.
        keep: SMARTS of atoms that graph steps leave alone.
        model_round: marks the candidates.
        refine: most gradient steps on the latent of an elite that would not decode to itself.
    """
    if not credit:
        return []
    if len(elites) < 2:
        credit = {"prior": 1.0}
    parts = []
    shares = proposers.shares(credit)
    genetic = sum(share for name, share in shares.items() if name not in OF_THE_MODEL)
    for name, share in shares.items():
        many = max(round(n * share / (genetic or 1.0)), 4)
        match name:
            case "prior":
                found = proposers.from_prior(
                    vae, many, generator, settings.prior_noise, model_round, settings.temperature
                )
            case "posterior":
                how = (settings.posterior_noise, model_round, settings.temperature, refine)
                found = proposers.from_posterior(vae, elites, many, rng, generator, *how)
            case "mutation":
                found = proposers.mutated(vae.codec, elites, many, rng, model_round)
            case "crossover":
                found = proposers.crossed(vae.codec, elites, many, rng, model_round)
            case "graph_mutation":
                found = graph_steps.graph_mutated(elites, many, rng, keep, model_round)
            case "graph_crossover":
                found = graph_steps.graph_crossed(elites, many, rng, keep, model_round)
            case _:
                raise ValueError(f"no proposer {name!r}")
        parts.append(found)
    places = [(at / len(part), k, candidate) for k, part in enumerate(parts) for at, candidate in enumerate(part)]
    return [candidate for _, _, candidate in sorted(places, key=lambda place: place[:2])]
