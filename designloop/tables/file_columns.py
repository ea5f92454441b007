"""The columns of the files that are written for other programs: of ``top``, and of ``score``.

A property, or a column of the user's own, may be called as one of them. The fixed columns keep their names, so that a
script finds them in every file, and the other one gets a number: ``rank_2``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from designloop.tables.schema import DESIRABILITY, Column

BEST_FILE = (
    Column("smiles", pa.string(), "Standard form; in an SDF also the structure itself, drawn flat."),
    Column("id", pa.string(), "As in `candidates`."),
    Column("suggestion", pa.string(), "As in `candidates`: the id that `suggest` gave it."),
    Column("rank", pa.int64(), "Place among the molecules written, from 1."),
    Column("score", pa.float64(), "The aggregated number that is maximised."),
    Column("pareto_rank", pa.int64(), "As in `candidates`: 1 on the front; empty where one score is maximised."),
    Column("campaign", pa.string(), "As in `candidates`."),
    Column("call", pa.int64(), "As in `candidates`."),
    Column("proposer", pa.string(), "As in `candidates`."),
    Column("inchikey", pa.string(), "As in `candidates`."),
    Column("scaffold", pa.string(), "As in `candidates`."),
    Column("hides", pa.int64(), "Molecules of lower score that it stands for: stereoisomers, near-duplicates."),
    Column("nearest_start", pa.string(), "The most similar starting molecule."),
    Column("nearest_start_similarity", pa.float64(), "ECFP4 Tanimoto similarity to it."),
    Column("nearest_known", pa.string(), "The most similar molecule of ZINC 250k."),
    Column("nearest_known_similarity", pa.float64(), "ECFP4 Tanimoto similarity to it."),
)
"""Of a CSV or SDF file of the best molecules; two more columns a property follow."""

SCORED_FILE = (
    Column("smiles", pa.string(), "Standard form: what the oracles saw."),
    Column("written", pa.string(), "The molecule as the user wrote it."),
    Column("name", pa.string(), "What the user calls it."),
    Column("line", pa.int64(), "Its line in the user's file, or its place on the command line, from 1."),
    Column("score", pa.float64(), "The aggregated number that is maximised; empty where an oracle failed."),
    Column("refused", pa.string(), "The filters that would refuse it, each with what it found; empty where none does."),
    Column("error", pa.string(), "Which oracles failed, and why."),
)
"""Of the CSV file of ``score``; two more columns a property and the user's own columns follow."""


def name_beside(names: Iterable[str], taken: Iterable[str]) -> Mapping[str, str]:
    """Name -> what it is called in a file beside columns that are taken: itself, or itself with a number.

    Upper and lower case are one, as to SQL. A name is given only where the column of its desirabilities is free, too.
    """
    names = list(names)
    occupied = {name.lower() for name in taken}
    chosen: dict[str, str] = {}
    # Those that may keep their names come first: none of them gives way to one that has to be renamed.
    for name in sorted(names, key=lambda name: not _are_free(name, occupied)):
        number, candidate = 1, name
        while not _are_free(candidate, occupied):
            number += 1
            candidate = f"{name}_{number}"
        occupied |= {candidate.lower(), (candidate + DESIRABILITY).lower()}
        chosen[name] = candidate
    return {name: chosen[name] for name in names}


def _are_free(name: str, occupied: set[str]) -> bool:
    return not {name.lower(), (name + DESIRABILITY).lower()} & occupied
