"""Genetic steps on molecular graphs, beside those on SELFIES.

They know no alphabet, so they have no SELFIES of their own: the model's writing of one is made where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rdkit import rdBase

from designloop.molecules.graphs.crossover import offspring
from designloop.molecules.graphs.mutation import mutant
from designloop.randomness import Generators
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member, draw_by_rank


@dataclass(frozen=True)
class GraphMutation:
    """A parent after one small change (proposer ``graph_mutation``)."""

    keep: tuple[str, ...] = ()
    """SMARTS that every child holds, and whose atoms no step touches: each keeps its element, its hydrogens and the
    orders of its bonds, though what hangs on it may become another group."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """Children of parents drawn by rank; fewer than ``n`` where they fail or repeat."""
        chosen = [parents[i] for i in draw_by_rank(rng.numpy, parents, n)] if parents else []
        with rdBase.BlockLogs():
            steps = (((parent.name,), mutant(parent.smiles, rng.numpy, self.keep)) for parent in chosen)
            return _candidates(steps, "graph_mutation")


@dataclass(frozen=True)
class GraphCrossover:
    """A part of one parent bound to a part of another (proposer ``graph_crossover``)."""

    keep: tuple[str, ...] = ()
    """SMARTS, as of mutants."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """Children of pairs drawn by rank; fewer than ``n`` where they fail or repeat."""
        if len(parents) < 2:
            return []
        chosen = zip(draw_by_rank(rng.numpy, parents, n), draw_by_rank(rng.numpy, parents, n), strict=True)
        pairs = [(parents[a], parents[b]) for a, b in chosen if a != b]
        with rdBase.BlockLogs():
            steps = (((a.name, b.name), offspring(a.smiles, b.smiles, rng.numpy, self.keep)) for a, b in pairs)
            return _candidates(steps, "graph_crossover")


def _candidates(steps: Iterable[tuple[tuple[str, ...], str | None]], proposer: str) -> list[Candidate]:
    """Candidates of (parents' names, child); failures and repetitions are dropped."""
    candidates: dict[str, Candidate] = {}
    for names, child in steps:
        if child is not None and child not in candidates:
            candidates[child] = Candidate(child, proposer, parents=names)
    return list(candidates.values())
