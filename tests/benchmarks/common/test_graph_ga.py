"""Graph GA's children made faster are the package's own."""

from __future__ import annotations

import random

import pytest
from mol_ga.graph_ga.gen_candidates import graph_ga_blended_generation

from designloop.benchmarks.common import graph_ga
from designloop.molecules.corpus import zinc

# The third is drawn as aromatic after one bond more, and is another molecule each time that it is sanitised.
STOCK = [*zinc()[:60], "CC(=O)[O-].[Na+]", "CCO", "FC(F)(F)c1cccc2c1CCCC2", "Cc1ccc(C(=O)Cc2cccc(O)c2)cc1"]


def of_both(seed: int, n: int) -> tuple[set[str], set[str], bool]:
    """Our children, the package's, and whether both drew the same random numbers."""
    ours, theirs = random.Random(seed), random.Random(seed)
    parents = random.Random(seed).choices(STOCK, k=2 * n)
    return (
        graph_ga.children(parents, n, ours),
        graph_ga_blended_generation(parents, n, theirs),
        ours.getstate() == theirs.getstate(),
    )


@pytest.mark.parametrize("seed", range(2))
def test_children_are_the_packages_own(seed: int) -> None:
    ours, theirs, is_as_drawn = of_both(seed, 60)
    assert ours == theirs
    assert is_as_drawn


def test_another_choice_among_the_products_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_ga, "CLOSE", graph_ga.CLOSE[:1])
    ours, theirs, _ = of_both(0, 60)
    assert ours != theirs


def test_what_cannot_be_cut_has_no_children() -> None:
    assert graph_ga.children(["C", "O"], 2, random.Random(3)) == set()
