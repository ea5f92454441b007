"""Every step gives molecules, does what it says, and touches nothing that is to be kept."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from rdkit import Chem, rdBase

from designloop.molecules.chemistry import canonical, fingerprints, parse, tanimoto
from designloop.molecules.corpus import zinc
from designloop.molecules.graphs import mutation
from designloop.molecules.graphs.crossover import offspring
from designloop.molecules.graphs.graph import read_graph
from designloop.molecules.graphs.mutation import STEPS, Step, mutant, mutated_by
from designloop.molecules.graphs.tables import GROUPS, RINGS

ROWS = [zinc()[row] for row in np.random.default_rng(1).choice(len(zinc()), size=150, replace=False)]


@pytest.fixture(autouse=True)
def quiet():
    with rdBase.BlockLogs():
        yield


def children(step: Step, smiles: str, n: int = 200) -> set[str]:
    """All that a step makes of a molecule."""
    graph = read_graph(smiles, ())
    assert graph is not None
    rng = np.random.default_rng(0)
    return {child for _ in range(n) if (child := mutated_by(step, graph, rng))}


@pytest.mark.parametrize("step", STEPS.things, ids=lambda step: step.__name__)
def test_every_step_finds_places_and_gives_canonical_molecules(step: Step) -> None:
    rng = np.random.default_rng(2)
    graphs = [graph for smiles in ROWS[:50] if (graph := read_graph(smiles, ())) is not None]
    made = [child for graph in graphs if (child := mutated_by(step, graph, rng)) is not None]
    assert made
    assert [child for child in made if canonical(child) != child] == []


@pytest.mark.parametrize(
    ("step", "parent", "expected"),
    [
        (mutation.delete_group, "CCNc1ccccc1", {"Nc1ccccc1", "c1ccccc1", "CCN", "CC"}),
        (mutation.delete_atom, "CCOC", {"COC", "CCC", "CCO"}),
        (mutation.swap_aromatic_nitrogen, "c1ccncc1", {"c1ccccc1", "c1ccnnc1", "c1cnccn1", "c1cncnc1"}),
        (mutation.move_substituent, "Cc1ccccc1F", {"Cc1cccc(F)c1", "Cc1ccc(F)cc1"}),
        (mutation.raise_order, "CCO", {"CC=O"}),
        (mutation.raise_order, "CC=CC", {"CC#CC"}),
        (mutation.raise_order, "C1CC1CCC", {"CC=CC1CC1", "C=CCC1CC1", "CCC=C1CC1"}),
        (mutation.lower_order, "CC(=O)C", {"CC(C)O"}),
        (mutation.lower_order, "CC(=O)NC", set()),
        (mutation.lower_order, "C1CCC#CCCC1", {"C1=CCCCCCC1"}),
        (mutation.close_ring, "CCCCCC", {"C1CCCCC1", "CC1CCCC1"}),
        (mutation.close_ring, "CCc1ccccc1C", {"c1ccc2c(c1)CCC2"}),
        (mutation.open_ring, "C1CCCC1", {"CCCCC"}),
        (mutation.open_ring, "c1ccccc1", set()),
    ],
)
def test_what_steps_make(step: Step, parent: str, expected: set[str]) -> None:
    assert children(step, parent) == {canonical(smiles) for smiles in expected}


def test_what_steps_put_in() -> None:
    groups = {canonical("CCC" + group) for group in GROUPS.things} | {
        canonical(f"CC({group})C") for group in GROUPS.things
    }
    assert children(mutation.append_group, "CCC") <= groups
    rings = {canonical("CC" + ring.replace("[nH]1", "n1")) for ring in RINGS.things}
    assert children(mutation.append_ring, "CC") <= rings
    assert children(mutation.replace_ring, "CCC1CCCCCC1") <= rings
    assert children(mutation.insert_atom, "CC") == {"CCC", "CNC", "COC", "CSC", "CC(C)=O"}


def test_bonds_that_do_not_last_are_not_made() -> None:
    assert children(mutation.change_element, "CNC") == {"CCC", "COC", "CPC", "CSC"}
    weak = Chem.MolFromSmarts("[$([OX2][N,O,S]),$([CX4]([N,O,F,Cl,Br])[N,O])]")
    made = [parse(child) for child in children(mutation.append_group, "CO")]
    assert made
    assert [Chem.MolToSmiles(mol) for mol in made if mol is not None and mol.HasSubstructMatch(weak)] == []


def test_mutants_differ_and_stay_near() -> None:
    rng = np.random.default_rng(3)
    made = [(smiles, mutant(smiles, rng)) for smiles in ROWS]
    pairs = [(smiles, child) for smiles, child in made if child is not None]
    assert len(pairs) > 0.99 * len(ROWS)
    assert [child for smiles, child in pairs if child == canonical(smiles)] == []
    near = [float(tanimoto(*(fingerprints([molecule]) for molecule in pair))[0, 0]) for pair in pairs]
    assert np.mean(near) > 0.6


@pytest.mark.parametrize("keep", ["c1ccccc1", "C(=O)[NX3]", "[#7;R]"])
def test_what_is_kept_is_not_touched(keep: str) -> None:
    """Atoms of a match keep element, charge, hydrogens and neighbours' number; so does the pattern as a whole."""
    pattern = Chem.MolFromSmarts(keep)

    def matches(smiles: str) -> list[tuple[tuple[int, int, int, int], ...]]:
        mol = parse(smiles)
        assert mol is not None
        atoms = [[mol.GetAtomWithIdx(i) for i in match] for match in mol.GetSubstructMatches(pattern)]
        return sorted(
            tuple(sorted((a.GetAtomicNum(), a.GetFormalCharge(), a.GetTotalNumHs(), a.GetDegree()) for a in match))
            for match in atoms
        )

    rng = np.random.default_rng(4)
    made = 0
    for smiles in ROWS:
        child = mutant(smiles, rng, (keep,))
        if child is None:
            continue
        made += 1
        left = matches(child)
        for match in matches(smiles):
            assert match in left, f"{smiles} -> {child}"
            left.remove(match)
    assert made > 20


def test_a_parent_without_what_is_kept_has_no_children() -> None:
    assert mutant("CCCCO", np.random.default_rng(0), ("c1ccccc1",)) is None
    assert mutant("c1ccccc1", np.random.default_rng(0), ("c1ccccc1",)) is None


@pytest.mark.parametrize(
    ("step", "parent", "rest"),
    [
        (mutation.swap_aromatic_nitrogen, "C[C@H](N)C(=O)Nc1ccccc1", "C[C@H](N)C(=O)N"),
        (mutation.append_ring, "O[C@](F)(Br)C", "O[C@](F)(Br)C"),
        (mutation.replace_ring, "F[C@](C)(O)c1ccccc1", "F[C@](C)(O)*"),
        (mutation.replace_ring, "c1ccccc1[C@](F)(C)O", "*[C@](F)(C)O"),
        (mutation.insert_atom, "C[C@](Cl)(Br)I", "*[C@](Cl)(Br)I"),
    ],
)
def test_stereocentres_keep_their_hand(step: Step, parent: str, rest: str) -> None:
    """Also those at which a group became another: all else of the centre is as it was, seen from the new one."""
    made = [parse(child) for child in children(step, parent)]
    assert made
    query = Chem.MolFromSmarts(rest)
    hands = [mol.HasSubstructMatch(query, useChirality=True) for mol in made if mol is not None]
    assert all(hands)


def test_steps_follow_from_the_generator_in_every_process() -> None:
    program = """
from rdkit import rdBase
import numpy as np
from designloop.molecules.graphs.crossover import offspring
from designloop.molecules.graphs.mutation import mutant
rows, rng = input().split(), np.random.default_rng(6)
with rdBase.BlockLogs():
    print(*(mutant(row, rng) for row in rows), *(offspring(a, b, rng) for a, b in zip(rows, rows[1:])))
"""
    rows, rng = ROWS[:50], np.random.default_rng(6)
    here = [*(mutant(row, rng) for row in rows), *(offspring(a, b, rng) for a, b in pairwise(rows))]
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        input=" ".join(rows),
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout.split() == [str(child) for child in here]


@pytest.mark.parametrize("element", ["P", "I"])
def test_every_element_of_zinc_can_come_about(element: str) -> None:
    rng = np.random.default_rng(5)
    made = [Chem.MolFromSmiles(child) for _ in range(40) for row in ROWS if (child := mutant(row, rng)) is not None]
    assert any(atom.GetSymbol() == element for mol in made for atom in mol.GetAtoms())
