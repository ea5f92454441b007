"""What mutations put in, and how often: common atoms, groups and rings of medicinal chemistry, whatever is sought.

Groups and rings are attached by their first atom, by a single bond where no ``=`` says otherwise.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


class Table(Generic[T]):
    """Things to draw by weight."""

    def __init__(self, things: Iterable[T], weights: Iterable[float]) -> None:
        self.things = tuple(things)
        self._sums = tuple(accumulate(weights))

    @classmethod
    def of(cls, weights: Mapping[T, float]) -> Table[T]:
        """The keys, by their values."""
        return cls(weights, weights.values())

    def draw(self, rng: np.random.Generator) -> T:
        """One of them."""
        return self.things[bisect(self._sums, rng.random() * self._sums[-1], hi=len(self.things) - 1)]


ATOMS = Table.of({"C": 5, "N": 3, "O": 3, "S": 1, "F": 1.5, "Cl": 1, "Br": 0.3, "I": 0.1, "P": 0.1})
"""Each element of ZINC 250k, the rare ones above their share of it: what no step puts in, nothing ever has."""

LINKS = Table.of({"C": 4, "N": 2, "O": 2, "C=O": 1.5, "S": 0.4})
"""What is put between two atoms that were bound; the second is bound to the first atom too."""

GROUPS = Table.of(
    {
        "C": 6, "F": 4, "Cl": 3, "O": 3, "N": 3, "OC": 3, "C#N": 2, "C(F)(F)F": 2, "CC": 2, "=O": 2, "NC": 1.5,
        "N(C)C": 1.5, "C(=O)N": 1.5, "C(C)C": 1, "CO": 1, "CN": 1, "C(=O)O": 1, "C(C)=O": 1, "C(=O)NC": 1,
        "NC(C)=O": 1, "S(C)(=O)=O": 1, "S(N)(=O)=O": 0.5, "OCC": 1, "COC": 1, "C1CC1": 1, "Br": 0.5, "SC": 0.5,
        "OC(F)F": 0.5, "C(C)(C)C": 0.5, "C(C)(C)O": 0.5, "NS(C)(=O)=O": 0.5, "C#C": 0.3, "I": 0.1, "P(C)(C)=O": 0.1,
        "P(=O)(O)O": 0.1, "[NH+](=O)[O-]": 0.1,
    }
)  # fmt: skip

RINGS = Table.of(
    {
        "c1ccccc1": 6, "c1ccccn1": 2, "c1cccnc1": 3, "c1ccncc1": 2, "c1ncccn1": 1, "c1cncnc1": 1, "c1cnccn1": 1,
        "c1cccs1": 1, "c1ccsc1": 0.5, "c1ccco1": 1, "c1cscn1": 0.5, "c1nccs1": 1, "c1cocn1": 0.5, "c1ccno1": 0.5,
        "c1cc[nH]n1": 1, "c1cn[nH]c1": 1, "c1c[nH]cn1": 1, "c1nc[nH]n1": 0.5, "c1nnco1": 0.5, "[nH]1cccn1": 1,
        "[nH]1ccnc1": 1, "[nH]1cncn1": 0.5, "[nH]1cccc1": 0.5, "C1CCCCC1": 1.5, "C1CCCC1": 1, "C1CCC1": 0.7,
        "C1CC1": 1.5, "N1CCOCC1": 2, "N1CCCCC1": 2, "N1CCNCC1": 1.5, "N1CCCC1": 2, "N1CCC1": 0.7, "C1CCNCC1": 1.5,
        "C1CCCNC1": 1, "C1CCNC1": 1, "C1CCOCC1": 1.5, "C1CCCO1": 0.7, "C1COC1": 0.7,
    }
)  # fmt: skip
