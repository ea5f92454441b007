"""How a verb that writes takes a campaign's results up: its table, its log, and what there is to say of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from designloop.api.inputs import Say
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.changes import (
    as_begun,
    changed_keys,
    former_default_model,
    unknown_filters,
    unknown_settings,
)
from designloop.loop.logbook import Book, logbook
from designloop.tables import CandidateTable
from designloop.tables.manifest import CampaignRecord, read_campaign
from designloop.tables.opening import goes_on


@contextmanager
def opened(
    campaign: Campaign, say: Say, *, fresh: bool = False, accept_changed_oracles: bool = False
) -> Iterator[tuple[Campaign, CandidateTable, Book]]:
    """The campaign as it goes on, its table and log, open while the block runs; warnings and remarks are said first.

    Raises:
        TableError, TableBusy: the results cannot be written to, or not now.
    """
    from designloop.loop.environment import environment, take_up

    campaign, kept_as_begun = (campaign, []) if fresh else _as_begun(campaign, read_campaign(campaign.output_folder))
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
        for warning in [*kept_as_begun, *campaign.warnings, *take_up(table.environment), *table.remarks]:
            book.say(warning)
        yield campaign, table, book


def as_it_goes_on(campaign: Campaign, *, accept_changed_oracles: bool = False) -> Campaign:
    """Returns a campaign as `opened` would take its results up; nothing is written.

    Raises:
        TableError: it would not, since another campaign was begun there, or this one with other settings or oracles.
    """
    folder = campaign.output_folder
    stored = read_campaign(folder)
    campaign, _ = _as_begun(campaign, stored)
    if stored is not None:
        goes_on(folder, stored, campaign, changed_keys, accept_changed_oracles)
    return campaign


def _as_begun(campaign: Campaign, stored: CampaignRecord | None) -> tuple[Campaign, list[str]]:
    """The campaign as it goes on from what is stored, and a sentence on each kind of key that it was begun without."""
    if stored is None:
        return campaign, []
    begun = stored.openings[0].dump  # later openings may have been written by a version that knows more keys
    return as_begun(begun, campaign), _kept_as_begun(begun, campaign)


def _kept_as_begun(begun: Mapping[str, Any], campaign: Campaign) -> list[str]:
    """A sentence on each kind of key that the campaign was begun without, and goes on without."""
    said = []
    if model := former_default_model(begun, campaign):
        said.append(
            f"this campaign was begun with the model {model}, which was the default then, and goes on with it; --fresh "
            f"begins anew with {campaign.model}"
        )
    if filters := unknown_filters(begun, campaign):
        said.append(
            f"this campaign was begun by a version without the filters {', '.join(filters)}, and goes on without them; "
            "--fresh begins anew with them"
        )
    said += [
        f"this campaign was begun by a version without `{key}`, and goes on with {value!r}, as it did then; --fresh "
        "begins anew with today's default"
        for key, value in unknown_settings(begun, campaign).items()
    ]
    return said


def open_ledger(table: CandidateTable, book: Book) -> None:
    """Opens the table's ledger, for what it has to say before anything is run."""
    of_folder = len(table.remarks)
    table.ledger  # noqa: B018 - a property that opens it
    for warning in table.remarks[of_folder:]:
        book.say(warning)
