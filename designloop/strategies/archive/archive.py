"""What a campaign has paid for, as far as a strategy learns from it: bounded, one row a molecule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from math import floor

import numpy as np

from designloop.molecules.chemistry import scaffold_or_self
from designloop.pareto import pareto_order

LIMIT = 1000
"""Scored molecules that are remembered, and that a surrogate is fitted on."""

_ROUNDING = 1e-9
"""Of a share of a number, which is whole where the two say so."""


@dataclass(frozen=True, slots=True)
class Member:
    """A molecule in the model's own language: of an archive, or a free one that is to breed."""

    smiles: str
    """Standard form."""
    selfies: str
    """Canonical SELFIES of what the model wrote."""
    score: float = 0.0
    """0 where it has not been scored."""
    values: tuple[float, ...] = ()
    """Of the properties that its score is made of, in the objective's order; none where it has not been scored."""
    ancestor: str = ""
    """Of a free one: the molecule paid for that it descends from, where its children are to name that one."""
    readings: tuple[int, ...] = ()
    """Of an assay, that each value is the mean of, 0 of one that was computed; none where no value is of several."""

    @property
    def name(self) -> str:
        """What its children name as their parent."""
        return self.ancestor or self.smiles


Standing = Callable[[Sequence[Member]], np.ndarray]
"""Gives (n,) how high each of some molecules stands among them: the greater, the better."""


def by_score(members: Sequence[Member]) -> np.ndarray:
    """(n,) scores."""
    return np.array([member.score for member in members], dtype=float)


def by_front(desirabilities: Callable[[np.ndarray], np.ndarray]) -> Standing:
    """The standing where trade-offs are sought: first the front, then what only the front dominates, and so on.

    Args:
        desirabilities: (n, goals) of (n, goals) values.
    """

    def standing(members: Sequence[Member]) -> np.ndarray:
        places = np.zeros(len(members))
        if members:
            order = pareto_order(desirabilities(np.array([member.values for member in members])))
            places[order] = -np.arange(len(members))
        return places

    return standing


@dataclass(frozen=True)
class Archive:
    """Molecules with their scores, in the order in which they were told."""

    members: tuple[Member, ...] = ()
    limit: int = LIMIT
    """The most that are remembered: the best half, and the latest of the others."""
    standing: Standing = field(default=by_score, compare=False, repr=False)
    """What is best."""

    def __len__(self) -> int:
        return len(self.members)

    @property
    def smiles(self) -> list[str]:
        """Standard form of each."""
        return [member.smiles for member in self.members]

    @property
    def scores(self) -> np.ndarray:
        """One score a molecule, (len(self),)."""
        return by_score(self.members)

    @property
    def values(self) -> np.ndarray:
        """One row a molecule, (len(self), properties)."""
        return np.array([member.values for member in self.members])

    @property
    def readings(self) -> np.ndarray:
        """(len(self), properties) readings that each value is the mean of; 1 of one that was computed."""
        rows = [member.readings or (1,) * len(member.values) for member in self.members]
        return np.asarray(np.maximum(np.array(rows, dtype=int), 1))

    @property
    def score_readings(self) -> np.ndarray:
        """(len(self),) readings of the value of each molecule that has the fewest; 1 where all were computed."""
        return np.array([min(filter(None, member.readings), default=1) for member in self.members], dtype=int)

    def add(self, members: Sequence[Member]) -> Archive:
        """The archive with further molecules, bounded; one told again takes the place of what was said before."""
        again = {member.smiles for member in members}
        rows = (*(member for member in self.members if member.smiles not in again), *members)
        return replace(self, members=_kept(rows, self.limit, self.standing))

    def without(self, smiles: Collection[str]) -> Archive:
        """The archive less some molecules: those whose values turned out to be none."""
        return replace(self, members=tuple(member for member in self.members if member.smiles not in smiles))

    def elites(self, n: int, per_scaffold: float) -> list[Member]:
        """The ``n`` that stand highest, best first; one scaffold may hold one of them, or a share of all."""
        return self.best(n, max(floor(per_scaffold * n + _ROUNDING), 1))

    def best(self, n: int, per_scaffold: int) -> list[Member]:
        """The ``n`` that stand highest, best first, the earlier first among equals; few of one scaffold."""
        count: Counter[str] = Counter()
        chosen: list[Member] = []
        for row in np.argsort(-self.standing(self.members), kind="stable").tolist():
            member = self.members[row]
            kind = scaffold_or_self(member.smiles)
            if count[kind] < per_scaffold:
                count[kind] += 1
                chosen.append(member)
                if len(chosen) == n:
                    break
        return chosen


def best_and_latest(values: np.ndarray, limit: int) -> np.ndarray:
    """(limit,) ascending rows of the best half, the earlier of equals first, and of the latest of the others.

    Args:
        values: (n,) of more than ``limit`` rows, the latest last.
    """
    order, half = np.argsort(-values, kind="stable"), limit // 2
    best, others = order[: limit - half], np.sort(order[limit - half :])
    return np.asarray(np.sort(np.concatenate([best, others[len(others) - half :]])))


def _kept(members: tuple[Member, ...], limit: int, standing: Standing) -> tuple[Member, ...]:
    """The best half of ``limit`` members and the latest of the others, in their order."""
    if len(members) <= limit:
        return members
    return tuple(members[row] for row in best_and_latest(standing(members), limit))


def rank_weights(n: int, k: float = 0.02) -> np.ndarray:
    """(n,) sampling chances of members sorted best first, proportional to 1 / (k n + rank).

    Source: Tripp et al. 2020, "Sample-efficient optimization in the latent space of deep generative models via weighted
    retraining", eq. 2.
    """
    weights: np.ndarray = 1.0 / (k * n + np.arange(n) + 1.0)
    return np.asarray(weights / weights.sum())


def draw_by_rank(rng: np.random.Generator, members: Sequence[Member], n: int) -> list[int]:
    """Indices of ``n`` members, drawn by rank with repetition; the members are sorted best first."""
    chosen: list[int] = rng.choice(len(members), size=n, p=rank_weights(len(members))).tolist()
    return chosen


def parents_by_rank(rng: np.random.Generator, members: Sequence[Member], n: int) -> list[Member]:
    """``n`` parents drawn by rank, with repetition, of members that are sorted best first; of fewer than two, those."""
    return [members[row] for row in draw_by_rank(rng, members, n)] if len(members) > 1 else list(members)


def deal_pairs(rng: np.random.Generator, members: Sequence[Member], n: int) -> list[tuple[Member, Member]]:
    """At most ``n`` pairs of members, each dealt by itself; a pair of one molecule is none."""
    pairs = zip(deal(rng, members, n), deal(rng, members, n), strict=True)
    return [(first, second) for first, second in pairs if first.smiles != second.smiles]


def deal(rng: np.random.Generator, members: Sequence[Member], n: int) -> list[Member]:
    """``n`` members in random order, each of them as often as any other, or once more; none of none."""
    if not members or n < 1:
        return []
    deals = [rng.permutation(len(members)) for _ in range(0, n, len(members))]
    return [members[row] for row in np.concatenate(deals)[:n].tolist()]
