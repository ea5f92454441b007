"""Numbers and names read off one molecule: descriptors, scaffold, InChIKey."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType, ModuleType

from rdkit import Chem, RDConfig, rdBase
from rdkit.Chem import QED, Descriptors, GetFormalCharge, Mol, MolToInchiKey, MolToSmiles, rdMolDescriptors
from rdkit.Chem.Scaffolds import MurckoScaffold

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import TEXT_CACHE_SIZE, require
from designloop.words import did_you_mean

_RDKIT: Mapping[str, Callable[[Mol], float]] = dict(Descriptors.descList)
"""All of RDKit's descriptors under its own names."""


@cache
def _sascorer() -> ModuleType:
    """RDKit's contributed SA scorer, which lies in the wheel outside its package."""
    path = Path(RDConfig.RDContribDir) / "SA_Score" / "sascorer.py"
    spec = importlib.util.spec_from_file_location("designloop._sascorer", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise MoleculeError(f"RDKit's SA scorer is not at {path}; install RDKit from its wheel (pip install rdkit)")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sa_score(mol: Mol) -> float:
    """Synthetic accessibility, from 1 (easy) to 10 (hard).

    Source: Ertl & Schuffenhauer 2009, J. Cheminform. 1:8, in RDKit's contributed implementation.
    """
    if not mol.GetNumAtoms():
        raise MoleculeError("found a molecule without atoms, expected at least one; leave it out")
    return float(_sascorer().calculateScore(Chem.Mol(mol)))  # a copy: the scorer marks atoms as it counts centres


def esol(mol: Mol) -> float:
    """Aqueous solubility, log10 of mol/L.

    0.16 - 0.63 logP - 0.0062 MW + 0.066 rotatable bonds - 0.74 aromatic proportion (aromatic share of the heavy
    atoms), with Crippen's logP in place of Daylight's clogP.

    Source: Delaney 2004, J. Chem. Inf. Comput. Sci. 44, 1000.
    """
    heavy = mol.GetNumHeavyAtoms()
    aromatic = len(mol.GetAromaticAtoms())
    return float(
        0.16
        - 0.63 * _RDKIT["MolLogP"](mol)
        - 0.0062 * _RDKIT["MolWt"](mol)
        + 0.066 * rdMolDescriptors.CalcNumRotatableBonds(mol)
        - 0.74 * (aromatic / heavy if heavy else 0.0)
    )


def _largest_ring(mol: Mol) -> float:
    return max(map(len, mol.GetRingInfo().AtomRings()), default=0)


def _stereo(mol: Mol) -> list[Chem.StereoInfo]:
    """All that can be stereogenic in the molecule, marked or not."""
    return list(Chem.FindPotentialStereo(Chem.Mol(mol), cleanIt=False))


def _stereo_centers(mol: Mol) -> float:
    return float(sum(center.type == Chem.StereoType.Atom_Tetrahedral for center in _stereo(mol)))


def _undefined_stereo(mol: Mol) -> float:
    return float(sum(center.specified == Chem.StereoSpecified.Unspecified for center in _stereo(mol)))


_SHORT: Mapping[str, Callable[[Mol], float]] = {
    "molecular_weight": _RDKIT["MolWt"],
    "logp": _RDKIT["MolLogP"],
    "tpsa": rdMolDescriptors.CalcTPSA,
    "qed": QED.qed,
    "hbd": rdMolDescriptors.CalcNumHBD,
    "hba": rdMolDescriptors.CalcNumHBA,
    "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds,
    "rings": rdMolDescriptors.CalcNumRings,
    "aromatic_rings": rdMolDescriptors.CalcNumAromaticRings,
    "heavy_atoms": Mol.GetNumHeavyAtoms,
    "formal_charge": GetFormalCharge,
    "fraction_csp3": rdMolDescriptors.CalcFractionCSP3,
    "sa_score": sa_score,
    "esol": esol,
    "largest_ring": _largest_ring,
    "stereo_centers": _stereo_centers,
    "undefined_stereo": _undefined_stereo,
}

DESCRIPTORS: Mapping[str, Callable[[Mol], float]] = MappingProxyType({**_SHORT, **_RDKIT})
"""Name -> function of a molecule: our short names, then all of RDKit's under RDKit's own."""


def descriptor(name: str) -> Callable[[Mol], float]:
    """The function that computes a descriptor.

    Raises:
        MoleculeError: when there is none of that name; the message gives the nearest.
    """
    if name not in DESCRIPTORS:
        hint = did_you_mean(name, DESCRIPTORS) or f"take one of {', '.join(_SHORT)}, or RDKit's own name."
        raise MoleculeError(f"found descriptor {name!r}, expected one of {len(DESCRIPTORS)} known names; {hint}")
    return DESCRIPTORS[name]


@lru_cache(TEXT_CACHE_SIZE)
def scaffold(smiles: str) -> str:
    """Canonical SMILES of the Bemis-Murcko scaffold, without stereo; empty for a molecule without rings.

    Raises:
        MoleculeError: when the SMILES is invalid.
    """
    with rdBase.BlockLogs():
        text: str = MolToSmiles(MurckoScaffold.GetScaffoldForMol(require(smiles)), isomericSmiles=False)
    return text


@lru_cache(TEXT_CACHE_SIZE)
def framework(smiles: str) -> str:
    """The scaffold with all atoms taken for carbon and all bonds for single; empty for a molecule without rings.

    Raises:
        MoleculeError: when the SMILES is invalid.
    """
    core = scaffold(smiles)
    if not core:
        return ""
    with rdBase.BlockLogs():
        # What hung on a ring by a double bond is no part of it once the bond is single.
        bare = MurckoScaffold.GetScaffoldForMol(MurckoScaffold.MakeScaffoldGeneric(require(core)))
        text: str = MolToSmiles(bare, isomericSmiles=False)
    return text


@lru_cache(TEXT_CACHE_SIZE)
def inchikey(smiles: str) -> str:
    """The 27 characters of the standard InChIKey; empty where InChI has none for the molecule.

    Raises:
        MoleculeError: when the SMILES is invalid.
    """
    with rdBase.BlockLogs():
        return str(MolToInchiKey(require(smiles)))
