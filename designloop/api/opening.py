"""How a verb that writes takes a campaign's results up: its table, its log, and what there is to say of both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from designloop.api.inputs import Say
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.changes import as_begun, changed_keys, unknown_filters
from designloop.loop.logbook import Book, logbook
from designloop.tables import CandidateTable
from designloop.tables.manifest import read_campaign


@contextmanager
def opened(
    campaign: Campaign, say: Say, *, fresh: bool = False, accept_changed_oracles: bool = False
) -> Iterator[tuple[Campaign, CandidateTable, Book]]:
    """The campaign as it goes on, its table and log, open while the block runs; warnings and remarks are said first.

    Raises:
        TableError, TableBusy: the results cannot be written to, or not now.
    """
    from designloop.loop.environment import environment, take_up

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
        yield campaign, table, book


def open_ledger(table: CandidateTable, book: Book) -> None:
    """Opens the table's ledger, for what it has to say before anything is run."""
    of_folder = len(table.remarks)
    table.ledger  # noqa: B018 - a property that opens it
    for warning in table.remarks[of_folder:]:
        book.say(warning)
