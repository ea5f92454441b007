"""The best molecules: their scores broken down by property, and what they are close to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from designloop.molecules.chemistry import fingerprints, tanimoto
from designloop.records import MEASURED, START
from designloop.tables.best import best
from designloop.tables.query import Candidates, refuse_mixed
from designloop.tables.schema import DESIRABILITY
from designloop.tables.views import pareto_ranks_of


def top_molecules(
    candidates: Candidates | pa.Table,
    n: int = 10,
    *,
    diverse: bool = False,
    with_refused: bool = False,
    goals: Sequence[str] = (),
    front_only: bool = False,
    nearest_known: Callable[[Sequence[str]], Sequence[SimilarMolecule]] | None = None,
    units: Mapping[str, str] = {},
) -> list[TopMolecule]:
    """Pick the molecules with the highest scores, best first, one a stereo-free parent.

    Where properties are traded off, those of the front come first, then what only these are better than, and so on.

    Args:
        candidates: what was found, or its view ``candidates``.
        n: how many at most.
        diverse: leave out near-duplicates of better ones, too (``designloop.tables.best``).
        with_refused: also starting molecules that a filter refuses, which are on no front.
        goals: properties that are traded off; of ``Candidates`` they are known.
        front_only: only molecules than which none is better in all of these.
        nearest_known: gives the nearest known molecule of each, such as ``molecules.neighbours.nearest_zinc``.
        units: property -> its oracle's unit, of those that have one.
    Raises:
        QueryError: they are of campaigns with different objectives, so their scores do not compare.
    """
    table = candidates.to_arrow() if isinstance(candidates, Candidates) else candidates
    refuse_mixed(table)
    goals = candidates.goals if isinstance(candidates, Candidates) else goals
    starting = table.filter(pc.is_in(table["proposer"], pa.array([START, MEASURED])))["smiles"].to_pylist()
    table = table if with_refused else table.filter(table["allowed"])
    ranks = pareto_ranks_of(table, goals)
    if front_only:
        on_front = pc.fill_null(pc.equal(ranks, 1), False)
        table, ranks = table.filter(on_front), ranks.filter(on_front)
    smiles = table["smiles"].to_pylist()
    best_rows = best(smiles, table["score"].to_pylist(), n, diverse, ranks.to_pylist())
    rows = table.take(pa.array([best_row.row for best_row in best_rows], pa.int64())).to_pylist()
    properties = [name.removesuffix(DESIRABILITY) for name in table.column_names if name.endswith(DESIRABILITY)]
    chosen = [row["smiles"] for row in rows]
    starts = nearest_start(chosen, list(dict.fromkeys(starting)))
    known: Sequence[SimilarMolecule | None] = (
        nearest_known(chosen) if nearest_known and chosen else [None] * len(chosen)
    )
    return [
        TopMolecule(
            rank=rank,
            smiles=row["smiles"],
            score=row["score"],
            properties={
                name: PropertyScore(row[name], row[name + DESIRABILITY], units.get(name, ""))
                for name in properties
                if row[name] is not None and row[name + DESIRABILITY] is not None
            },
            campaign=row["campaign"],
            call=row["call"],
            id=row["id"],
            proposer=row["proposer"],
            inchikey=row["inchikey"],
            scaffold=row["scaffold"],
            hides=best_row.hides,
            start=start,
            known=near,
            allowed=row["allowed"],
            pareto_rank=row["pareto_rank"],
            suggestion=row.get("suggestion") if "suggestion" not in properties else None,
        )
        for rank, (row, best_row, start, near) in enumerate(zip(rows, best_rows, starts, known, strict=True), 1)
    ]


def nearest_start(smiles: Sequence[str], starting: Sequence[str]) -> list[StartingMolecule | None]:
    """The most similar of the starting molecules to each; None where there are none."""
    if not starting:
        return [None] * len(smiles)
    similarity = tanimoto(fingerprints(smiles), fingerprints(starting))
    return [StartingMolecule(starting[row.argmax()], float(row.max())) for row in similarity]


class SimilarMolecule(Protocol):
    """A molecule that another one is close to."""

    @property
    def smiles(self) -> str: ...
    @property
    def similarity(self) -> float:
        """ECFP4 Tanimoto similarity, 0..1."""
        ...


@dataclass(frozen=True, slots=True)
class StartingMolecule:
    """A neighbour among the starting molecules."""

    smiles: str
    similarity: float


@dataclass(frozen=True, slots=True)
class PropertyScore:
    """What one property adds to a molecule's score."""

    value: float
    """In the oracle's own unit."""
    desirability: float
    """0..1."""
    unit: str = ""
    """The oracle's; empty where it has none, or where it is not known."""

    def __str__(self) -> str:
        """The value with its unit, and what it comes to."""
        return f"{self.value:.4g}{' ' if self.unit else ''}{self.unit} \N{RIGHTWARDS ARROW} {self.desirability:.2f}"


@dataclass(frozen=True, slots=True)
class TopMolecule:
    """One of the best molecules."""

    rank: int
    """From 1."""
    smiles: str
    score: float
    properties: Mapping[str, PropertyScore]
    campaign: str
    id: str
    """Its name in every table, picture and file, without blanks."""
    call: int | None
    """Oracle calls spent when it was found; None for a starting molecule whose values were given."""
    proposer: str
    inchikey: str | None
    scaffold: str
    hides: int
    """Stereoisomers and, where these were collapsed, near-duplicates of lower score that it stands for."""
    start: SimilarMolecule | None = None
    """The most similar starting molecule; None where there are none."""
    known: SimilarMolecule | None = None
    """The most similar known molecule, where it was asked for."""
    allowed: bool = True
    """False for a starting molecule that a filter refuses."""
    pareto_rank: int | None = None
    """Among the molecules of its campaign; None where one score is maximised."""
    suggestion: str | None = None
    """Its id among what was suggested to be measured; None where it was not."""
