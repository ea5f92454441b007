"""Screening: one predicate, asked before any oracle is. In standard form, new, and allowed by the filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Protocol

from rdkit import DataStructs, rdBase
from rdkit.DataStructs import ExplicitBitVect

from designloop.loop.screening.filters import FilterContext, Filters, build
from designloop.molecules.chemistry import (
    Mode,
    MoleculeError,
    Stereo,
    fingerprints,
    identity,
    require,
    scaffold,
    standard_form,
)
from designloop.records import MEASURED, START, Candidate

__all__ = ["Filters", "Refused", "Screening", "Take"]

DRAWS_PER_WANTED = 50
"""After so many draws for each candidate wanted a take ends, however few were admitted."""

MEAGRE = 0.1
"""A take that admits less than this share of what was wanted from all those draws is meagre."""

INVALID, KNOWN, REPEAT, SCAFFOLD, NEAR = "invalid", "known", "repeat", "max_per_scaffold", "min_distance"
"""Reasons beside the other filters' names: no molecule; charged before; twice in one batch; its scaffold is full; too
near to one that was charged."""

_REMEMBERED = 100_000
"""Molecules of which a screening remembers what the filters say."""


class ScreenedCampaign(Protocol):
    """What screening reads of a campaign."""

    @property
    def filters(self) -> Filters: ...
    @property
    def standardize(self) -> Mode: ...
    @property
    def stereo(self) -> Stereo: ...
    @property
    def folder(self) -> Path: ...


class TableLike(Protocol):
    """What screening reads of the candidate table."""

    def charged(self) -> Iterable[str]:
        """Standard forms of all molecules charged to the campaign."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A starting molecule that would not be admitted if a strategy proposed it."""

    written: str
    """As the user wrote it."""
    reason: str
    """The filter's name, or ``invalid`` or ``repeat``."""
    detail: str
    """In a few words, what the filter found."""

    def __str__(self) -> str:
        return f"{self.written} ({self.reason}: {self.detail})"


@dataclass(frozen=True)
class Take:
    """What became of the candidates drawn in one round."""

    wanted: int
    drawn: int = 0
    admitted: int = 0
    ended: bool = False
    """Whether the stream had no more to give."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Reason -> how many were refused for it; every reason that can occur, in the order in which they are asked."""
    refused_starting: tuple[Refused, ...] = ()
    kept: int = 0
    """Starting molecules that were admitted although a filter refuses them."""

    @property
    def exhausted(self) -> bool:
        """Whether the stream ended with nothing admitted."""
        return self.ended and not self.admitted

    @property
    def meagre(self) -> bool:
        """Whether all draws were used for under a tenth of what was wanted; two such rounds running are stagnation."""
        return self.drawn >= DRAWS_PER_WANTED * self.wanted and self.admitted < MEAGRE * self.wanted

    @property
    def starting_line(self) -> str:
        """A line on the starting molecules that are refused."""
        counts = Counter(refused.reason for refused in self.refused_starting)
        by_reason = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
        refused = len(self.refused_starting)
        what = f"{refused:,} of {self.drawn:,} starting molecules {'is' if refused == 1 else 'are'} refused"
        them = "it" if refused == 1 else "them"
        kept = f", {self.kept:,} of them scored and learned from all the same" if self.kept else ""
        return f"{what}: {by_reason}{kept}; `designloop status` lists {them}"

    def __str__(self) -> str:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.items() if count)
        return f"{self.drawn:,} drawn, {self.admitted:,} of {self.wanted:,} admitted; refused: {counts or 'none'}"


class _Charged:
    """Molecules that count against newness, against the fill of their scaffolds, and as neighbours."""

    def __init__(self, filters: Filters) -> None:
        """Begin with none; only what the filters ask for is kept."""
        self._filters = filters
        self.identities: set[str] = set()
        """Asked for membership only, never iterated: the order of a set of strings changes from process to process."""
        self.scaffolds: Counter[str] = Counter()
        self._neighbours: dict[str, ExplicitBitVect] = {}

    def add(self, smiles: str, identity: str) -> None:
        """Count a molecule in standard form."""
        self.identities.add(identity)
        if self._filters.max_per_scaffold is not None:
            self.scaffolds[scaffold(smiles)] += 1
        if self._filters.min_distance is not None:
            self._neighbours[smiles] = _fingerprint(smiles)

    def update(self, other: _Charged) -> None:
        """Count all that another counts."""
        self.identities |= other.identities
        self.scaffolds.update(other.scaffolds)
        self._neighbours |= other._neighbours

    def nearest(self, smiles: str) -> tuple[float, str]:
        """The similarity of the most similar molecule, and that one; 0 and nothing where there is none."""
        similar = DataStructs.BulkTanimotoSimilarity(_fingerprint(smiles), list(self._neighbours.values()))
        return max(zip(similar, self._neighbours, strict=True), default=(0.0, ""))


@lru_cache(_REMEMBERED)
def _fingerprint(smiles: str) -> ExplicitBitVect:
    return fingerprints([smiles])[0]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a drawn SMILES is, and why it is refused just now, if it is."""

    smiles: str = ""
    """Its standard form."""
    identity: str = ""
    reason: str | None = None
    detail: str = ""


class Screening:
    """The candidates that may be scored: in standard form, new to the campaign, allowed by its filters.

    What a filter says of a molecule is remembered, so that what a strategy has asked about costs nothing when it is
    drawn.
    """

    def __init__(self, campaign: ScreenedCampaign, table: TableLike) -> None:
        """Read what the campaign was charged for so far.

        Raises:
            MoleculeError: when a filter's file is missing or unreadable.
        """
        self._mode, self._stereo = campaign.standardize, campaign.stereo
        self._filters = build(campaign.filters, FilterContext(campaign.folder, self._mode, self._stereo))
        self._limits = campaign.filters
        self._charged = self._new_charges()
        for smiles in table.charged():
            self._charged.add(smiles, identity(smiles, self._stereo))
        self._refusal = lru_cache(_REMEMBERED)(self._ask_filters)
        self.last_take = Take(0)
        """What became of the candidates of the last ``take``."""

    def __call__(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that could be admitted now, in standard form and in the same order; a repeat within them is dropped."""
        batch = self._new_charges()
        admissible = []
        for candidate in candidates:
            verdict = self._verdict(candidate.smiles, batch)
            if verdict.reason is None:
                batch.add(verdict.smiles, verdict.identity)
                admissible.append(replace(candidate, smiles=verdict.smiles))
        return admissible

    def take(self, drawn: Iterable[Candidate], wanted: int, keep_refused: bool = False) -> list[Candidate]:
        """Draw until ``wanted`` candidates are admitted, the stream ends, or 50 times as many were drawn.

        What is admitted counts as charged from now on. ``last_take`` and ``counts()`` tell of the rest.

        Args:
            keep_refused: filters bind what is proposed, not what is known. What they refuse of molecules of the user's
                own is admitted all the same, marked as not allowed.
        """
        spread = [name for name in (SCAFFOLD, NEAR) if getattr(self._limits, name) is not None]
        names = [INVALID, KNOWN, REPEAT, *spread, *(rule.name for rule in self._filters)]
        reasons = dict.fromkeys(names, 0)
        admitted: list[Candidate] = []
        refused: list[Refused] = []
        batch = self._new_charges()
        stream = islice(drawn, DRAWS_PER_WANTED * wanted)
        count, kept, ended = 0, 0, False
        while len(admitted) < wanted:
            candidate = next(stream, None)
            if candidate is None:
                ended = count < DRAWS_PER_WANTED * wanted
                break
            count += 1
            verdict = self._verdict(candidate.smiles, batch)
            is_kept = keep_refused and verdict.reason not in (None, INVALID, KNOWN, REPEAT)
            if verdict.reason is None or is_kept:
                batch.add(verdict.smiles, verdict.identity)
                admitted.append(replace(candidate, smiles=verdict.smiles, allowed=not is_kept))
                kept += is_kept
            else:
                reasons[verdict.reason] += 1
            if verdict.reason is not None and candidate.proposer in (START, MEASURED):
                refused.append(Refused(candidate.written or candidate.smiles, verdict.reason, verdict.detail))
        self._charged.update(batch)
        self.last_take = Take(wanted, count, len(admitted), ended, reasons, tuple(refused), kept)
        return admitted

    def counts(self) -> dict[str, float | str]:
        """The last take as metrics of its round: drawn, admitted, refused_REASON, refused_starting if there are any."""
        take = self.last_take
        counts: dict[str, float | str] = {"drawn": take.drawn, "admitted": take.admitted}
        counts |= {f"refused_{reason}": count for reason, count in take.reasons.items()}
        if take.refused_starting:
            counts["refused_starting"] = "; ".join(map(str, take.refused_starting))
        return counts

    def _new_charges(self) -> _Charged:
        return _Charged(self._limits)

    def _verdict(self, drawn: str, batch: _Charged) -> _Verdict:
        """Returns the verdict on a drawn SMILES, cheapest question first."""
        try:
            smiles = standard_form(drawn, self._mode)
        except MoleculeError as error:
            return _Verdict(reason=INVALID, detail=str(error))
        identity_key = identity(smiles, self._stereo)
        if identity_key in self._charged.identities:
            return _Verdict(smiles, identity_key, KNOWN, f"{smiles} was scored already")
        if identity_key in batch.identities:
            return _Verdict(smiles, identity_key, REPEAT, f"{smiles} is there twice")
        refusal = self._crowding(smiles, batch) or self._refusal(smiles)
        if refusal is not None:
            return _Verdict(smiles, identity_key, *refusal)
        return _Verdict(smiles, identity_key)

    def _crowding(self, smiles: str, batch: _Charged) -> tuple[str, str] | None:
        """(name, why) where others leave a standard form no room. Asked before the filters, which cost more."""
        if (most := self._limits.max_per_scaffold) is not None:
            core = scaffold(smiles)
            if core and self._charged.scaffolds[core] + batch.scaffolds[core] >= most:
                return SCAFFOLD, f"{most} molecules of {core} already"
        if (least := self._limits.min_distance) is not None:
            similarity, neighbour = max(self._charged.nearest(smiles), batch.nearest(smiles))
            if 1 - similarity < least:
                return NEAR, f"distance {1 - similarity:.2f} to {neighbour}, allowed is at least {least:g}"
        return None

    def _ask_filters(self, smiles: str) -> tuple[str, str] | None:
        """(name, why) of the first filter that refuses a standard form; None where all allow it."""
        mol = require(smiles)
        with rdBase.BlockLogs():
            for rule in self._filters:
                why = rule.refuses(mol, smiles)
                if why is not None:
                    return rule.name, why
        return None
