"""What every molecule of a campaign has to hold: looked for before anything dear is done with a molecule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rdkit import Chem

from designloop.molecules.chemistry import parse
from designloop.records import Candidate


@dataclass(frozen=True)
class Core:
    """Some SMARTS; none of them is no demand."""

    keep: tuple[str, ...]

    def holds(self, smiles: str) -> bool:
        """Whether a molecule matches all of them."""
        if not self.keep:
            return True
        mol = parse(smiles)
        return mol is not None and all(mol.HasSubstructMatch(pattern) for pattern in _patterns(self.keep))

    def holding(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """Those that do."""
        return [candidate for candidate in candidates if self.holds(candidate.smiles)]


@lru_cache
def _patterns(keep: tuple[str, ...]) -> tuple[Chem.Mol, ...]:
    return tuple(map(Chem.MolFromSmarts, keep))
