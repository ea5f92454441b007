"""The verb that runs a campaign, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from designloop.api.inputs import Say, load_if_file
from designloop.loop import preflight
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.changes import as_begun, changed_keys, unknown_filters
from designloop.loop.logbook import logbook
from designloop.loop.progress import Progress, watch
from designloop.loop.summary import Summary, summarize
from designloop.report.references import Reference, read_references, write_references
from designloop.report.top import TopMolecule, top_molecules
from designloop.tables import CandidateTable, open_candidates
from designloop.tables.durable import disk_errors
from designloop.tables.manifest import read_campaign
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
    on_round: Callable[[Progress], None] = silent,
    say: Say = silent,
) -> Outcome:
    """Runs a campaign to its end, from its last committed round on if it was begun before; leaves two pictures.

    Args:
        fresh: begin anew; earlier results are moved aside, never deleted, and the ledger keeps what was paid for.
        accept_changed_oracles: resume although an oracle is not the one it was; recorded.
        on_round: told after each round.
        say: told what a person should know.
    Raises:
        CampaignError: all that is wrong with the file.
        TableError, TableBusy, LedgerBusy: the results cannot be written to, or not now.
        BrokenOracle: an oracle works on no known molecule; nothing was charged.
        EvaluationError: there are no workers; the same call resumes.
    """
    from designloop.loop.environment import environment, take_up
    from designloop.loop.runner import rounds_left, run_campaign
    from designloop.report.pictures import write_pictures

    campaign = load_if_file(campaign)
    stored = None if fresh else read_campaign(campaign.output_folder)
    later_filters = unknown_filters(stored.openings[0].dump, campaign) if stored else []
    if stored:  # by its first opening: later ones may have been written by a version that knows more filters
        campaign = as_begun(stored.openings[0].dump, campaign)
    opening = CandidateTable.open(
        campaign,
        changed_keys=changed_keys,
        fresh=fresh,
        accept_changed_oracles=accept_changed_oracles,
        environment=environment(),
    )
    with opening as table, logbook(table.folder, say) as book:
        if table.moved_aside is not None:
            book.say(f"earlier results were moved to {table.moved_aside}")
        if later_filters:
            book.say(
                f"this campaign was begun by a version without the filters {', '.join(later_filters)}, and goes on "
                "without them; --fresh begins anew with them"
            )
        for warning in [*campaign.warnings, *take_up(table.environment), *table.remarks]:
            book.say(warning)
        if goes_on := next(rounds_left(campaign, table), None) is not None:  # else the end is marked anew
            of_folder = len(table.remarks)
            table.ledger  # noqa: B018 - opened for what it has to say before anything is run
            for warning in table.remarks[of_folder:]:
                book.say(warning)
            preflight.refuse_broken(campaign, table.ledger)
        _score_references(campaign, table, book.say, anyway=goes_on)
        if goes_on:
            book.say(f"resuming after round {table.next_round() - 1}" if table.rounds() else "starting")
            listener = watch(campaign, table, book.also(on_round))
            run_campaign(campaign=campaign, table=table, on_round=listener, say=book.say)
        summary = summarize(table.folder)
        for line in summary.closing():
            book.note(line)
        with disk_errors(f"the pictures in {table.folder} could not be written"):
            pictures = write_pictures(open_candidates(table.folder), table.folder)
    return Outcome(summary, top_molecules(open_candidates(table.folder)), read_references(table.folder)[0], pictures)


def _score_references(campaign: Campaign, table: CandidateTable, say: Say, anyway: bool) -> None:
    """Scores the references; what the ledger knows of them is not run again.

    Args:
        anyway: also where those that are kept are whole and the ones that are wanted: an oracle may have changed.
    """
    references = campaign.references()
    kept, damaged = read_references(table.folder)
    wanted = [(molecule.name or molecule.smiles, molecule.smiles) for molecule in references]
    if not (anyway or damaged) and [(molecule.name, molecule.smiles) for molecule in kept] == wanted:
        return
    if damaged and table.rounds():
        say(f"{damaged[0].partition(': the references')[0]}: the references are scored again")
    scored = preflight.score_checks(campaign, table.ledger, [molecule.smiles for molecule in references])
    write_references(
        [Reference.of(reference.name, row) for reference, row in zip(references, scored, strict=True)], table.folder
    )
