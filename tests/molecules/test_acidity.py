"""Acids and bases by rule, against measured pKa."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from designloop.molecules import acidity
from designloop.molecules.acidity import ACID, BASE, STRONG_ACID, rules, sites
from designloop.molecules.chemistry import MoleculeError, acids, bases, require, standard_form, strong_acids

HERE = Path(__file__).parent

MISSES = {
    "losartan": "an imidazole with chlorine and hydroxymethyl beside its nitrogen is none",
    "acetazolamide": "a sulfonamide on a thiadiazole, and an acylamino one",
    "methotrexate": "a pteridine's diamine is weaker than a pyrimidine's",
}
"""Of the compounds listed after the rules were written: those of which a count is wrong, and why."""


def listed(file: str) -> list[tuple[str, str, list[float], list[float]]]:
    """(name, SMILES, pKa of acids, pKa of bases)."""
    rows = [line.split("\t") for line in (HERE / file).read_text().splitlines() if not line.startswith("#")]
    return [
        (name, smiles, [*map(float, acid.split())], [*map(float, base.split())]) for name, smiles, acid, base in rows
    ]


MEASURED, UNSEEN = listed("pka.tsv"), listed("pka_unseen.tsv")


def counts(smiles: str) -> tuple[int, int, int]:
    mol = require(standard_form(smiles))
    return strong_acids(mol), acids(mol), bases(mol)


def expected(acid: Sequence[float], base: Sequence[float]) -> tuple[int, int, int]:
    return sum(x < STRONG_ACID for x in acid), sum(x < ACID for x in acid), sum(x > BASE for x in base)


def test_there_are_compounds_enough_each_once():
    names = [row[0] for row in MEASURED + UNSEEN]
    assert len(MEASURED) >= 40
    assert len(UNSEEN) >= 20
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("name", "smiles", "acid", "base"), MEASURED, ids=[row[0] for row in MEASURED])
def test_counts_are_those_of_measured_pka(name, smiles, acid, base):
    assert counts(smiles) == expected(acid, base)


@pytest.mark.parametrize(("name", "smiles", "acid", "base"), UNSEEN, ids=[row[0] for row in UNSEEN])
def test_counts_of_compounds_that_the_rules_were_not_made_by(name, smiles, acid, base):
    assert (counts(smiles) != expected(acid, base)) == (name in MISSES)


@pytest.mark.parametrize(("name", "smiles", "acid", "base"), MEASURED, ids=[row[0] for row in MEASURED])
def test_a_rules_range_holds_the_measured_value(name, smiles, acid, base):
    for site in sites(require(standard_form(smiles))):
        measured = acid if site.rule.kind == "acid" else base
        assert any(site.rule.low - 0.5 <= pka <= site.rule.high + 0.5 for pka in measured), site.rule.name


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.name}-{rule.example}")
def test_each_rule_hits_its_example_and_says_where_it_is_from(rule):
    mol = require(rule.example)
    assert mol.HasSubstructMatch(rule.query)
    assert rule.name in [site.rule.name for site in sites(require(standard_form(rule.example)))]
    assert rule.low < rule.high
    assert rule.source
    assert rule.name.replace("_", "").isalpha()


@pytest.mark.parametrize(
    ("smiles", "names"),
    [
        ("CC(=O)NS(C)(=O)=O", ["acyl_sulfonamide"]),
        ("CN(C(C)=O)S(C)(=O)=O", []),
        ("CS(=O)(=O)Nc1ccccc1", []),
        ("CC(=O)OC", []),
        ("CCO", []),
        ("CC(N)=O", []),
        ("Oc1ccccc1C(=O)c1ccccc1", []),
        ("O=C1CC(=O)CCC1", ["cyclic_dione"]),
        ("O=C1CCCCC1", []),
        ("CC(=O)CC(C)=O", []),
        ("O=c1cc(-c2ccccc2)oc2cccc(O)c12", []),
        ("NCCN", ["amine", "amine"]),
        ("C1CNCCN1", ["piperazine"]),
        ("CN1CCN(c2ccccc2)CC1", ["piperazine_amide"]),
        ("c1ccc(Nc2ccccc2)cc1", []),
        ("C[N+](C)(C)CC(=O)[O-]", []),
    ],
)
def test_near_misses(smiles, names):
    assert [site.rule.name for site in sites(require(smiles))] == names


def test_an_atom_is_claimed_once():
    for _, smiles, *_ in MEASURED:
        atoms = [site.atom for site in sites(require(smiles))]
        assert len(set(atoms)) == len(atoms)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("acid\tacid\tC", "ionisable.smarts:7: found 'acid.*expected name, acid or base"),
        ("name\tneither\tC\t1\t2\tsource\tC", "expected name, acid or base"),
        ("name\tacid\tC(\t1\t2\tsource\tC", r"ionisable.smarts:7: found 'C\(', expected a SMARTS"),
    ],
)
def test_a_damaged_line_is_named(line, message):
    with pytest.raises(MoleculeError, match=message):
        acidity._rule(7, line)
