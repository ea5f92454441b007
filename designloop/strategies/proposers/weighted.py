"""Several proposers as one: each has its share, interleaved so that a pool that nobody ranks serves each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from designloop.randomness import Generators
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member
from designloop.strategies.proposers.base import Proposer, decodes, without_new_radicals


@dataclass(frozen=True)
class Weighted:
    """``n`` candidates by genetic steps, and what the model gives on top.

    Genetic steps cost next to nothing, so the model's share takes none of them away. Where there are none, ``n`` come
    from the model. Radicals of parents that are none are dropped, whatever the campaign's filters say: they are slips
    of the pen, which a score that counts hydrogens would reward.
    """

    proposers: Mapping[str, Proposer]
    credit: Mapping[str, float]
    """Proposer -> what it brought so far; its share follows."""
    fallback: Proposer
    """Asked alone while there are fewer parents."""
    fewest: int = 2
    """Distinct parents that the proposers are asked with."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        """The candidates of all, those of the same relative place in their proposer's list side by side."""
        if not self.proposers:
            return []
        if len({parent.smiles for parent in parents}) < self.fewest:
            return without_new_radicals(self.fallback.propose(parents, max(n, 4), rng))
        shares = shares_of({name: self.credit[name] for name in self.proposers})
        genetic = sum(share for name, share in shares.items() if not decodes(self.proposers[name]))
        parts = [
            self.proposers[name].propose(parents, max(round(n * share / (genetic or 1.0)), 4), rng)
            for name, share in shares.items()
        ]
        return without_new_radicals(interleave(parts))


def fewest_parents(keep: Sequence[str]) -> int:
    """How many distinct parents are bred from: one where it has a core to keep, which the prior hardly ever draws."""
    return 1 if keep else 2


def interleave(parts: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """All candidates of some lists, by their relative places in them."""
    places = [(row / len(part), k, candidate) for k, part in enumerate(parts) for row, candidate in enumerate(part)]
    return [candidate for _, _, candidate in sorted(places, key=lambda place: place[:2])]


def shares_of(credit: Mapping[str, float], floor: float = 0.3) -> dict[str, float]:
    """Each proposer's share of the pool: proportional to its credit, none below ``floor`` of an equal share."""
    if not credit:  # of a strategy that only screens
        return {}
    least = floor / len(credit)
    total = sum(credit.values())
    return {
        name: least + (1 - floor) * (value / total if total > 0 else 1 / len(credit)) for name, value in credit.items()
    }
