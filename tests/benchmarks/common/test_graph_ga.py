"""Graph GA's crossovers made faster draw what the package's own draw."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from mol_ga.graph_ga import crossover as of_the_package
from mol_ga.graph_ga import gen_candidates
from rdkit import Chem
from scipy.stats import chi2_contingency

from designloop.benchmarks.common import graph_ga
from designloop.molecules.chemistry import canonical
from designloop.molecules.corpus import zinc

Crossover = Callable[[str, str, random.Random], Chem.Mol | None]


def of_package(first: str, second: str, rng: random.Random) -> Chem.Mol | None:
    child: Chem.Mol | None = of_the_package.crossover(Chem.MolFromSmiles(first), Chem.MolFromSmiles(second), rng)
    return child


def outcomes(crossover: Crossover, pair: tuple[str, str], n: int, seed: int) -> Counter[str | None]:
    rng = random.Random(seed)
    return Counter(None if (child := crossover(*pair, rng)) is None else Chem.MolToSmiles(child) for _ in range(n))


@pytest.mark.parametrize("pair", [("CCc1ccncc1", "O=C1CCCN1C"), ("C1CCCC1", "C1COC1"), ("C1CC1", "CC")])
def test_children_of_a_pair_come_as_often_as_the_packages_own(pair: tuple[str, str]) -> None:
    n = 500
    theirs, ours = outcomes(of_package, pair, n, seed=0), outcomes(graph_ga.crossover, pair, n, seed=1)
    common = [child for child in theirs | ours if theirs[child] + ours[child] >= 10]
    table = [[counts[child] for child in common] for counts in (theirs, ours)]
    rest = [n - sum(row) for row in table]
    if any(rest):
        table = [[*row, others] for row, others in zip(table, rest, strict=True)]
    assert len(table[0]) == 1 or chi2_contingency(table).pvalue > 0.001


def test_another_choice_among_the_products_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    pair, n = ("C1CCCC1", "C1COC1"), 300
    monkeypatch.setattr(graph_ga, "CLOSE", graph_ga.CLOSE[:1])
    theirs, ours = outcomes(of_package, pair, n, seed=0), outcomes(graph_ga.crossover, pair, n, seed=1)
    common = [child for child in theirs | ours if theirs[child] + ours[child] >= 10]
    assert chi2_contingency([[counts[child] for child in common] for counts in (theirs, ours)]).pvalue < 0.001


def test_a_generation_is_of_new_molecules_and_of_the_packages_size() -> None:
    parents = [zinc()[row] for row in range(0, 20_000, 500)]
    children = graph_ga.children(parents, 40, random.Random(0))
    assert children == graph_ga.children(parents, 40, random.Random(0))
    assert all(canonical(child) is not None for child in children)
    theirs = gen_candidates.graph_ga_blended_generation(parents, 40, random.Random(0))
    assert abs(len(children) - len(theirs)) <= 4
    assert len(graph_ga.children(parents, 10, random.Random(0))) <= 10


def test_what_cannot_be_cut_has_no_children() -> None:
    assert graph_ga.crossover("C", "O", random.Random(0)) is None
    assert graph_ga.children(["C", "O"], 2, random.Random(3)) == set()
