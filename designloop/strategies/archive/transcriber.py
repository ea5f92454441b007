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

    def member(self, candidate: Candidate, score: float = 0.0) -> Member | None:
        """A candidate in the model's own canonical writing; None where the alphabet cannot express it."""
        try:
            written = self.codec.to_smiles(candidate.selfies) if candidate.selfies else None
            return Member(candidate.smiles, self.codec.to_selfies(written or candidate.smiles), score)
        except MoleculeError:  # it can be scored and stands in the table, but the model cannot write it
            return None

    def read(self, scored: Iterable[Scored], archive: Archive) -> tuple[list[Scored], list[Member]]:
        """What is news to an archive, as rows and as members: not known with those very values; the last word counts.

        A value may change where the score does not: beyond the ends of a transform, say.
        """
        known = {member.smiles: (member.score, member.values) for member in archive.members}
        latest = {row.smiles: row for row in scored if row.score is not None}
        rows, members = [], []
        for row in latest.values():
            if row.score is None or known.get(row.smiles) == (row.score, self._values(row, row.score)):
                continue
            if (member := self.member(row.candidate, row.score)) is not None:
                rows.append(row)
                members.append(replace(member, values=self._values(row, row.score)))
        return rows, members

    def _values(self, row: Scored, score: float) -> tuple[float, ...]:
        """The values that are remembered of a row, in the order of the properties."""
        values = {name: result.value for name, result in row.evaluation.results.items() if result.value is not None}
        values["score"] = score
        return tuple(values[name] for name in self.properties)
