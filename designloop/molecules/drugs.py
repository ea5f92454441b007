"""The approved small-molecule drugs, as ChEMBL has them."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from designloop.molecules.chemistry import require, standard_forms, without_stereo

LIST = Path(__file__).parent / "data" / "approved_drugs.csv.xz"


@dataclass(frozen=True, slots=True)
class Drug:
    """An approved drug as the list has it."""

    identifier: str
    name: str
    smiles: str


def approved_drugs() -> list[Drug]:
    """Reads the whole list, in its order."""
    lines = lzma.decompress(LIST.read_bytes()).decode().splitlines()[1:]
    return [Drug(*line.split(",", 2)) for line in lines]


@cache
def organic_drugs() -> dict[str, str]:
    """Standard form -> name of every drug with carbon, in the list's order, salts and stereoisomers of one once."""
    drugs = approved_drugs()
    named: dict[str, tuple[str, str]] = {}
    for drug, form in zip(drugs, standard_forms([drug.smiles for drug in drugs]), strict=True):
        if form is not None and any(atom.GetAtomicNum() == 6 for atom in require(form).GetAtoms()):
            named.setdefault(without_stereo(form), (form, drug.name))
    return dict(named.values())
