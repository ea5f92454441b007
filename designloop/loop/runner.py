"""The loop itself: round after round a strategy proposes, oracles score, the scores teach the strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.ends import what_is_left, why_it_ends
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.laboratory.readings import asked_of, measured_properties
from designloop.loop.pretrained import Pretrained
from designloop.loop.progress import Scoring
from designloop.loop.round_metrics import Clock, Front, TopTen, remarks_metric
from designloop.loop.saturation import SameScores, Saturation
from designloop.loop.screening.screening import Screening
from designloop.molecules.chemistry import standard_forms
from designloop.molecules.errors import MoleculeError
from designloop.pieces import Spread, one_by_one
from designloop.records import MEASURED, START, Candidate, Result, Round, State
from designloop.strategies import base
from designloop.tables import CandidateTable
from designloop.words import silent


def run_campaign(
    *,
    campaign: Campaign,
    table: CandidateTable,
    on_round: Callable[[Round], None] = silent,
    on_scored: Callable[[Scoring], None] = silent,
    say: Callable[[str], None] = silent,
) -> None:
    """Runs the rounds that a campaign has left; each is committed as one atom, and the end is marked in the table."""
    allowed = Screening(campaign, table)
    with Evaluator(campaign, table.ledger) as evaluate:
        # As the last committed round left it.
        strategy = build_strategy(campaign, table.last_state(), allowed, spread=evaluate.spread)
        top_ten, clock = TopTen(table.ranked_scores()), Clock()
        front = Front.committed(campaign.objective.goals, campaign.output_folder)
        saturation = Saturation(campaign.objective, table.rounds())
        same = SameScores(campaign.objective, table.scores().values(), table.rounds())
        for number, wanted in rounds_left(campaign, table):
            with clock("propose"):
                drawn = strategy.ask(wanted) if number else starting(campaign)
                admitted = allowed.take(drawn, wanted, keep_refused=number == 0 and not campaign.only_allowed)
                admitted = foreseen_by(strategy, admitted)
            if allowed.last_take.refused_starting:
                say(allowed.last_take.starting_line)
            with clock("oracle"):
                listener = Scoring.listener(number, on_scored)
                given = None if number else given_results(campaign)
                scored = campaign.objective(evaluate(admitted, listener, given))
            remarks = evaluate.report(say)
            with clock("learn"):
                learned = strategy.tell(scored)  # its metrics of the round
            metrics = {
                "wanted": wanted,
                **allowed.counts(),
                **evaluate.metrics,
                **top_ten.after(scored),
                **front.after(scored),
            }
            calls_left = campaign.budget.oracle_calls - table.calls() - sum(row.is_charged for row in scored)
            for line in filter(None, (saturation.after(metrics, calls_left), same.after(scored, calls_left))):
                remarks.append(line)
                say(line)
            metrics |= {**learned, **clock.lap(), **remarks_metric(remarks)}
            committed = Round(number, scored, metrics, strategy.state(), "round" if number else "start")
            table.commit(committed)
            on_round(committed)


def build_strategy(
    campaign: Campaign,
    state: State | None,
    allowed: Screening,
    pending: Sequence[Candidate] = (),
    spread: Spread = one_by_one,
) -> base.Strategy:
    """Builds the campaign's strategy, fresh or as its state left it, with what it may know of the campaign.

    Args:
        pending: what was given out and is not told yet.
        spread: does its pieces of work.
    """
    model = Pretrained.of(campaign)
    view = base.CampaignView(
        seed=campaign.seed,
        allowed=allowed,
        standard_forms=partial(standard_forms, mode=campaign.standardize),  # which can be sent to a worker
        load_model=model.load,
        load_replay=model.replay,
        objective=replace(campaign.objective.known(), noisy=is_noisy(campaign)),
        keep=tuple(campaign.filters.require_smarts),
        resolve=lambda path: str(campaign.resolve(path)),
        keeps_stereo=campaign.stereo == "keep",
        pending=tuple(pending),
        spread=spread,
    )
    return base.build(campaign.strategy.name, campaign.strategy.settings, view, state)


def foreseen_by(strategy: base.Strategy, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same candidates, each with the score that the strategy expects of it, where it expects any."""
    if not isinstance(strategy, base.Foreseeing):
        return list(candidates)
    expected = strategy.foresee(candidates, has_properties=False)
    return [with_prediction(*row) for row in zip(candidates, expected, strict=True)]


def with_prediction(candidate: Candidate, foreseen: base.Foreseen) -> Candidate:
    """The candidate as a table keeps it, with what is foreseen of its score."""
    mean, deviation = foreseen.get("score", (None, None))
    return replace(candidate, predicted_mean=mean, predicted_sd=deviation)


def is_noisy(campaign: Campaign) -> bool:
    """Whether any property is measured in a laboratory, or of an oracle that is declared stochastic."""
    return bool(measured_properties(campaign)) or any(oracle.stochastic for oracle in campaign.oracles.values())


def rounds_left(campaign: Campaign, table: CandidateTable) -> Iterator[tuple[int, int]]:
    """(number, molecules wanted) of each round until the campaign ends; then marks the end in the table.

    Round 0 holds all starting molecules, and is left out when there are none.
    """
    budget, resumed_after = campaign.budget, table.next_round() - 1
    batch = campaign.batch_size if measured_properties(campaign) else None
    if table.next_round() == 0 and (starting_count := len(campaign.starting())):
        yield 0, starting_count
    while True:
        asked = asked_of(campaign, table)
        if (end := why_it_ends(budget, table.rounds(), asked, resumed_after, batch)) is not None:
            break
        left = what_is_left(budget, table.calls(), asked)
        yield max(table.next_round(), 1), min(campaign.batch_size, left.molecules)
    table.finish(str(end))


def starting(campaign: Campaign) -> Iterator[Candidate]:
    """Yields the user's own molecules; those that the model's alphabet cannot express have no ``selfies``."""
    codec = Pretrained.of(campaign).codec()
    for molecule in campaign.starting():
        try:
            selfies = codec.to_selfies(molecule.smiles)
        except MoleculeError:  # it is scored and kept, but not learned from
            selfies = None
        proposer = MEASURED if molecule.known else START
        yield Candidate(molecule.smiles, proposer, selfies, written=molecule.written)


def given_results(campaign: Campaign) -> dict[str, dict[str, Result]]:
    """Molecule -> property -> result, of all that the user says was measured of starting molecules: nothing was run."""
    return {
        smiles: {name: reading.result(attempt=0) for name, reading in of_molecule.items()}
        for smiles, of_molecule in campaign.known_values().items()
    }
