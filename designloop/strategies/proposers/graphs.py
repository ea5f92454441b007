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
from designloop.strategies.archive.archive import Member, deal, deal_pairs


@dataclass(frozen=True)
class GraphMutation:
    """A parent after one small change (proposer ``graph_mutation``)."""

    keep: tuple[str, ...] = ()
    """SMARTS that every child holds, and whose atoms no step touches: each keeps its element, its hydrogens and the
    orders of its bonds, though what hangs on it may become another group."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """A child of each parent in turn; fewer than ``n`` where they fail or repeat."""
        chosen = deal(rng.numpy, parents, n)
        with rdBase.BlockLogs():
            steps = (((parent.name,), mutant(parent.smiles, rng.numpy, self.keep)) for parent in chosen)
            return _candidates(steps, "graph_mutation")


@dataclass(frozen=True)
class GraphCrossover:
    """A part of one parent bound to a part of another (proposer ``graph_crossover``)."""

    keep: tuple[str, ...] = ()
    """SMARTS, as of mutants."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """Children of pairs of parents; fewer than ``n`` where they fail or repeat."""
        pairs = deal_pairs(rng.numpy, parents, n)
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
