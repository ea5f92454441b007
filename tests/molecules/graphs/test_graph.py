"""What edits read of a molecule, and what it falls into when it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem, rdBase

from designloop.molecules.corpus import zinc
from designloop.molecules.graphs.edits import attach, outcome, read_group, remove
from designloop.molecules.graphs.graph import BINDS, Graph, read_graph
from designloop.molecules.graphs.parts import acyclic_parts, ring_parts
from designloop.molecules.graphs.tables import ATOMS, GROUPS, LINKS, RINGS, Table


def graph_of(smiles: str, *keep: str) -> Graph:
    graph = read_graph(smiles, keep)
    assert graph is not None
    return graph


def test_binding_goes_both_ways() -> None:
    pairs = {(a, b) for a, others in BINDS.items() for b in others}
    assert pairs == {(b, a) for a, b in pairs}
    assert {kind for pair in pairs for kind in pair} | {"I"} == BINDS.keys()


@pytest.mark.parametrize(
    ("smiles", "kinds"),
    [
        ("Cc1ccccc1", "CRRRRRR"),
        ("CC(=O)NC", "CUONA"),
        ("C=CC#N", "VVYN"),
        ("COCCl", "AOAX"),
        ("CSC", "AOA"),
        ("CS(=O)(=O)N", "ASOON"),
        ("FC(F)F", "FAFF"),
        ("C[N+](=O)[O-]", "ANOI"),
        ("C[Si](C)C", "ARAA"),
    ],
)
def test_kinds(smiles: str, kinds: str) -> None:
    assert graph_of(smiles).kinds == kinds


def test_a_carbon_whose_heteroatom_goes_may_take_another() -> None:
    graph = graph_of("CCO")
    assert graph.kinds == "CAO"
    assert graph.kind(1, without=2) == "C"
    assert graph.kind(1, without=0) == "A"


def test_what_may_not_be_changed() -> None:
    graph = graph_of("C[N+](C)(C)CCc1ccccc1O", "c1ccccc1")
    assert graph.kept.bit_count() == 6
    assert [graph.elements[i] for i in range(graph.size) if i not in graph.free] == [7, *[6] * 6]
    assert read_graph("CCO", ("c1ccccc1",)) is None
    assert read_graph("no molecule", ()) is None


def test_reading_changes_no_molecule() -> None:
    """The Kekulé form with its hydrogens made implicit is the molecule itself."""
    for smiles in zinc()[:80]:
        graph = graph_of(smiles)
        assert outcome(Chem.RWMol(graph.mol), graph) == Chem.CanonSmiles(smiles)


def test_parts_outside_rings() -> None:
    graph = graph_of("Cc1ccccc1C(=O)O")
    sides = {frozenset(i for i in range(graph.size) if part.side >> i & 1) for part in acyclic_parts(graph)}
    methyl, acid, hydroxyl = {0}, {7, 8, 9}, {9}
    everything = set(range(10))
    assert sides == {frozenset(side) for cut in (methyl, acid, hydroxyl) for side in (cut, everything - cut)}
    for part in acyclic_parts(graph):
        assert part.side >> part.ends[0].kept & 1
        assert not part.side >> part.ends[0].lost & 1


def test_nothing_is_cut_off_an_anion() -> None:
    assert [part.ends[0] for part in acyclic_parts(graph_of("C[N+](=O)[O-]"))] == [(1, 0, 1), (0, 1, 1)]


@pytest.mark.parametrize("smiles", ["CC1CCCCC1O", "c1ccc2ccccc2c1", "C1CC2CCC1CC2", "C1CC12CCNCC2"])
def test_parts_of_rings_are_what_is_connected_without_the_bonds_cut(smiles: str) -> None:
    graph = graph_of(smiles)
    parts = {(frozenset((end.kept, end.lost) for end in part.ends), part.side) for part in ring_parts(graph)}
    expected = set()
    for ring in graph.rings:
        bonds = [(ring[i - 1], ring[i]) for i in range(len(ring))]
        for i, first in enumerate(bonds):
            for second in bonds[:i]:
                mol = Chem.RWMol(graph.mol)
                mol.RemoveBond(*first)
                mol.RemoveBond(*second)
                pieces = Chem.GetMolFrags(mol)
                for piece in pieces if len(pieces) == 2 else ():
                    ends = frozenset((a, b) if a in piece else (b, a) for a, b in (first, second))
                    expected.add((ends, sum(1 << atom for atom in piece)))
    assert parts == expected


def test_groups() -> None:
    assert read_group("=O")[1:] == (2, "O", 8)
    assert read_group("[nH]1cccc1")[1:] == (1, "N", 7)


@pytest.mark.parametrize("table", [ATOMS, LINKS, GROUPS, RINGS])
def test_what_is_put_in_is_what_is_written(table: Table[str]) -> None:
    benzene, methane = graph_of("c1ccccc1"), graph_of("C")
    for text in table.things:
        parent = methane if text[0] == "=" else benzene
        mol = Chem.RWMol(parent.mol)
        attach(mol, 0, read_group(text))
        # To write a group behind another atom, the hydrogen that stands for its free bond is left out.
        behind = {"[nH]1": "n1", "[NH+](": "[N+]("}
        for alone, bound in behind.items():
            text = bound + text.removeprefix(alone) if text.startswith(alone) else text
        assert outcome(mol, parent) == Chem.CanonSmiles(parent.smiles + text)


def test_draws_follow_the_weights() -> None:
    table, rng = Table.of({"a": 1, "b": 3}), np.random.default_rng(0)
    drawn = [table.draw(rng) for _ in range(4000)]
    # Within five standard deviations of a binomial count: fails by chance once in two million.
    assert abs(drawn.count("b") - 3000) < 5 * np.sqrt(4000 * 0.75 * 0.25)


def test_an_outcome_that_is_no_molecule_is_none() -> None:
    parent = graph_of("CCO", "[OX2]")
    nothing, apart, five_bonds, lost = (Chem.RWMol(parent.mol) for _ in range(4))
    remove(nothing, parent.everything)
    apart.RemoveBond(0, 1)
    for _ in range(3):
        attach(five_bonds, 2, read_group("C"))
    lost.GetAtomWithIdx(2).SetAtomicNum(7)
    with rdBase.BlockLogs():
        assert [outcome(mol, parent) for mol in (nothing, apart, five_bonds, lost)] == [None] * 4
