"""The ask/tell machine of all strategies that model and breed; what they are is which parts they give it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field, replace
from functools import lru_cache
from itertools import chain, count, islice
from time import perf_counter

import numpy as np

from designloop.randomness import rng_of, seed_of
from designloop.records import ACQUISITION, STARTING, UNIFORM, Candidate, Chosen, Scored, State
from designloop.strategies.acquisition.base import Acquisition
from designloop.strategies.archive.archive import Archive
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import PROPOSING, CampaignView, Foreseen
from designloop.strategies.learning.base import Learner, Restarting, Stateful, ToldRound
from designloop.strategies.learning.feasibility import failed_rows
from designloop.strategies.search.isomers import Isomers, worth_paying
from designloop.strategies.search.judged import Judged
from designloop.strategies.search.pool import Bred, Breed, Draw, Turn
from designloop.strategies.search.restarts import Restarts
from designloop.strategies.search.saved import Saved
from designloop.strategies.search.trade_offs import RandomTradeOffs, RoundsTradeOff
from designloop.strategies.surrogates.base import Belief, Posterior, PropertyBelief, Surrogate
from designloop.strategies.surrogates.calibration import Calibration, moments_of
from designloop.strategies.surrogates.pending import given_pending

_AT_RANDOM = "drawn at random from the better half: foresight is judged by it"
"""Why such a molecule is in a batch."""

_BEYOND = "of the better half, as nothing that was considered may be admitted"
"""Why such a molecule is in a batch, too."""

_EMPTY_BLOCKS = 10
"""So many blocks running without a candidate end the stream."""


@dataclass(kw_only=True)
class Search:
    """A strategy made of parts. Its state: the rounds seen, the archive, and whatever of its learners has one."""

    campaign: CampaignView
    transcriber: Transcriber
    draw: Draw
    """Gives candidates while there is nothing to rank them by, or nothing to breed from."""
    surrogate: Surrogate | None
    """None: nothing is ranked, all is drawn."""
    breed: Breed
    acquisition: Acquisition
    learners: Mapping[str, Learner] = field(default_factory=dict)
    """By the names under which their states are kept, in the order in which they are told."""
    model_round: Callable[[], int] = lambda: 0
    """After which round's learning the model stands: stamped on every candidate that is given out."""
    trade_offs: RandomTradeOffs | None = None
    """Of a campaign with several goals whose surrogate foresees one score: what that is in each round."""
    sees_measured: bool = False
    """Whether the acquisition is shown what was measured beside the candidates, for that is noisy."""
    restarts: Restarts | None = None
    """None: it never begins anew."""
    judged: Judged | None = None
    """Says how many of a batch are drawn uniformly, one of the learners; None: none are."""
    isomers: Isomers | None = None
    """Says which isomers are not worth a call, one of the learners; None: each is a molecule like any other."""
    calibration: Calibration | None = None
    """By which the doubt that is shown is rescaled, one of the learners; None: it is shown as it is."""
    saved: InitVar[Saved]

    def __post_init__(self, saved: Saved) -> None:
        self.archive, self.rounds_seen = saved.archive, saved.rounds_seen
        self._belief: Belief | None = None
        self._fitted = False
        self._spent: dict[str, float] = {}
        """Part of a round -> seconds that it took since the last round was told."""
        self._reasons: dict[str, str] = {}
        """Molecule -> by what it was chosen, of those that were since the last round was told."""

    # ---- ask

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """Blocks of candidates, ranked where there is something to rank by; it ends when the parts give no more."""
        belief, empty = self._fit(), 0
        uniform = 0 if self.judged is None else self.judged.wanted(wanted, len(self.campaign.pending))
        for block in count():
            candidates = self._block(belief, wanted, uniform, self._turn(block))
            first = next(candidates, None)
            empty = empty + 1 if first is None else 0
            if empty == _EMPTY_BLOCKS:
                return
            if first is not None:
                for candidate in chain([first], candidates):
                    uniform -= candidate.chosen == UNIFORM
                    yield replace(candidate, model_round=self.model_round())

    def _block(self, belief: Belief | None, wanted: int, uniform: int, turn: Turn) -> Iterator[Candidate]:
        archive, bred = self._seen(self.archive), None
        if belief is not None:
            with self._timed("breed"):
                bred = self.breed(archive, belief, wanted, turn)
        if belief is None or bred is None:
            yield from self.draw(archive, wanted, turn)
        elif not bred.considered:
            yield from self._unranked(bred)
        else:
            yield from self._batch(bred, belief, wanted, uniform, turn)

    def _batch(self, bred: Bred, belief: Belief, wanted: int, uniform: int, turn: Turn) -> Iterator[Candidate]:
        """What is to be paid for, screened one by one: so many drawn uniformly, then the acquisition's in its order."""

        @lru_cache(None)
        def allowed(row: int) -> list[Candidate]:
            return self.campaign.allowed([bred.pool.candidates[row]])

        shuffled = rng_of(turn.seed, turn.rounds_seen, "judged", turn.block).permutation(bred.better).tolist()
        drawn = list[int]()
        # One by one, too: what is taken may leave the next one no room.
        for row in islice(filter(allowed, worth_paying(self.isomers, bred.pool.names, shuffled)), uniform):
            drawn.append(row)
            yield from self._given(allowed(row), UNIFORM, _AT_RANDOM)
        with self._timed("choose"):
            posterior = self._posterior(bred, bred.belief or belief)
        seed = seed_of(turn.seed, turn.rounds_seen, "picks", turn.block)
        acquisition = bred.acquisition or self.acquisition
        others = set(worth_paying(self.isomers, bred.pool.names, [*drawn, *bred.considered])) - set(drawn)

        def admissible(place: int) -> bool:
            row = bred.considered[place]
            return row in others and bool(allowed(row))

        chosen = self._timed_one_by_one(acquisition.select(posterior, wanted, seed, admissible, bred.chances))
        first = next(chosen, None)
        if first is None:
            yield from self._beyond(bred, allowed)
            return
        of_what = " of this round's trade-off" if self.trade_offs is not None else ""
        for number, place in enumerate(chain([first], chosen)):
            yield from self._given(allowed(bred.considered[place]), ACQUISITION, acquisition.reason(number) + of_what)

    def _given(self, candidates: Sequence[Candidate], chosen: Chosen, why: str) -> Iterator[Candidate]:
        """The same, with how they came into their batch; why they did is remembered."""
        for candidate in candidates:
            self._reasons[candidate.smiles] = why
            yield replace(candidate, chosen=chosen)

    def _beyond(self, bred: Bred, allowed: Callable[[int], list[Candidate]]) -> Iterator[Candidate]:
        """Where nothing that was considered may be admitted: what may be of the better half, else all that is free."""
        considered = set(bred.considered)
        rest = worth_paying(self.isomers, bred.pool.names, (row for row in bred.better if row not in considered))
        given = chain.from_iterable(self._given(allowed(row), ACQUISITION, _BEYOND) for row in rest)
        first = next(given, None)
        yield from self._unranked(bred) if first is None else chain([first], given)

    def _unranked(self, bred: Bred) -> Iterator[Candidate]:
        """All that is free, where nothing of it may be admitted: the loop counts why; what is worth no call is last."""
        rows, names = range(len(bred.free)), [candidate.smiles for candidate in bred.free]
        for row in dict.fromkeys([*worth_paying(self.isomers, names, rows), *rows]):
            yield bred.free[row]

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        """Adds the time of the block to a part."""
        began = perf_counter()
        try:
            yield
        finally:
            self._spent[part] = self._spent.get(part, 0.0) + perf_counter() - began

    def _timed_one_by_one(self, chosen: Iterator[int]) -> Iterator[int]:
        """The same rows; what each took to choose, but not what is made of it, is counted."""
        while True:
            with self._timed("choose"):
                row = next(chosen, None)
            if row is None:
                return
            yield row

    def _posterior(self, bred: Bred, belief: Belief) -> Posterior:
        """Over what is considered, given what is under way.

        Where the acquisition is shown what was measured, that follows, and what is under way after it: each joint draw
        then says which of all that is best.
        """
        features, pending = bred.pool.features(bred.considered), self._pending_features()
        if not self.sees_measured or self.surrogate is None:
            return given_pending(belief, features, pending)
        known = [self.surrogate.view.features_of(self.archive.members), *([] if pending is None else [pending])]
        return replace(belief(np.concatenate([features, *known])), measured=sum(map(len, known)))

    def _pending_features(self) -> np.ndarray | None:
        """What the surrogate sees of the molecules that are under way; None where it sees none of them."""
        if self.surrogate is None or not self.campaign.pending:
            return None
        names = [name for name in self.surrogate.view.names(self.campaign.pending) if name is not None]
        return self.surrogate.view.features(names) if names else None

    def foresee(self, candidates: Sequence[Candidate], *, has_properties: bool = True) -> list[Foreseen]:
        """What the surrogate expects of each candidate: nothing before it is fitted, or of what it cannot see.

        Nor of any, where its values have the order of the score alone.

        Args:
            candidates: in standard form.
            has_properties: whether more than the score is wanted.
        """
        belief, foreseen = self._fit(), [dict[str, tuple[float, float]]() for _ in candidates]
        if self.surrogate is None or belief is None or not isinstance(belief, PropertyBelief):
            return list[Foreseen](foreseen)
        names = self.surrogate.view.names(candidates)
        if not (seen := {row: name for row, name in enumerate(names) if name is not None}):
            return list[Foreseen](foreseen)
        features = self.surrogate.view.features(list(seen.values()))
        # Of a round's trade-off the surrogate knows the weighted score, which is not the campaign's.
        has_score = self.trade_offs is None
        moments = moments_of(belief, features, has_score=has_score, has_properties=has_properties)
        if self.calibration is not None:
            moments = self.calibration.rescaled(moments, belief)
        for name, (means, deviations) in moments.items():
            for row, mean, deviation in zip(seen, means.tolist(), deviations.tolist(), strict=True):
                foreseen[row][name] = (mean, deviation)
        return list[Foreseen](foreseen)

    def why(self, candidate: Candidate) -> str:
        """By what a candidate was chosen that was given out since the last round was told; else that it was drawn."""
        why_drawn = "no surrogate ranks" if self.surrogate is None else "too little is known to choose by"
        return self._reasons.get(candidate.smiles, f"drawn by {candidate.proposer}: {why_drawn}")

    def seconds(self) -> dict[str, float]:
        """Part of a round -> seconds that it took since the last round was told."""
        return dict(self._spent)

    def candidates(self, wanted: int) -> list[Candidate]:
        """The free molecules among which the coming round's batch of so many would be chosen; none before it breeds.

        Asking changes nothing. It is for those who look on.
        """
        belief = self._fit()
        bred = self.breed(self._seen(self.archive), belief, wanted, self._turn(0)) if belief is not None else None
        return [] if bred is None else list(bred.free)

    def _turn(self, block: int) -> Turn:
        return Turn(self.campaign.stream_seed, self.rounds_seen, block)

    def _fit(self) -> Belief | None:
        """The surrogate after what was told so far, fitted once a round."""
        if not self._fitted and self.surrogate is not None:
            with self._timed("fit"):
                archive = self._seen(self.archive)
                self._belief = self.surrogate.fit(archive, seed_of(self.campaign.seed, self.rounds_seen, "fit"))
        self._fitted = True
        return self._belief

    def _trade_off(self) -> RoundsTradeOff | None:
        """The trade-off of this round."""
        return None if self.trade_offs is None else self.trade_offs.of_round(self.archive, self.rounds_seen)

    def _seen(self, archive: Archive) -> Archive:
        """An archive with the scores that this round goes by."""
        trade_off = self._trade_off()
        return archive if trade_off is None else trade_off.archive(archive)

    # ---- tell

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        """Takes the scores in and lets every learner learn; what is told again with the same values changes nothing."""
        rows, members = self.transcriber.read(scored, self.archive)
        belief = self._fit() if rows else None  # the one that chose them, of the archive as it was
        trade_off = self._trade_off()
        metrics = {"surrogate_molecules": float(len(self.archive))} if belief is not None else {}
        withdrawn = {row.smiles for row in scored if row.score is None}  # they may have had a score before
        before, self.archive = self.archive, self.archive.without(withdrawn).add(members)
        self._belief, self._fitted = None, False
        self.rounds_seen += 1
        good, archive = [row for row in scored if row.score is not None], self.archive
        if trade_off is not None:
            good, rows = trade_off.rows(good), trade_off.rows(rows)
            before, archive = trade_off.archive(before), trade_off.archive(archive)
        told_round = ToldRound(self.rounds_seen, good, rows, before, archive, belief, failed_rows(scored))
        for learner in self.learners.values():
            metrics |= learner.learn(told_round)
        if self.restarts is not None:
            calls = sum(row.is_charged for row in scored)
            starting = [member for row, member in zip(rows, members, strict=True) if row.candidate.proposer in STARTING]
            if (after := self.restarts.archive_after(self.archive, calls, starting, withdrawn)) is not self.archive:
                self.archive = after
                for part in self.learners.values():
                    if isinstance(part, Restarting):
                        part.restarted(after)
            metrics |= self.restarts.metrics()
        if belief is not None:
            metrics |= {f"{part}_seconds": self._spent[part] for part in PROPOSING if part in self._spent}
        self._spent, self._reasons = {}, {}
        return metrics

    # ---- state

    def state(self) -> State:
        """All that goes on after a restart."""
        parts = {name: part.state() for name, part in self.learners.items() if isinstance(part, Stateful)}
        if self.restarts is not None:
            parts["restarts"] = self.restarts.state()
        return Saved(self.rounds_seen, self.archive, parts).state()
