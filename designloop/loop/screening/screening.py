"""Screening: one predicate, asked before any oracle is. In standard form, new, and allowed by the filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

from rdkit import rdBase

from designloop.loop.screening.crowding import BATCH, NEAR, SCAFFOLD, Charged
from designloop.loop.screening.diversity import Diversity
from designloop.loop.screening.filters import FilterContext, Filters, build
from designloop.loop.screening.spreading import WINDOW, Admit, spread_batch
from designloop.molecules.chemistry import (
    Mode,
    MoleculeError,
    Stereo,
    fingerprints,
    identity,
    require,
    standard_form,
    tanimoto,
)
from designloop.records import MEASURED, START, UNIFORM, Candidate

__all__ = ["Filters", "Refused", "Screening", "Take"]

DRAWS_PER_WANTED = 50
"""After so many draws for each candidate wanted a take ends, however few were admitted."""

MEAGRE = 0.1
"""A take that admits less than this share of what was wanted from all those draws is meagre."""

INVALID, KNOWN, REPEAT, OUTWEIGHED = "invalid", "known", "repeat", "outweighed"
"""Reasons beside the filters' names and those of crowding: no molecule; charged before; twice in one batch; not in the
batch that distance was weighed for."""

_OF_DIVERSITY = {SCAFFOLD: "per_scaffold", NEAR: "min_distance", BATCH: "batch", OUTWEIGHED: "penalty"}
"""Reason -> the key of ``diversity:`` that it is for."""

_OWN = (START, MEASURED)
"""Proposers of molecules that are the user's own."""

_REMEMBERED = 100_000
"""Molecules of which a screening remembers what the filters say."""


class ScreenedCampaign(Protocol):
    """What screening reads of a campaign."""

    @property
    def filters(self) -> Filters: ...
    @property
    def diversity(self) -> Diversity: ...
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
    def mostly_scored_before(self) -> bool:
        """Whether at least half of what was drawn had been scored before, or drawn in the same batch."""
        return 2 * sum(self.reasons.get(reason, 0) for reason in (KNOWN, REPEAT)) >= self.drawn

    @property
    def refused_by(self) -> list[str]:
        """The keys of the campaign file that refused anything, that which refused most first."""
        counts = Counter({reason: count for reason, count in self.reasons.items() if count})
        for reason in (INVALID, KNOWN, REPEAT):
            del counts[reason]
        return [
            f"diversity.{_OF_DIVERSITY[reason]}" if reason in _OF_DIVERSITY else f"filters.{reason}"
            for reason, _ in counts.most_common()
        ]

    @property
    def starting_line(self) -> str:
        """A line on the starting molecules that are refused."""
        counts = Counter(refused.reason for refused in self.refused_starting)
        by_reason = ", ".join(f"{reason} {count:,}" for reason, count in counts.items())
        refused = len(self.refused_starting)
        what = f"{refused:,} of {self.drawn:,} starting molecules {'is' if refused == 1 else 'are'} refused"
        them = "it" if refused == 1 else "them"
        who = f"{self.kept:,} of them are" if self.kept < refused else "it is" if refused == 1 else "all are"
        kept = f"; {who} scored and learned from all the same" if self.kept else ""
        return f"{what}: {by_reason}{kept}; `designloop status` lists {them}"

    def __str__(self) -> str:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in self.reasons.items() if count)
        return f"{self.drawn:,} drawn, {self.admitted:,} of {self.wanted:,} admitted; refused: {counts or 'none'}"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a drawn SMILES is, and why it is refused just now, if it is."""

    smiles: str = ""
    """Its standard form."""
    identity: str = ""
    reason: str | None = None
    detail: str = ""


@dataclass
class _Draws:
    """A stream of candidates, and what became of them so far."""

    stream: Iterator[Candidate]
    reasons: dict[str, int]
    """Reason -> how many were refused for it."""
    count: int = 0
    refused: list[Refused] = field(default_factory=list)
    """Starting molecules that are refused."""

    def next(self) -> Candidate | None:
        """The next candidate; None where there is none."""
        candidate = next(self.stream, None)
        self.count += candidate is not None
        return candidate

    def judge(self, candidate: Candidate, verdict: _Verdict, is_kept: bool) -> None:
        """Counts a verdict."""
        if verdict.reason is None:
            return
        if not is_kept:
            self.reasons[verdict.reason] += 1
        if candidate.proposer in _OWN:
            self.refused.append(Refused(candidate.written or candidate.smiles, verdict.reason, verdict.detail))


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
        self._limits = campaign.diversity
        self._charged = self._new_charges()
        for smiles in table.charged():
            self._charged.add(smiles, identity(smiles, self._stereo))
        self._refusals: dict[str, tuple[str, str] | None] = {}
        """Standard form -> what the filters say of it."""
        self.last_take = Take(0)
        """What became of the candidates of the last ``take``."""
        self._taken = self._new_charges()
        """What the take under way has admitted so far; nothing where none is under way."""

    def __call__(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that could be admitted now, in standard form and in the same order; a repeat within them is dropped.

        While a ``take`` is under way, what it admitted so far leaves others as little room as what was charged.
        """
        batch = self._new_charges()
        admissible = []
        for number, candidate in enumerate(candidates, 1):
            if self._refusals.get(candidate.smiles) is not None:
                continue  # whatever else there is to say of it
            verdict = self._verdict(candidate.smiles, batch, batch, chosen=False)
            if verdict.reason is None and self._charged.crowds(verdict.smiles, self._taken, chosen=True) is None:
                if number < len(candidates):  # strategies mostly ask of one, which nothing follows
                    batch.add(verdict.smiles, verdict.identity)
                admissible.append(replace(candidate, smiles=verdict.smiles))
        return admissible

    def take(self, drawn: Iterable[Candidate], wanted: int, keep_refused: bool = False) -> list[Candidate]:
        """Draw until ``wanted`` candidates are admitted, the stream ends, or 50 times as many were drawn.

        What is admitted counts as charged from now on. ``last_take`` and ``counts()`` tell of the rest. Where distance
        weighs (``diversity.penalty``), three times as many are drawn, of which the batch is chosen: all that were drawn
        uniformly, and the others as distance has it.

        Args:
            keep_refused: filters bind what is proposed, not what is known. What they refuse of molecules of the user's
                own is admitted all the same, marked as not allowed.
        """
        draws = _Draws(islice(drawn, DRAWS_PER_WANTED * wanted), dict.fromkeys(self._reasons(), 0))
        if self._limits.penalty and not keep_refused:
            admitted = self._spread(draws, wanted)
        else:
            admitted = self._first(draws, wanted, keep_refused)
        self._taken = self._new_charges()
        for row in admitted:
            self._charged.add(row.smiles, identity(row.smiles, self._stereo))
        ended = draws.count < DRAWS_PER_WANTED * wanted and len(admitted) < wanted
        kept = sum(not row.allowed for row in admitted)
        self.last_take = Take(wanted, draws.count, len(admitted), ended, draws.reasons, tuple(draws.refused), kept)
        return admitted

    def _first(self, draws: _Draws, wanted: int, keep_refused: bool) -> list[Candidate]:
        """The first so many candidates that are admitted."""
        admitted: list[Candidate] = []
        self._taken = batch = self._new_charges()
        while len(admitted) < wanted and (candidate := draws.next()) is not None:
            is_own = candidate.proposer in _OWN
            # How unlike each other molecules are is asked of what is proposed, not of what there is.
            apart_from = None if is_own and keep_refused else batch
            verdict = self._verdict(candidate.smiles, batch, apart_from, chosen=not is_own)
            is_kept = keep_refused and verdict.reason not in (None, INVALID, KNOWN, REPEAT)
            if verdict.reason is None or is_kept:
                batch.add(verdict.smiles, verdict.identity)
                admitted.append(replace(candidate, smiles=verdict.smiles, allowed=not is_kept))
            draws.judge(candidate, verdict, is_kept)
        return admitted

    def _spread(self, draws: _Draws, wanted: int) -> list[Candidate]:
        """A batch of the first candidates that may be admitted, in which distance weighs."""
        gathered: list[Candidate] = []
        seen, nothing = self._new_charges(), self._new_charges()
        chosen: list[int] = []
        target, ended = WINDOW * wanted, False
        while len(chosen) < wanted and not ended:
            while len(gathered) < target and not ended:
                candidate = draws.next()
                if candidate is None:
                    ended = True
                    continue
                # Which of those gathered leave each other no room is asked when the batch is made of them.
                verdict = self._verdict(candidate.smiles, seen, nothing, chosen=candidate.proposer not in _OWN)
                draws.judge(candidate, verdict, is_kept=False)
                if verdict.reason is None:
                    seen.add(verdict.smiles, verdict.identity)
                    gathered.append(replace(candidate, smiles=verdict.smiles))
            chosen = self._chosen(gathered, wanted)
            target = 2 * len(gathered)  # choosing among them costs about the square of how many there are
        draws.reasons[OUTWEIGHED] = len(gathered) - len(chosen)
        return [gathered[row] for row in chosen]

    def _chosen(self, gathered: Sequence[Candidate], wanted: int) -> list[int]:
        """The rows that make the batch."""
        if not gathered:
            return []
        smiles = [candidate.smiles for candidate in gathered]
        prints = fingerprints(smiles)

        def begin() -> Admit:
            batch = self._new_charges()

            def admit(row: int) -> bool:
                is_chosen = gathered[row].proposer not in _OWN
                if self._charged.crowds(smiles[row], batch, chosen=is_chosen) is not None:
                    return False
                batch.add(smiles[row], identity(smiles[row], self._stereo))
                return True

            return admit

        # What is drawn uniformly must not depend on what is near it: foresight is judged by it.
        uniform = [row for row, candidate in enumerate(gathered) if candidate.chosen == UNIFORM]
        return spread_batch(1 - tanimoto(prints, prints), wanted, self._limits.penalty, begin, uniform)

    def _reasons(self) -> list[str]:
        """Every reason that can occur, in the order in which they are asked."""
        limits = self._limits
        said = {SCAFFOLD: limits.per_scaffold, NEAR: limits.min_distance, BATCH: limits.batch}
        crowding = [reason for reason, limit in said.items() if limit is not None]
        last = [OUTWEIGHED] if limits.penalty else []
        return [INVALID, KNOWN, REPEAT, *crowding, *(rule.name for rule in self._filters), *last]

    def counts(self) -> dict[str, float | str]:
        """The last take as metrics of its round: drawn, admitted, refused_REASON, refused_starting if there are any."""
        take = self.last_take
        counts: dict[str, float | str] = {"drawn": take.drawn, "admitted": take.admitted}
        counts |= {f"refused_{reason}": count for reason, count in take.reasons.items()}
        if take.refused_starting:
            counts["refused_starting"] = "; ".join(map(str, take.refused_starting))
        return counts

    def _new_charges(self) -> Charged:
        return Charged(self._limits)

    def _verdict(self, drawn: str, seen: Charged, batch: Charged | None, *, chosen: bool) -> _Verdict:
        """Returns the verdict on a drawn SMILES, cheapest question first.

        Args:
            seen: what was drawn before and may not be drawn again.
            batch: what it would have to be apart from, beside what was charged; None: nothing crowds it.
            chosen: whether a strategy chose it.
        """
        try:
            smiles = standard_form(drawn, self._mode)
        except MoleculeError as error:
            return _Verdict(reason=INVALID, detail=str(error))
        identity_key = identity(smiles, self._stereo)
        if identity_key in self._charged.identities:
            return _Verdict(smiles, identity_key, KNOWN, f"{smiles} was scored already")
        if identity_key in seen.identities:
            return _Verdict(smiles, identity_key, REPEAT, f"{smiles} is there twice")
        crowded = None if batch is None else self._charged.crowds(smiles, batch, chosen=chosen)
        refusal = crowded or self._refusal(smiles)
        if refusal is not None:
            return _Verdict(smiles, identity_key, *refusal)
        return _Verdict(smiles, identity_key)

    def _refusal(self, smiles: str) -> tuple[str, str] | None:
        """What the filters say of a standard form, remembered; all is forgotten where there is too much."""
        if smiles not in self._refusals:
            if len(self._refusals) == _REMEMBERED:
                self._refusals.clear()
            self._refusals[smiles] = self._ask_filters(smiles)
        return self._refusals[smiles]

    def _ask_filters(self, smiles: str) -> tuple[str, str] | None:
        """(name, why) of the first filter that refuses a standard form; None where all allow it."""
        mol = require(smiles)
        with rdBase.BlockLogs():
            for rule in self._filters:
                why = rule.refuses(mol, smiles)
                if why is not None:
                    return rule.name, why
        return None
