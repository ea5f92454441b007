"""Molecules as surrogates see them: by fingerprints, or by the latents of the model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from designloop.records import Candidate
from designloop.strategies.archive.archive import Member
from designloop.strategies.surrogates.fingerprint_gp import count_features


class FingerprintView:
    """Bits of standard forms; each made once a round.

    Args:
        standard_forms: of the campaign; None where a SMILES has none.
    """

    def __init__(self, standard_forms: Callable[[Sequence[str]], Sequence[str | None]]) -> None:
        self._standard_forms = standard_forms
        self._rows: dict[str, np.ndarray] = {}

    def names(self, drawn: Sequence[Candidate]) -> Sequence[str | None]:
        """Their standard forms."""
        return self._standard_forms([candidate.smiles for candidate in drawn])

    def features(self, names: Sequence[str]) -> np.ndarray:
        """(n, bits) booleans, of any molecules."""
        new = [name for name in dict.fromkeys(names) if name not in self._rows]
        if new:
            self._rows.update(zip(new, count_features(new).astype(bool), strict=True))
        return np.stack([self._rows[name] for name in names])

    def features_of(self, members: Sequence[Member]) -> np.ndarray:
        """(n, bits) booleans."""
        return self.features([member.smiles for member in members])

    def forget_all_but(self, names: Collection[str]) -> None:
        """Keeps the rows of these molecules alone."""
        self._rows = {name: self._rows[name] for name in names if name in self._rows}
