"""Numbers and names read off one molecule: descriptors, scaffold, InChIKey."""

from __future__ import annotations

import importlib.util
import inspect
import re
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

    Raises:
        MoleculeError: the molecule has no atoms, or RDKit came without its scorer.
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


_SHORT: Mapping[str, tuple[Callable[[Mol], float], str, str]] = {
    "molecular_weight": (_RDKIT["MolWt"], "Average molecular weight, in g/mol.", "[200, 500]"),
    "logp": (_RDKIT["MolLogP"], "Crippen's logP: log10 of the partition between octanol and water.", "[1, 4]"),
    "tpsa": (rdMolDescriptors.CalcTPSA, "Topological polar surface area, in Å².", "[40, 120]"),
    "qed": (QED.qed, "Quantitative estimate of drug-likeness, from 0 to 1 (drug-like).", "[0.5, null]"),
    "hbd": (rdMolDescriptors.CalcNumHBD, "Number of hydrogen-bond donors.", "[null, 3]"),
    "hba": (rdMolDescriptors.CalcNumHBA, "Number of hydrogen-bond acceptors.", "[null, 8]"),
    "rotatable_bonds": (
        rdMolDescriptors.CalcNumRotatableBonds,
        "Number of rotatable bonds; those of amides and esters do not count.",
        "[null, 7]",
    ),
    "rings": (rdMolDescriptors.CalcNumRings, "Number of rings.", "[1, 4]"),
    "aromatic_rings": (rdMolDescriptors.CalcNumAromaticRings, "Number of aromatic rings.", "[null, 3]"),
    "heavy_atoms": (Mol.GetNumHeavyAtoms, "Number of atoms that are no hydrogen.", "[15, 35]"),
    "formal_charge": (GetFormalCharge, "Sum of the atoms' formal charges.", "[0, 0]"),
    "fraction_csp3": (
        rdMolDescriptors.CalcFractionCSP3,
        "Share of the carbon atoms that are sp3, from 0 to 1.",
        "[0.3, null]",
    ),
    "sa_score": (sa_score, "Synthetic accessibility, from 1 (easy) to 10 (hard).", "[null, 4]"),
    "esol": (esol, "Aqueous solubility by Delaney's formula, log10 of mol/L.", "[-5, null]"),
    "largest_ring": (_largest_ring, "Atoms of the largest ring; 0 without rings.", "[null, 7]"),
    "stereo_centers": (_stereo_centers, "Number of tetrahedral stereocentres, marked or not.", "[null, 2]"),
    "undefined_stereo": (
        _undefined_stereo,
        "Number of stereocentres and double bonds whose stereo is left open.",
        "[null, 1]",
    ),
}
"""Our names -> function, what it gives, and a range such as filters take."""

DESCRIPTORS: Mapping[str, Callable[[Mol], float]] = MappingProxyType(
    {**{name: function for name, (function, _, _) in _SHORT.items()}, **_RDKIT}
)
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


def descriptor_range(name: str) -> str:
    """An example of a range that a filter asks of a descriptor, as a campaign file writes it."""
    if name in _SHORT:
        return _SHORT[name][2]
    # RDKit's counts of fragments begin with fr_; of the others nothing is known here.
    return "[null, 1]" if name.startswith("fr_") else "[LOWEST, HIGHEST]"


def descriptor_meaning(name: str) -> str:
    """Says what a descriptor is, for RDKit's own in RDKit's words; empty where RDKit has none."""
    if name in _SHORT:
        return _SHORT[name][1]
    said = (inspect.getdoc(DESCRIPTORS[name]) or "").partition("C++ signature")[0]
    return re.sub(r"^\w+\(.*?\) -> \w+ :", "", said, flags=re.DOTALL).strip()


@lru_cache(TEXT_CACHE_SIZE)
def scaffold(smiles: str) -> str:
    """Canonical SMILES of the Bemis-Murcko scaffold, without stereo; empty for a molecule without rings.

    Raises:
        MoleculeError: when the SMILES is invalid.
    """
    with rdBase.BlockLogs():
        text: str = MolToSmiles(MurckoScaffold.GetScaffoldForMol(require(smiles)), isomericSmiles=False)
    return text


def scaffold_or_self(smiles: str) -> str:
    """What molecules are alike in where one scaffold may have a share only: without rings each is like no other.

    Raises:
        MoleculeError: when the SMILES is invalid.
    """
    return scaffold(smiles) or smiles


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
