"""Scored molecules as Arrow rows, and the digest that makes two tables identical or not."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from designloop.molecules.chemistry import MoleculeError, inchikey, scaffold
from designloop.records import Round, Scored
from designloop.tables.errors import TableError
from designloop.tables.manifest import EMPTY_DIGEST
from designloop.tables.schema import DESIRABILITY, DETAILS, stored_schema

LOST_DETAILS = "what its oracles said, their attempts and timings are lost; the table's rows are whole without them"
"""Of a round whose file of details is damaged."""

_DIGESTED = ("round", "position", "smiles", "selfies", "proposer", "parents", "status")


_SINCE = {"chosen": None, "predicted_mean": None, "predicted_sd": None, "allowed": True}
"""Columns that a round's file lacks if it is old enough, in their order, and what their rows hold there."""


def rows_table(done: Round, properties: Sequence[str], campaign: str, calls: int) -> pa.Table:
    """Lay out the round's rows as they are stored.

    Args:
        properties: names of the objective's properties, in its order.
        campaign: the campaign's id.
        calls: oracle calls before this round; an amendment's rows are no calls, nor are those of the user's values.
    Raises:
        TableError: a row is no molecule.
    """
    candidates = [row.candidate for row in done.scored]
    smiles = [candidate.smiles for candidate in candidates]
    count = len(smiles)
    numbers = iter(range(calls + 1, calls + 1 + count))
    charged = [done.kind != "amendment" and row.is_charged for row in done.scored]
    try:
        keys = [inchikey(molecule) or None for molecule in smiles]
        scaffolds = [scaffold(molecule) for molecule in smiles]
    except MoleculeError as problem:
        raise TableError(f"round {done.number} holds what is no molecule: {problem}") from problem
    columns: dict[str, Any] = {
        "kind": [done.kind] * count,
        "round": [done.number] * count,
        "position": range(count),
        "call": [next(numbers) if is_charged else None for is_charged in charged],
        "smiles": smiles,
        "selfies": [candidate.selfies for candidate in candidates],
        "inchikey": keys,
        "scaffold": scaffolds,
        "proposer": [candidate.proposer for candidate in candidates],
        "parents": [list(candidate.parents) for candidate in candidates],
        "model_round": [candidate.model_round for candidate in candidates],
        "chosen": [candidate.chosen for candidate in candidates],
        "predicted_mean": [candidate.predicted_mean for candidate in candidates],
        "predicted_sd": [candidate.predicted_sd for candidate in candidates],
        "written": [candidate.written for candidate in candidates],
        "allowed": [candidate.allowed for candidate in candidates],
        "status": [row.status for row in done.scored],
        "score": [row.score for row in done.scored],
    }
    for name in properties:
        columns[name] = [row.evaluation.results[name].value for row in done.scored]
        columns[name + DESIRABILITY] = [row.desirability[name] for row in done.scored]
    return pa.table(columns, schema=stored_schema(properties, campaign))


def details_table(scored: Sequence[Scored], properties: Sequence[str]) -> pa.Table:
    """Lay out what each oracle run was like, a row a molecule and property; the table's digest leaves it out."""
    pairs = [
        (position, name, row.evaluation.results[name]) for position, row in enumerate(scored) for name in properties
    ]
    columns = {
        "position": [position for position, _, _ in pairs],
        "property": [name for _, name, _ in pairs],
        "status": [result.status for _, _, result in pairs],
        "error": [result.error for _, _, result in pairs],
        "attempt": [result.attempt for _, _, result in pairs],
        "seconds": [result.seconds for _, _, result in pairs],
    }
    return pa.table(columns, schema=DETAILS)


def to_parquet(table: pa.Table) -> bytes:
    """The table as the bytes of a Parquet file; the same table gives the same bytes."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def from_parquet(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table in the bytes of a Parquet file."""
    return pq.ParquetFile(pa.BufferReader(content)).read(columns=columns, use_threads=False)


def stored_rows(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """A round's rows as its file holds them, with the columns that there were not yet when it was written."""
    table = from_parquet(content, columns)
    order = columns if columns is not None else [field.name for field in stored_schema((), "")]
    for name, value in _SINCE.items():
        if name in order and name not in table.column_names:
            field = stored_schema((), "").field(name)
            place = min(order.index(name), table.num_columns)
            table = table.add_column(place, field, pa.repeat(pa.scalar(value, field.type), len(table)))
    return table


def digest(rows: pa.Table, properties: Iterable[str], before: str = EMPTY_DIGEST) -> str:
    """Digest of a table after a round, from the round's rows and the digest before it.

    Of each row count round, position, smiles, selfies, proposer, parents, status, each property's value and
    desirability, and the score; floats count bit by bit.
    """
    floats = [name for prop in properties for name in (prop, prop + DESIRABILITY)] + ["score"]
    plain = [rows.column(name).to_pylist() for name in _DIGESTED]
    exact = [
        [None if value is None else float.hex(value) for value in rows.column(name).to_pylist()] for name in floats
    ]
    total = hashlib.sha256(before.encode())
    for row in zip(*plain, *exact, strict=True):
        total.update(json.dumps(row).encode() + b"\n")
    return total.hexdigest()


def count_asked(scored: Sequence[Scored], properties: Iterable[str]) -> dict[str, int]:
    """Count the molecules that each property's oracle was asked about; what the user gave is no answer of its."""
    results = [row.evaluation.results for row in scored]
    return {
        name: sum(of_row[name].status != "not_run" and of_row[name].attempt > 0 for of_row in results)
        for name in properties
    }


def check_rows(done: Round, properties: Sequence[str]) -> None:
    """Refuses rows that break a rule on which every reader of the table relies: a defect of whoever made them.

    Raises:
        TableError: names the row, what was found and what was expected.
    """
    for position, row in enumerate(done.scored):
        _check_row(row, properties, f"round {done.number}, row {position} ({row.smiles})")


def _check_row(row: Scored, properties: Sequence[str], where: str) -> None:
    results, desirability = row.evaluation.results, row.desirability
    if set(results) != set(properties) or set(desirability) != set(properties):
        raise TableError(
            f"{where}: found results for {sorted(results)} and desirabilities for {sorted(desirability)}, expected "
            f"both for {sorted(properties)}. Give a result (status not_run where there is none) for each property."
        )
    if (row.status == "ok") != (row.score is not None):
        raise TableError(
            f"{where}: found status {row.status} with score {row.score}. A score goes with status ok, and only with it."
        )
    for name, result in results.items():
        if (result.status == "ok") != (result.value is not None):
            raise TableError(
                f"{where}, property {name}: found status {result.status} with value {result.value}. "
                "A value goes with status ok, and only with it."
            )
    predicted = (row.candidate.predicted_mean, row.candidate.predicted_sd)
    if any(number is not None and not math.isfinite(number) for number in predicted):
        raise TableError(
            f"{where}: found the predicted score {predicted[0]} ± {predicted[1]}, expected finite numbers. A strategy "
            "foresees nothing of a molecule that it can say nothing of."
        )
    for number in (row.score, *desirability.values(), *(result.value for result in results.values())):
        if number is not None and not math.isfinite(number):
            raise TableError(
                f"{where}: found the number {number}, expected a finite one. A NaN or infinity is status failed."
            )
