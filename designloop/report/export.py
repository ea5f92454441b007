"""The best molecules as files that other programs read: CSV, SMILES, SDF."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor

from designloop.molecules.chemistry import require
from designloop.report.top import TopMolecule
from designloop.tables.schema import DESIRABILITY


def write_csv(molecules: Sequence[TopMolecule], path: Path) -> None:
    """Writes a row a molecule, best first; floats in full, nothing where there is nothing."""
    columns = list(dict.fromkeys(name for molecule in molecules for name, _ in _fields(molecule)))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["smiles", *columns], lineterminator="\n")
        writer.writeheader()
        for molecule in molecules:
            writer.writerow({"smiles": molecule.smiles, **dict(_fields(molecule))})


def write_smi(molecules: Sequence[TopMolecule], path: Path) -> None:
    """Writes a line a molecule, best first: SMILES, tab, name."""
    lines = [f"{molecule.smiles}\t{_name(molecule)}\n" for molecule in molecules]
    path.write_text("".join(lines), encoding="utf-8")


def write_sdf(molecules: Sequence[TopMolecule], path: Path) -> None:
    """Writes a record a molecule, best first, with 2D coordinates and all numbers as data fields."""
    buffer = io.StringIO()
    with rdBase.BlockLogs(), Chem.SDWriter(buffer) as writer:
        for molecule in molecules:
            drawn = Chem.Mol(require(molecule.smiles))  # the parsed one is shared
            rdDepictor.Compute2DCoords(drawn)
            drawn.SetProp("_Name", _name(molecule))
            drawn.SetProp("smiles", molecule.smiles)
            for name, value in _fields(molecule):
                if value is not None:
                    drawn.SetProp(name, str(value))
            writer.write(drawn)
    path.write_text(buffer.getvalue(), encoding="utf-8")


def _name(molecule: TopMolecule) -> str:
    """A name without blanks: the campaign and the molecule's call, by which it is found in the table again."""
    return f"{molecule.campaign}-{molecule.call}".replace(" ", "_")


def _fields(molecule: TopMolecule) -> Iterator[tuple[str, object]]:
    """(name, value) of all that is known of a molecule but its SMILES."""
    yield "rank", molecule.rank
    yield "score", molecule.score
    for name, property_score in molecule.properties.items():
        yield name, property_score.value
        yield name + DESIRABILITY, property_score.desirability
    yield "campaign", molecule.campaign
    yield "call", molecule.call
    yield "proposer", molecule.proposer
    yield "inchikey", molecule.inchikey
    yield "scaffold", molecule.scaffold
    yield "hides", molecule.hides
    for prefix, near in (("nearest_start", molecule.start), ("nearest_known", molecule.known)):
        yield prefix, near.smiles if near else None
        yield f"{prefix}_similarity", near.similarity if near else None
