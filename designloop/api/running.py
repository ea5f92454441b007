"""The verb that runs a campaign, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from designloop.api.inputs import Say, load_if_file
from designloop.api.laboratory import refuse_laboratory
from designloop.api.opening import open_ledger, opened
from designloop.api.reference_scores import score_references
from designloop.loop import first_try, passing, preflight
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.constant import find_constant
from designloop.loop.progress import Progress, Scoring, watch
from designloop.loop.summary import Summary, summarize
from designloop.loop.undeclared import reads_behind_known_values
from designloop.records import Round
from designloop.report.references import Reference, read_references, read_units
from designloop.report.top import TopMolecule, top_molecules
from designloop.tables import open_candidates
from designloop.tables.manifest import round_numbers
from designloop.words import silent


@dataclass(frozen=True)
class Outcome:
    """How a campaign ended, and what came of it."""

    summary: Summary
    best: Sequence[TopMolecule]
    references: Sequence[Reference]
    pictures: Sequence[Path]


def run(
    campaign: Campaign | Path | str,
    *,
    fresh: bool = False,
    accept_changed_oracles: bool = False,
    anyway: bool = False,
    try_costly: bool = True,
    on_round: Callable[[Progress], None] = silent,
    on_scored: Callable[[Scoring], None] = silent,
    say: Say = silent,
) -> Outcome:
    """Runs a campaign to its end, from its last committed round on if it was begun before.

    Leaves two pictures, which are drawn while it runs, too.

    Args:
        fresh: begin anew; earlier results are moved aside, never deleted, and the ledger keeps what was paid for.
        accept_changed_oracles: resume although an oracle is not the one it was; recorded.
        anyway: begin although the filters refuse all of the user's own molecules.
        try_costly: first give each costly oracle one molecule, unless the ledger has a result of it.
        on_round: told after each round.
        on_scored: told within a round how many of its molecules are scored, whenever some are.
        say: told what a person should know.
    Raises:
        CampaignError: all that is wrong with the file.
        InputError: a property is measured in a laboratory.
        TableError, TableBusy, LedgerBusy: the results cannot be written to, or not now.
        BrokenOracle: an oracle works on no molecule that it was tried on, or a costly one not on the first; nothing was
            charged.
        WrongFilter: the filters refuse all starting molecules and references; nothing was charged or begun.
        EvaluationError: there are no workers; the same call resumes.
    """
    from designloop.loop.runner import rounds_left, run_campaign
    from designloop.report.drawing import Drawing

    campaign = load_if_file(campaign)
    refuse_laboratory(campaign)
    # Looked at before the table is begun: once it is, the filters may not be mended any more.
    begins = fresh or not round_numbers(campaign.output_folder)
    verdicts = passing.judge_own(campaign) if begins else []
    if begins:
        preflight.check_strategy(campaign)
    if not anyway:
        passing.refuse_wrong_filters(verdicts, campaign.warnings)
    with opened(campaign, say, fresh=fresh, accept_changed_oracles=accept_changed_oracles) as (
        campaign,
        table,
        book,
    ):
        if begins:
            for line in [*passing.describe_own(verdicts), *passing.find_hard_core(campaign, verdicts)]:
                book.say(line)
        if goes_on := next(rounds_left(campaign, table), None) is not None:  # else the end is marked anew
            open_ledger(table, book)
            if not table.rounds():
                for remark in reads_behind_known_values(campaign, table.ledger):
                    book.say(remark)
            checks = preflight.refuse_broken(campaign, table.ledger)
            for remark in [] if table.rounds() else find_constant(campaign, checks, table.ledger):
                book.say(remark)
            if try_costly:
                first_try.try_costly(campaign, table.ledger, book.say)
        score_references(campaign, table, book.say, anyway=goes_on)
        if goes_on:
            book.say(f"resuming after round {table.next_round() - 1}" if table.rounds() else "starting")
            listener = watch(campaign, table, book.also(on_round))
            drawing = Drawing(table.folder)

            def after_round(committed: Round) -> None:
                listener(committed)
                drawing.after_round()

            run_campaign(campaign=campaign, table=table, on_round=after_round, on_scored=on_scored, say=book.say)
        summary = summarize(table.folder)
        for line in summary.closing():
            book.note(line)
        pictures = Drawing(table.folder).draw()
    best = top_molecules(open_candidates(table.folder), units=read_units(table.folder))
    return Outcome(summary, best, read_references(table.folder)[0], pictures)
