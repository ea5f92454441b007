"""What can go wrong with a campaign's folder or a question about it."""

from __future__ import annotations


class TableError(ValueError):
    """A candidate table that cannot be opened, read or added to; the message ends in what to do."""


class TableBusy(TableError):
    """Another process is running this campaign; the campaign can be resumed when it has ended."""


class QueryError(ValueError):
    """A query that cannot be answered: bad SQL, a view that is not there, a folder without a campaign."""
