"""Questions to candidate tables, in SQL or as a table: read-only, while campaigns run, over many at once."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from designloop.paths import real
from designloop.tables.best import best
from designloop.tables.errors import QueryError
from designloop.tables.ledger_file import LedgerBusy, LedgerDiskError, LedgerError
from designloop.tables.manifest import EMPTY_DIGEST
from designloop.tables.schema import RUNS
from designloop.tables.views import (
    FolderReader,
    StoredCampaign,
    candidates_view,
    empty_runs,
    labels,
    pareto_ranks_of,
    rounds_view,
    runs_view,
)

if TYPE_CHECKING:
    import pandas as pd

VIEWS = ("candidates", "rounds", "runs")
"""What there is to be asked."""

_LOCKED = (
    "SET enable_external_access = false",  # no file, no network, no extension
    "SET python_enable_replacements = false",  # no variable of the calling program
    "SET lock_configuration = true",
)


_RUNS_MISSING = re.compile(r'Table with name "?runs"? does not exist', re.IGNORECASE)

_OF_THE_CATALOG = re.compile(r"information_schema|duckdb_\w+\s*\(", re.IGNORECASE)
"""What asks DuckDB itself which tables and columns there are."""


def open_candidates(folders: Path | str | Iterable[Path | str]) -> Candidates:
    """The candidates of one campaign, or of several, by their output folders.

    Raises:
        QueryError: a folder holds no campaign.
        TableError: a file of a campaign is missing or damaged.
    """
    return Candidates([folders] if isinstance(folders, str | os.PathLike) else list(folders))


class Candidates:
    """All that some campaigns have found out. Each question is answered from what is committed when it is asked."""

    def __init__(self, folders: Sequence[Path | str]) -> None:
        """See ``open_candidates``."""
        if not folders:
            raise QueryError("found no folder, expected the output folder of at least one campaign. Give its path.")
        distinct = dict.fromkeys(real(folder) for folder in folders)
        self._readers = [FolderReader(folder) for folder in distinct]
        self._of_ledgers: list[str] = []
        self.campaigns()

    def __repr__(self) -> str:
        summary = ", ".join(f"{c.label}: {c.rounds[-1].calls if c.rounds else 0} calls" for c in self.campaigns())
        return f"<Candidates of {summary}>"

    def campaigns(self) -> list[StoredCampaign]:
        """What each folder holds now: its settings, rounds and end."""
        stored = [(reader.folder, *reader.read()) for reader in self._readers]
        names = labels([folder for folder, *_ in stored], [record.name for _, record, *_ in stored])
        return [
            StoredCampaign(folder, label, record, rounds, finish, remarks, suggestions)
            for (folder, record, rounds, finish, remarks, suggestions), label in zip(stored, names, strict=True)
        ]

    @property
    def remarks(self) -> list[str]:
        """What is damaged and kept nobody from answering, a sentence each; of ledgers, once ``runs`` was asked for."""
        return [remark for campaign in self.campaigns() for remark in campaign.remarks] + self._of_ledgers

    @property
    def digest(self) -> str:
        """Digest of the table of the one campaign that is open: equal digests mean identical tables.

        Raises:
            QueryError: several are open; ``campaigns()`` has the digest of each round of each.
        """
        campaigns = self.campaigns()
        if len(campaigns) > 1:
            raise QueryError(
                f"{len(campaigns)} campaigns are open, and each has a digest of its own. Open one of them."
            )
        rounds = campaigns[0].rounds
        return rounds[-1].digest if rounds else EMPTY_DIGEST

    def to_arrow(self) -> pa.Table:
        """The view ``candidates``, in the order of campaigns and calls."""
        return self._candidates(self.campaigns())

    def to_pandas(self) -> pd.DataFrame:
        """The view ``candidates``, in the order of campaigns and calls."""
        return self.to_arrow().to_pandas()

    def top(self, n: int = 10, diverse: bool = False, with_refused: bool = False) -> pa.Table:
        """Rows of ``candidates`` with the ``n`` highest scores, best first, one a stereo-free parent.

        Where properties are traded off, those of the front come first, then what only these are better than, and so on.

        Args:
            n: how many at most.
            diverse: leave out near-duplicates, too (``designloop.tables.best``).
            with_refused: also starting molecules that a filter refuses.
        Raises:
            QueryError: the campaigns have different objectives, so their scores do not compare.
        """
        rows = self.to_arrow()
        refuse_mixed(rows)
        rows = rows if with_refused else rows.filter(rows["allowed"])
        ranks = pareto_ranks_of(rows, self.goals).to_pylist()
        best_rows = best(rows["smiles"].to_pylist(), rows["score"].to_pylist(), n, diverse, ranks)
        return rows.take(pa.array([best_row.row for best_row in best_rows], pa.int64()))

    @property
    def goals(self) -> list[str]:
        """The properties that are traded off; none where one score is maximised, or where objectives differ."""
        every = [list(campaign.record.goals) for campaign in self.campaigns()]
        return every[0] if every and all(goals == every[0] for goals in every) else []

    def query(self, sql: str, parameters: Sequence[Any] | None = None) -> pa.Table:
        """Answer one SQL query (DuckDB's) over the views ``candidates``, ``rounds`` and ``runs`` of docs/schema.md.

        Columns of one name are told apart by numbers: a, a_1.

        Args:
            sql: one statement that gives rows; it can read the views and nothing else.
            parameters: values for the ``?`` in it.
        Raises:
            QueryError: the statement is not one, not allowed, or wrong; the message has DuckDB's own, and near names.
            LedgerBusy: it reads the view ``runs``, and another program holds the ledger.
        """
        campaigns = self.campaigns()
        views = {"candidates": self._candidates(campaigns), "rounds": rounds_view(campaigns)}
        # A ledger may be long, so it is read only for those that read the view, or ask what there is. Whether they read
        # it is what DuckDB misses: a column or an alias may be called so as well.
        if not any(name in sql.lower() for name in VIEWS) or _OF_THE_CATALOG.search(sql):
            views["runs"], self._of_ledgers = _runs(campaigns, asked=False)
        try:
            try:
                return _answer(sql, parameters, views)
            except duckdb.CatalogException as missing:
                if not _RUNS_MISSING.search(str(missing)):
                    raise
                views["runs"], self._of_ledgers = _runs(campaigns, asked=True)
                return _answer(sql, parameters, views)
        except duckdb.Error as problem:
            raise _explain(problem, views) from problem

    def _candidates(self, campaigns: Sequence[StoredCampaign]) -> pa.Table:
        pairs = zip(self._readers, campaigns, strict=True)
        return candidates_view(campaigns, [reader.rows(len(campaign.rounds)) for reader, campaign in pairs])


def plain_rows(answer: pa.Table) -> list[tuple[Any, ...]]:
    """The rows of an answer as Python's values, in the order of its columns.

    Raises:
        QueryError: Python has no such value, as of a time that is infinite; it says in which column.
    """
    columns = []
    for name, column in zip(answer.column_names, answer.columns, strict=True):
        try:
            columns.append(column.to_pylist())
        except (ArithmeticError, LookupError, NotImplementedError, ValueError) as problem:
            raise QueryError(
                f"the column {name!r} ({column.type}) holds a value that cannot be shown ({problem}); ask for it as "
                "text: CAST(… AS VARCHAR)"
            ) from problem
    return list(zip(*columns, strict=True))


def refuse_mixed(rows: pa.Table) -> None:
    """Returns if the scores of a view ``candidates`` compare: all its rows are of one objective.

    Raises:
        QueryError: they are of several; it says which campaign has which.
    """
    campaigns: dict[str, list[str]] = {}
    for objective, campaign in dict.fromkeys(zip(*(rows[name].to_pylist() for name in _WHOSE), strict=True)):
        campaigns.setdefault(objective, []).append(campaign)
    if len(campaigns) > 1:
        groups = "; ".join(f"{', '.join(names)} (objective {objective})" for objective, names in campaigns.items())
        raise QueryError(
            f"these campaigns have {len(campaigns)} different objectives, so their scores do not compare: {groups}. "
            "Ask for those of one objective; `designloop compare` sets them side by side by objective."
        )


_WHOSE = ("objective", "campaign")


def _runs(campaigns: Sequence[StoredCampaign], asked: bool) -> tuple[pa.Table, list[str]]:
    try:
        return runs_view(campaigns)
    except LedgerError as problem:
        if not asked:
            return empty_runs(), []
        if isinstance(problem, LedgerBusy | LedgerDiskError):
            raise
        raise QueryError(f"the view runs cannot be read: {problem}") from problem


def _answer(sql: str, parameters: Sequence[Any] | None, views: dict[str, pa.Table]) -> pa.Table:
    """Run the statement in a database of its own, which knows the views and cannot reach anything else."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": "",
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(":memory:", config=settings) as connection:
        for setting in _LOCKED:
            connection.execute(setting)
        for name, table in views.items():
            connection.register(name, table)
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"found {len(statements)} SQL statements, expected one. Ask them one at a time.")
        if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
            raise QueryError(
                f"found a statement of type {statements[0].type.name}, expected a query. "
                "The tables are read-only: begin with SELECT, FROM, WITH, DESCRIBE or SHOW TABLES."
            )
        answer = connection.sql(sql, params=parameters).to_arrow_table()
        return answer.rename_columns(_distinct(answer.column_names))


def _distinct(names: Sequence[str]) -> list[str]:
    """Number the names that repeat: a, a_1, a_2. Rows are mappings of names."""
    distinct: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        unused = (other for other in numbered if other not in (*names, *distinct))
        distinct.append(name if name not in distinct else next(unused))
    return distinct


def _explain(problem: duckdb.Error, views: dict[str, pa.Table]) -> QueryError:
    """Add to DuckDB's message what was most likely meant."""
    message = str(problem).strip()
    if isinstance(problem, duckdb.PermissionException):
        return QueryError(f"{message}\nOnly the views candidates, rounds and runs can be read.")
    columns = {name for table in views.values() for name in table.column_names} | {column.name for column in RUNS}
    missing = re.search(r'(?:column |Table with name )"?([^"\s]+)"? (?:not found|does not exist)', message)
    near = difflib.get_close_matches(missing[1].lower(), [*VIEWS, *sorted(columns)], n=3) if missing else []
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    return QueryError(
        f"{message}\n{meant}The views are {', '.join(VIEWS)}; `DESCRIBE candidates` lists the columns of one."
    )
