"""What was measured becomes rows of the table: new molecules as a round, corrections as an amendment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.laboratory.readings import (
    NOT_MEASURED,
    READINGS,
    SCORED_BEFORE,
    Reading,
    Readings,
    measured_properties,
    noise_of,
    record_readings,
    to_metric,
    told_in,
    without_measured,
)
from designloop.loop.laboratory.suggesting import Known
from designloop.loop.round_metrics import REMARKS, Clock, TopTen
from designloop.loop.runner import build_strategy
from designloop.loop.screening.screening import Screening
from designloop.records import Candidate, Evaluation, Result, Round, RoundKind
from designloop.tables import CandidateTable
from designloop.tables.suggestions import Suggestion
from designloop.words import silent


@dataclass(frozen=True)
class News:
    """What a file of results says that the table does not hold yet."""

    new: Sequence[Suggestion]
    """Molecules of which nothing was told before."""
    corrected: Sequence[Suggestion]
    """Those of which something else, or less, was told before."""
    repeated: Sequence[Suggestion]
    """Those of which the very same was told before."""
    readings: Readings
    """Molecule -> property -> all that is known of it now; of those that are new or corrected."""


def sort_news(
    table: CandidateTable, suggestions: Sequence[Suggestion], told: Mapping[str, Mapping[str, Reading]]
) -> News:
    """Compares what is told with what is committed.

    Args:
        told: id of a suggestion -> property -> reading.
    """
    before = told_in(table.rounds())
    new, corrected, repeated = [], [], []
    readings: dict[str, Mapping[str, Reading]] = {}
    for item in suggestions:
        if item.id not in told:
            continue
        smiles = item.candidate.smiles
        earlier = before.get(smiles, {})
        now = {**earlier, **told[item.id]}
        if smiles not in before:
            new.append(item)
        elif now != earlier:
            corrected.append(item)
        else:
            repeated.append(item)
            continue
        readings[smiles] = now
    return News(new, corrected, repeated, readings)


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
        self._known = Known(table, suggestions)

    def tell(self, news: News) -> list[Round]:
        """Commits a round of the new molecules and an amendment of the corrected ones, where there are any of either.

        Raises:
            EvaluationError: there are no workers for the computed properties; nothing more is committed.
            LedgerError: the ledger cannot be written.
        """
        kinds: tuple[tuple[Sequence[Suggestion], RoundKind], ...] = ((news.new, "round"), (news.corrected, "amendment"))
        return [self._commit(items, news.readings, kind) for items, kind in kinds if items]

    def _commit(self, items: Sequence[Suggestion], readings: Readings, kind: RoundKind) -> Round:
        """Commits some suggestions as one round."""
        campaign, table, clock = self._campaign, self._table, Clock()
        candidates = [item.candidate for item in items]
        told = {candidate.smiles: readings[candidate.smiles] for candidate in candidates}
        record_readings(campaign, table.ledger, told)
        strategy = build_strategy(campaign, table.last_state(), Screening(campaign, self._known))
        scores = table.scores()
        top_ten = TopTen({smiles: score for smiles, score in table.ranked_scores().items() if smiles not in told})
        metrics: dict[str, float | str] = {}
        with clock("oracle"):
            computed = self._computed(candidates, metrics)
            scored = campaign.objective([self._evaluation(item, told, computed) for item in candidates])
        with clock("learn"):
            learned = strategy.tell(scored)
        if kind == "round":  # all that was wanted is there: a laboratory that measures some is no meagre round
            metrics |= dict.fromkeys(("wanted", "drawn", "admitted"), len(items))
        else:
            metrics |= {SCORED_BEFORE: sum(scores[smiles] is not None for smiles in told)}
        metrics |= {READINGS: to_metric(told), **noise_of(told), **top_ten.after(scored), **learned, **clock.lap()}
        done = Round(max(table.next_round(), 1), scored, metrics, strategy.state(), kind)
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
            evaluations = evaluate(candidates)
            remarks = evaluate.remarks()
            for line in [*remarks, *evaluate.losses()]:
                self._say(line)
            metrics |= evaluate.metrics
            metrics |= {REMARKS: "\n".join(remarks)} if remarks else {}
        return {evaluation.candidate.smiles: evaluation.results for evaluation in evaluations}

    def _evaluation(
        self, candidate: Candidate, told: Readings, computed: Mapping[str, Mapping[str, Result]]
    ) -> Evaluation:
        """What is measured of a molecule beside what is computed, in the order of the objective."""
        of_molecule = {name: reading.result() for name, reading in told[candidate.smiles].items()}
        blank = dict.fromkeys(measured_properties(self._campaign), NOT_MEASURED)
        results = {**blank, **of_molecule, **computed.get(candidate.smiles, {})}
        return Evaluation(candidate, {item.name: results[item.name] for item in self._campaign.objective.properties})
