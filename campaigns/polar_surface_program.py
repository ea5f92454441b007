"""A stand-in for a command-line program: ``polar_surface_program.py INPUT.smi OUTPUT.csv``; put your own there."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import rdMolDescriptors


def main(molecules: Path, output: Path) -> None:
    """Writes name and polar surface area of each molecule, as a docking program writes name and score."""
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "tpsa"])
        for line in molecules.read_text(encoding="utf-8").splitlines():
            smiles, name = line.split()
            writer.writerow([name, rdMolDescriptors.CalcTPSA(Chem.MolFromSmiles(smiles))])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
