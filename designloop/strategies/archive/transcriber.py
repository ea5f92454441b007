"""Reads scored molecules into an archive: in the model's own writing, with the values that a surrogate learns from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from designloop.molecules.codec import Codec
from designloop.molecules.errors import MoleculeError
from designloop.records import Candidate, Scored
from designloop.strategies.archive.archive import Archive, Member


@dataclass(frozen=True)
class Transcriber:
    """Makes members of candidates."""

    codec: Codec
    """Of the model; what its alphabet cannot express is not remembered."""
    properties: Sequence[str] = ("score",)
    """Whose values are remembered beside the score; ``score`` may be one of them."""
    as_standardised: bool = False
    """Whether the alphabet has to express the standard form, too, by which the surrogate sees a molecule."""

    def member(self, candidate: Candidate, score: float = 0.0) -> Member | None:
        """A candidate in the model's own canonical writing; None where the alphabet cannot express it."""
        try:
            written = self.codec.to_smiles(candidate.selfies) if candidate.selfies else None
            if self.as_standardised and written:
                self.codec.to_selfies(candidate.smiles)
            return Member(candidate.smiles, self.codec.to_selfies(written or candidate.smiles), score)
        except MoleculeError:  # it can be scored and stands in the table, but the model cannot write it
            return None

    def read(self, scored: Iterable[Scored], archive: Archive) -> tuple[list[Scored], list[Member]]:
        """What is news to an archive, as rows and as members: not known with those very values; the last word counts.

        A value may change where the score does not: beyond the ends of a transform, say.
        """
        known = {member.smiles: (member.score, member.values, member.readings) for member in archive.members}
        latest = {row.smiles: row for row in scored if row.score is not None}
        rows, members = [], []
        for row in latest.values():
            if row.score is None:
                continue
            values, readings = self._values(row, row.score), self._readings(row)
            if known.get(row.smiles) == (row.score, values, readings):
                continue
            if (member := self.member(row.candidate, row.score)) is not None:
                rows.append(row)
                members.append(replace(member, values=values, readings=readings))
        return rows, members

    def _values(self, row: Scored, score: float) -> tuple[float, ...]:
        """The values that are remembered of a row, in the order of the properties."""
        values = {name: result.value for name, result in row.evaluation.results.items() if result.value is not None}
        values["score"] = score
        return tuple(values[name] for name in self.properties)

    def _readings(self, row: Scored) -> tuple[int, ...]:
        """How many readings each of these values is the mean of; a score is as noisy as what was read least often."""
        counts = {name: result.readings for name, result in row.evaluation.results.items()}
        counts["score"] = min(filter(None, counts.values()), default=0)
        readings = tuple(counts[name] for name in self.properties)
        return readings if max(readings, default=0) > 1 else ()
