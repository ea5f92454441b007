"""SMILES in, molecules out."""

from __future__ import annotations

import random

import pytest
from rdkit import Chem

from designloop.molecules.chemistry import MoleculeError, canonical, parse, parse_all, parse_flat, require
from designloop.molecules.corpus import zinc
from designloop.molecules.parsing import MOLECULE_CACHE_SIZE, MOST_CHARACTERS, parse_anew
from designloop.testing.oracle import MOLECULES, ODD, STEREOISOMERS


def test_different_writings_of_a_molecule_are_one():
    assert canonical("OCC") == canonical("C(O)C") == canonical(" CCO ") == "CCO"


def test_stereo_isotopes_and_atom_maps_are_kept():
    assert canonical("O[C@H](C)Cl") == "C[C@@H](O)Cl"
    assert canonical("C[13CH2:4]O") == "C[13CH2:4]O"


@pytest.mark.parametrize(
    "smiles", ["", "  ", "\n", "C1CC", "c1ccc1c", "C(C", "N(C)(C)(C)(C)C", "CCO ethanol", "Cl-Cl-Cl", "no"]
)
def test_what_is_no_molecule_is_none(smiles, capfd):
    assert parse(smiles) is None
    assert parse_flat(smiles) is None
    assert canonical(smiles) is None
    with pytest.raises(MoleculeError, match="expected a valid SMILES"):
        require(smiles)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("C" * 5001, "has 5,001 characters, expected a molecule of at most 5,000; leave it out"),
        ("C" * 100_000, "has 100,000 characters"),
        ("CC\u041e", r"holds CYRILLIC CAPITAL LETTER O \(U\+041E\) at place 3, as no SMILES does; write it anew"),
        ("CC\u00e9", "LATIN SMALL LETTER E WITH ACUTE"),
        ("\u202eCCO", "RIGHT-TO-LEFT OVERRIDE"),
        ("CC\ud800", r"a control character \(U\+D800\)"),
        ("CC\0O", r"a control character \(U\+0000\) at place 3"),
        ("CC\x1a", r"U\+001A"),
        ("[#6]CC", "is a SMARTS pattern, which matches molecules and is none; give a SMILES"),
        ("[C,N]C", "is a SMARTS pattern"),
        ("InChI=1S/CH4/h1H4", "is an InChI; give the SMILES"),
        ("LFQSCWFLJHTTHZ-UHFFFAOYSA-N", "is an InChIKey; give the SMILES"),
        ("CC>>CO", "is a reaction; give its molecules one by one"),
        ("CC>O>CO", "is a reaction"),
        ("'CCO'", "stands in quotes; give it without"),
    ],
)
def test_what_is_no_smiles_is_none_and_told_as_what_it_is(text, reason):
    for door in (parse, parse_flat, canonical, parse_anew):
        assert door(text) is None
    with pytest.raises(MoleculeError, match=reason) as refusal:
        require(text)
    assert len(str(refusal.value)) < 500
    assert ascii(text[:20])[1:-1].removesuffix("'") in ascii(str(refusal.value)).replace("\\\\", "\\")


def test_as_long_as_a_molecule_may_be_it_is_read():
    assert require("C" * MOST_CHARACTERS).GetNumAtoms() == MOST_CHARACTERS
    assert require("CC->[Na+]").GetNumAtoms() == 3, "an arrow is a dative bond, and no reaction"


def test_order_and_gaps_are_kept():
    mols = parse_all(["CCO", "nonsense", "C"])
    assert [mol and mol.GetNumAtoms() for mol in mols] == [3, None, 1]


def test_molecules_are_cached():
    assert parse("CCCCO") is parse("CCCCO")
    assert parse.cache_info().maxsize == MOLECULE_CACHE_SIZE


def test_the_log_of_rdkit_is_the_users_own(capfd):
    from rdkit import Chem, rdBase

    rdBase.EnableLog("rdApp.error")  # other packages turn it off when they are imported
    parse("C1CC")
    assert Chem.MolFromSmiles("C1CC") is None
    assert "unclosed ring" in capfd.readouterr().err


WITH_HYDROGENS = [
    "[H]C([H])([H])O",
    "[2H]OC",
    "[H][H]",
    "[H+]",
    "C[C@]([H])(N)O",
    "[H]/C(C)=C/C",
    "[nH]1cccc1",
    "[CH3][CH]C",
]
METALS = ["C[Fe]", "N[Pt](N)(Cl)Cl", "[Na+].[Cl-]", "CN->[Fe]", "C[N+](=O)[O-]", "CN(=O)=O", "CN=[N+]=[N-]", "CN=N#N"]


def flat(mol: Chem.Mol) -> tuple[str, list[tuple[object, ...]]]:
    """All of a molecule but its stereo, in the order of its atoms."""
    atoms = [
        (atom.GetAtomicNum(), atom.GetTotalNumHs(), atom.GetIsAromatic(), atom.GetHybridization(), atom.IsInRing())
        for atom in mol.GetAtoms()
    ]
    rings = sorted(map(sorted, mol.GetRingInfo().AtomRings()))
    return Chem.MolToSmiles(mol, isomericSmiles=False), [*atoms, *map(tuple, rings)]


def test_without_stereo_a_molecule_is_the_same():
    smiles = [*MOLECULES, *ODD, *(text for pair in STEREOISOMERS for text in pair), *WITH_HYDROGENS, *METALS]
    for text in [*smiles, *random.Random(3).sample(zinc(), 300)]:
        assert flat(parse_flat(text)) == flat(require(text)), text
