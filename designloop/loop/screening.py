"""Screening: one predicate, asked before any oracle is. In standard form, new, and allowed by the filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Protocol

from designloop.loop.filters import Context, Filters, build
from designloop.molecules.chemistry import Mode, MoleculeError, Stereo, identity, require, scaffold, standard_form
from designloop.records import Candidate

__all__ = ["Filters", "Refused", "Screening", "Take"]

DRAWS_PER_WANTED = 50
"""After so many draws for each candidate wanted a take ends, however few were admitted."""

MEAGRE = 0.1
"""A take that admits less than this share of what was wanted from all those draws is meagre."""

INVALID, KNOWN, REPEAT, SCAFFOLD = "invalid", "known", "repeat", "max_per_scaffold"
"""Reasons beside the filters' names: no molecule; charged before; twice in one batch; its scaffold is full."""

_JUDGEMENTS = 100_000


class CampaignLike(Protocol):
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

    def seen(self) -> Iterable[str]:
        """Standard forms of all molecules charged to the campaign."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A starting molecule that is no row of the table."""

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

    @property
    def exhausted(self) -> bool:
        """Whether the stream ended with nothing admitted."""
        return self.ended and not self.admitted

    @property
    def meagre(self) -> bool:
        """Whether all draws were used for under a tenth of what was wanted; two such rounds running are stagnation."""
        return self.drawn >= DRAWS_PER_WANTED * self.wanted and self.admitted < MEAGRE * self.wanted

    def __str__(self) -> str:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.items() if count)
        return f"{self.drawn:,} drawn, {self.admitted:,} of {self.wanted:,} admitted; refused: {counts or 'none'}"


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What holds of a drawn SMILES whatever else the campaign has seen."""

    smiles: str = ""
    """Its standard form."""
    identity: str = ""
    reason: str | None = None
    detail: str = ""


@dataclass
class _Charged:
    """Molecules that count against newness."""

    identities: set[str] = field(default_factory=set)
    """Asked for membership only, never iterated: the order of a set of strings changes from process to process."""
    scaffolds: Counter[str] = field(default_factory=Counter)

    def add(self, smiles: str, identity: str, count_scaffold: bool) -> None:
        self.identities.add(identity)
        if count_scaffold:
            self.scaffolds[scaffold(smiles)] += 1


class Screening:
    """The candidates that may be scored: in standard form, new to the campaign, allowed by its filters."""

    def __init__(self, campaign: CampaignLike, table: TableLike) -> None:
        """Read what the campaign was charged for so far.

        Raises:
            MoleculeError: when a filter's file is missing or unreadable.
        """
        self._mode, self._stereo = campaign.standardize, campaign.stereo
        self._filters = build(campaign.filters, Context(campaign.folder, self._mode, self._stereo))
        self._most = campaign.filters.max_per_scaffold
        self._charged = _Charged()
        for smiles in table.seen():
            self._charge(self._charged, smiles, identity(smiles, self._stereo))
        self._judge = lru_cache(_JUDGEMENTS)(self._judge_anew)
        self.filter_seconds = 0.0
        """Time spent in the filters' own predicates since the start; the rest of screening is book-keeping."""
        self.last_take = Take(0)
        """What became of the candidates of the last ``take``."""

    def __call__(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that could be admitted now, in standard form and in the same order; a repeat within them is dropped."""
        batch = _Charged()
        admissible = []
        for candidate in candidates:
            judgement = self._verdict(candidate.smiles, batch)
            if judgement.reason is None:
                self._charge(batch, judgement.smiles, judgement.identity)
                admissible.append(replace(candidate, smiles=judgement.smiles))
        return admissible

    def take(self, drawn: Iterable[Candidate], wanted: int) -> list[Candidate]:
        """Draw until ``wanted`` candidates are admitted, the stream ends, or 50 times as many were drawn.

        What is admitted counts as charged from now on. ``last_take`` and ``counts()`` tell of the rest.
        """
        admitted: list[Candidate] = []
        reasons = dict.fromkeys([INVALID, KNOWN, REPEAT, *(one.name for one in self._filters)], 0)
        if self._most is not None:
            reasons[SCAFFOLD] = 0
        refused: list[Refused] = []
        count, ended = 0, False
        batch = _Charged()
        stream = islice(drawn, DRAWS_PER_WANTED * wanted)
        while len(admitted) < wanted:
            candidate = next(stream, None)
            if candidate is None:
                ended = count < DRAWS_PER_WANTED * wanted
                break
            count += 1
            judgement = self._verdict(candidate.smiles, batch)
            if judgement.reason is None:
                self._charge(batch, judgement.smiles, judgement.identity)
                admitted.append(replace(candidate, smiles=judgement.smiles))
                continue
            reasons[judgement.reason] += 1
            if candidate.proposer == "start":
                refused.append(Refused(candidate.written or candidate.smiles, judgement.reason, judgement.detail))
        self._charged.identities |= batch.identities
        self._charged.scaffolds.update(batch.scaffolds)
        self.last_take = Take(wanted, count, len(admitted), ended, reasons, tuple(refused))
        return admitted

    def counts(self) -> dict[str, float | str]:
        """The last take as metrics of its round: drawn, admitted, refused_REASON, refused_starting if there are any."""
        take = self.last_take
        counts: dict[str, float | str] = {"drawn": take.drawn, "admitted": take.admitted}
        counts |= {f"refused_{reason}": count for reason, count in take.reasons.items()}
        if take.refused_starting:
            counts["refused_starting"] = "; ".join(map(str, take.refused_starting))
        return counts

    def _verdict(self, smiles: str, batch: _Charged) -> _Judgement:
        """What a drawn SMILES is, and why it is refused just now, if it is."""
        judgement = self._judge(smiles)
        if judgement.reason == INVALID:
            return judgement
        if judgement.identity in self._charged.identities:
            return replace(judgement, reason=KNOWN, detail=judgement.smiles)
        if judgement.identity in batch.identities:
            return replace(judgement, reason=REPEAT, detail=judgement.smiles)
        if judgement.reason is None and self._most is not None:
            core = scaffold(judgement.smiles)
            if core and self._charged.scaffolds[core] + batch.scaffolds[core] >= self._most:
                return replace(judgement, reason=SCAFFOLD, detail=f"{self._most} molecules of {core} already")
        return judgement

    def _charge(self, charged: _Charged, smiles: str, identity: str) -> None:
        charged.identities.add(identity)
        if self._most is not None:
            charged.scaffolds[scaffold(smiles)] += 1

    def _judge_anew(self, drawn: str) -> _Judgement:
        try:
            smiles = standard_form(drawn, self._mode)
        except MoleculeError as error:
            return _Judgement(reason=INVALID, detail=str(error))
        mol = require(smiles)
        same = identity(smiles, self._stereo)
        started = perf_counter()
        reason, detail = None, ""
        for one in self._filters:
            why = one.refuses(mol, smiles)
            if why is not None:
                reason, detail = one.name, why
                break
        self.filter_seconds += perf_counter() - started
        return _Judgement(smiles, same, reason, detail)
