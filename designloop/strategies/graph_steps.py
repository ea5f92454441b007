"""Free candidates from genetic steps on the molecular graphs of elites, beside those on their SELFIES.

They know no alphabet, so they have no SELFIES of their own: the model's writing of one is made where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rdkit import rdBase

from designloop.molecules.graphs.crossover import offspring
from designloop.molecules.graphs.mutation import mutant
from designloop.records import Candidate
from designloop.strategies.proposers import Elite, pick


def graph_mutated(
    elites: Sequence[Elite], n: int, rng: np.random.Generator, keep: Sequence[str] = (), model_round: int = 0
) -> list[Candidate]:
    """Elites after one small change each (proposer ``graph_mutation``); fewer than ``n`` where they fail or repeat.

    Args:
        elites: sorted best first.
        keep: SMARTS that every child holds, and whose atoms no step touches: each keeps its element, its hydrogens and
            the orders of its bonds, though what hangs on it may become another group.
    """
    patterns = tuple(keep)
    parents = [elites[i].smiles for i in pick(rng, elites, n)] if elites else []
    with rdBase.BlockLogs():
        return _candidates(
            (((parent,), mutant(parent, rng, patterns)) for parent in parents), "graph_mutation", model_round
        )


def graph_crossed(
    elites: Sequence[Elite], n: int, rng: np.random.Generator, keep: Sequence[str] = (), model_round: int = 0
) -> list[Candidate]:
    """A part of one elite bound to a part of another (proposer ``graph_crossover``); arguments as of mutants."""
    if len(elites) < 2:
        return []
    patterns = tuple(keep)
    pairs = zip(pick(rng, elites, n), pick(rng, elites, n), strict=True)
    parents = [(elites[a].smiles, elites[b].smiles) for a, b in pairs if a != b]
    with rdBase.BlockLogs():
        return _candidates(
            ((pair, offspring(*pair, rng, patterns)) for pair in parents), "graph_crossover", model_round
        )


def _candidates(bred: Iterable[tuple[tuple[str, ...], str | None]], proposer: str, model_round: int) -> list[Candidate]:
    """Candidates of (parents, child); failures and repetitions are dropped."""
    found: dict[str, Candidate] = {}
    for parents, child in bred:
        if child is not None and child not in found:
            found[child] = Candidate(child, proposer, parents=parents, model_round=model_round)
    return list(found.values())
