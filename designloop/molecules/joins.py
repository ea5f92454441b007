"""Long and unusual molecules made of ZINC's: what a model has to reconstruct, and ZINC 250k hardly holds.

Few of ZINC's molecules have more than 30 heavy atoms, where many drugs lie. Two of three rows are parts of up to four
training molecules bound to each other at acyclic bonds (``molecules/graphs``), of sizes uniform up to 60 heavy atoms;
the others are the first part of one molecule's SELFIES and last parts of others', which gives rings, valences and
charges that nobody would draw. All follows from a seed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from math import exp

import numpy as np
from rdkit import rdBase

from designloop.molecules.cache import is_whole, releases, seal
from designloop.molecules.codec import Codec
from designloop.molecules.corpus import (
    TokenRows,
    cache_folder,
    held_out_smiles,
    training_rows,
    training_smiles,
    zinc_tokens,
)
from designloop.molecules.errors import MoleculeError
from designloop.molecules.graphs.crossover import bind, join_parts
from designloop.molecules.graphs.edits import outcome
from designloop.molecules.graphs.graph import Graph, read_graph
from designloop.molecules.graphs.parts import Part, acyclic_parts
from designloop.molecules.graphs.tables import Table

SIZES = 24, 60
"""Heavy atoms of what is bound on graphs."""

GRAPH_SHARE = 2 / 3
"""Share of rows that are bound on graphs."""

VERSION = 1
"""Of the rows that follow from a seed."""


def joined_rows(n: int, codec: Codec, seed: int) -> TokenRows:
    """Token rows of ``n`` distinct joins of ZINC's training molecules; made once and kept in the cache folder.

    No held-out molecule is among them.
    """
    written = " ".join([str(VERSION), str(n), str(seed), *releases(), codec.to_json()])
    kept = cache_folder() / f"joins-{hashlib.sha256(written.encode()).hexdigest()[:32]}.npy"
    if not is_whole(kept):
        refused = set(held_out_smiles())
        rows: dict[bytes, None] = {}
        joins = draw_joins(codec, np.random.default_rng([seed, 4]))
        while len(rows) < n:
            smiles, tokens = next(joins)
            if smiles not in refused:
                rows[tokens.tobytes()] = None
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(aside, np.frombuffer(b"".join(rows), dtype=np.uint8))
        seal(aside)
        aside.replace(kept)
    return TokenRows.of_flat(np.load(kept))


def draw_joins(codec: Codec, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Draws canonical SMILES and tokens of joins without end, some of them more than once."""
    molecules, rows, use = training_smiles(), zinc_tokens(), training_rows()
    with rdBase.BlockLogs():
        while True:
            if rng.random() < GRAPH_SHARE:
                smiles = join_graphs(molecules, int(rng.integers(SIZES[0], SIZES[1] + 1)), rng)
            else:
                smiles = splice(rows, use, codec, rng)
            if smiles is None or "." in smiles:
                continue
            try:
                yield smiles, codec.tokens(codec.to_selfies(smiles), of=smiles)
            except MoleculeError:
                continue  # too long for the model, or of an atom that SELFIES' robust alphabet lacks


def join_graphs(molecules: list[str], size: int, rng: np.random.Generator) -> str | None:
    """Binds parts of molecules to each other until they have about ``size`` heavy atoms; None where they do not fit."""
    whole = read_graph(molecules[int(rng.integers(len(molecules)))], ())
    for _ in range(3):
        other = read_graph(molecules[int(rng.integers(len(molecules)))], ())
        if whole is None or other is None:
            return None
        smiles = _bind_parts(whole, other, size, rng)
        if smiles is None:
            return None
        whole = read_graph(smiles, ())
        if whole is not None and whole.size >= size - 4:
            return smiles
    return None


def _bind_parts(a: Graph, b: Graph, size: int, rng: np.random.Generator) -> str | None:
    """A large part of ``a`` bound to a part of ``b`` that brings both near a size."""
    of_a = [part for part in acyclic_parts(a) if 2 * part.size >= a.size and part.size < size]
    if not of_a:
        return None
    first = Table(of_a, [part.size for part in of_a]).draw(rng)
    of_b = [part for part in acyclic_parts(b) if bind(a, first.ends[0], b, part.ends[0])]
    if not of_b:
        return None
    # Where even the whole of it would be too small, the largest is likeliest.
    missing = min(size - first.size, b.size)
    second: Part = Table(of_b, [exp(-abs(part.size - missing) / 2) for part in of_b]).draw(rng)
    return outcome(join_parts(a, first, b, second), a)


def splice(rows: TokenRows, use: np.ndarray, codec: Codec, rng: np.random.Generator) -> str | None:
    """The first part of a molecule's SELFIES and the last parts of one or two others', as a molecule."""
    symbols: list[int] = []
    for index in range(int(rng.integers(2, 4))):
        row = use[rng.integers(len(use))]
        tokens = rows.flat[rows.starts[row] : rows.starts[row + 1] - 1]
        cut = int(rng.integers(1, len(tokens) + 1))
        symbols += (tokens[:cut] if index == 0 else tokens[-cut:]).tolist()
    return codec.to_smiles(codec.selfies_of(np.array([symbols]))[0])
