"""Stereoisomers: none is paid for where all pairs of them came out alike.

A campaign that keeps stereo takes each isomer for a molecule of its own, as its oracles may tell them apart. Where
every pair that was paid for came out alike they do not, and another isomer says nothing new, though a surrogate that
sees no stereo expects as much of it as of the best.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from designloop.molecules.standardize import identity
from designloop.records import Scored, State
from designloop.strategies.base import CampaignView
from designloop.strategies.learning.base import ToldRound

ENOUGH = 3
"""Molecules that came out as an isomer of theirs did, none otherwise, before isomers are taken to be alike."""

_Values = list[float | None]


class Isomers:
    """Which molecules without stereo were paid for, and whether their isomers differed: a learner, told every round.

    Args:
        state: what an earlier one of this campaign gave.
    """

    def __init__(self, state: State | None = None) -> None:
        data: Mapping[str, Any] = {} if state is None else state.data
        self._first: dict[str, tuple[str, _Values]] = {
            key: (told, values) for key, told, values in data.get("first", ())
        }
        """Digest of a molecule without stereo -> digest of the first isomer that had values, and these."""
        self._alike = set[str](data.get("alike", ()))
        """Digests of later isomers that came out as the first did."""
        self._differ = bool(data.get("differ", False))
        """Whether any did not; from then on nothing is followed."""

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Compares what was told with the isomers that were told before; the last word on a molecule counts."""
        for row in () if self._differ else told_round.scored:
            flat, molecule, values = _digest(identity(row.smiles)), _digest(row.smiles), _values(row)
            first, expected = self._first.setdefault(flat, (molecule, values))
            if molecule == first:
                self._first[flat] = molecule, values
                continue
            self._alike.discard(molecule)
            if values != expected:
                self._differ = True
            elif any(values):  # where most of all molecules have 0, to have it, too, says nothing
                self._alike.add(molecule)
        if self._differ:
            self._first.clear()
            self._alike.clear()
        return {}

    @classmethod
    def followed(cls, campaign: CampaignView, state: State | None, part: State | None) -> Isomers | None:
        """Those of a campaign; None where stereo is not kept, or none were followed when it was begun.

        Args:
            state: of the strategy, None at the beginning.
            part: of that, what isomers gave; None where it has no such part.
        """
        return cls(part) if campaign.keeps_stereo and (state is None or part is not None) else None

    @property
    def are_alike(self) -> bool:
        """Whether isomers are taken to be alike."""
        return len(self._alike) >= ENOUGH

    def worth_paying(self, names: Sequence[str], rows: Iterable[int]) -> Iterator[int]:
        """Those of some rows, in order, of which no isomer was paid for nor comes before; all where isomers may differ.

        Args:
            names: standard forms, of which the rows are numbers.
        """
        if not self.are_alike:
            yield from rows
            return
        seen = set[str]()
        for row in rows:
            flat = identity(names[row])
            if flat not in seen and _digest(flat) not in self._first:
                seen.add(flat)
                yield row

    def state(self) -> State:
        """All of it, by digests."""
        first = [[flat, *told] for flat, told in self._first.items()]
        return State(data={"first": first, "alike": sorted(self._alike), "differ": self._differ})


def worth_paying(isomers: Isomers | None, names: Sequence[str], rows: Iterable[int]) -> Iterator[int]:
    """The same of isomers that are followed; all rows where they are not."""
    return iter(rows) if isomers is None else isomers.worth_paying(names, rows)


def _digest(smiles: str) -> str:
    """A few bytes in place of a molecule: a state holds one for each that was paid for."""
    return blake2b(smiles.encode(), digest_size=8).hexdigest()


def _values(row: Scored) -> _Values:
    """What the oracles gave, in the order of the properties."""
    return [result.value for _, result in sorted(row.evaluation.results.items())]
