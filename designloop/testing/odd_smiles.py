"""Odd SMILES, as in vendors' files (metals, charges, radicals) and as slips make them, and what must hold of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from rdkit import Chem

from designloop.molecules.chemistry import Mode, MoleculeError, canonical, parse, standard_form
from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.drugs import approved_drugs
from designloop.molecules.parsing import shown

SALT_METALS = frozenset("Li Na K Rb Cs Fr Be Mg Ca Sr Ba Ra".split())
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
    "[cH-]1cccc1 [C-]1C=CC=C1 C[N+](C)(C)[O-] OS(=O)(=O)[O-] [C-]#[O+] [C-]#N [N-]=[N+]=C B(O)O [Si](C)(C)C "
    "[Fe]%91C=CC=C%91 [Fe+2]%92([cH-]%93cccc%93)[cH-]%94cccc%94 B12B3B4B1C234 [Mg]Br [Zn]C [Hg]C [Al]([H])[H] "
    "[Pt]([NH3])([NH3])(Cl)Cl [O-]->[Cu+2] [BH3-] [B-](F)(F)F [PH+](C)C [I+]c1ccccc1 [Cl+3]([O-])([O-])[O-] "
    "S(F)(F)(F)(F)F"
).split()
JUNK = (
    *"* ? ! @ $ ~ ^ & ; , ' \" | < > >> % %% %1 %999 { } [ ] [] ( ) () . .. 0 #0 -> <- : / \\ _ + - = # ` £ é".split(),
    *("\u041e", "\u200b", "\u202e", "\ufeff", "\xa0", "\0", "\x1a", "\n", "\t", " ", "\ud800", "\u2028", "\U0001f9ea"),
)
"""Signs that do not belong where they stand; some look like others or like nothing."""
TAILS = (" |$;R1;$|", " |c:0|", " |&1:1|", ">>CCO", ">>", " a name", "\tx", "|", ".", "\r", " >", ",name", ";1", '"')
MARKS = ("", "@", "@@", "@TH1", "@AL1", "@SP1", "@TB1", "@OH1", "@OH30", "@XX1")

Edit = Callable[[list[str], np.random.Generator], None]

_TABLE = Chem.GetPeriodicTable()
_TOKEN = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|[A-Za-z]|[^A-Za-z]")


def _choice(items: Sequence[str], rng: np.random.Generator) -> str:
    return items[int(rng.integers(len(items)))]


def _atom_places(tokens: Sequence[str]) -> list[int]:
    return [place for place, token in enumerate(tokens) if token[0] == "[" or token.isalpha()]


def _atom_place(tokens: Sequence[str], rng: np.random.Generator) -> int | None:
    places = _atom_places(tokens)
    return places[int(rng.integers(len(places)))] if places else None


def replace_atom(tokens: list[str], rng: np.random.Generator) -> None:
    """Puts an odd atom or group in the place of an atom."""
    if (place := _atom_place(tokens, rng)) is not None:
        tokens[place] = _choice(ATOMS, rng)


def bind_metal(tokens: list[str], rng: np.random.Generator) -> None:
    """Binds a metal to an atom, by any kind of bond."""
    if (place := _atom_place(tokens, rng)) is None:
        return
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
    if (place := _atom_place(tokens, rng)) is not None:
        tokens.insert(place + 1, f"({_choice(GROUPS + ATOMS, rng)})")


def delete_token(tokens: list[str], rng: np.random.Generator) -> None:
    """Deletes a token, as a hurried hand does."""
    if len(tokens) > 2:
        del tokens[int(rng.integers(len(tokens)))]


def any_bracket_atom(tokens: list[str], rng: np.random.Generator) -> None:
    """Puts a bracket atom of any element, isotope, chirality, hydrogens, charge and number in the place of an atom."""
    if (place := _atom_place(tokens, rng)) is None:
        return
    symbol = _choice((_TABLE.GetElementSymbol(int(rng.integers(0, 119))), *"CNOSPcnos*", "#6", "D", "Xx", "R"), rng)
    isotope = _choice(("", "", "2", "13", "999", "99999999999"), rng)
    hydrogens = _choice(("", "", "H", "H2", "H3", "H9"), rng)
    charge = _choice(("", "", "+", "-", "+2", "--", "+15", "-4", "+99"), rng)
    number = _choice(("", "", ":1", ":0", ":999999999999"), rng)
    tokens[place] = f"[{isotope}{symbol}{_choice(MARKS, rng)}{hydrogens}{charge}{number}]"


def write_another_bond(tokens: list[str], rng: np.random.Generator) -> None:
    """Writes a bond of any kind before an atom."""
    if (place := _atom_place(tokens, rng)) is not None:
        tokens.insert(place, _choice(("=", "#", "$", "~", ":", "-", "/", "\\", "->", "<-"), rng))


def close_ring(tokens: list[str], rng: np.random.Generator) -> None:
    """Closes a ring over any two atoms."""
    places = _atom_places(tokens)
    if len(places) >= 2:
        bond, mark = _choice(("", "", "=", "-", "/"), rng), _choice(("%98", "%(123)", "9"), rng)
        for place in sorted(rng.choice(places, size=2, replace=False).tolist(), reverse=True):
            tokens.insert(place + 1, bond + mark)


def scribble(tokens: list[str], rng: np.random.Generator) -> None:
    """Puts a sign anywhere that does not belong there, or looks like another."""
    tokens.insert(int(rng.integers(len(tokens) + 1)), _choice(JUNK, rng))


def add_tail(tokens: list[str], rng: np.random.Generator) -> None:
    """Puts behind the molecule what stands there in files."""
    tokens.append(_choice(TAILS, rng))


def repeat(tokens: list[str], rng: np.random.Generator) -> None:
    """Writes a part of the molecule several times, at times thousands of times."""
    start = int(rng.integers(len(tokens)))
    part = tokens[start : start + 1 + int(rng.integers(12))]
    times = int(_choice(("2", "2", "2", "3", "3", "5", "20"), rng)) if rng.random() < 0.999 else 20_000
    tokens[start:start] = part * times


METAL_EDITS: tuple[Edit, ...] = (
    *(replace_atom, bind_metal, chelate, add_fragment, put_before, hang_group, delete_token),
)
OTHER_EDITS: tuple[Edit, ...] = (any_bracket_atom, write_another_bond, close_ring, scribble, add_tail, repeat)
_WEIGHTED = (*METAL_EDITS * 4, *OTHER_EDITS)
"""More of those whose outcome is mostly a molecule."""


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
            _WEIGHTED[int(rng.integers(len(_WEIGHTED)))](tokens, rng)
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
            faults += [] if shown(smiles) in str(error) else [f"{mode}: the error does not name it: {error}"]
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
