"""The columns of every view and file: one list each, of which files, views and ``docs/schema.md`` are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from designloop.tables.durable import SCHEMA_VERSION
from designloop.tables.errors import TableError


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a view."""

    name: str
    type: pa.DataType
    meaning: str
    """One sentence for the page of the schema."""


CANDIDATES = (
    Column("campaign", pa.string(), "Name of the campaign; its folder, where several opened campaigns share a name."),
    Column(
        "objective",
        pa.string(),
        "Digest of the campaign's objective and oracles as they are now: scores compare where it is the same. From "
        "which round on an oracle has changed, where that was accepted, `status` says.",
    ),
    Column(
        "id",
        pa.string(),
        "`CAMPAIGN-CALL`, such as `quickstart-79`: the molecule's name in every table and file; without a call "
        "`CAMPAIGN-sN`, the N-th molecule of round 0.",
    ),
    Column("round", pa.int32(), "Number of the round; 0 holds the starting molecules."),
    Column("position", pa.int32(), "Place in the round, from 0, in the order of admission."),
    Column(
        "call",
        pa.int64(),
        "Oracle calls of the campaign up to and with this molecule: 1 for its first; null for a starting molecule "
        "whose values were given.",
    ),
    Column("smiles", pa.string(), "Standard form: what the oracles saw, and the molecule's identity."),
    Column("selfies", pa.string(), "What the model wrote, its own protonation kept; null where it cannot write it."),
    Column("inchikey", pa.string(), "InChIKey of the standard form; null where InChI cannot express it."),
    Column("scaffold", pa.string(), "Bemis-Murcko scaffold of the standard form; empty for a molecule without rings."),
    Column("proposer", pa.string(), "Part of the strategy that it came from; `start` and, with values, `measured`."),
    Column("parents", pa.list_(pa.string()), "Standard forms of the molecules it was made from."),
    Column("model_round", pa.int32(), "Round after whose learning the proposing model stood; 0 is the pretrained one."),
    Column(
        "chosen",
        pa.string(),
        "How it came into its batch: by the `acquisition`, or `uniform`, drawn from the better half of the free "
        "molecules; null where nothing ranked it, and in rounds from before there was this column.",
    ),
    Column(
        "predicted_mean",
        pa.float64(),
        "Score that the strategy expected before the molecule was paid for; null where it expected none, and in rounds "
        "from before there was this column.",
    ),
    Column(
        "predicted_sd",
        pa.float64(),
        "Standard deviation of that, rescaled by how far off the last 200 were; null where that is null.",
    ),
    Column("written", pa.string(), "The user's own string, for starting molecules."),
    Column("allowed", pa.bool_(), "False for a starting molecule that a filter refuses: no `top` shows it unasked."),
    Column("status", pa.string(), "Worst status among its oracles: timeout > failed > not_run > ok."),
    Column("score", pa.float64(), "The aggregated number that is maximised; null where the status is not ok."),
    Column(
        "pareto_rank",
        pa.int32(),
        "Under `aggregate: pareto`: 1 where no molecule of the campaign is as good in every desirability and better in "
        "one, 2 where only those are, and so on; null without a score, for what a filter refuses, and under other "
        "aggregates.",
    ),
    Column(
        "suggestion",
        pa.string(),
        "Of a molecule that was measured because `suggest` gave it: its id there, such as `M0001`; else null.",
    ),
)
"""View ``candidates``; two more columns a property follow (``property_columns``)."""

STORED = CANDIDATES[3:-2]
"""Those of ``CANDIDATES`` that a round's file holds; the first two are the campaign's, third and last two follow."""

RESULTS = ("status", "score")
"""Those of ``CANDIDATES`` that come of the oracles; with the properties' columns, what an amendment supersedes."""

ROUNDS = (
    Column("campaign", pa.string(), "As in `candidates`."),
    Column("objective", pa.string(), "As in `candidates`."),
    Column("round", pa.int32(), "Number of the round."),
    Column("kind", pa.string(), "`start`, `round`, or `amendment`, whose rows supersede earlier ones."),
    Column("rows", pa.int64(), "Rows that the round holds."),
    Column("calls", pa.int64(), "Oracle calls of the campaign up to and with this round."),
    Column("committed", pa.timestamp("us"), "When it was committed, UTC."),
    Column("digest", pa.string(), "Digest of the table up to and with this round: equal ones mean identical tables."),
)
"""View ``rounds``; one more column a metric follows."""

RUNS = (
    Column(
        "campaign",
        pa.string(),
        "Campaign that ran it: as in `candidates`; its id where it is not opened; empty for a check outside any.",
    ),
    Column("oracle", pa.string(), "Name of the oracle: a built-in's, that of your function, or `measured PROPERTY`."),
    Column("fingerprint", pa.string(), "Fingerprint of the oracle: its name, version, parameters and files."),
    Column("smiles", pa.string(), "Standard form of the molecule."),
    Column("output", pa.string(), "Name of the output; null for an oracle that gives one number."),
    Column("status", pa.string(), "ok, failed or timeout; null for a run without a result (cut off, or going on)."),
    Column("value", pa.float64(), "The number, in the oracle's own unit; null unless the status is ok."),
    Column("error", pa.string(), "Why there is no value."),
    Column("attempt", pa.int32(), "Number of the attempt."),
    Column("seconds", pa.float64(), "The oracle's own time; a chunk's time is shared equally."),
    Column("purpose", pa.string(), "`round`, or `check` for a run outside budget and table."),
)
"""View ``runs``, read from the ledgers of the opened campaigns."""

DETAILS = pa.schema(
    [
        pa.field("position", pa.int32(), nullable=False),
        pa.field("property", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("attempt", pa.int32(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
    ]
)
"""The file beside a round's rows: a row a molecule and property, what is not part of the table's identity."""

DESIRABILITY = "_desirability"

_NEVER_NULL = {"round", "kind", "position", "smiles", "proposer", "parents", "model_round", "allowed", "status"}


def property_columns(properties: Iterable[str]) -> list[Column]:
    """Two columns a property: its raw value and its desirability."""
    return [
        column
        for name in properties
        for column in (
            Column(name, pa.float64(), "Raw value, in the oracle's own unit; null where there is none."),
            Column(name + DESIRABILITY, pa.float64(), "The value transformed to 0..1; null where there is none."),
        )
    ]


def stored_schema(properties: Sequence[str], campaign: str) -> pa.Schema:
    """Schema of a round's Parquet file: the view's columns, ``kind`` instead of the campaign, whose id is metadata."""
    columns = [Column("kind", pa.string(), ""), *STORED, *property_columns(properties)]
    fields = [pa.field(column.name, column.type, nullable=column.name not in _NEVER_NULL) for column in columns]
    metadata = {"designloop.schema_version": str(SCHEMA_VERSION), "designloop.campaign": campaign}
    return pa.schema(fields, metadata=metadata)


def check_properties(names: Sequence[str]) -> None:
    """Refuses property names that cannot be columns beside the others; SQL does not tell upper from lower case.

    Raises:
        TableError: a name is empty, reserved, or given twice.
    """
    taken = {
        column.name: f"the column {column.name!r} of every table"
        for column in (*CANDIDATES, *(column for column in ROUNDS if column.name == "kind"))
    }
    for name in names:
        if not name:
            raise TableError("a property has an empty name. Give it one, as in `name: solubility`.")
        for column in (name, name + DESIRABILITY):
            if column.lower() in taken:
                raise TableError(
                    f"the property {name!r} makes a column {column!r}, which is that of {taken[column.lower()]}. "
                    "Give the property another name."
                )
        taken |= {column.lower(): f"the property {name!r}" for column in (name, name + DESIRABILITY)}


def check_metrics(names: Iterable[str]) -> None:
    """Refuses metric names that cannot be columns of the view ``rounds``.

    Raises:
        TableError: a name is empty, reserved, or given twice.
    """
    taken = {column.name for column in ROUNDS}
    for name in names:
        if not name or name.lower() in taken:
            raise TableError(
                f"a round's metric is called {name!r}, which the view rounds has taken. Rename it where it is made."
            )
        taken.add(name.lower())
