"""Whether a molecule can be made, and whether a chemist would want to."""

from __future__ import annotations

from collections.abc import Sequence

from designloop.molecules import chemistry
from designloop.oracles.chemical import AlertSet, as_list, each
from designloop.oracles.declaration import oracle


@oracle(uses_rdkit=True, example={"transform": {"type": "linear", "low": 5.0, "high": 2.5}})
def sa_score(smiles: Sequence[str]) -> dict[str, float]:
    """Synthetic accessibility, from 1 (easy) to 10 (hard).

    Source: Ertl & Schuffenhauer 2009, J. Cheminform. 1, 8, in RDKit's contributed implementation.
    """
    return each(smiles, chemistry.sa_score)


@oracle(
    uses_rdkit=True,
    example={"params": {"sets": ["BRENK", "PAINS"]}, "transform": {"type": "linear", "low": 2, "high": 0}},
)
def alerts(smiles: Sequence[str], sets: AlertSet | list[AlertSet] = "BRENK") -> dict[str, float]:
    """Number of structural alerts that a molecule hits, of one or more of RDKit's filter catalogues.

    Args:
        smiles: (n,) molecules.
        sets: Names of catalogues: PAINS, PAINS_A, PAINS_B, PAINS_C, BRENK, NIH, ZINC, CHEMBL and its parts.

    Source: Baell & Holloway 2010 (PAINS), Brenk et al. 2008 (BRENK), and those that RDKit's FilterCatalog names.
    """
    names = as_list(sets)
    return each(smiles, lambda mol: len(chemistry.alerts(mol, names)))
