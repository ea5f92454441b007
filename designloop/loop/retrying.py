"""Failed molecules tried again: run, scored and learned from once more, and charged to nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.round_metrics import Clock, Front, TopTen, remarks_metric
from designloop.loop.runner import build_strategy, given_results
from designloop.loop.screening.screening import Screening
from designloop.records import Candidate, Round
from designloop.tables import CandidateTable
from designloop.words import silent


def retry_candidates(
    *, campaign: Campaign, table: CandidateTable, failed: Sequence[Candidate], say: Callable[[str], None] = silent
) -> Round:
    """Runs the oracles on charged molecules again, tells the strategy, and commits an amendment, which it returns.

    What the ledger has a value for is not run again, so that a retry that was cut off goes on where it was.

    Raises:
        EvaluationError: there are no workers; nothing is committed, and what came is in the ledger.
    """
    with Evaluator(campaign, table.ledger) as evaluate:
        strategy = build_strategy(campaign, table.last_state(), Screening(campaign, table))
        top_ten, clock = TopTen(table.ranked_scores()), Clock()
        front = Front.committed(campaign.objective.goals, campaign.output_folder)
        with clock("oracle"):
            evaluations = evaluate.again(failed, given_results(campaign))
            scored = [replace(row, told_before=True) for row in campaign.objective(evaluations)]
        remarks = evaluate.report(say)
        with clock("learn"):
            learned = strategy.tell(scored)
        metrics = {**evaluate.metrics, **top_ten.after(scored), **front.after(scored), **learned, **clock.lap()}
        metrics |= remarks_metric(remarks)
        amendment = Round(table.next_round(), scored, metrics, strategy.state(), "amendment")
        table.commit(amendment)
        return amendment
