"""GuacaMol's goals of likeness to known drugs and of given formulas, under the names that PMO gives them; from 0 to 1.

They are what PMO's published oracles (PyTDC) compute. GuacaMol's second suite differs in aripiprazole_similarity, which
compares ECFP4 there and FCFP4 in PyTDC, and in formulas, where it counts dummy atoms among all atoms. ``qed``, the
twentieth of PMO's tasks that RDKit alone can compute, is in ``oracles/physchem.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from designloop.oracles.declaration import oracle
from designloop.oracles.goals import Mean, clipped, isomer_of, likeness, mean_of

CELECOXIB = "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F"
TROGLITAZONE = "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O"
THIOTHIXENE = "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1"
ARIPIPRAZOLE = "Clc4cccc(N3CCN(CCCCOc2ccc1c(NC(=O)CC1)c2)CC3)c4Cl"
ALBUTEROL = "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1"
MESTRANOL = "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1"
CAMPHOR, MENTHOL = "CC1(C)C2CCC1(C)C(=O)C2", "CC(C)C1CCC(C)CC1O"
TADALAFIL = "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C"
SILDENAFIL = "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C"


@oracle(uses_rdkit=True)
def celecoxib_rediscovery(smiles: Sequence[str]) -> dict[str, float]:
    """ECFP4 similarity to celecoxib, of counts: from 0 to 1.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(CELECOXIB, "ecfp4"))


@oracle(uses_rdkit=True)
def troglitazone_rediscovery(smiles: Sequence[str]) -> dict[str, float]:
    """ECFP4 similarity to troglitazone, of counts: from 0 to 1.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(TROGLITAZONE, "ecfp4"))


@oracle(uses_rdkit=True)
def thiothixene_rediscovery(smiles: Sequence[str]) -> dict[str, float]:
    """ECFP4 similarity to thiothixene, of counts: from 0 to 1.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(THIOTHIXENE, "ecfp4"))


@oracle(uses_rdkit=True)
def aripiprazole_similarity(
    smiles: Sequence[str], fingerprint: Literal["fcfp4", "ecfp4"] = "fcfp4"
) -> dict[str, float]:
    """Similarity to aripiprazole, 1 from 0.75 on: from 0 to 1.

    Args:
        smiles: (n,) molecules.
        fingerprint: fcfp4 as in PyTDC and GuacaMol's first suite, or ecfp4 as in its second.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096. No task of PMO.
    """
    return mean_of(smiles, likeness(ARIPIPRAZOLE, fingerprint, clipped(0.75)))


@oracle(uses_rdkit=True)
def albuterol_similarity(smiles: Sequence[str]) -> dict[str, float]:
    """FCFP4 similarity to albuterol, 1 from 0.75 on: from 0 to 1.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(ALBUTEROL, "fcfp4", clipped(0.75)))


@oracle(uses_rdkit=True)
def mestranol_similarity(smiles: Sequence[str]) -> dict[str, float]:
    """Atom-pair similarity to mestranol, 1 from 0.75 on: from 0 to 1.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(MESTRANOL, "atom_pair", clipped(0.75)))


@oracle(uses_rdkit=True)
def median1(smiles: Sequence[str], mean: Mean = "geometric") -> dict[str, float]:
    """Likeness to camphor and to menthol at once, by ECFP4: from 0 to 1.

    Args:
        smiles: (n,) molecules.
        mean: Of both: geometric as in PMO and GuacaMol's second suite, or arithmetic as in its first.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(MENTHOL, "ecfp4"), likeness(CAMPHOR, "ecfp4"), mean=mean)


@oracle(uses_rdkit=True)
def median2(smiles: Sequence[str]) -> dict[str, float]:
    """Likeness to tadalafil and to sildenafil at once, the geometric mean of both by ECFP6: from 0 to 1.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(TADALAFIL, "ecfp6"), likeness(SILDENAFIL, "ecfp6"))


@oracle(uses_rdkit=True)
def isomers_c7h8n2o2(smiles: Sequence[str], mean: Mean = "geometric") -> dict[str, float]:
    """Closeness to the formula C7H8N2O2: from 0 to 1.

    Mean of a Gaussian for each element (width 1) and one for the number of atoms (width 2). Dummy atoms count nowhere,
    as in PyTDC; in GuacaMol they count among all atoms.

    Args:
        smiles: (n,) molecules.
        mean: Geometric as in PMO and GuacaMol's second suite, or arithmetic as in its first.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, isomer_of("C7H8N2O2", mean))


@oracle(uses_rdkit=True)
def isomers_c9h10n2o2pf2cl(smiles: Sequence[str], mean: Mean = "geometric") -> dict[str, float]:
    """Closeness to the formula C9H10N2O2PF2Cl: from 0 to 1.

    Mean of a Gaussian for each element (width 1) and one for the number of atoms (width 2). Dummy atoms count nowhere,
    as in PyTDC; in GuacaMol they count among all atoms.

    Args:
        smiles: (n,) molecules.
        mean: Geometric as in PMO and GuacaMol's second suite, or arithmetic as in its first.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, isomer_of("C9H10N2O2PF2Cl", mean))


@oracle(uses_rdkit=True)
def isomers_c11h24(smiles: Sequence[str], mean: Mean = "geometric") -> dict[str, float]:
    """Closeness to the formula C11H24: from 0 to 1.

    Mean of a Gaussian for each element (width 1) and one for the number of atoms (width 2). Dummy atoms count nowhere,
    as in PyTDC; in GuacaMol they count among all atoms.

    Args:
        smiles: (n,) molecules.
        mean: Geometric as in GuacaMol's second suite, or arithmetic as in its first.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096. No task of PMO.
    """
    return mean_of(smiles, isomer_of("C11H24", mean))
