"""Graph GA's children made faster are the package's own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
from mol_ga.graph_ga import crossover as packages_crossover
from mol_ga.graph_ga import mutate as packages_steps
from mol_ga.graph_ga.gen_candidates import graph_ga_blended_generation
from rdkit import Chem
from scipy.stats import chisquare

from designloop.benchmarks.common import graph_ga
from designloop.molecules.corpus import zinc

# The third is drawn as aromatic after one bond more, and is another molecule each time that it is sanitised.
STOCK = [*zinc()[:60], "CC(=O)[O-].[Na+]", "CCO", "FC(F)(F)c1cccc2c1CCCC2", "Cc1ccc(C(=O)Cc2cccc(O)c2)cc1"]

Draw = Callable[[random.Random], Chem.Mol | None]

DRAWS = 400


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


class Listening(random.Random):
    """Random numbers that keep what the package draws from instead of drawing."""

    def __init__(self) -> None:
        super().__init__(0)
        self.sound: list[str] = []

    def choice(self, seq: Sequence[Chem.Mol]) -> None:  # type: ignore[override]
        self.sound = list(map(Chem.MolToSmiles, seq))


def p_of_draws(sound: list[str], draw: Draw) -> float:
    """The p-value of many draws where each of the package's sound products is as likely; nothing else is drawn."""
    rng = random.Random(11)
    drawn = Counter(Chem.MolToSmiles(product) for _ in range(DRAWS) if (product := draw(rng)) is not None)
    assert drawn.keys() <= set(sound)
    assert drawn.total() == (DRAWS if sound else 0)
    expected = Counter(sound)
    if len(expected) < 2:
        return 1.0
    counts = [DRAWS * times / len(sound) for times in expected.values()]
    return float(chisquare([drawn[text] for text in expected], counts).pvalue)


def closures_of_the_package(first: graph_ga.Parts, second: graph_ga.Parts, patch: pytest.MonkeyPatch) -> list[str]:
    """All sound rings of two cut parents, as often as the package lists them, in its first try."""
    cut, ring = iter((first, second)), Chem.MolFromSmiles("C1CC1")
    patch.setattr(packages_crossover, "cut_ring", lambda *_: next(cut, None))
    listening = Listening()
    packages_crossover.crossover_ring(ring, ring, listening)
    return listening.sound


def ring_drawn_first(first: graph_ga.Parts, second: graph_ga.Parts) -> Draw:
    return lambda rng: graph_ga.DRAWN_FIRST.closed(first, second, rng)


def cut_rings(n: int) -> Iterator[tuple[graph_ga.Parts, graph_ga.Parts]]:
    rng = random.Random(7)
    while n:
        first, second = (graph_ga.cut_ring(parent, rng) for parent in rng.sample(STOCK, 2))
        if first is not None and second is not None:
            n -= 1
            yield first, second


def test_rings_drawn_first_are_each_as_likely_as_in_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    p_values = [
        p_of_draws(closures_of_the_package(*parts, monkeypatch), ring_drawn_first(*parts)) for parts in cut_rings(12)
    ]
    assert min(p_values) > 1e-3 / len(p_values)


@pytest.mark.parametrize(
    ("parent", "smarts"),
    [
        (STOCK[0], "[*:1]~[D1:2]>>[*:1]"),
        (STOCK[1], "[*;!H0:1]>>[*:1]-N"),
        (STOCK[2], "[*:1]@[*:2]>>([*:1].[*:2])"),
        (STOCK[-1], "[*:1]!-[*:2]>>[*:1]-[*:2]"),
    ],
)
def test_mutants_drawn_first_are_each_as_likely_as_in_the_package(
    parent: str, smarts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in ("insert_atom", "change_bond_order", "add_ring", "delete_atom", "change_atom", "append_atom"):
        monkeypatch.setattr(packages_steps, step, lambda *_: smarts)
    monkeypatch.setattr(packages_steps, "delete_cyclic_bond", lambda: smarts)
    listening = Listening()
    packages_steps.mutate(Chem.MolFromSmiles(parent), listening)
    assert len(set(listening.sound)) > 1
    assert p_of_draws(listening.sound, lambda rng: graph_ga.DRAWN_FIRST.mutant(parent, smarts, rng)) > 1e-3


def test_a_choice_that_never_draws_some_of_the_products_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = list(cut_rings(4))[-1]
    sound = closures_of_the_package(*parts, monkeypatch)
    monkeypatch.setattr(graph_ga, "OPEN", graph_ga.OPEN[:1])
    assert p_of_draws(sound, ring_drawn_first(*parts)) < 1e-6
