"""What the built-in oracles share: a batch of parsed molecules, and the chemical kinds of parameter.

A kind is checked when the campaign file is read, so that a broken SMARTS is found there and not in round 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator
from rdkit import Chem, rdBase

from designloop.molecules import chemistry


def score_each(smiles: Sequence[str], value: Callable[[Chem.Mol], float]) -> dict[str, float]:
    """Molecule -> value, of those that are valid; the others have no answer, which is a failure."""
    parsed = zip(smiles, chemistry.parse_all(smiles), strict=True)
    return {molecule: float(value(mol)) for molecule, mol in parsed if mol is not None}


def as_list(one_or_more: str | list[str]) -> list[str]:
    """A list also of one."""
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


def parse_smarts(smarts: str) -> Chem.Mol:
    """The query.

    Raises:
        ValueError: The SMARTS is invalid or empty.
    """
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(smarts) if smarts else None
    if query is None:
        raise ValueError("a valid SMARTS")
    return query


def _valid_smiles(smiles: str) -> str:
    if chemistry.parse(smiles) is None:
        raise ValueError("a valid SMILES")
    return smiles


def _valid_smarts(smarts: str) -> str:
    parse_smarts(smarts)
    return smarts


def _valid_alert_set(name: str) -> str:
    if name not in chemistry.ALERT_SETS:
        raise ValueError(", ".join(map(repr, chemistry.ALERT_SETS)))
    return name


Smiles = Annotated[str, AfterValidator(_valid_smiles), "SMILES"]
"""A molecule, valid but as it was written: no standard form is made of it."""

Smarts = Annotated[str, AfterValidator(_valid_smarts), "SMARTS"]
"""A substructure query."""

AlertSet = Annotated[str, AfterValidator(_valid_alert_set), "alert set"]
"""The name of one of RDKit's filter catalogues."""
