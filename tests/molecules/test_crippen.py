"""Remembered contributions against RDKit's own logP."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from designloop.molecules import crippen
from designloop.molecules.corpus import zinc
from designloop.molecules.graphs.mutation import mutant
from designloop.testing.oracle import MOLECULES, ODD

OF_ALL_TYPES = (
    "CC(C)(C)C",
    "CC(C)(N)O",
    "C=C=C",
    "C#N",
    "CC=CC#C",
    "C=C(c1ccccc1)c1ccccn1",
    "O=c1cccc[nH]1",
    "Fc1c(Cl)c(Br)c(I)c(S)c1P",
    "c1ccc2ccccc2c1-c1ccccc1",
    "OO",
    "OS(=O)(=O)ON",
    "CC(=O)O",
    "CC(=S)O",
    "CC(=N)O",
    "C=CO",
    "OC=C",
    "Oc1ccccc1",
    "O=CO",
    "O=C",
    "O=C=O",
    "O=Cc1ccccc1",
    "O=C(c1ccccc1)c1ccccc1",
    "O=C(C)c1ccccc1",
    "O=C(N)N",
    "O=C(Cl)OC",
    "O=C(F)C",
    "[O-]C(=O)C",
    "[O-]c1ccccc1",
    "[O-]S(=O)(=O)C",
    "O=S(C)C",
    "[O-][S+](C)C",
    "CN=O",
    "C[N+](=O)[O-]",
    "c1cc[n+]([O-])cc1",
    "C[n+]1ccccc1",
    "CN=[N+]=[N-]",
    "C[N+]#[C-]",
    "C[N+](C)(C)C",
    "C[NH+](C)C",
    "C[NH3+]",
    "CC=[NH2+]",
    "CC=[N+](C)C",
    "C=[N+]=N",
    "C[N-]S(C)(=O)=O",
    "NN",
    "Nc1ccccc1",
    "CNc1ccccc1",
    "CN(C)c1ccccc1",
    "c1ccc(N(c2ccccc2)c2ccccc2)cc1",
    "CC=N",
    "CC=NC",
    "c1ccoc1",
    "c1ccsc1",
    "CSC",
    "CS(C)=O",
    "C[S+](C)C",
    "C[S-]",
    "CSSC",
    "C=S",
    "CP(C)C",
    "CP(=O)(O)O",
    "[Cl-]",
    "[I+]",
    "CI",
    "[F-]",
    "[Na+].[Cl-]",
    "[Li]C",
    "C[Si](C)(C)C",
    "OB(O)c1ccccc1",
    "[2H]OC(=O)C",
    "[H][H]",
    "*c1ccccc1",
    "C->[Fe]",
    "CN->B",
    "O->C",
    "C~C",
)
"""Each of the paper's 68 types, and molecules that are left to RDKit."""


def different(smiles: list[str]) -> list[tuple[str, float, float]]:
    """Those whose logP is another than RDKit's, by more than the order of a sum makes."""
    mols = [(text, Chem.MolFromSmiles(text)) for text in smiles]
    pairs = [(text, crippen.crippen_logp(mol), rdMolDescriptors.CalcCrippenDescriptors(mol)[0]) for text, mol in mols]
    return [pair for pair in pairs if not np.isclose(*pair[1:], rtol=0, atol=1e-12)]


@pytest.mark.parametrize("backwards", [False, True])
def test_it_is_rdkits_logp(backwards: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was met before."""
    monkeypatch.setattr(crippen, "_contributions", {})
    monkeypatch.setattr(crippen, "_kinds", crippen._Kinds())
    smiles = [*OF_ALL_TYPES, *MOLECULES, *ODD, *random.Random(1).sample(zinc(), 300)]
    assert different(smiles[::-1] if backwards else smiles) == []
    assert len(crippen._contributions) < 1000


def test_it_is_rdkits_logp_of_what_a_search_makes() -> None:
    rng = np.random.default_rng(0)
    smiles = list(OF_ALL_TYPES[:60])
    for _ in range(400):
        child = mutant(smiles[int(rng.integers(len(smiles)))], rng)
        smiles += [child] if child else []
    assert different(smiles) == []


def test_what_it_forgets_changes_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crippen, "_contributions", {})
    before = [crippen.crippen_logp(Chem.MolFromSmiles(text)) for text in MOLECULES]
    monkeypatch.setattr(crippen, "_MOST_KEYS", 10)
    assert [crippen.crippen_logp(Chem.MolFromSmiles(text)) for text in MOLECULES] == before
    crippen.crippen_logp(Chem.MolFromSmiles("OC#P"))
    assert len(crippen._contributions) < 10


def test_a_molecule_with_one_kind_too_many_is_left_to_rdkit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crippen, "_kinds", crippen._Kinds())
    monkeypatch.setattr(crippen, "_MOST_KINDS", 3)
    assert different(["CCO", "CCN", "CC", "CCO"]) == []
    assert len(crippen._kinds.numbers) == 3
    assert crippen._keys(Chem.MolFromSmiles("CCN")) is None


@pytest.mark.parametrize("smiles", ["[Na+].[Cl-]", "C[Si](C)(C)C", "[2H]OC", "*C", "O->C"])
def test_what_keys_cannot_tell_is_left_to_rdkit(smiles: str) -> None:
    assert crippen._keys(Chem.MolFromSmiles(smiles)) is None


def test_kinds_of_atom_have_invariants_of_their_own() -> None:
    """RDKit's are hashes of 32 bits: of all that an organic atom can be, no two are the same."""

    def invariant(values: tuple[int, ...]) -> int:
        seed = 0
        for value in values:
            seed ^= ((value & 0xFFFFFFFF) + 0x9E3779B9 + (seed << 6) + (seed >> 2)) & 0xFFFFFFFF
        return seed & 0xFFFFFFFF

    carbon = Chem.MolFromSmiles("CC")
    assert rdMolDescriptors.GetConnectivityInvariants(carbon, False)[0] == invariant((6, 4, 3, 0, 0))
    kinds = list(product((6, 7, 8, 9, 15, 16, 17, 35, 53), range(8), range(6), range(-3, 4), (-1, 0, 1, 2)))
    assert len(set(map(invariant, kinds))) == len(kinds)
