"""Standard form: what oracles see and what identity means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import CACHE_SIZE, require

Mode = Literal["parent", "uncharge", "none"]
Stereo = Literal["ignore", "keep"]


def _plain(text: str) -> bool:
    return not re.search(r"[.:]|[+-]\d*\]|\[\d", text.replace("[N+](=O)[O-]", ""))


@lru_cache(CACHE_SIZE)
def standard_form(smiles: str, mode: Mode = "parent") -> str:
    """The molecule's standard SMILES."""
    molecule = require(smiles)
    text = Chem.MolToSmiles(molecule)
    for _ in range(8):
        before = text
        if mode != "none" and not _plain(text):
            with rdBase.BlockLogs():
                if mode == "parent":
                    molecule = Chem.Mol(molecule)
                    for atom in molecule.GetAtoms():
                        atom.SetIsotope(0)
                        atom.SetAtomMapNum(0)
                    molecule = rdMolStandardize.Cleanup(molecule)
                    molecule = rdMolStandardize.LargestFragmentChooser(preferOrganic=True).choose(molecule)
                molecule = rdMolStandardize.Uncharger().uncharge(molecule)
        molecule = Chem.MolFromSmiles(Chem.MolToSmiles(molecule))
        text = Chem.MolToSmiles(molecule)
        if text == before:
            break
    return text


def standard_forms(smiles: Sequence[str], mode: Mode = "parent") -> list[str | None]:
    """One standard form for each SMILES, in the same order; None where it fails."""
    forms: list[str | None] = []
    for one in smiles:
        try:
            forms.append(standard_form(one, mode))
        except MoleculeError:
            forms.append(None)
    return forms


@lru_cache(CACHE_SIZE)
def without_stereo(smiles: str) -> str:
    """Canonical SMILES without stereo."""
    return Chem.MolToSmiles(require(smiles), isomericSmiles=False)


def identity(smiles: str, stereo: Stereo = "ignore") -> str:
    """What makes a standard form new: itself under ``keep``, itself without stereo under ``ignore``."""
    return smiles if stereo == "keep" else without_stereo(smiles)
