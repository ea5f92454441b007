"""The best molecules as files that other programs read: CSV, SMILES, SDF."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from rdkit import Chem, rdBase
from rdkit.Chem import rdDepictor

from designloop.molecules.chemistry import require
from designloop.report.top import TopMolecule
from designloop.tables.file_columns import BEST_FILE, name_beside
from designloop.tables.schema import DESIRABILITY


def write_csv(molecules: Sequence[TopMolecule], path: Path) -> None:
    """Writes a row a molecule, best first; floats in full, nothing where there is nothing."""
    fixed = [column.name for column in BEST_FILE]
    names = _property_names(molecules)
    after = fixed.index("score") + 1
    columns = [
        *fixed[:after],
        *(column for name in names.values() for column in (name, name + DESIRABILITY)),
        *fixed[after:],
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_fields(molecule, names) for molecule in molecules)


def write_smi(molecules: Sequence[TopMolecule], path: Path) -> None:
    """Writes a line a molecule, best first: SMILES, tab, name."""
    lines = [f"{molecule.smiles}\t{molecule.id}\n" for molecule in molecules]
    path.write_text("".join(lines), encoding="utf-8")


def write_sdf(molecules: Sequence[TopMolecule], path: Path) -> None:
    """Writes a record a molecule, best first, with 2D coordinates and all numbers as data fields."""
    buffer, names = io.StringIO(), _property_names(molecules)
    with rdBase.BlockLogs(), Chem.SDWriter(buffer) as writer:
        for molecule in molecules:
            drawn = Chem.Mol(require(molecule.smiles))  # the parsed one is shared
            rdDepictor.Compute2DCoords(drawn)
            drawn.SetProp("_Name", molecule.id)
            for name, value in _fields(molecule, names).items():
                if value is not None:
                    drawn.SetProp(name, str(value))
            writer.write(drawn)
    path.write_text(buffer.getvalue(), encoding="utf-8")


def _property_names(molecules: Sequence[TopMolecule]) -> Mapping[str, str]:
    """Property -> its column, for the properties of any of the molecules."""
    properties = dict.fromkeys(name for molecule in molecules for name in molecule.properties)
    return name_beside(properties, (column.name for column in BEST_FILE))


def _fields(molecule: TopMolecule, names: Mapping[str, str]) -> dict[str, object]:
    """Column -> value of all that is known of a molecule; ``names`` has the columns of its properties."""
    fixed: dict[str, object] = {
        "smiles": molecule.smiles,
        "id": molecule.id,
        "suggestion": molecule.suggestion,
        "rank": molecule.rank,
        "score": molecule.score,
        "pareto_rank": molecule.pareto_rank,
        "campaign": molecule.campaign,
        "call": molecule.call,
        "proposer": molecule.proposer,
        "inchikey": molecule.inchikey,
        "scaffold": molecule.scaffold,
        "hides": molecule.hides,
    }
    for prefix, near in (("nearest_start", molecule.start), ("nearest_known", molecule.known)):
        fixed[prefix] = near.smiles if near else None
        fixed[f"{prefix}_similarity"] = near.similarity if near else None
    for name, property_score in molecule.properties.items():
        fixed[names[name]] = property_score.value
        fixed[names[name] + DESIRABILITY] = property_score.desirability
    return fixed
