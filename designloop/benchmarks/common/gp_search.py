"""Search by a Gaussian process on fingerprints: the published recipe with genetic search, and the same on ZINC alone.

Both pay for some random ZINC molecules, ten by default, then for one at a time, the one with the highest mean + κ ·
deviation, κ drawn anew from 10^U(−2, 0), and for the rest of the budget at once, by the mean. They differ in what is
looked among:

- ``gp_bo``: all paid and 10,000 random ZINC molecules, and what a genetic algorithm makes of these in five generations
  of 200 children.
- ``zinc_screen``: all of ZINC, nothing else.

Two variants are not published: several of the best of one search may be taken (``Sizes.each``), for a search costs
seconds; and several searches, each with a κ of its own, may make a batch that is paid for at once (``Sizes.batch``).

Source: Tripp & Hernández-Lobato 2024, "Diagnosing and fixing common problems in Bayesian optimization for molecule
design", and its published code (AustinT/basic-mol-bo-workshop2024).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from designloop.benchmarks.common.breeding import bred
from designloop.benchmarks.common.graph_ga import DRAWN_FIRST
from designloop.benchmarks.common.posterior import Screen, TanimotoProcess
from designloop.benchmarks.common.seeds import seed_of
from designloop.molecules.chemistry import require
from designloop.molecules.count_prints import Bank, Prints, units_of

START, SINGLE = 10, 990
"""Random molecules to begin with, and picks of one molecule that follow."""

DRAWN, GENERATIONS, CHILDREN = 10_000, 5, 200
"""Of the genetic search: molecules of the bank, generations, and children in each; the population is ``DRAWN``."""

MOST_ATOMS = 100
"""Heavy atoms that a molecule may have to be paid for."""

MOST_IDLE = 20
"""Searches one after the other that find nothing new, after which all is taken to be paid for."""


Admit = Callable[[str], str | None]
"""The form in which a molecule would be paid for; None of one that may not be."""


class Door(Protocol):
    """What stands between a search and an oracle: it counts."""

    @property
    def budget(self) -> int:
        """Molecules that may be paid for."""

    @property
    def left(self) -> int:
        """Calls that are left."""

    @property
    def paid(self) -> Mapping[str, float]:
        """Molecule -> score, in the order in which they were charged."""

    def take_up(self) -> None:
        """Charges what was paid for before an interruption."""

    def __call__(self, smiles: Sequence[str]) -> object:
        """Pays for molecules."""


@dataclass(frozen=True)
class Sizes:
    """How much is searched; tests search less."""

    start: int = START
    single: int = SINGLE
    """Molecules that are picked by mean and doubt, before the rest is by the mean."""
    drawn: int = DRAWN
    generations: int = GENERATIONS
    children: int = CHILDREN
    batch: int = 1
    """Molecules that are paid for at once."""
    each: int = 1
    """Molecules that are taken of one search, with one κ."""


def gp_bo(
    door: Door,
    bank: Bank,
    seed: int,
    sizes: Sizes = Sizes(),
    start: Sequence[str] | None = None,
    admit: Admit = str,
) -> None:
    """Spends the door's budget by the published recipe; one that was interrupted goes on where it was.

    Args:
        start: the molecules to begin with, canonical; else random ones of the bank.
        admit: what may be paid for, and in which form.
    """
    _Search(door, bank, seed, sizes, admit, genetic=True).run(start)


def zinc_screen(door: Door, bank: Bank, seed: int, sizes: Sizes = Sizes()) -> None:
    """Spends the door's budget on molecules of the bank alone; the same process, picks and draws of κ."""
    _Search(door, bank, seed, sizes, str, genetic=False).run(None)


class _Search:
    """What was learned, and what is best by it."""

    def __init__(self, door: Door, bank: Bank, seed: int, sizes: Sizes, admit: Admit, *, genetic: bool) -> None:
        self._door, self._bank, self._seed, self._sizes, self._admit = door, bank, seed, sizes, admit
        self._genetic = genetic
        self._units: dict[str, np.ndarray] = {}
        self._learned: list[str] = []

    def run(self, start: Sequence[str] | None) -> None:
        """Spends the budget; the molecules that are learned from first are those to begin with."""
        door, sizes = self._door, self._sizes
        door.take_up()
        if start is None:
            drawn = random.Random(seed_of(self._seed, "start"))
            start = drawn.sample(self._bank.smiles, min(sizes.start, door.budget))
        door([molecule for molecule in start if molecule not in door.paid][: door.left])
        began = min(len(start), len(door.paid))
        singles = began + sizes.single
        self._process = TanimotoProcess(min(singles, door.budget))
        self._screen = Screen(self._bank, min(singles, door.budget))
        # Of a batch that was cut off the rest is chosen again, by what was known when it was chosen.
        whole = began + (min(len(door.paid), singles) - began) // sizes.batch * sizes.batch
        self._learn(list(door.paid)[:whole])
        idle, late = 0, list[str]()
        while door.left and idle < MOST_IDLE:
            single = len(self._learned) < singles
            known = dict.fromkeys([*self._learned, *late])
            left = door.budget - len(known)
            wanted = min(sizes.batch, left, singles - len(self._learned)) if single else left
            picked = self._picks(known, wanted, idle, single)
            door([molecule for molecule in picked if molecule not in door.paid][: door.left])
            taken = [molecule for molecule in picked if molecule in door.paid]
            idle = 0 if taken else idle + 1
            if single:
                self._learn(taken)
            else:
                late += taken

    def _picks(self, known: Collection[str], wanted: int, idle: int, single: bool) -> list[str]:
        """Molecules to pay for at once."""
        picked: list[str] = []
        each = self._sizes.each if single else wanted
        for number in range(math.ceil(wanted / each)):
            # A search's draws follow from what was paid for, which so is all the state that there is.
            rng = random.Random(seed_of(self._seed, "pick", len(known), idle, *([number] if number else [])))
            kappa = 10 ** rng.uniform(-2, 0)
            candidates = self._candidates(known, rng, kappa if single else 0.0)
            picked += self._new(candidates, {*known, *picked}, min(each, wanted - len(picked)))
        return picked

    def _new(self, candidates: Iterator[str], known: Collection[str], wanted: int) -> list[str]:
        """The first so many that are new and of no more than ``MOST_ATOMS``; fewer where there are no more."""
        chosen: dict[str, None] = {}
        for molecule in candidates:
            if len(chosen) == wanted:
                break
            if molecule not in known and require(molecule).GetNumHeavyAtoms() <= MOST_ATOMS:
                form = self._admit(molecule)
                if form is not None and form not in known:
                    chosen[form] = None
        return list(chosen)

    def _learn(self, molecules: Sequence[str]) -> None:
        """Takes in what was paid for."""
        for molecule in molecules:
            units = self._units[molecule] = units_of(require(molecule))
            self._process.add(units, self._door.paid[molecule])
            self._screen.take_in(self._process, units)
            self._learned.append(molecule)

    def _candidates(self, known: Collection[str], rng: random.Random, kappa: float) -> Iterator[str]:
        """Molecules by mean + κ · deviation, the best first."""
        values = self._screen.mean + kappa * self._screen.deviation
        if not self._genetic:
            # As many as are sure to hold so many that were not paid for.
            enough = len(known) + (self._sizes.batch if kappa else self._door.left)
            return (self._bank.smiles[row] for row in _highest(values, enough))
        drawn = [self._bank.smiles[row] for row in rng.choices(range(len(self._bank)), k=self._sizes.drawn)]

        def acquire(smiles: Sequence[str]) -> list[float]:
            """Mean + κ · deviation, read off the screen for what is in the bank."""
            rows = [self._bank.row_of.get(molecule, -1) for molecule in smiles]
            acquired = values[rows]
            others = [place for place, row in enumerate(rows) if row < 0]
            if others:
                mean, deviation = self._process.predict(self._prints([smiles[place] for place in others]))
                acquired[others] = mean + kappa * deviation
            return [float(value) for value in acquired]

        stock, sizes = [*drawn, *known], self._sizes
        scored = bred(stock, acquire, sizes.generations, sizes.children, sizes.drawn, rng, DRAWN_FIRST)
        return iter(sorted(scored, key=lambda molecule: (-scored[molecule], molecule)))

    def _prints(self, smiles: Sequence[str]) -> Prints:
        known = self._units
        return Prints.joined([known[text] if text in known else units_of(require(text)) for text in smiles])


def _highest(values: np.ndarray, n: int) -> np.ndarray:
    """Rows of the n highest values, the highest first; all rows where there are fewer."""
    n = min(n, len(values))
    best = np.argpartition(-values, n - 1)[:n]
    return best[np.lexsort((best, -values[best]))]
