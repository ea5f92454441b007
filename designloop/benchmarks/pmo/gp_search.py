"""Search by a Gaussian process on fingerprints: the published recipe with genetic search, and the same on ZINC alone.

Both pay for ten random ZINC molecules, then for one at a time, the one with the highest mean + κ · deviation, κ drawn
anew from 10^U(−2, 0), and for the rest of the budget at once, by the mean. They differ in what is looked among:

- ``gp_bo``: all paid and 10,000 random ZINC molecules, and what a genetic algorithm makes of these in five generations
  of 200 children.
- ``zinc_screen``: all of ZINC, nothing else.

Source: Tripp & Hernández-Lobato 2024, "Diagnosing and fixing common problems in Bayesian optimization for molecule
design", and its published code (AustinT/basic-mol-bo-workshop2024).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from designloop.benchmarks.pmo.breeding import bred
from designloop.benchmarks.pmo.door import Door
from designloop.benchmarks.pmo.posterior import Screen, TanimotoProcess
from designloop.benchmarks.pmo.seeds import seed_of
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


@dataclass(frozen=True)
class Sizes:
    """How much is searched; tests search less."""

    start: int = START
    single: int = SINGLE
    drawn: int = DRAWN
    generations: int = GENERATIONS
    children: int = CHILDREN


def gp_bo(door: Door, bank: Bank, seed: int, sizes: Sizes = Sizes()) -> None:
    """Spends the door's budget by the published recipe; one that was interrupted goes on where it was."""
    _search(door, bank, seed, sizes, genetic=True)


def zinc_screen(door: Door, bank: Bank, seed: int, sizes: Sizes = Sizes()) -> None:
    """Spends the door's budget on molecules of the bank alone; the same process, picks and draws of κ."""
    _search(door, bank, seed, sizes, genetic=False)


def _search(door: Door, bank: Bank, seed: int, sizes: Sizes, genetic: bool) -> None:
    door.take_up()
    start = random.Random(seed_of(seed, "start")).sample(bank.smiles, min(sizes.start, door.budget))
    door([molecule for molecule in start if molecule not in door.paid][: door.left])
    singles = sizes.start + sizes.single
    search = _Search(bank, singles, sizes)
    for molecule, score in list(door.paid.items())[:singles]:
        search.learn(molecule, score)
    idle = 0
    while door.left and idle < MOST_IDLE:
        # A pick's draws follow from what was paid for, which so is all the state that there is.
        rng = random.Random(seed_of(seed, "pick", len(door.paid), idle))
        kappa = 10 ** rng.uniform(-2, 0)
        single = len(door.paid) < singles
        candidates = search.candidates(door, rng, kappa if single else 0.0, genetic)
        picked = _new(candidates, door, 1 if single else door.left)
        idle = 0 if picked else idle + 1
        door(picked)
        if single:
            for molecule in picked:
                search.learn(molecule, door.paid[molecule])


def _new(candidates: Iterator[str], door: Door, wanted: int) -> list[str]:
    """The first so many candidates that are new and of no more than ``MOST_ATOMS``; fewer where there are no more."""
    chosen: list[str] = []
    for molecule in candidates:
        if len(chosen) == wanted:
            break
        if molecule not in door.paid and require(molecule).GetNumHeavyAtoms() <= MOST_ATOMS:
            chosen.append(molecule)
    return chosen


class _Search:
    """What was learned, and what is best by it."""

    def __init__(self, bank: Bank, capacity: int, sizes: Sizes) -> None:
        self._bank, self._sizes = bank, sizes
        self._process = TanimotoProcess(capacity)
        self._screen = Screen(bank, capacity)
        self._units: dict[str, np.ndarray] = {}

    def learn(self, molecule: str, score: float) -> None:
        """Takes in what was paid for."""
        units = self._units[molecule] = units_of(require(molecule))
        self._process.add(units, score)
        self._screen.take_in(self._process, units)

    def candidates(self, door: Door, rng: random.Random, kappa: float, genetic: bool) -> Iterator[str]:
        """Molecules by mean + κ · deviation, the best first."""
        values = self._screen.mean + kappa * self._screen.deviation
        if not genetic:
            # As many as are sure to hold so many that were not paid for.
            return (self._bank.smiles[row] for row in _highest(values, len(door.paid) + (1 if kappa else door.left)))
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

        stock = [*drawn, *door.paid]
        scored = bred(stock, acquire, self._sizes.generations, self._sizes.children, self._sizes.drawn, rng)
        return iter(sorted(scored, key=lambda molecule: (-scored[molecule], molecule)))

    def _prints(self, smiles: Sequence[str]) -> Prints:
        known = self._units
        return Prints.joined([known[text] if text in known else units_of(require(text)) for text in smiles])


def _highest(values: np.ndarray, n: int) -> np.ndarray:
    """Rows of the n highest values, the highest first; all rows where there are fewer."""
    n = min(n, len(values))
    best = np.argpartition(-values, n - 1)[:n]
    return best[np.lexsort((best, -values[best]))]
