"""Acidity without a model of it: groups that water takes a proton from, or gives one to, each with a range of pKa.

The rules stand in ``ionisable.smarts``. A rule knows the group and its next neighbours, not what lies farther off: its
pKa is right within about one unit, two where many groups act at once. That tells a carboxylic acid from a phenol, which
is what a campaign needs to keep acids out; it is no prediction of a pKa.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from rdkit import Chem

from designloop.molecules.errors import MoleculeError
from designloop.molecules.outline import Outline
from designloop.molecules.pattern_screen import PatternScreen

Kind = Literal["acid", "base"]

STRONG_ACID, ACID, BASE = 6.0, 8.5, 6.5
"""Limits of pKa: a strong acid lies below 6 (all but fully charged at pH 7.4), an acid below 8.5 (charged to a tenth
and more), a base's conjugate acid above 6.5 (likewise)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A group that gives or takes a proton."""

    name: str
    kind: Kind
    smarts: str
    """Its first atom gives or takes the proton; mapped atoms belong to the group and are claimed with it."""
    low: float
    """Lowest pKa of its kind; of a base, of the conjugate acid."""
    high: float
    source: str
    """Compounds with their pKa, and where they stand."""
    example: str
    """A SMILES that it hits."""
    query: Chem.Mol
    """Of ``smarts``."""
    claimed: tuple[int, ...]
    """Atoms of ``query`` that no later rule may claim: the first, and the mapped ones."""

    @property
    def pka(self) -> float:
        """The middle of its range."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class Site:
    """An atom of a molecule that gives or takes a proton."""

    atom: int
    rule: Rule


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of ``ionisable.smarts``, in the file's order.

    Raises:
        MoleculeError: a line of the file is no rule.
    """
    lines = (files("designloop.molecules") / "ionisable.smarts").read_text("utf-8").splitlines()
    return tuple(_rule(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#"))


def _rule(number: int, line: str) -> Rule:
    cells = line.split("\t")
    if len(cells) != 7 or cells[1] not in get_args(Kind):
        raise MoleculeError(
            f"ionisable.smarts:{number}: found {line!r}, expected name, acid or base, SMARTS, lowest and highest pKa, "
            "source and example, with tabs between them"
        )
    name, kind, smarts, low, high, source, example = cells
    query = Chem.MolFromSmarts(smarts)
    if query is None:
        raise MoleculeError(f"ionisable.smarts:{number}: found {smarts!r}, expected a SMARTS; check its brackets")
    claimed = (0, *(atom.GetIdx() for atom in query.GetAtoms() if atom.GetIdx() and atom.GetAtomMapNum()))
    return Rule(
        name, "acid" if kind == "acid" else "base", smarts, float(low), float(high), source, example, query, claimed
    )


class _Rules:
    """Some rules, in the order of the file, of which a molecule is asked only those that it can hold."""

    def __init__(self, of: tuple[Rule, ...]) -> None:
        self._rules, self._screen = of, PatternScreen([rule.query for rule in of])

    def sites(self, mol: Chem.Mol, outline: Outline | None) -> Iterator[Site]:
        """Every atom that a rule claims, each by the first rule that does."""
        claimed: set[int] = set()
        for rule in (self._rules[row] for row in self._screen.possible(outline)):
            # All matches, not those of distinct atoms: of a group with two protons each end may be the first atom.
            for match in mol.GetSubstructMatches(rule.query, uniquify=False):
                atoms = [match[index] for index in rule.claimed]
                if claimed.isdisjoint(atoms):
                    claimed.update(atoms)
                    yield Site(match[0], rule)


def sites(mol: Chem.Mol) -> list[Site]:
    """Every atom that a rule claims, each by the first rule that does, in the order of the rules."""
    return list(_all_rules().sites(mol, Outline.of(mol)))


LIMITS: dict[str, tuple[Kind, float, float]] = {
    "strong_acid": ("acid", float("-inf"), STRONG_ACID),
    "acid": ("acid", float("-inf"), ACID),
    "base": ("base", BASE, float("inf")),
}
"""What is counted -> its kind, and between which pKa."""


def ionisable_groups(mol: Chem.Mol, what: str, outline: Outline | None = None) -> list[str]:
    """Names of the rules that claim a ``strong_acid``, an ``acid`` or a ``base``, once for each such group.

    Args:
        outline: of the molecule, where it has been made already.
    """
    kind, low, high = LIMITS[what]
    claimed = _of_kind(kind).sites(mol, outline or Outline.of(mol))
    return [site.rule.name for site in claimed if low < site.rule.pka < high]


def strong_acids(mol: Chem.Mol) -> int:
    """Number of groups that give a proton below pH 6, such as carboxylic acids, tetrazoles and acyl sulfonamides."""
    return len(ionisable_groups(mol, "strong_acid"))


def acids(mol: Chem.Mol) -> int:
    """Number of groups that give a proton below pH 8.5, strong acids included."""
    return len(ionisable_groups(mol, "acid"))


def bases(mol: Chem.Mol) -> int:
    """Number of groups whose conjugate acid has a pKa above 6.5, such as amines, amidines and imidazoles."""
    return len(ionisable_groups(mol, "base"))


@cache
def _all_rules() -> _Rules:
    return _Rules(rules())


@cache
def _of_kind(kind: Kind) -> _Rules:
    return _Rules(tuple(rule for rule in rules() if rule.kind == kind))
