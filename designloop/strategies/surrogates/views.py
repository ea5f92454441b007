"""Molecules as surrogates see them: as kernels do, or by the bits of a fingerprint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence

import numpy as np

from designloop.records import Candidate
from designloop.strategies.archive.archive import Member
from designloop.strategies.surrogates.fingerprint_gp import count_features
from designloop.strategies.surrogates.kernels import features_of_molecule


class StandardFormView(ABC):
    """Molecules known by their standard forms; what of each is seen, is the subclass's.

    Args:
        standard_forms: of the campaign; None where a SMILES has none.
    """

    def __init__(self, standard_forms: Callable[[Sequence[str]], Sequence[str | None]]) -> None:
        self._standard_forms = standard_forms

    def names(self, drawn: Sequence[Candidate]) -> Sequence[str | None]:
        """Their standard forms."""
        return self._standard_forms([candidate.smiles for candidate in drawn])

    @abstractmethod
    def features(self, names: Sequence[str]) -> np.ndarray:
        """(n, …) of any molecules."""

    def features_of(self, members: Sequence[Member]) -> np.ndarray:
        """(n, …) of molecules of an archive."""
        return self.features([member.smiles for member in members])


class MoleculeView(StandardFormView):
    """Molecules as kernels see them."""

    def features(self, names: Sequence[str]) -> np.ndarray:
        """(n,) of ``MoleculeFeatures``."""
        rows = np.empty(len(names), dtype=object)
        rows[:] = [features_of_molecule(name) for name in names]
        return rows


class FingerprintView(StandardFormView):
    """Bits of standard forms; each made once a round. Arguments as those of every such view."""

    def __init__(self, standard_forms: Callable[[Sequence[str]], Sequence[str | None]]) -> None:
        super().__init__(standard_forms)
        self._rows: dict[str, np.ndarray] = {}

    def __reduce__(self) -> tuple[type[FingerprintView], tuple[object, ...]]:
        """Elsewhere it makes its rows anew, which are more than what they are made of."""
        return type(self), (self._standard_forms,)

    def features(self, names: Sequence[str]) -> np.ndarray:
        """(n, bits) booleans, of any molecules."""
        new = [name for name in dict.fromkeys(names) if name not in self._rows]
        if new:
            self._rows.update(zip(new, count_features(new).astype(bool), strict=True))
        rows = [self._rows[name] for name in names]
        return np.stack(rows) if rows else count_features([]).astype(bool)

    def forget_all_but(self, names: Collection[str]) -> None:
        """Keeps the rows of these molecules alone."""
        self._rows = {name: self._rows[name] for name in names if name in self._rows}
