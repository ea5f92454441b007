"""Ring systems and pairs of functional groups as text, and how many known molecules hold them."""

from __future__ import annotations

import random

import pytest
from rdkit import Chem

from designloop.molecules import count_parts, known_parts
from designloop.molecules.chemistry import MoleculeError, require, standard_form, standard_forms
from designloop.molecules.corpus import held_out_smiles, training_smiles
from designloop.molecules.drugs import approved_drugs, organic_drugs
from designloop.molecules.group_pairs import group_pairs
from designloop.molecules.known_parts import (
    Known,
    first_unknown_group_pair,
    first_unknown_ring_system,
    parts,
    unknown_group_pairs,
)
from designloop.molecules.ring_systems import ring_systems


def ring_keys(smiles: str) -> list[str]:
    return [system.key for system in ring_systems(require(smiles))]


@pytest.mark.parametrize(
    ("smiles", "keys"),
    [
        ("CCO", []),
        ("Cn1cccc1", ["c1ccnc1"]),
        ("O=C1CCCN1C", ["O=C1CCCN1"]),
        ("C=C1C=CC=C1", ["C=C1C=CC=C1"]),
        ("CS1(=O)=NCCC1", ["O=S1=NCCC1"]),
        ("c1ccc2[nH]ncc2c1", ["c1ccc2nncc2c1"]),
        ("c1ccc2n[nH]cc2c1", ["c1ccc2nncc2c1"]),
        ("[O-][n+]1ccccc1", ["c1ccncc1"]),
        ("C1CC12CCCC2", ["C1CC1", "C1CCCC1"]),
        ("C1CC2CCC1C2", ["C1CC2CCC1C2"]),
        ("C1CCCCCCCCC1", []),
        ("c1ccc(-c2ccccn2)cc1", ["c1ccccc1", "c1ccncc1"]),
    ],
)
def test_keys_of_ring_systems(smiles, keys):
    assert sorted(ring_keys(smiles)) == sorted(keys)


@pytest.mark.parametrize(
    ("smiles", "keys"),
    [
        ("CCC", []),
        ("CCO", ["O"]),
        ("C[N+](=O)[O-]", ["N(=O)(~O)"]),
        ("CC(=O)NC", ["C(=O)-N"]),
        ("CC(=O)C", ["C(=O)"]),
        ("CS(=O)(=O)CS(C)(=O)=O", ["C{S=}-S(=O)(=O)"]),
        ("CS(=O)(=O)NS(C)(=O)=O", ["N{S=}-S(=O)(=O)"]),
        ("CC(=O)C=CC(C)=O", ["C(=C{C=})-C(=O)"]),
        ("COCOC", ["C{O}-O"]),
        ("COC", ["O"]),
        ("Oc1ccccc1", ["O"]),
    ],
)
def test_keys_of_group_pairs(smiles, keys):
    assert group_pairs(require(smiles)) == keys


def test_keys_do_not_depend_on_the_order_of_atoms_nor_on_stereo():
    rng = random.Random(0)
    for smiles in training_smiles()[::4000]:
        mol = require(standard_form(smiles))
        order = list(range(mol.GetNumAtoms()))
        rng.shuffle(order)
        assert parts(Chem.RenumberAtoms(mol, order)) == parts(mol)
        assert parts(require(standard_form(smiles.replace("@", "").replace("/", "").replace("\\", "")))) == parts(mol)


def test_the_shipped_table_counts_what_its_script_counts():
    rows = training_smiles()[:: len(training_smiles()) // 300]
    counted = count_parts.count_as_written(rows)
    assert counted == count_parts.count([form for form in standard_forms(rows) if form is not None])
    shipped = known_parts.known_parts()
    assert all(shipped.zinc[part] >= held for part, held in counted.items())
    names = {name: form for form, name in organic_drugs().items()}
    for part in parts(require(names["BICALUTAMIDE"])):
        assert shipped.drugs[part] >= 1
    assert shipped.zinc["ring_system", "c1ccccc1"] > 150_000
    assert shipped.drugs["ring_system", "c1ccccc1"] > 800


def test_held_out_rows_are_not_in_the_table():
    """Else each of their parts would be known."""
    forms = standard_forms(held_out_smiles()[:1500])
    unknown = [form for form in forms if form and next(unknown_group_pairs(require(form)), None) is not None]
    assert 0 < len(unknown) < 0.02 * len(forms)


def made_of(*smiles: str) -> Known:
    return Known(count_parts.count(smiles), {})


@pytest.mark.parametrize(
    ("known", "smiles", "unknown"),
    [
        (["c1ccccc1"], "Cc1ccccc1", None),
        (["c1ccccc1"], "c1ccncc1", "c1ccncc1"),
        (["C1CCC=CC1"], "C=C1CCCCC1", "C=C1CCCCC1"),
        # fused of rings that are known: quinoline from naphthalene and a pyridine that is fused
        (["c1ccc2ccccc2c1", "c1cnc2c(c1)ncs2"], "c1ccc2ncccc2c1", None),
        (["C1CC2CCC1C2"], "C1CC2CCC1CC2", "C1CC2CCC1CC2"),  # bridged: no
        (["c1ccc2cc3ccccc3cc2c1"], "c1ccc2ccccc2c1", None),  # a pair of a known system, each of its rings known
        (["C1CCCCCCCCC1"], "C1CCCCCCCCCC1", None),  # macrocycles are not judged
    ],
)
def test_ring_systems_by_their_rings(known, smiles, unknown):
    assert first_unknown_ring_system(require(smiles), known=made_of(*known)) == unknown


def test_a_count_may_be_asked_for():
    twice = made_of("c1ccccc1", "Cc1ccccc1O")
    mol = require("Oc1ccccc1")
    assert first_unknown_ring_system(mol, 2, twice) is None
    assert first_unknown_ring_system(mol, 3, twice) == "c1ccccc1"
    assert first_unknown_group_pair(mol, 1, twice) is None
    assert first_unknown_group_pair(mol, 2, twice) == "O"


@pytest.mark.parametrize("content", [b"no table", None])
def test_a_damaged_table_is_named(content, tmp_path, monkeypatch):
    path = tmp_path / "known_parts.tsv.xz"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(known_parts, "TABLE", path)
    with pytest.raises(MoleculeError, match=r"known_parts\.tsv\.xz cannot be read .*reinstall the package"):
        known_parts.known_parts.__wrapped__()


def test_drugs_are_counted_once_without_salt_and_stereo():
    forms = list(organic_drugs())
    assert 1500 < len(forms) < len(approved_drugs())
    assert all("C" in form.upper() and "." not in form for form in forms)
