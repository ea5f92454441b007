"""Free candidates: draws from the prior, from the posterior of elites, and genetic steps on their SELFIES.

Each function gives candidates marked with its name; none of them costs an oracle call, and none knows a score beyond
the order of the elites it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from designloop.molecules.codec import END, PAD, Codec
from designloop.records import Candidate

if TYPE_CHECKING:
    from designloop.molecules.sequence_vae import SequenceVAE


@dataclass(frozen=True, slots=True)
class Elite:
    """A molecule scored so far, in the model's own language."""

    smiles: str
    """Standard form."""
    selfies: str
    """Canonical SELFIES of what the model wrote."""
    score: float
    values: tuple[float, ...] = ()
    """Of the properties that its score is made of, in the objective's order; none where it has not been scored."""


def rank_weights(n: int, k: float = 0.02) -> np.ndarray:
    """(n,) sampling chances of elites sorted best first, proportional to 1 / (k n + rank).

    Source: Tripp et al. 2020, "Sample-efficient optimization in the latent space of deep generative models via weighted
    retraining", eq. 2.
    """
    weights: np.ndarray = 1.0 / (k * n + np.arange(n) + 1.0)
    return np.asarray(weights / weights.sum())


def pick(rng: np.random.Generator, elites: Sequence[Elite], n: int) -> list[int]:
    """Indices of ``n`` elites, drawn by rank with repetition; the elites are sorted best first."""
    chosen: list[int] = rng.choice(len(elites), size=n, p=rank_weights(len(elites))).tolist()
    return chosen


def read(
    codec: Codec, written: Sequence[str], proposer: str, parents: Sequence[tuple[str, ...]] | None, model_round: int
) -> list[Candidate]:
    """Candidates of written SELFIES; strings that hold no atom, and repetitions, are dropped."""
    found: dict[str, Candidate] = {}
    for at, selfies in enumerate(written):
        smiles = codec.to_smiles(selfies)
        if smiles is not None and smiles not in found:
            made_of = parents[at] if parents is not None else ()
            found[smiles] = Candidate(smiles, proposer, selfies, made_of, model_round)
    return list(found.values())


def from_prior(
    vae: SequenceVAE, n: int, generator: torch.Generator, noise: float, model_round: int, temperature: float = 1.0
) -> list[Candidate]:
    """Draws from the model's prior at one noise level (proposer ``prior``)."""
    return read(vae.codec, vae.draw(n, generator, noise, temperature), "prior", None, model_round)


def from_posterior(
    vae: SequenceVAE,
    elites: Sequence[Elite],
    n: int,
    rng: np.random.Generator,
    generator: torch.Generator,
    noise: tuple[float, float],
    model_round: int,
    temperature: float = 1.0,
    refine: int = 0,
) -> list[Candidate]:
    """Elites encoded, noised and decoded again (proposer ``posterior``).

    The noise has the shape of the elite's own posterior, so it changes what the molecule leaves open first. The decoder
    is told how much noise there is, so it repairs rather than obeys; each draw has a noise level of its own.

    Args:
        noise: range of the noise level, log-uniform.
        refine: most gradient steps on the latent of an elite that would not decode to itself.
    """
    chosen = pick(rng, elites, n)
    distinct = sorted(set(chosen))
    posterior = vae.posteriors([elites[i].selfies for i in distinct], refine)
    shape = posterior.relative_scale
    level = np.exp(rng.uniform(np.log(noise[0]), np.log(noise[1]), n)).astype(np.float32)
    sigma = torch.from_numpy(level).to(shape)
    at = torch.as_tensor([distinct.index(i) for i in chosen])
    drawn = torch.randn((n, shape.shape[1]), generator=generator, device=shape.device, dtype=shape.dtype)
    z = posterior.mean[at] + sigma.unsqueeze(-1) * shape[at] * drawn
    written = vae.write(z, sigma, generator, temperature)
    return read(vae.codec, written, "posterior", [(elites[i].smiles,) for i in chosen], model_round)


# ---- genetic steps on SELFIES: every string of symbols is a molecule, so any edit gives one


@lru_cache(maxsize=4)
def symbol_chances(codec: Codec) -> np.ndarray:
    """(codec.size,) shares of the tokens in ZINC 250k; padding and end mark 0, unseen ones half a count."""
    from designloop.molecules.corpus import zinc_codec, zinc_tokens

    counts = np.bincount(zinc_tokens().flat, minlength=zinc_codec().size).astype(float)
    of: Mapping[str, float] = dict(zip(zinc_codec().symbols, counts[2:], strict=True))
    chances = np.array([0.0, 0.0] + [max(of.get(symbol, 0.0), 0.5) for symbol in codec.symbols])
    return np.asarray(chances / chances.sum())


def mutated(
    codec: Codec, elites: Sequence[Elite], n: int, rng: np.random.Generator, model_round: int = 0
) -> list[Candidate]:
    """One to three symbols of an elite's SELFIES substituted, inserted or deleted (proposer ``mutation``)."""
    chosen = pick(rng, elites, n)
    rows = []
    for index in chosen:
        edits = int(rng.choice((1, 2, 3), p=(0.6, 0.25, 0.15)))
        rows.append(edited(codec, codec.tokens(elites[index].selfies), edits, rng))
    return read(codec, _written(codec, rows), "mutation", [(elites[i].smiles,) for i in chosen], model_round)


def edited(codec: Codec, tokens: np.ndarray, edits: int, rng: np.random.Generator) -> np.ndarray:
    """Tokens, end mark last, after so many random edits: a symbol substituted, inserted or deleted."""
    chances = symbol_chances(codec)
    symbols = tokens[:-1].tolist()
    for _ in range(edits):
        edit, at = rng.integers(3), int(rng.integers(len(symbols)))
        new = int(rng.choice(len(chances), p=chances))
        if edit == 0:
            symbols[at] = new
        elif edit == 1 and len(symbols) < codec.greatest_length:
            symbols.insert(at, new)
        elif len(symbols) > 1:
            del symbols[at]
    return np.array([*symbols, END], dtype=np.uint8)


def crossed(
    codec: Codec, elites: Sequence[Elite], n: int, rng: np.random.Generator, model_round: int = 0
) -> list[Candidate]:
    """The first part of one elite's SELFIES and the last part of another's (proposer ``crossover``)."""
    if len(elites) < 2:
        return []
    left, right = pick(rng, elites, n), pick(rng, elites, n)
    rows, parents = [], []
    for a, b in zip(left, right, strict=True):
        if a == b:
            continue
        first, second = codec.tokens(elites[a].selfies)[:-1], codec.tokens(elites[b].selfies)[:-1]
        # Cut both at about the same share of their length, so children stay of their parents' size.
        share = rng.uniform(0.1, 0.9)
        cut_first = round(share * len(first))
        cut_second = round(float(np.clip(share + rng.normal(0, 0.1), 0, 1)) * len(second))
        child = [*first[:cut_first], *second[cut_second:]][: codec.greatest_length]
        if child:
            rows.append(np.array([*child, END], dtype=np.uint8))
            parents.append((elites[a].smiles, elites[b].smiles))
    return read(codec, _written(codec, rows), "crossover", parents, model_round)


def _written(codec: Codec, rows: Sequence[np.ndarray]) -> list[str]:
    return codec.selfies_of(codec.pad(rows)) if rows else []


def shares(credit: Mapping[str, float], floor: float = 0.3) -> dict[str, float]:
    """Each proposer's share of the pool: proportional to its credit, none below ``floor`` of an equal share."""
    least = floor / len(credit)
    total = sum(credit.values())
    return {
        name: least + (1 - floor) * (value / total if total > 0 else 1 / len(credit)) for name, value in credit.items()
    }


__all__ = [
    "PAD",
    "Elite",
    "crossed",
    "edited",
    "from_posterior",
    "from_prior",
    "mutated",
    "pick",
    "rank_weights",
    "read",
    "shares",
]
