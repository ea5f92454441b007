"""Numbers of a whole molecule against RDKit, asked atom by atom."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

from designloop.molecules import whole_numbers
from designloop.molecules.corpus import zinc
from designloop.molecules.fingerprints import SEE_FEATURES, atom_features, count_fingerprint
from designloop.molecules.whole_numbers import ELEMENTS, numbers_of
from designloop.testing.oracle import MOLECULES, ODD

SOME = [*zinc()[:60], *MOLECULES, *ODD, "C[Si](C)(C)O[Na]", "[13CH4]", "[H][H]", "B1OC1", "c1ccc2ccccc2c1", "C1CC2CC12"]
SOUND = [mol for text in SOME if (mol := Chem.MolFromSmiles(text)) is not None]


@pytest.mark.parametrize("mol", SOUND, ids=Chem.MolToSmiles)
def test_they_are_what_rdkit_says_of_each_atom_and_ring(mol: Chem.Mol) -> None:
    numbers, atoms = numbers_of(mol), list(mol.GetAtoms())
    elements = [atom.GetAtomicNum() for atom in atoms]
    hydrogens = sum(atom.GetTotalNumHs() for atom in atoms) + elements.count(1)
    sizes = [len(ring) for ring in mol.GetRingInfo().AtomRings()]
    expected = [
        hydrogens,
        *(elements.count(number) for number in ELEMENTS[1:]),
        sum(number not in ELEMENTS for number in elements),
        Chem.GetFormalCharge(mol),
        sizes.count(5),
        sizes.count(6),
        len([size for size in sizes if size not in (5, 6)]),
        Descriptors.NumAromaticRings(mol),
    ]
    assert numbers[: len(expected)].tolist() == expected
    assert numbers[-1] == pytest.approx(Crippen.MolLogP(mol), abs=1e-4)
    assert numbers.dtype == np.float32


def test_kinds_of_atom_that_are_met_later_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [numbers_of(mol) for mol in SOUND]
    monkeypatch.setattr(whole_numbers, "_row_of", {})
    monkeypatch.setattr(whole_numbers, "_table", whole_numbers._table[:1] * 0)
    assert [numbers_of(mol).tolist() for mol in reversed(SOUND)] == [row.tolist() for row in reversed(before)]
    assert len(whole_numbers._row_of) > 30


def test_what_atoms_do_may_be_known_already() -> None:
    for mol in SOUND:
        features = atom_features(mol)
        assert len(features) == mol.GetNumAtoms()
        assert numbers_of(mol, features).tolist() == numbers_of(mol).tolist()
        for kind in SEE_FEATURES:
            assert count_fingerprint(mol, kind, features=features) == count_fingerprint(mol, kind)


def test_acceptors_are_counted() -> None:
    """Of pyridine, ethanol and butane: as many as RDKit's own definition has."""
    for text in ("c1ccncc1", "CCO", "CCCC"):
        mol = Chem.MolFromSmiles(text)
        acceptors = numbers_of(mol)[-5]
        assert acceptors == rdMolDescriptors.CalcNumHBA(mol)
