"""The two proposers of graph steps: what candidates say of their origin, and that they follow from the generator."""

from __future__ import annotations

import pytest
from rdkit import Chem

from designloop.molecules.chemistry import parse
from designloop.molecules.corpus import zinc
from designloop.randomness import generators_of
from designloop.strategies.archive.archive import Member
from designloop.strategies.proposers.graphs import GraphCrossover, GraphMutation

ELITES = [Member(smiles, "", 1.0 - 0.01 * rank) for rank, smiles in enumerate(zinc()[:40])]
BREED: dict[str, type[GraphMutation] | type[GraphCrossover]] = {
    "graph_mutation": GraphMutation,
    "graph_crossover": GraphCrossover,
}


@pytest.mark.parametrize("name", BREED)
def test_candidates_name_proposer_and_parents(name: str) -> None:
    drawn = BREED[name]().propose(ELITES, 60, generators_of("cpu", 0))
    assert 45 < len(drawn) <= 60
    assert {(c.proposer, c.selfies, c.model_round) for c in drawn} == {(name, None, 0)}
    assert {len(c.parents) for c in drawn} == {1 if name == "graph_mutation" else 2}
    known = {elite.smiles for elite in ELITES}
    assert all(known.issuperset(c.parents) and c.smiles not in c.parents for c in drawn)
    assert len({c.smiles for c in drawn}) == len(drawn)
    assert [c.smiles for c in drawn if parse(c.smiles) is None] == []


@pytest.mark.parametrize("name", BREED)
def test_every_child_holds_what_is_to_be_kept(name: str) -> None:
    patterns = ("c1ccccc1", "[NX3]")
    drawn = BREED[name](patterns).propose(ELITES, 60, generators_of("cpu", 1))
    assert drawn
    queries = [Chem.MolFromSmarts(pattern) for pattern in patterns]
    assert all(Chem.MolFromSmiles(c.smiles).HasSubstructMatch(query) for c in drawn for query in queries)


@pytest.mark.parametrize("name", BREED)
def test_too_few_elites_give_nothing(name: str) -> None:
    assert BREED[name]().propose([], 5, generators_of("cpu", 0)) == []
    assert GraphCrossover().propose(ELITES[:1], 5, generators_of("cpu", 0)) == []


@pytest.mark.parametrize("name", BREED)
def test_draws_follow_from_the_generator(name: str) -> None:
    first, again, other = (BREED[name]().propose(ELITES, 20, generators_of("cpu", seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other
