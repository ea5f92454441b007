"""What was measured becomes rows of the table: new molecules as a round, what is told of others as an amendment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.known_values import Reading, Readings, noise_of
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.laboratory.readings import (
    NOT_MEASURED,
    READINGS,
    SCORED_BEFORE,
    WAITING,
    corrections_of,
    measured_properties,
    record_readings,
    to_metric,
    without_measured,
)
from designloop.loop.laboratory.suggesting import Known
from designloop.loop.round_metrics import Clock, Front, TopTen, remarks_metric
from designloop.loop.runner import build_strategy, given_results, starting
from designloop.loop.screening.screening import Screening
from designloop.records import MEASURED, Candidate, Evaluation, Result, Round, RoundKind
from designloop.strategies.base import PROPOSING
from designloop.tables import CandidateTable
from designloop.tables.suggestions import Suggestion, read_seconds
from designloop.words import silent

_PROPOSING = frozenset(f"{part}_seconds" for part in PROPOSING)
"""Metrics of a strategy that `suggest` keeps in a laboratory's campaign."""


@dataclass(frozen=True)
class News:
    """What a file of results says that the table does not hold yet."""

    new: Sequence[Suggestion]
    """Molecules of which nothing was told before."""
    amended: Sequence[Suggestion]
    """Those of which something else, or less, was told before."""
    corrections: Mapping[str, Sequence[str]]
    """Id of one of these -> what it was told now, and before; none where all that was told before stands as it is."""
    repeated: Sequence[Suggestion]
    """Those of which the very same was told before."""
    readings: Readings
    """Molecule -> property -> all that is known of it now; of those that are new or amended."""

    @property
    def corrected(self) -> list[Suggestion]:
        """Of those amended, those of which something was told otherwise before."""
        return [item for item in self.amended if self.corrections[item.id]]

    @property
    def completed(self) -> list[Suggestion]:
        """Of those amended, the others: more is told of them."""
        return [item for item in self.amended if not self.corrections[item.id]]


def sort_news(
    before: Readings, suggestions: Sequence[Suggestion], reported: Mapping[str, Mapping[str, Reading]]
) -> News:
    """Compares what is told with what is committed.

    Args:
        before: all that is committed.
        reported: id of a suggestion -> property -> reading.
    """
    new, amended, repeated = [], [], []
    corrections: dict[str, list[str]] = {}
    readings: dict[str, Mapping[str, Reading]] = {}
    for item in suggestions:
        if item.id not in reported:
            continue
        smiles = item.candidate.smiles
        earlier = before.get(smiles, {})
        now = {**earlier, **reported[item.id]}
        if smiles not in before:
            new.append(item)
        elif now == earlier:
            repeated.append(item)
            continue
        else:
            amended.append(item)
            corrections[item.id] = corrections_of(item.id, earlier, now)
        readings[smiles] = now
    return News(new, amended, corrections, repeated, readings)


def known_as_suggestions(campaign: Campaign, table: CandidateTable) -> list[Suggestion]:
    """The starting molecules whose values the user gave, as what may be told of again: a correction, or what lacks."""
    places = {smiles: place for place, smiles in enumerate(table.charged(), 1)}
    given = (candidate for candidate in starting(campaign) if candidate.proposer == MEASURED)
    allowed = table.ranked_scores()  # what a filter refused stays refused, whatever is told of it
    return [
        Suggestion(f"s{places[candidate.smiles]}", replace(candidate, allowed=candidate.smiles in allowed), batch=0)
        for candidate in given
        if candidate.smiles in places
    ]


class Teller:
    """Commits what was told, and teaches the strategy.

    A call that was cut off between any two steps is made good by the same call again: what is in the ledger is not
    written twice, and what is committed is no news any more.
    """

    def __init__(
        self,
        campaign: Campaign,
        table: CandidateTable,
        suggestions: Sequence[Suggestion],
        say: Callable[[str], None] = silent,
    ) -> None:
        """Prepare to tell a campaign; ``suggestions`` are all that were given, ``say`` hears what oracles remark."""
        self._campaign, self._table, self._say = campaign, table, say
        self._suggestions, self._known = suggestions, Known(table, suggestions)
        self._measured = measured_properties(campaign)

    def tell_known(self) -> Round | None:
        """Commits, as round 0, the starting molecules whose values the user gave; None where there are none to take.

        Raises:
            EvaluationError: there are no workers for the computed properties; nothing is committed.
            LedgerError: the ledger cannot be written.
        """
        campaign = self._campaign
        allowed = Screening(campaign, self._known)
        given = [candidate for candidate in starting(campaign) if candidate.proposer == MEASURED]
        admitted = allowed.take(given, len(given), keep_refused=not campaign.only_allowed) if given else []
        if not admitted:
            return None
        if allowed.last_take.refused_starting:
            self._say(allowed.last_take.starting_line)
        readings = {
            smiles: {name: reading for name, reading in of_molecule.items() if name in self._measured}
            for smiles, of_molecule in campaign.known_values().items()
        }
        return self._commit(admitted, readings, "start", {"wanted": len(given), **allowed.counts()})

    def tell(self, news: News) -> list[Round]:
        """Commits a round of the new molecules and an amendment of those told of before, where there are any of either.

        Raises:
            EvaluationError: there are no workers for the computed properties; nothing more is committed.
            LedgerError: the ledger cannot be written.
        """
        rounds = []
        if new := [item.candidate for item in news.new]:
            # All that was wanted is there: a laboratory that measures some is no meagre round.
            counts = dict.fromkeys(("wanted", "drawn", "admitted"), len(new))
            rounds.append(self._commit(new, news.readings, "round", counts, self._proposing(news.new)))
        if amended := [item.candidate for item in news.amended]:
            scores = self._table.scores()
            scored = sum(scores[candidate.smiles] is not None for candidate in amended)
            rounds.append(self._commit(amended, news.readings, "amendment", {SCORED_BEFORE: scored}))
        return rounds

    def _proposing(self, told: Sequence[Suggestion]) -> dict[str, float]:
        """``PART_seconds`` of proposing the batches of which nothing was told before: a batch counts once."""
        charged = set(self._table.charged())
        before = {item.batch for item in self._suggestions if item.candidate.smiles in charged}
        seconds = read_seconds(self._table.folder, self._table.campaign_id)
        spent: Counter[str] = Counter()
        for batch in {item.batch for item in told} - before:
            spent.update(seconds.get(batch, {}))
        parts = {f"{part}_seconds": of_part for part, of_part in spent.items()}
        return {**parts, "seconds": spent["propose"]} if parts else {}

    def _commit(
        self,
        candidates: Sequence[Candidate],
        readings: Readings,
        kind: RoundKind,
        counts: Mapping[str, float | str],
        proposing: Mapping[str, float] = {},
    ) -> Round:
        """Commits some molecules as one round, with what is counted of them and what proposing them took."""
        campaign, table, clock = self._campaign, self._table, Clock()
        committed = {candidate.smiles: readings[candidate.smiles] for candidate in candidates}
        record_readings(campaign, table.ledger, committed)
        strategy = build_strategy(campaign, table.last_state(), Screening(campaign, self._known))
        ranked = table.ranked_scores()
        top_ten = TopTen({smiles: score for smiles, score in ranked.items() if smiles not in committed})
        front = Front.committed(campaign.objective.goals, campaign.output_folder, without=committed)
        metrics: dict[str, float | str] = {**counts}
        with clock("oracle"):
            computed = self._computed(candidates, metrics)
            # What the user gave was asked of nobody.
            results = {
                smiles: {name: reading.result(int(kind != "start")) for name, reading in of_molecule.items()}
                for smiles, of_molecule in committed.items()
            }
            evaluations = [self._evaluation(item, results, computed) for item in candidates]
            scored = campaign.objective(evaluations)
            if kind == "amendment":
                had_score = {smiles for smiles, score in table.scores().items() if score is not None}
                scored = [replace(row, told_before=True, scored_before=row.smiles in had_score) for row in scored]
        with clock("learn"):
            learned = strategy.tell(scored)
        noise = {f"{name}_replicate_sd": deviation for name, deviation in noise_of(committed).items()}
        if waiting := sum(row.status == "not_run" for row in scored):
            metrics[WAITING] = waiting
        metrics |= {READINGS: to_metric(committed), **noise, **top_ten.after(scored), **front.after(scored)}
        # What the strategy says of proposing is of what was done again here, in order to learn.
        now = {name: value for name, value in learned.items() if name not in _PROPOSING} | clock.lap()
        # What was spent to suggest them adds to what was spent on them here.
        metrics |= now | {name: now.get(name, 0.0) + of_part for name, of_part in proposing.items()}
        number = 0 if kind == "start" else max(table.next_round(), 1)
        done = Round(number, scored, metrics, strategy.state(), kind)
        table.commit(done)
        return done

    def _computed(
        self, candidates: Sequence[Candidate], metrics: dict[str, float | str]
    ) -> dict[str, Mapping[str, Result]]:
        """Molecule -> what the oracles that can be run give for it; their counts join the metrics."""
        by_machine = without_measured(self._campaign)
        if by_machine is None:
            return {}
        with Evaluator(by_machine, self._table.ledger) as evaluate:
            evaluations = evaluate(candidates, given=given_results(self._campaign))
            remarks = evaluate.report(self._say)
            metrics |= {**evaluate.metrics, **remarks_metric(remarks)}
        return {evaluation.candidate.smiles: evaluation.results for evaluation in evaluations}

    def _evaluation(
        self,
        candidate: Candidate,
        measured: Mapping[str, Mapping[str, Result]],
        computed: Mapping[str, Mapping[str, Result]],
    ) -> Evaluation:
        """What is measured of a molecule beside what is computed, in the order of the objective."""
        blank = dict.fromkeys(self._measured, NOT_MEASURED)
        results = {**blank, **measured[candidate.smiles], **computed.get(candidate.smiles, {})}
        return Evaluation(candidate, {item.name: results[item.name] for item in self._campaign.objective.properties})
