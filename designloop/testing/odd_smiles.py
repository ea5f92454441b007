"""Odd SMILES as in vendors' files (metals, charges, radicals, isotopes, salts), and what must hold of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from rdkit import Chem

from designloop.molecules.chemistry import Mode, MoleculeError, canonical, parse, standard_form
from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.drugs import approved_drugs

SALT_METALS = frozenset("Li Na K Rb Cs Be Mg Ca Sr Ba".split())
METALS = "Li Na K Rb Cs Be Mg Ca Sr Ba Al Zn Fe Co Ni Cu Ag Pt Pd Hg Sn Pb Ti Ru Gd".split()
IONS = (
    "[Na+] [K+] [Li+] [Ca+2] [Mg++] [Zn+2] [Fe+3] [Cl-] [Br-] [I-] [OH-] O Cl [H+] [NH4+] F[B-](F)(F)F "
    "F[P-](F)(F)(F)(F)F [O-]Cl(=O)(=O)=O CC(=O)[O-] OC(=O)C(F)(F)F CS(=O)(=O)O [O-]S(=O)(=O)[O-] C[N+](C)(C)C"
).split()
ATOMS = (
    "[NH3+] [NH2+] [NH+] [N+] [N-] [NH-] [nH+] [n-] [O-] [O+] [OH2+] [S-] [S+] [SH+] [C-] [CH-] [CH2-] [C+] [CH2+] "
    "[P+] [B-] [CH2] [CH] [C] [N] [NH] [O] [S] [13CH3] [14C] [2H] [3H] [15N] [18F] [125I] [CH3:1] [N:2] [Si] [Se] [se] "
    "[As] [Te] [N+](=O)[O-] N(=O)=O [S+]([O-]) [N-][N+]#N N=[N+]=[N-] [n+]([O-]) [P+]([O-])"
).split()
GROUPS = (
    "[cH-]1cccc1 [C-]1C=CC=C1 C[N+](C)(C)[O-] OS(=O)(=O)[O-] [C-]#[O+] [C-]#N [N-]=[N+]=C B(O)O [Si](C)(C)C".split()
)

Edit = Callable[[list[str], np.random.Generator], None]

_TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|[A-Za-z]|[^A-Za-z]")


def _choice(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.integers(len(items)))]


def _atom_places(tokens: Sequence[str]) -> list[int]:
    return [place for place, token in enumerate(tokens) if token[0] == "[" or token.isalpha()]


def replace_atom(tokens: list[str], rng: np.random.Generator) -> None:
    """Puts an odd atom or group in the place of an atom."""
    places = _atom_places(tokens)
    tokens[places[int(rng.integers(len(places)))]] = _choice(ATOMS, rng)


def bind_metal(tokens: list[str], rng: np.random.Generator) -> None:
    """Binds a metal to an atom, by any kind of bond."""
    places = _atom_places(tokens)
    place = places[int(rng.integers(len(places)))]
    charge = _choice(("", "", "+", "+2", "+3"), rng)
    tokens.insert(place + 1, f"({_choice(('', '', '->', '<-', '=', '~'), rng)}[{_choice(METALS, rng)}{charge}])")


def chelate(tokens: list[str], rng: np.random.Generator) -> None:
    """Binds a metal to two atoms."""
    places = _atom_places(tokens)
    if len(places) < 2:
        return
    first, second = sorted(rng.choice(places, size=2, replace=False).tolist())
    bond = _choice(("", "->"), rng)
    tokens.insert(second + 1, f"({bond}[{_choice(METALS, rng)}+2]%99)")
    tokens.insert(first + 1, "%99")


def add_fragment(tokens: list[str], rng: np.random.Generator) -> None:
    """Adds a counter-ion or a solvent."""
    tokens += [".", _choice(IONS, rng)]


def put_before(tokens: list[str], rng: np.random.Generator) -> None:
    """Writes a metal before the molecule, bound to its first atom or not."""
    tokens.insert(0, f"[{_choice(METALS, rng)}{_choice(('', '+', '+2'), rng)}]{_choice(('', '.', '<-'), rng)}")


def hang_group(tokens: list[str], rng: np.random.Generator) -> None:
    """Binds an odd atom or group to an atom."""
    places = _atom_places(tokens)
    tokens.insert(places[int(rng.integers(len(places)))] + 1, f"({_choice(GROUPS + ATOMS, rng)})")


def delete_token(tokens: list[str], rng: np.random.Generator) -> None:
    """Deletes a token, as a hurried hand does."""
    if len(tokens) > 2:
        del tokens[int(rng.integers(len(tokens)))]


EDITS: tuple[Edit, ...] = (replace_atom, bind_metal, chelate, add_fragment, put_before, hang_group, delete_token)


def odd_smiles(n: int, seed: int) -> list[str]:
    """So many strings, most of them molecules: drugs and rows of ZINC after one to four odd edits."""
    rng = np.random.default_rng(seed)
    parents = [
        *(drug.smiles for drug in approved_drugs()),
        *held_out_smiles()[:1000],
        "CC(=O)O",
        "CCN",
        "CS",
        "c1ccccc1O",
        "C1COCCO1",
        "NC=O",
    ]
    strings = []
    for _ in range(n):
        tokens = _TOKEN.findall(_choice(parents, rng))
        for _ in range(int(rng.integers(1, 5))):
            EDITS[int(rng.integers(len(EDITS)))](tokens, rng)
        strings.append("".join(tokens))
    return strings


def standard_form_faults(smiles: str) -> list[str]:
    """What is wrong with the standard forms of a string in all modes, a line each; none where all is as promised.

    A standard form is valid, a fixed point, of the heavy atoms of the molecule (under ``parent``: of one fragment of
    it and without radicals that were not there), and without charge that a proton could take away. Where there is none,
    a ``MoleculeError`` says so and names the string.
    """
    molecule = parse(smiles)
    faults = []
    for mode in get_args(Mode):
        try:
            form = standard_form(smiles, mode)
        except MoleculeError as error:
            faults += [] if repr(smiles) in str(error) else [f"{mode}: the error does not name it: {error}"]
            continue
        except Exception as error:  # whatever else it raises is the fault that is looked for
            faults.append(f"{mode}: raised {type(error).__name__}: {error}")
            continue
        after = parse(form)
        if molecule is None or after is None:
            faults.append(f"{mode}: {form!r} is made of or is no molecule")
            continue
        if not standard_form(form, mode) == form == canonical(form):
            faults.append(f"{mode}: {form!r} is no fixed point")
        expected = _fragments(molecule) if mode == "parent" else {_heavy_atoms(molecule)}
        if _heavy_atoms(after) not in expected:
            faults.append(f"{mode}: {form!r} has other heavy atoms")
        # In other modes RDKit counts the electrons of complexes anew.
        if mode == "parent" and _radical_electrons(after) > _radical_electrons(molecule):
            faults.append(f"{mode}: {form!r} has new radicals")
        if mode != "none" and _can_be_neutralised(after):
            faults.append(f"{mode}: {form!r} has a charge that a proton could take away")
    return faults


def _heavy_atoms(molecule: Chem.Mol) -> tuple[int, ...]:
    return tuple(sorted(atom.GetAtomicNum() for atom in molecule.GetAtoms() if atom.GetAtomicNum() > 1))


def _fragments(molecule: Chem.Mol) -> set[tuple[int, ...]]:
    """Heavy atoms of each fragment, once all bonds of alkali and alkaline earth metals are cut."""
    molecule = Chem.RWMol(molecule)
    for bond in list(molecule.GetBonds()):
        if {bond.GetBeginAtom().GetSymbol(), bond.GetEndAtom().GetSymbol()} & SALT_METALS:
            molecule.RemoveBond(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx())
    return {_heavy_atoms(part) for part in Chem.GetMolFrags(molecule, asMols=True, sanitizeFrags=False)}


def _radical_electrons(molecule: Chem.Mol) -> int:
    return sum(atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms())


def _can_be_neutralised(molecule: Chem.Mol) -> bool:
    """Whether the molecule is an anion or a cation that a proton more or less would make less charged.

    Not by a proton: carbocations, and anions of elements that hold more bonds than their acid could (PF6, BF4).
    """
    saturated = sum(
        atom.GetFormalCharge() for atom in molecule.GetAtoms() if atom.GetSymbol() in ("B", "Al", "P", "Si")
    )
    net = Chem.GetFormalCharge(molecule) - min(saturated, 0)
    has_proton = any(
        atom.GetFormalCharge() > 0
        and atom.GetTotalNumHs()
        and atom.GetSymbol() in ("N", "O", "P", "S")
        and not any(neighbour.GetFormalCharge() < 0 for neighbour in atom.GetNeighbors())
        for atom in molecule.GetAtoms()
    )
    has_anion = any(
        atom.GetFormalCharge() < 0
        and atom.GetSymbol() in ("N", "O", "S")
        and not any(neighbour.GetFormalCharge() > 0 for neighbour in atom.GetNeighbors())
        for atom in molecule.GetAtoms()
    )
    return (net > 0 and has_proton) or (net < 0 and has_anion)
