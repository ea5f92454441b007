"""SMILES in, RDKit molecules out: the one door, cached and quiet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from rdkit import Chem, rdBase

from designloop.molecules.errors import MoleculeError

MOLECULE_CACHE_SIZE = 5_000
"""Molecules kept in memory: an RDKit molecule of ZINC's size takes about 31 KB, so 150 MB when full."""

TEXT_CACHE_SIZE = 100_000
"""Texts kept by each cache of SMILES in, text out: about 30 MB when full."""


@lru_cache(MOLECULE_CACHE_SIZE)
def parse(smiles: str) -> Chem.Mol | None:
    """The sanitised molecule, or None where the SMILES is empty or invalid.

    Cached: callers share the object and must not modify it. White space within the text is refused, as what follows
    a blank in a SMILES line is a name, not the molecule.
    """
    text = smiles.strip()
    if not text or len(text.split()) > 1:
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text)


_HYDROGEN = re.compile(r"\[\d*H")
"""A hydrogen that is written as an atom, which is one of the molecule's until RDKit removes it."""

_AS_WRITTEN = Chem.SmilesParserParams()
_AS_WRITTEN.sanitize = _AS_WRITTEN.removeHs = False

_FLAT = (
    Chem.SanitizeFlags.SANITIZE_ALL
    ^ Chem.SanitizeFlags.SANITIZE_CLEANUPCHIRALITY
    ^ Chem.SanitizeFlags.SANITIZE_CLEANUPATROPISOMERS
)


def parse_flat(smiles: str) -> Chem.Mol | None:
    """The molecule that ``parse`` gives, but that its stereo is not perceived; not cached, and a fifth faster.

    For values that see no stereo, of molecules that are asked for once. What marks of stereo are left mean nothing.
    """
    text = smiles.strip()
    if not text or len(text.split()) > 1:
        return None
    with rdBase.BlockLogs():
        if _HYDROGEN.search(text):
            return Chem.MolFromSmiles(text)
        mol = Chem.MolFromSmiles(text, _AS_WRITTEN)
        if mol is None or Chem.SanitizeMol(mol, _FLAT, catchErrors=True) != Chem.SanitizeFlags.SANITIZE_NONE:
            return None
    return mol


def parse_all(smiles: Sequence[str]) -> list[Chem.Mol | None]:
    """One molecule for each SMILES, in the same order; None where one is invalid."""
    return [parse(text) for text in smiles]


def require(smiles: str) -> Chem.Mol:
    """The sanitised molecule.

    Raises:
        MoleculeError: when the SMILES is empty or invalid.
    """
    molecule = parse(smiles)
    if molecule is None:
        raise MoleculeError(
            f"found {smiles!r}, expected a valid SMILES such as 'CC(=O)Nc1ccc(O)cc1'; "
            "check brackets, ring closures and valences, or leave the molecule out"
        )
    return molecule


@lru_cache(TEXT_CACHE_SIZE)
def canonical(smiles: str) -> str | None:
    """RDKit's canonical isomeric SMILES, or None where the SMILES is empty or invalid."""
    molecule = parse(smiles)
    return None if molecule is None else Chem.MolToSmiles(molecule)
