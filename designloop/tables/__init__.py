"""What a campaign leaves on disk, and how it is asked.

``CandidateTable`` writes the rounds, ``Ledger`` the oracle runs, ``open_candidates`` reads both with SQL. The names
are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from designloop.tables.candidate_table import CandidateTable as CandidateTable
    from designloop.tables.errors import QueryError as QueryError
    from designloop.tables.errors import TableBusy as TableBusy
    from designloop.tables.errors import TableError as TableError
    from designloop.tables.ledger import Ledger as Ledger
    from designloop.tables.query import Candidates as Candidates
    from designloop.tables.query import open_candidates as open_candidates

_HOME = {
    "CandidateTable": "candidate_table",
    "Candidates": "query",
    "Ledger": "ledger",
    "QueryError": "errors",
    "TableBusy": "errors",
    "TableError": "errors",
    "open_candidates": "query",
}

__all__ = [
    "CandidateTable",
    "Candidates",
    "Ledger",
    "QueryError",
    "TableBusy",
    "TableError",
    "open_candidates",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
