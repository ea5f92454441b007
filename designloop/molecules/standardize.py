"""Standard form: what oracles see and what identity means.

RDKit's canonical isomeric SMILES at a fixed point of a few steps. Protons go where they neutralise: of 1,000 molecules
of ZINC 250k about 300 are written protonated, and such a twin would be another compound to every oracle. Tautomers are
not merged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from rdkit import Chem, rdBase
from rdkit.Chem.MolStandardize import rdMolStandardize

from designloop.molecules.errors import MoleculeError
from designloop.molecules.parsing import TEXT_CACHE_SIZE, canonical, require, shown
from designloop.molecules.radicals import radical_atom

Mode = Literal["parent", "uncharge", "none"]
"""``parent``: groups normalised, largest organic fragment, uncharged, isotopes and atom maps dropped. ``uncharge``:
only uncharged. ``none``: only canonical."""

Stereo = Literal["ignore", "keep"]

_MOST_PASSES = 8

_UNTOUCHED = re.compile(r"\.|\[(?!(?:nH|C@@?H?|S@@?)\])")
"""What a canonical SMILES without anything to do has none of: second fragments, bracket atoms but a few neutral ones.

Every transform below, and every step after it, starts from a charge, an isotope, an atom map, a metal or a second
fragment, all of which need one of these.
"""

_ISOTOPE = re.compile(r"\[\d")
_LABEL = re.compile(r"\[\d|:\d+\]")

_HIGH_CHARGE = re.compile(r"[+-]\d|\+\+|--")
_CHARGES = {7: (-1, 1), 8: (-1, 1), 15: (-1, 1), 16: (-1, 2)}
"""Atomic number of what takes and gives protons -> least and greatest charge that they may leave."""
_ANY_CHARGE = (-4, 8)

_SALT_METALS = {3: 1, 4: 2, 11: 1, 12: 2, 19: 1, 20: 2, 37: 1, 38: 2, 55: 1, 56: 2, 87: 1, 88: 2}
"""Atomic number of each alkali and alkaline earth metal, whose bonds are ionic, and the charge of its ion."""

_METAL = re.compile(r"\[\d*(?!(?:H|He|B|C|N|O|F|Ne|Si|P|S|Cl|Ar|Ge|As|Se|Br|Kr|Sb|Te|I|Xe|At|Rn)(?![a-z]))[A-Z]")
"""A bracket atom of none of the elements below: Python's loop over all atoms would take longer than all else."""

_NO_ORDER = (Chem.BondType.UNSPECIFIED, Chem.BondType.ZERO, Chem.BondType.OTHER)

_NO_METALS = frozenset((0, 1, 2, *range(5, 11), *range(14, 19), *range(32, 37), *range(51, 55), 85, 86))
"""Atomic numbers of non-metals and metalloids; 0 is a wildcard."""

_TRANSFORMS = """
// Name\tSMIRKS
Sulfone\t[S,Se;X4;+2:1](-[O;-1:2])-[O;-1:3]>>[*+0:1](=[*+0:2])=[*+0:3]
Oxide, sulfide, imide or ylide of S or P\t[S,Se,P,As;+1:1]-[C,N,O,S,Se;-1:2]>>[*+0:1]=[*+0:2]
Azide\t[N;-1:1]-[N;+1:2]#[N:3]>>[*+0:1]=[*+1:2]=[*-1:3]
Diazo\t[C;-1:1]-[N;+1:2]#[N:3]>>[*+0:1]=[*+1:2]=[*-1:3]
Carbocation beside a nitrogen\t[C;X3;+1:1]-[N;X3;+0:2]>>[*+0:1]=[*+1:2]
Anion of an amide or thioamide\t[O,S;-1:1]-[C:2]=[N;+0:3]>>[*+0:1]=[*:2]-[*-1:3]
Charges 1,3\t[N,O,S,Se;-1:1]-[C,N,S,P;+0:2]=[N,O,S;+1:3]>>[*+0:1]=[*:2]-[*+0:3]
Charges 1,5\t[N,O,S,Se;-1:1]-[C,N;+0:2]=[C,N;+0:3]-[C,N;+0:4]=[N,O,S;+1:5]>>[*+0:1]=[*:2]-[*:3]=[*:4]-[*+0:5]
Charges 1,3, aromatic\t[N,O,S;-1:1]-[c:2]:[n;+1:3]>>[*+0:1]=[*:2]:[*+0:3]
Charges 1,5, aromatic\t[N,O,S;-1:1]-[c;r6:2]:[c,n;r6:3]:[c,n;r6:4]:[n;+1;r6:5]>>[*+0:1]=[*:2]:[*:3]:[*:4]:[*+0:5]
"""
"""Groups drawn with charges that a neutral drawing also has, which is the one that Crippen's logP, TPSA and SELFIES are
made for (RDKit's own list draws a sulfoxide S+-O-; ZINC draws it S=O). RDKit's parser does nitro groups and azides."""

_ACIDS = (
    "[OX2H1][#7;+1]",
    "[OX2H1]S(=O)=O",
    "[OX2H1]P=[O,S]",
    "[OX2H1]C=[O,S]",
    "[SX2H1]C=[O,S]",
    "[nH1]1nnnc1",
    "[nH1]1nncn1",
    "[NX3H1](C=O)S(=O)=O",
    "[OX2H1]c",
    "[NX3H1]c1c[n+]no1",
    "[SX2H1]c",
    "[NX3;H1,H2]S(=O)=O",
    "[OX2H1]C=C",
)
"""What gives its proton, the strongest first, where a cation that holds none is left to be balanced."""


@lru_cache(TEXT_CACHE_SIZE)
def standard_form(smiles: str, mode: Mode = "parent") -> str:
    """The molecule's canonical isomeric SMILES at a fixed point of ``mode``: the standard form of it is itself.

    Raises:
        MoleculeError: when the SMILES is empty or invalid, or a step leaves something that is no molecule.
    """
    forms = [_step(smiles, mode)]
    if forms[0] == smiles:  # a fixed point already
        return _as_read(smiles, mode)
    while len(forms) <= _MOST_PASSES:
        try:
            after = _step(forms[-1], mode)
        except MoleculeError as error:
            raise MoleculeError(f"{shown(smiles)} {_why_not_neutral(smiles, forms[-1])}") from error
        if after == forms[-1]:
            form = _as_read(after, mode)
            return _without_new_radicals(smiles, form) if mode == "parent" and "[" in form else form
        if after in forms:  # no fixed point: the least of the cycle is one for us, among those that RDKit reads back
            cycle = [form for form in forms[forms.index(after) :] if canonical(form) == form]
            if cycle:
                return min(cycle)
            raise MoleculeError(
                f"{shown(smiles)} has stereo marks (such as @OH, @TB or @SP) that RDKit writes anew each time; "
                "write it without them"
            )
        forms.append(after)
    raise MoleculeError(
        f"{shown(smiles)} has no standard form within {_MOST_PASSES} passes; leave it out, or write it neutral"
    )


def _as_read(form: str, mode: Mode) -> str:
    """Returns what RDKit writes of a form once it has read it: its reader draws some groups anew, as C=P(=O)C."""
    return (canonical(form) or form) if mode != "none" and _has_work(form) else form


def _without_new_radicals(smiles: str, form: str) -> str:
    """Returns the form if it has no radical that the molecule had not, as what is no salt has without its metals."""
    before, after = (sum(atom.GetNumRadicalElectrons() for atom in require(text).GetAtoms()) for text in (smiles, form))
    if after > before:
        raise MoleculeError(f"{shown(smiles)} has no standard form: {form!r} is a radical; leave it out")
    return form


def _why_not_neutral(smiles: str, form: str) -> str:
    """Why a molecule has no standard form whose first pass gave ``form``, which is no molecule."""
    if require(smiles).HasSubstructMatch(_aromatic_carbanion()):
        return (
            "holds an aromatic anion of carbon (a cyclopentadienide, as in a metallocene), which has no neutral form "
            "with the same bonds; leave it out, or write the diene (C1=CCC=C1)"
        )
    return f"becomes {form!r}, which is no molecule; write it neutral"


def standard_forms(smiles: Sequence[str], mode: Mode = "parent") -> list[str | None]:
    """One standard form for each SMILES, in the same order; None where it has none."""
    forms: list[str | None] = []
    for molecule in smiles:
        try:
            forms.append(standard_form(molecule, mode))
        except MoleculeError:
            forms.append(None)
    return forms


@lru_cache(TEXT_CACHE_SIZE)
def without_stereo(smiles: str) -> str:
    """Canonical SMILES without stereo marks, at a fixed point.

    Raises:
        MoleculeError: when the SMILES is empty or invalid.
    """
    molecule = require(smiles)
    isotopes = bool(_ISOTOPE.search(smiles))
    if isotopes:  # to RDKit they are isomeric too, so that to keep them stereo has to be taken off a copy
        molecule = Chem.Mol(molecule)
        Chem.RemoveStereochemistry(molecule)
    text: str = Chem.MolToSmiles(molecule, isomericSmiles=isotopes)
    return text


def identity(smiles: str, stereo: Stereo = "ignore") -> str:
    """What makes a standard form new: itself under ``keep``, itself without stereo under ``ignore``."""
    if stereo == "keep" or not any(mark in smiles for mark in "@/\\"):
        return smiles
    return without_stereo(smiles)


def _step(smiles: str, mode: Mode) -> str:
    """Canonical SMILES after one pass."""
    molecule = require(smiles)
    if mode != "none" and _has_work(smiles):
        with rdBase.BlockLogs():
            try:
                if mode == "parent":
                    molecule = _parent(smiles, molecule)
                molecule = _uncharge(molecule)
                _refuse_impossible_ions(smiles, molecule)
            except MoleculeError:
                raise
            # RDKit's own checks: a failed sanitisation is a ValueError, a broken precondition a RuntimeError.
            except (RuntimeError, ValueError) as error:
                said = "; ".join(line.strip() for line in str(error).splitlines()[:2])
                raise MoleculeError(f"{shown(smiles)} has no standard form (RDKit: {said}); leave it out") from error
    text: str = Chem.MolToSmiles(molecule)
    if ("~" in text or ":" in text) and any(map(_has_no_order, molecule.GetBonds())):
        raise MoleculeError(f"{shown(smiles)} has a bond of no order, as in SMARTS (~ or :); write what it is")
    return text


def _has_work(smiles: str) -> bool:
    """Whether a canonical SMILES has anything in it that a step may change."""
    return bool(_UNTOUCHED.search(smiles.replace("[N+](=O)[O-]", "").replace("O=[N+]([O-])", "")))


def _has_no_order(bond: Chem.Bond) -> bool:
    """Whether a bond is of any order, or aromatic between atoms that are not."""
    kind = bond.GetBondType()
    between = bond.GetBeginAtom().GetIsAromatic() and bond.GetEndAtom().GetIsAromatic()
    return kind in _NO_ORDER or (kind == Chem.BondType.AROMATIC and not between)


def _parent(smiles: str, molecule: Chem.Mol) -> Chem.Mol:
    """The largest organic fragment, normalised, without isotopes and atom maps; ``smiles`` is the molecule's own."""
    if _LABEL.search(smiles):
        molecule = Chem.Mol(molecule)
        for atom in molecule.GetAtoms():
            atom.SetIsotope(0)
            atom.SetAtomMapNum(0)
        molecule = Chem.RemoveHs(molecule)
    if _METAL.search(smiles):
        molecule = _without_metal_bonds(smiles, molecule)
    fragments = Chem.GetMolFrags(molecule, asMols=True)
    if len(fragments) > 1:
        molecule = _largest_organic(fragments)
    normalised = _normalizer().normalize(molecule)
    return normalised if _protons(normalised) == _protons(molecule) else molecule


def _without_metal_bonds(smiles: str, molecule: Chem.Mol) -> Chem.Mol:
    """A copy in which alkali and alkaline earth metals are ions of their own, as they are in ``CC(=O)O[Na]``.

    A covalent bond to such a metal leaves its electrons to the other atom. Where one of the two is written with its
    charge already, the other atom gets protons for the metal instead. A dative bond is cut without touching any
    charge: its electrons are the donor's own.

    Raises:
        MoleculeError: a carbon is bound to such a metal, or anything to another metal; neither is a salt.
    """
    molecule = Chem.RWMol(molecule)
    for bond in list(molecule.GetBonds()):
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        metals = [atom for atom in ends if atom.GetAtomicNum() not in _NO_METALS]
        if not metals:
            continue
        metal, other = metals[0], ends[1] if ends[0].GetIdx() == metals[0].GetIdx() else ends[0]
        if metal.GetAtomicNum() not in _SALT_METALS or other.GetAtomicNum() == 6 or len(metals) == 2:
            named = next((atom for atom in metals if atom.GetAtomicNum() not in _SALT_METALS), metal).GetSymbol()
            raise MoleculeError(
                f"{shown(smiles)} is an organometallic compound or a complex: {named} is bound to {other.GetSymbol()}; "
                "salts of organic molecules can be read, other compounds of metals cannot: leave it out"
            )
        order = 0 if bond.GetBondType() == Chem.BondType.DATIVE else int(bond.GetBondTypeAsDouble())
        if other.GetFormalCharge() < 0 or metal.GetFormalCharge() + order > _SALT_METALS[metal.GetAtomicNum()]:
            other.SetNumExplicitHs(other.GetNumExplicitHs() + order)
        else:
            metal.SetFormalCharge(metal.GetFormalCharge() + order)
            other.SetFormalCharge(other.GetFormalCharge() - order)
        molecule.RemoveBond(metal.GetIdx(), other.GetIdx())
    Chem.SanitizeMol(molecule)
    return molecule


def _largest_organic(fragments: Sequence[Chem.Mol]) -> Chem.Mol:
    """The fragment with most heavy atoms among those that are organic and no common counter-ion or solvent."""

    def rank(fragment: Chem.Mol) -> tuple[bool, bool, int, float, str]:
        """Exact to the last digit, so that isomers are alike in it, in whatever order their atoms are written."""
        organic = any(atom.GetAtomicNum() == 6 for atom in fragment.GetAtoms())
        neutral = Chem.MolToSmiles(_uncharge(fragment), isomericSmiles=False)
        return (
            organic,
            neutral not in _counterions(),
            fragment.GetNumHeavyAtoms(),
            _weight(fragment),
            Chem.MolToSmiles(fragment),
        )

    return max(fragments, key=rank)


def _weight(molecule: Chem.Mol) -> float:
    """Monoisotopic, in g/mol: RDKit's own sum hangs on the order of the atoms by its rounding."""
    mass, atoms = Chem.GetPeriodicTable().GetMostCommonIsotopeMass, molecule.GetAtoms()
    hydrogens = sum(atom.GetTotalNumHs() for atom in atoms)
    return math.fsum([*(mass(atom.GetAtomicNum()) for atom in atoms), hydrogens * mass(1)])


def _uncharge(molecule: Chem.Mol) -> Chem.Mol:
    """The molecule with protons moved on or off until as little charge as possible is left.

    Cations without a proton to lose are balanced by the strongest acid there is, so that a betaine is one molecule
    however its acid is written; the rest of their charge stays.
    """
    neutral = _uncharger().uncharge(molecule)
    try:
        neutral.UpdatePropertyCache(strict=True)
    except Chem.AtomValenceException:  # hexafluorophosphate and its like: anions whose acid is no covalent molecule
        neutral = _neutralise_atoms(molecule)
        return neutral if _protons(neutral) == _protons(molecule) else molecule
    surplus = Chem.GetFormalCharge(neutral)
    if surplus > 0:
        neutral = _deprotonate(neutral, surplus)
        if Chem.GetFormalCharge(neutral) and not Chem.GetFormalCharge(molecule):
            return molecule  # inner salts whose anion is none of the acids, as in molsidomine, stay as they are written
    if _protons(neutral) == _protons(molecule):
        return _neutralise_atoms(neutral) if Chem.GetFormalCharge(neutral) < 0 else neutral
    # RDKit gave a carbocation a hydride, which no proton can do: all others are neutralised without it.
    neutral = _neutralise_atoms(molecule)
    return neutral if _protons(neutral) == _protons(molecule) else molecule


def _neutralise_atoms(molecule: Chem.Mol) -> Chem.Mol:
    """A copy in which each N, O, P or S of charge 1 gives or takes a proton, but beside an atom of opposite charge.

    So does an ion of N, O or S of any negative charge that stands alone.
    """
    molecule = Chem.RWMol(molecule)
    for (index,) in molecule.GetSubstructMatches(_charged_alone()):
        atom = molecule.GetAtomWithIdx(index)
        charge = atom.GetFormalCharge()
        if charge < 0 or atom.GetTotalNumHs():
            hydrogens = atom.GetTotalNumHs() - charge
            atom.SetNoImplicit(True)
            atom.SetNumExplicitHs(hydrogens)
            atom.SetFormalCharge(0)
    Chem.SanitizeMol(molecule)
    return molecule


def _refuse_impossible_ions(smiles: str, molecule: Chem.Mol) -> None:
    """Returns if no atom has a charge that protons should have taken away and cannot: a slip in what was written."""
    if not _HIGH_CHARGE.search(smiles):
        return
    for atom in molecule.GetAtoms():
        least, most = _CHARGES.get(atom.GetAtomicNum(), _ANY_CHARGE)
        charge = atom.GetFormalCharge()
        if charge > most or (atom.GetDegree() and charge < least):  # by itself sulfide is none
            raise MoleculeError(
                f"{shown(smiles)} is an impossible ion: {atom.GetSymbol()} has a charge of {charge:+d}; mend it"
            )


def _deprotonate(molecule: Chem.Mol, most: int) -> Chem.Mol:
    """A copy with up to ``most`` protons taken off, from the strongest acid on; of equal acids from the lowest rank."""
    molecule = Chem.RWMol(molecule)
    ranks = list(Chem.CanonicalRankAtoms(molecule))
    for acid in _acids():
        for index in sorted((match[0] for match in molecule.GetSubstructMatches(acid)), key=ranks.__getitem__):
            if most == 0:
                return molecule
            atom = molecule.GetAtomWithIdx(index)
            atom.SetFormalCharge(atom.GetFormalCharge() - 1)
            atom.SetNumExplicitHs(max(0, atom.GetNumExplicitHs() - 1))
            Chem.SanitizeMol(molecule)
            most -= 1
    return molecule


def _protons(molecule: Chem.Mol) -> tuple[int, int]:
    """Hydrogens less net charge, and radical atoms: what moving protons and redrawing bonds cannot change."""
    hydrogens = molecule.GetNumAtoms(onlyExplicit=False) - molecule.GetNumHeavyAtoms()
    return hydrogens - Chem.GetFormalCharge(molecule), len(molecule.GetAtomsMatchingQuery(radical_atom()))


@cache
def _aromatic_carbanion() -> Chem.Mol:
    return Chem.MolFromSmarts("[c-]")


@cache
def _charged_alone() -> Chem.Mol:
    return Chem.MolFromSmarts(
        "[$([#7,#8,#16;+1,-1]),$([#7,#8,#16;-2,-3;D0]),$([#15;+1]),$([#15;-1;D1,D2]);!$([+]~[-]);!$([-]~[+])]"
    )


@cache
def _normalizer() -> rdMolStandardize.Normalizer:
    return rdMolStandardize.NormalizerFromData(_TRANSFORMS.strip(), rdMolStandardize.CleanupParameters())


@cache
def _uncharger() -> rdMolStandardize.Uncharger:
    return rdMolStandardize.Uncharger(canonicalOrder=True, force=True)


@cache
def _acids() -> tuple[Chem.Mol, ...]:
    return tuple(map(Chem.MolFromSmarts, _ACIDS))


@cache
def _counterions() -> frozenset[str]:
    """Canonical SMILES, without stereo, of the neutral forms in ``counterions.smi``."""
    lines = (files("designloop.molecules") / "counterions.smi").read_text("utf-8").splitlines()
    return frozenset(without_stereo(line.split()[0]) for line in lines if line and not line.startswith("#"))
