"""How acidic or basic a molecule is, by a table of groups, not a model: counts of what gives or takes a proton."""

from __future__ import annotations

from collections.abc import Sequence

from designloop.molecules import chemistry
from designloop.oracles.chemical import score_each
from designloop.oracles.declaration import oracle

_FEWER = {"transform": {"type": "linear", "low": 1, "high": 0}}


@oracle(uses_rdkit=True, unit="groups", example=_FEWER)
def strong_acid(smiles: Sequence[str]) -> dict[str, float]:
    """Number of groups with a pKa below 6, such as carboxylic acids, tetrazoles and acyl sulfonamides.

    Each group has a range of pKa from the literature; its middle counts. Right within about one unit for a group alone;
    what stands far off in the molecule is not seen.

    Source: designloop/molecules/ionisable.smarts, which names compounds and compilations line by line.
    """
    return score_each(smiles, chemistry.strong_acids)


@oracle(uses_rdkit=True, unit="groups", example=_FEWER)
def acid(smiles: Sequence[str]) -> dict[str, float]:
    """Number of groups with a pKa below 8.5, strong acids included: also barbiturates, nitrophenols and the like.

    Source: designloop/molecules/ionisable.smarts, which names compounds and compilations line by line.
    """
    return score_each(smiles, chemistry.acids)


@oracle(uses_rdkit=True, unit="groups", example=_FEWER)
def base(smiles: Sequence[str]) -> dict[str, float]:
    """Number of groups whose conjugate acid has a pKa above 6.5, such as alkyl amines, amidines and imidazoles.

    Source: designloop/molecules/ionisable.smarts, which names compounds and compilations line by line.
    """
    return score_each(smiles, chemistry.bases)
