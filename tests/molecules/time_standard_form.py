"""Prints what the standard form costs beside reading and writing the molecule, in a process that has done nothing else.

python tests/molecules/time_standard_form.py
"""

from __future__ import annotations

from time import thread_time

from rdkit import Chem

from designloop.molecules.corpus import zinc
from designloop.molecules.parsing import canonical, parse
from designloop.molecules.standardize import identity, standard_form, without_stereo

TURNS = 5
"""The fastest of each counts: what else runs here slows some down."""


def main() -> None:
    """Print the ratio."""
    smiles = zinc()[:300]
    standard_form("CC[NH3+].[Cl-]")  # its tables are made at the first use
    reading, standard = [], []
    for _ in range(TURNS):
        began = thread_time()
        for molecule in smiles:
            Chem.MolToSmiles(Chem.MolFromSmiles(molecule))
        between = thread_time()
        for cached in (parse, canonical, standard_form, without_stereo):
            cached.cache_clear()
        for molecule in smiles:
            identity(standard_form(molecule))
        reading.append(between - began)
        standard.append(thread_time() - between)
    print(min(standard) / min(reading))  # noqa: T201


if __name__ == "__main__":
    main()
