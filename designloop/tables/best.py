"""The best molecules, one a stereo-free parent: which rows they are, and how their mean rose call by call."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rdkit.DataStructs import ExplicitBitVect

from designloop.molecules.chemistry import fingerprints, scaffold, tanimoto, without_stereo

NEAR_DUPLICATE = 0.7
"""ECFP4 Tanimoto similarity above which one of two molecules says nothing new."""


class TopScores:
    """The best scores so far, one a stereo-free parent: stereoisomers of one molecule count once.

    Args:
        n: how many at most.
    """

    def __init__(self, n: int = 10) -> None:
        self.n = n
        self._best_of: dict[str, float] = {}
        """Of every parent whose score is, or once was, among the best."""
        self._scores: list[float] = []
        """The best of these, kept because most molecules change nothing."""

    def add(self, smiles: str, score: float | None) -> bool:
        """Take in a molecule and say whether it changes the best; without a score it does not."""
        top = self._scores
        if score is None or (len(top) == self.n and score <= top[-1]):
            return False
        parent = without_stereo(smiles)
        if score <= self._best_of.get(parent, -math.inf):
            return False
        self._best_of[parent] = score
        self._scores = heapq.nlargest(self.n, self._best_of.values())
        return True

    @property
    def scores(self) -> list[float]:
        """At most ``n``, best first."""
        return list(self._scores)

    @property
    def mean(self) -> float | None:
        """The mean of as many as there are; None without any."""
        scores = self.scores
        return sum(scores) / len(scores) if scores else None


@dataclass(frozen=True, slots=True)
class Course:
    """How the best of a campaign rose with its oracle calls."""

    calls: int
    best: list[tuple[int, float]]
    """(call, best so far) where it changes, and at the last call; empty without a score."""
    mean: list[tuple[int, float]]
    """(call, mean of the best ``n`` so far), at the same calls; fewer than ``n`` have their own mean."""
    mean_of: int
    """Molecules that the last mean is of."""

    def auc(self, calls: int) -> float:
        """Mean over so many calls of the mean of the best so far, 0 before there is any: it rewards being soon.

        The last mean holds to the end; what came after so many calls does not count.
        PMO's AUC top-10 where ``n`` is 10 (Gao et al. 2022).
        """
        # A mean holds from the call that made it until the next that changes it, or until the last that counts.
        steps = pairwise([*((min(call, calls + 1), mean) for call, mean in self.mean), (calls + 1, 0.0)])
        return math.fsum(mean * (later - call) for (call, mean), (later, _) in steps) / calls if calls else 0.0


def course(calls: Iterable[tuple[str, float | None]], n: int = 10) -> Course:
    """Follow the best score and the mean of the best over molecules, in the order in which they were charged."""
    top = TopScores(n)
    best: list[tuple[int, float]] = []
    mean: list[tuple[int, float]] = []
    number = 0
    for number, (smiles, score) in enumerate(calls, 1):
        if top.add(smiles, score):
            scores = top.scores
            best.append((number, scores[0]))
            mean.append((number, math.fsum(scores) / len(scores)))
    if best:
        best.append((number, best[-1][1]))
        mean.append((number, mean[-1][1]))
    return Course(number, best, mean, len(top.scores))


@dataclass(frozen=True, slots=True)
class BestRow:
    """A molecule among the best."""

    row: int
    """Its row."""
    hides: int
    """Rows with lower scores left out because of it, of those looked at: its stereoisomers and near-duplicates."""


def best(
    smiles: Sequence[str],
    scores: Sequence[float | None],
    n: int,
    diverse: bool = False,
    ranks: Sequence[int | None] = (),
) -> list[BestRow]:
    """Pick the rows with the highest scores, best first; equal scores in the order of the rows.

    Args:
        smiles: standard forms.
        scores: None where there is none; such a row is never among the best.
        n: how many at most.
        diverse: also leave out what has the same scaffold as, or is more similar than 0.7 to, a better one.
        ranks: what is better before any score is looked at, 1 the best (Pareto ranks); None after all others.
    """
    of_row = [rank or math.inf for rank in ranks or [None] * len(scores)]
    ranked = sorted((of_row[row], -score, row) for row, score in enumerate(scores) if score is not None)
    picked: list[int] = []
    hides: list[int] = []
    parents: dict[str, int] = {}
    prints: list[ExplicitBitVect] = []
    scaffolds: dict[str, int] = {}
    for *_, row in ranked:
        parent = without_stereo(smiles[row])
        twin = parents.get(parent)
        if twin is None and diverse:
            (fingerprint,) = fingerprints([parent])
            core = scaffold(parent)
            twin = scaffolds.get(core) if core else None
            if twin is None and prints:
                similarity = tanimoto([fingerprint], prints)[0]
                twin = int(similarity.argmax()) if similarity.max() > NEAR_DUPLICATE else None
        if twin is not None:
            parents.setdefault(parent, twin)
            hides[twin] += 1
            continue
        if len(picked) == n:
            break
        parents[parent] = len(picked)
        if diverse:
            prints.append(fingerprint)
            scaffolds.setdefault(core, len(picked))
        picked.append(row)
        hides.append(0)
    return [BestRow(row, hidden) for row, hidden in zip(picked, hides, strict=True)]
