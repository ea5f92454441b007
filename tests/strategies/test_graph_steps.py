"""The two proposers of graph steps: what candidates say of their origin, and that they follow from the generator."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem

from designloop.molecules.chemistry import parse
from designloop.molecules.corpus import zinc
from designloop.strategies.graph_steps import graph_crossed, graph_mutated
from designloop.strategies.proposers import Elite

ELITES = [Elite(smiles, "", 1.0 - 0.01 * rank) for rank, smiles in enumerate(zinc()[:40])]
BREED = {"graph_mutation": graph_mutated, "graph_crossover": graph_crossed}


@pytest.mark.parametrize("name", BREED)
def test_candidates_name_proposer_parents_and_model(name: str) -> None:
    drawn = BREED[name](ELITES, 60, np.random.default_rng(0), model_round=3)
    assert 45 < len(drawn) <= 60
    assert {(c.proposer, c.selfies, c.model_round) for c in drawn} == {(name, None, 3)}
    assert {len(c.parents) for c in drawn} == {1 if name == "graph_mutation" else 2}
    known = {elite.smiles for elite in ELITES}
    assert all(known.issuperset(c.parents) and c.smiles not in c.parents for c in drawn)
    assert len({c.smiles for c in drawn}) == len(drawn)
    assert [c.smiles for c in drawn if parse(c.smiles) is None] == []


@pytest.mark.parametrize("name", BREED)
def test_every_child_holds_what_is_to_be_kept(name: str) -> None:
    patterns = ("c1ccccc1", "[NX3]")
    drawn = BREED[name](ELITES, 60, np.random.default_rng(1), patterns)
    assert drawn
    queries = [Chem.MolFromSmarts(pattern) for pattern in patterns]
    assert all(Chem.MolFromSmiles(c.smiles).HasSubstructMatch(query) for c in drawn for query in queries)


@pytest.mark.parametrize("name", BREED)
def test_too_few_elites_give_nothing(name: str) -> None:
    assert BREED[name]([], 5, np.random.default_rng(0)) == []
    assert graph_crossed(ELITES[:1], 5, np.random.default_rng(0)) == []


@pytest.mark.parametrize("name", BREED)
def test_draws_follow_from_the_generator(name: str) -> None:
    one, same, other = (BREED[name](ELITES, 20, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert one == same
    assert one != other
