"""Radicals: molecules with unpaired electrons, which no chemist makes and no oracle means."""

from __future__ import annotations

from functools import cache, lru_cache

from rdkit import Chem
from rdkit.Chem import rdqueries

from designloop.molecules.parsing import parse


@lru_cache(10_000)
def has_radical(smiles: str) -> bool:
    """Whether an atom has an unpaired electron; False of what cannot be read.

    Atoms out of brackets have hydrogens as their valence asks, and so has a pyrrole's: most molecules need not be read.
    """
    if "[" not in smiles.replace("[nH]", ""):
        return False
    molecule = parse(smiles)
    return molecule is not None and bool(molecule.GetAtomsMatchingQuery(radical_atom()))


@cache
def radical_atom() -> Chem.QueryAtom:
    """RDKit's query for atoms with unpaired electrons."""
    return rdqueries.NumRadicalElectronsGreaterQueryAtom(0)
