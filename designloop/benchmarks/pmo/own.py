"""Tasks of our own of the kinds that PMO has, with targets that no task of PMO or GuacaMol has; each from 0 to 1.

What is learned on PMO's tasks of development has to hold where nothing was developed. The scoring parts are those of
the built-in oracles; the oracles themselves are no part of the product.
"""

from __future__ import annotations

from collections.abc import Sequence

from designloop.molecules.chemistry import crippen_logp, descriptor
from designloop.oracles.declaration import oracle
from designloop.oracles.goals import bell, clipped, isomer_of, likeness, mean_of, number, present, value_of

MODULE = __name__

OWN = (
    "donepezil_rediscovery",
    "isomers_c10h13n5o4",
    "isomers_c12h15fn2o3s",
    "median_haloperidol_risperidone",
    "sulfonylurea_smarts",
    "tamoxifen_similarity",
)
"""Names of the tasks, which are those of functions below."""

APIXABAN = "COc1ccc(cc1)-n1nc(C(N)=O)c2CCN(C(=O)c12)c1ccc(cc1)N1CCCCC1=O"
DONEPEZIL = "COc1cc2CC(CC3CCN(Cc4ccccc4)CC3)C(=O)c2cc1OC"
HALOPERIDOL = "OC1(CCN(CCCC(=O)c2ccc(F)cc2)CC1)c1ccc(Cl)cc1"
RISPERIDONE = "CC1=C(CCN2CCC(CC2)c2noc3cc(F)ccc23)C(=O)N2CCCCC2=N1"
TAMOXIFEN = "CCC(=C(c1ccccc1)c1ccc(OCCN(C)C)cc1)c1ccccc1"

TARGETS = (APIXABAN, DONEPEZIL, HALOPERIDOL, RISPERIDONE, TAMOXIFEN)


@oracle(uses_rdkit=True)
def donepezil_rediscovery(smiles: Sequence[str]) -> dict[str, float]:
    """ECFP4 similarity to donepezil, of counts: from 0 to 1."""
    return mean_of(smiles, likeness(DONEPEZIL, "ecfp4"))


@oracle(uses_rdkit=True)
def isomers_c10h13n5o4(smiles: Sequence[str]) -> dict[str, float]:
    """Closeness to the formula C10H13N5O4: from 0 to 1."""
    return mean_of(smiles, isomer_of("C10H13N5O4"))


@oracle(uses_rdkit=True)
def isomers_c12h15fn2o3s(smiles: Sequence[str]) -> dict[str, float]:
    """Closeness to the formula C12H15FN2O3S: from 0 to 1."""
    return mean_of(smiles, isomer_of("C12H15FN2O3S"))


@oracle(uses_rdkit=True)
def median_haloperidol_risperidone(smiles: Sequence[str]) -> dict[str, float]:
    """Likeness to haloperidol and to risperidone at once, the geometric mean of both by ECFP4: from 0 to 1."""
    return mean_of(smiles, likeness(HALOPERIDOL, "ecfp4"), likeness(RISPERIDONE, "ecfp4"))


@oracle(uses_rdkit=True)
def sulfonylurea_smarts(smiles: Sequence[str]) -> dict[str, float]:
    """An aryl sulfonylurea with apixaban's properties: from 0 to 1, and 0 without the group.

    Geometric mean of the group's presence, and of TPSA, logP and Bertz's complexity (1 at apixaban's, widths 5 Å², 0.2
    and 30), as ``valsartan_smarts`` has them of another group and another drug.
    """
    return mean_of(
        smiles,
        present("cS(=O)(=O)[NH]C(=O)N"),
        number(descriptor("tpsa"), bell(value_of(APIXABAN, "tpsa"), 5)),
        number(crippen_logp, bell(value_of(APIXABAN, "logp"), 0.2)),
        number(descriptor("BertzCT"), bell(value_of(APIXABAN, "BertzCT"), 30)),
    )


@oracle(uses_rdkit=True)
def tamoxifen_similarity(smiles: Sequence[str]) -> dict[str, float]:
    """Atom-pair similarity to tamoxifen, 1 from 0.75 on: from 0 to 1."""
    return mean_of(smiles, likeness(TAMOXIFEN, "atom_pair", clipped(0.75)))
