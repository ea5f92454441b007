"""Structural alerts: RDKit's filter catalogues by name, and our own patterns of unstable molecules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files

from rdkit import Chem
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from designloop.molecules.errors import MoleculeError

ALERT_SETS: tuple[str, ...] = tuple(sorted(FilterCatalogParams.FilterCatalogs.names))
"""RDKit's catalogues: PAINS (Baell & Holloway 2010), NIH, BRENK, ZINC, and the sets that ChEMBL collected."""


def check_alert_set(name: str) -> None:
    """Nothing, where there is such a set.

    Raises:
        MoleculeError: where there is none; the message lists them and gives the nearest.
    """
    if name not in ALERT_SETS:
        folded = {one.lower(): one for one in ALERT_SETS}
        near = get_close_matches(name.lower(), folded, n=1)
        hint = f"did you mean {folded[near[0]]!r}?" if near else "take one of these."
        raise MoleculeError(f"found alert set {name!r}, expected one of {', '.join(ALERT_SETS)}; {hint}")


@lru_cache(32)
def _catalog(sets: tuple[str, ...]) -> FilterCatalog:
    """One catalogue that holds all the sets."""
    parameters = FilterCatalogParams()
    for name in sets:
        check_alert_set(name)
        parameters.AddCatalog(FilterCatalogParams.FilterCatalogs.names[name])
    return FilterCatalog(parameters)


def alerts(mol: Chem.Mol, sets: Sequence[str] = ("PAINS", "NIH")) -> list[str]:
    """Names of the catalogue entries that the molecule hits, in the catalogue's order.

    Raises:
        MoleculeError: when there is no such set; the message lists them.
    """
    return [entry.GetDescription() for entry in _catalog(tuple(sets)).GetMatches(mol)]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A structural pattern with a name and a molecule that it hits."""

    name: str
    smarts: str
    example: str
    query: Chem.Mol


@cache
def unstable_patterns() -> tuple[Pattern, ...]:
    """The patterns of ``unstable.smarts``, in the file's order."""
    patterns = []
    for line in (files("designloop.molecules") / "unstable.smarts").read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, smarts, example = line.split("\t")
            patterns.append(Pattern(name, smarts, example, Chem.MolFromSmarts(smarts)))
    return tuple(patterns)


def unstable(mol: Chem.Mol) -> list[str]:
    """Names of the patterns of unstable molecules that the molecule hits."""
    return [pattern.name for pattern in unstable_patterns() if mol.HasSubstructMatch(pattern.query)]
