"""What a campaign leaves on disk, and how it is asked.

``CandidateTable`` writes the rounds, ``Ledger`` the oracle runs, ``open_candidates`` reads both with SQL. The names
are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.tables.candidate_table import CandidateTable as CandidateTable
    from designloop.tables.errors import QueryError as QueryError
    from designloop.tables.errors import TableBusy as TableBusy
    from designloop.tables.errors import TableError as TableError
    from designloop.tables.ledger import Ledger as Ledger
    from designloop.tables.query import Candidates as Candidates
    from designloop.tables.query import open_candidates as open_candidates

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "candidate_table": ["CandidateTable"],
        "errors": ["QueryError", "TableBusy", "TableError"],
        "ledger": ["Ledger"],
        "query": ["Candidates", "open_candidates"],
    },
)
