"""Screens of patterns: what they leave out does not match, by RDKit's own matching of everything with everything."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from designloop.molecules import acidity
from designloop.molecules.alerts import _Catalog, reactive_patterns, unstable_patterns
from designloop.molecules.chemistry import parse, reactive, require, standard_form, unstable
from designloop.molecules.corpus import zinc
from designloop.molecules.drugs import organic_drugs
from designloop.molecules.group_pairs import group_pairs
from designloop.molecules.known_parts import first_unknown_ring_system, known_parts
from designloop.molecules.outline import Outline
from designloop.molecules.pattern_demands import Fact, demand_of
from designloop.molecules.pattern_screen import PatternScreen
from designloop.testing.odd_smiles import odd_smiles

RULES = acidity.rules()
EXAMPLES = [
    *(pattern.example for pattern in (*unstable_patterns(), *reactive_patterns())),
    *(rule.example for rule in RULES),
]
MOLS = [
    *(require(standard_form(smiles)) for smiles in [*zinc()[::5000], *list(organic_drugs())[::40]]),
    *(mol for smiles in odd_smiles(120, 8) if (mol := parse(smiles)) is not None),
    *map(require, EXAMPLES[::3]),
]


def matching(mol: Chem.Mol, patterns: list[Chem.Mol]) -> list[int]:
    return [number for number, pattern in enumerate(patterns) if mol.HasSubstructMatch(pattern)]


@pytest.mark.parametrize(
    ("patterns", "most"),
    [
        ([pattern.query for pattern in unstable_patterns()], 5),
        ([pattern.query for pattern in reactive_patterns()], 1),
        ([rule.query for rule in RULES], 8),
    ],
    ids=["unstable", "reactive", "ionisable"],
)
def test_nothing_that_matches_is_screened_out_and_little_else_is_let_pass(patterns, most):
    screen, passed, hits = PatternScreen(patterns), 0, 0
    for mol in MOLS:
        outline = Outline.of(mol)
        possible, expected = screen.possible(outline), matching(mol, patterns)
        assert set(expected) <= set(possible), Chem.MolToSmiles(mol)
        assert list(possible) == sorted(possible)
        passed, hits = passed + (outline is not None) * len(possible), hits + len(expected)
    assert hits > 2
    assert passed < most * len(MOLS)


def test_filters_of_files_say_what_plain_matching_says():
    for mol in MOLS:
        for names, patterns in ((unstable, unstable_patterns()), (reactive, reactive_patterns())):
            expected = [pattern.name for pattern in patterns if mol.HasSubstructMatch(pattern.query)]
            assert names(mol) == list(dict.fromkeys(expected))


def test_sites_are_those_of_plain_matching():
    for mol in MOLS:
        claimed: set[int] = set()
        expected = []
        for rule in RULES:
            for match in mol.GetSubstructMatches(rule.query, uniquify=False):
                atoms = [match[index] for index in rule.claimed]
                if claimed.isdisjoint(atoms):
                    claimed.update(atoms)
                    expected.append(acidity.Site(match[0], rule))
        assert acidity.sites(mol) == expected


def test_few_entries_of_the_default_catalogues_are_asked():
    """Of 660; by fingerprints alone it would be 130."""
    catalog = _Catalog(["PAINS", "NIH"])
    asked = [len(catalog._screen.possible(Outline.of(mol))) for mol in MOLS[:40]]
    assert np.mean(asked) < 12


SMARTS = {
    "[#6]1~[#6]~[#6]~1": ["C1CC1", "C1CC1CC"],
    "[r5;!r3]": ["C1CCCC1", "C1CCNC1"],
    "[$([r5]C#N),$(C(=O)O)]": ["N#CC1CCCC1", "CC(=O)O"],
    "[NX3;!$(N-C=O)]": ["CN", "CNC(C)=O.CN"],
    "[O;D1].[O;D1].[O;D1]": ["OCC(O)CO"],
    "C=@C": ["C1=CCCCC1"],
    "[13CH3]": ["[13CH3]C"],
    "[C@H](F)(Cl)Br": ["F[C@H](Cl)Br", "F[C@@H](Cl)Br"],
    "[#1]": ["[H][H]"],
    "[*;R2]": ["C1CC2CCC1C2"],
    "F/C=C/F": ["F/C=C/F"],
    "[O]->[Cu]": ["[OH2]->[Cu]"],
    "[!#6;!#1]": ["CO"],
    "[Xe]": ["[Xe]"],
}
"""Patterns with parts that surroundings do not tell -> molecules that hold them."""


@pytest.mark.parametrize("smarts", SMARTS)
def test_what_surroundings_do_not_tell_is_not_demanded(smarts):
    pattern = Chem.MolFromSmarts(smarts)
    for smiles in SMARTS[smarts]:
        mol = Chem.MolFromSmiles(smiles)
        assert mol.HasSubstructMatch(pattern)
        assert list(PatternScreen([pattern]).possible(Outline.of(mol))) == [0]


@pytest.mark.parametrize(
    ("smarts", "smiles"),
    [
        ("CN", "CO"),
        ("C1CC1", "CCC"),
        ("*12~*~*~1~*~2", "C1CC1CC"),
        ("[r5]", "C1CCCCC1"),
        ("[O;D1].[O;D1].[O;D1]", "OCCO"),
        ("[$(C#N),$(C(=O)O)]", "CCN"),
        ("C=@C", "CC=CC"),
        ("N(C)(C)C", "CNC"),
    ],
)
def test_what_a_molecule_cannot_hold_is_screened_out(smarts, smiles):
    screen = PatternScreen([Chem.MolFromSmarts(smarts)])
    assert list(screen.possible(Outline.of(require(smiles)))) == []


def test_demands_by_hand():
    demand = demand_of(Chem.MolFromSmarts("[$(C1CC1),$(C#N)]~[r6]"))
    assert demand.facts == {Fact("size", 6)}
    assert len(demand.stars) == 2
    ((ring, nitrile),) = demand.choices
    assert ring.facts == {Fact("at_most", 3), Fact("count", 1)}
    assert ring.stars.total() == 3
    assert nitrile.facts == frozenset()


def test_no_more_is_remembered_than_there_is_room_for(monkeypatch):
    patterns = [pattern.query for pattern in reactive_patterns()]
    screen = PatternScreen(patterns)
    expected = [list(screen.possible(Outline.of(mol))) for mol in MOLS[-60:]]
    assert any(expected)
    monkeypatch.setattr("designloop.molecules.pattern_screen._MOST_REMEMBERED", 3)
    screen = PatternScreen(patterns)
    assert [list(screen.possible(Outline.of(mol))) for mol in MOLS[-60:]] == expected
    assert len(screen._fitting) <= 3


@pytest.mark.parametrize("smiles", ["[H][H]", "*CC", "[OH2]->[Cu]", "C~C", "[2H]C", "CN:CC", "c1cccc#c1"])
def test_what_is_unusual_has_no_outline(smiles):
    assert Outline.of(Chem.MolFromSmiles(smiles)) is None
    assert list(PatternScreen([unstable_patterns()[0].query] * 2).possible(None)) == [0, 1]


def test_an_outline_tells_what_rdkit_tells():
    for mol in MOLS:
        outline = Outline.of(mol)
        if outline is None:
            continue
        bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx(), bond.GetBondTypeAsDouble()) for bond in mol.GetBonds()]
        assert sorted((a, b, order / 2) for a, b, order in outline.bonds()) == sorted(
            (min(a, b), max(a, b), order) for a, b, order in bonds
        )
        assert outline.elements == {atom.GetAtomicNum() for atom in mol.GetAtoms()}
        assert outline.rings == tuple(mol.GetRingInfo().AtomRings())


def test_parts_are_the_same_with_an_outline_and_without(monkeypatch):
    table = known_parts()  # given by hand, it is looked up without what is remembered of descriptions
    for mol in MOLS:
        for fewest in (1, 50):
            expected = first_unknown_ring_system(mol, fewest, table)
            assert first_unknown_ring_system(mol, fewest) == first_unknown_ring_system(mol, fewest) == expected
    keys = [group_pairs(mol) for mol in MOLS]
    monkeypatch.setattr(Outline, "of", lambda mol: None)
    assert [group_pairs(mol) for mol in MOLS] == keys
