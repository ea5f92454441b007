"""What can go wrong with a campaign's folder or a question about it."""

from __future__ import annotations


class TableError(ValueError):
    """A candidate table that cannot be opened, read or added to; the message ends in what to do."""


class DamagedFile(TableError):
    """A file that is missing, cannot be read, or does not match its checksum; ``what`` says so without the advice."""

    def __init__(self, what: str, advice: str) -> None:
        super().__init__(f"{what}. {advice}")
        self.what = what


class DiskError(TableError):
    """The disk took no more, or failed; nothing is wrong with the campaign, which goes on when there is room."""


class TableBusy(TableError):
    """Another process is running this campaign; the campaign can be resumed when it has ended."""


class QueryError(ValueError):
    """A query that cannot be answered: bad SQL, a view that is not there, a folder without a campaign."""
