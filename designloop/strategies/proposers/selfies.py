"""Genetic steps on SELFIES: every string of symbols is a molecule, so any edit gives one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from designloop.molecules.codec import END, Codec
from designloop.randomness import Generators
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member, deal, deal_pairs
from designloop.strategies.proposers.base import candidates_of


@dataclass(frozen=True)
class SelfiesMutation:
    """One to three symbols of a parent substituted, inserted or deleted (proposer ``mutation``)."""

    codec: Codec

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """The distinct molecules among ``n`` mutants of each parent in turn; none without parents."""
        chosen, rows = deal(rng.numpy, parents, n), []
        for parent in chosen:
            edits = int(rng.numpy.choice((1, 2, 3), p=(0.6, 0.25, 0.15)))
            rows.append(edit(self.codec, self.codec.tokens(parent.selfies), edits, rng.numpy))
        names = [(parent.name,) for parent in chosen]
        return candidates_of(self.codec, _written(self.codec, rows), "mutation", names)


@dataclass(frozen=True)
class SelfiesCrossover:
    """The first part of one parent and the last part of another (proposer ``crossover``)."""

    codec: Codec

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """The distinct molecules among the children of ``n`` pairs of parents; none of one parent alone."""
        codec, rows, names = self.codec, [], []
        for a, b in deal_pairs(rng.numpy, parents, n):
            first, second = codec.tokens(a.selfies)[:-1], codec.tokens(b.selfies)[:-1]
            # Cut both at about the same share of their length, so children stay of their parents' size.
            share = rng.numpy.uniform(0.1, 0.9)
            cut_first = round(share * len(first))
            cut_second = round(float(np.clip(share + rng.numpy.normal(0, 0.1), 0, 1)) * len(second))
            child = [*first[:cut_first], *second[cut_second:]][: codec.greatest_length]
            if child:
                rows.append(np.array([*child, END], dtype=np.uint8))
                names.append((a.name, b.name))
        return candidates_of(codec, _written(codec, rows), "crossover", names)


@lru_cache(maxsize=4)
def symbol_chances(codec: Codec) -> np.ndarray:
    """(codec.size,) shares of the tokens in ZINC 250k; padding and end mark 0, unseen ones half a count."""
    from designloop.molecules.corpus import zinc_codec, zinc_tokens

    counts = np.bincount(zinc_tokens().flat, minlength=zinc_codec().size).astype(float)
    of: Mapping[str, float] = dict(zip(zinc_codec().symbols, counts[2:], strict=True))
    chances = np.array([0.0, 0.0] + [max(of.get(symbol, 0.0), 0.5) for symbol in codec.symbols])
    return np.asarray(chances / chances.sum())


def edit(codec: Codec, tokens: np.ndarray, edits: int, rng: np.random.Generator) -> np.ndarray:
    """Tokens, end mark last, after so many random edits: a symbol substituted, inserted or deleted."""
    chances = symbol_chances(codec)
    symbols = tokens[:-1].tolist()
    for _ in range(edits):
        kind, place = rng.integers(3), int(rng.integers(len(symbols)))
        new = int(rng.choice(len(chances), p=chances))
        if kind == 0:
            symbols[place] = new
        elif kind == 1 and len(symbols) < codec.greatest_length:
            symbols.insert(place, new)
        elif len(symbols) > 1:
            del symbols[place]
    return np.array([*symbols, END], dtype=np.uint8)


def _written(codec: Codec, rows: Sequence[np.ndarray]) -> list[str]:
    return codec.selfies_of(codec.pad(rows)) if rows else []
