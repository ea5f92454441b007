"""A laboratory to try things with: it measures the potency of molecules, with the noise that an assay has.

    python campaigns/simulated_assay.py todo.csv results.csv

reads what `designloop suggest … --csv todo.csv` wrote and fills in the column `potency`. Replace it with your own
laboratory, a spreadsheet and a week's patience.
"""

from __future__ import annotations

import csv
import sys
from functools import cache
from hashlib import sha256
from math import tanh
from pathlib import Path

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

LIGAND = "COc1cc2ncnc(Nc3ccc(F)c(Cl)c3)c2cc1OCCCN1CCOCC1"
"""Gefitinib, whose pharmacophore the target recognises."""

NOISE = 0.3
"""Standard deviation of a measurement, in log10 units."""


def true_potency(smiles: str) -> float:
    """pIC50, from 4 to 9: the more of the ligand's pharmacophore a molecule has, and the less else, the higher."""
    return 4 + 5 * tanh(2 * DataStructs.TanimotoSimilarity(_pharmacophore(smiles), _pharmacophore(LIGAND)))


def measure(smiles: str, seed: int = 0, replicate: int = 0) -> float:
    """A measurement of the potency; the same seed, molecule and replicate always give the same one."""
    digest = sha256(f"{seed} {replicate} {smiles}".encode()).digest()
    return true_potency(smiles) + NOISE * np.random.default_rng(list(digest)).standard_normal()


@cache
def _pharmacophore(smiles: str) -> DataStructs.SparseBitVect:
    """Pairs and triples of features with the bonds between them (Gobbi & Poppinger 1998)."""
    return Generate.Gen2DFingerprint(Chem.MolFromSmiles(smiles), Gobbi_Pharm2D.factory)


def main(todo: Path, results: Path) -> None:
    """Fills in the potency of all molecules of a file."""
    with todo.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with results.open("x", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"potency": f"{measure(row['smiles']):.2f}"} for row in rows)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
