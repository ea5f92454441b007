"""What a molecule is made of: substructures and elements."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator
from rdkit import Chem

from designloop.oracles.chemical import Smarts, as_list, each, parse_smarts
from designloop.oracles.declaration import oracle

_MOST_MATCHES = 10_000
"""Matches of one pattern that are counted; RDKit's own 1,000 can be passed by a pattern such as ``C~C~C``."""


@oracle(
    uses_rdkit=True,
    sees_stereo="chirality",
    example={"params": {"smarts": "c1ccc(cc1)S(=O)(=O)"}, "transform": {"type": "linear", "low": 0, "high": 1}},
)
def substructure(
    smiles: Sequence[str],
    smarts: Smarts | list[Smarts],
    count: Literal["any", "all", "patterns", "matches"] = "any",
    chirality: bool = False,
) -> dict[str, float]:
    """Whether, or how often, a molecule has a substructure.

    Args:
        smiles: (n,) molecules.
        smarts: One or more patterns.
        count: What is answered: 1 when any pattern is there (any) or when all are (all), else 0; the number of patterns
            that are there (patterns); the number of distinct places where one matches (matches).
        chirality: Whether configuration at tetrahedral centres, as the SMARTS has it, must match too.
    """
    queries = [parse_smarts(pattern) for pattern in as_list(smarts)]

    def matches(mol: Chem.Mol) -> float:
        found = (mol.GetSubstructMatches(query, useChirality=chirality, maxMatches=_MOST_MATCHES) for query in queries)
        return sum(map(len, found))

    def patterns(mol: Chem.Mol) -> float:
        present = sum(mol.HasSubstructMatch(query, useChirality=chirality) for query in queries)
        return float({"any": present > 0, "all": present == len(queries), "patterns": present}[count])

    return each(smiles, matches if count == "matches" else patterns)


def parse_formula(formula: str) -> dict[str, int]:
    """Element -> number of atoms.

    Raises:
        ValueError: It is no formula, such as C9H10N2O2PF2Cl.
    """
    parts = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    atoms: Counter[str] = Counter()
    for element, number in parts:
        atoms[element] += int(number or 1)
    if not parts or "".join(map("".join, parts)) != formula or not _ELEMENTS.issuperset(atoms) or 0 in atoms.values():
        raise ValueError("a formula such as C9H10N2O2PF2Cl")
    return dict(atoms)


_ELEMENTS = {Chem.GetPeriodicTable().GetElementSymbol(number) for number in range(1, 119)}


def _valid_formula(formula: str) -> str:
    parse_formula(formula)
    return formula


Formula = Annotated[str, AfterValidator(_valid_formula), "formula"]


@oracle(
    uses_rdkit=True,
    example={"params": {"formula": "C9H10N2O2PF2Cl"}, "transform": {"type": "linear", "low": 0, "high": 1}},
)
def isomer(smiles: Sequence[str], formula: Formula) -> dict[str, float]:
    """Closeness to a molecular formula, from 0 to 1 (an isomer).

    Geometric mean of a Gaussian of each element's number of atoms (width 1) and one of the number of all atoms
    (width 2), hydrogens counted. An element that the formula lacks counts among all atoms only.

    Args:
        smiles: (n,) molecules.
        formula: The formula wanted.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096: IsomerScoringFunction.
    """
    wanted = parse_formula(formula)

    def score(mol: Chem.Mol) -> float:
        exponents = _exponents(atom_counts(mol), wanted)
        return math.exp(sum(exponents) / len(exponents))  # of the exponents, so that nothing underflows

    return each(smiles, score)


def formula_scores(atoms: Mapping[str, int], wanted: Mapping[str, int]) -> list[float]:
    """A Gaussian of each wanted element's number of atoms (width 1), then one of all atoms' (width 2)."""
    return [math.exp(exponent) for exponent in _exponents(atoms, wanted)]


def _exponents(atoms: Mapping[str, int], wanted: Mapping[str, int]) -> list[float]:
    exponents = [-0.5 * float(atoms.get(element, 0) - number) ** 2 for element, number in wanted.items()]
    exponents.append(-0.5 * ((sum(atoms.values()) - sum(wanted.values())) / 2) ** 2)
    return exponents


def atom_counts(mol: Chem.Mol) -> Counter[str]:
    """Element -> number of atoms, hydrogens included wherever they stand."""
    atoms: Counter[str] = Counter()
    for atom in mol.GetAtoms():
        atoms[atom.GetSymbol()] += 1
        atoms["H"] += atom.GetTotalNumHs()
    return atoms
