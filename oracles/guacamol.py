"""GuacaMol's goals of several parts, under the names that the PMO benchmark gives them; each from 0 to 1.

They are what PMO's published oracles (PyTDC) compute, which for these are GuacaMol's second suite but for two things.
PyTDC counts no dummy atoms among a formula's (sitagliptin_mpo, zaleplon_mpo), and it gives 0 to what is no molecule,
where GuacaMol gives -1 and ours have no answer. PyTDC's deco_hop and scaffold_hop share global variables, and are
right in a process that asks one of them only, as PMO does: such are the values here.
"""

from __future__ import annotations

from collections.abc import Sequence

from designloop.molecules.chemistry import crippen_logp, descriptor
from designloop.oracles.declaration import oracle
from designloop.oracles.goals import (
    Mean,
    absent,
    at_least,
    at_most,
    bell,
    clipped,
    element,
    isomer_of,
    likeness,
    mean_of,
    number,
    present,
    value_of,
)

FEXOFENADINE = "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4"
OSIMERTINIB = "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34"
RANOLAZINE = "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2"
PERINDOPRIL = "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC"
AMLODIPINE = r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC"
SITAGLIPTIN = "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F"
ZALEPLON = "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1"
HOPPED = "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C"
"""What deco_hop and scaffold_hop start from: a quinazoline that inhibits kinases."""

_QUINAZOLINE = "[#7]-c1n[c;h1]nc2[c;h1]c(-[#8])[c;h0][c;h1]c12"

_TPSA = descriptor("tpsa")


@oracle(uses_rdkit=True)
def osimertinib_mpo(smiles: Sequence[str], mean: Mean = "geometric") -> dict[str, float]:
    """Osimertinib's roles in another molecule, more polar: from 0 to 1.

    Mean of FCFP4 similarity (1 from 0.8 on), ECFP6 similarity (1 up to 0.85), TPSA (1 from 100 Å² on) and logP (1 up to
    1).

    Args:
        smiles: (n,) molecules.
        mean: Of the parts: geometric as in PMO and GuacaMol's second suite, or arithmetic as in its first.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(
        smiles,
        likeness(OSIMERTINIB, "fcfp4", clipped(0.8)),
        likeness(OSIMERTINIB, "ecfp6", at_most(0.85, 0.1)),
        number(_TPSA, at_least(100, 10)),
        number(crippen_logp, at_most(1, 1)),
        mean=mean,
    )


@oracle(uses_rdkit=True)
def fexofenadine_mpo(smiles: Sequence[str], mean: Mean = "geometric") -> dict[str, float]:
    """Fexofenadine made less greasy: from 0 to 1.

    Mean of atom-pair similarity (1 from 0.8 on), TPSA (1 from 90 Å² on) and logP (1 up to 4).

    Args:
        smiles: (n,) molecules.
        mean: Of the parts: geometric as in PMO and GuacaMol's second suite, or arithmetic as in its first.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(
        smiles,
        likeness(FEXOFENADINE, "atom_pair", clipped(0.8)),
        number(_TPSA, at_least(90, 10)),
        number(crippen_logp, at_most(4, 1)),
        mean=mean,
    )


@oracle(uses_rdkit=True)
def ranolazine_mpo(smiles: Sequence[str]) -> dict[str, float]:
    """Ranolazine made greasier and more polar at once, with one fluorine: from 0 to 1.

    Geometric mean of atom-pair similarity (1 from 0.7 on), logP (1 from 7 on), TPSA (1 from 95 Å² on) and the number of
    fluorines (1 at one).

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(
        smiles,
        likeness(RANOLAZINE, "atom_pair", clipped(0.7)),
        number(element("F"), bell(1, 1)),
        number(_TPSA, at_least(95, 20)),
        number(crippen_logp, at_least(7, 1)),
    )


@oracle(uses_rdkit=True)
def perindopril_mpo(smiles: Sequence[str]) -> dict[str, float]:
    """Perindopril with two aromatic rings: from 0 to 1.

    Geometric mean of ECFP4 similarity and the number of aromatic rings (1 at two).

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(PERINDOPRIL, "ecfp4"), number(descriptor("aromatic_rings"), bell(2, 0.5)))


@oracle(uses_rdkit=True)
def amlodipine_mpo(smiles: Sequence[str]) -> dict[str, float]:
    """Amlodipine with three rings: from 0 to 1.

    Geometric mean of ECFP4 similarity and the number of rings (1 at three).

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(AMLODIPINE, "ecfp4"), number(descriptor("rings"), bell(3, 0.5)))


@oracle(uses_rdkit=True)
def sitagliptin_mpo(smiles: Sequence[str]) -> dict[str, float]:
    """Another molecule with sitagliptin's formula, logP and polar surface: from 0 to 1.

    Geometric mean of ECFP4 similarity (1 at none at all, width 0.1), logP and TPSA (1 at sitagliptin's, widths 0.2 and
    5 Å²) and closeness to C16H15F6N5O. Dummy atoms count nowhere, as in PyTDC; in GuacaMol they count among all atoms.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(
        smiles,
        likeness(SITAGLIPTIN, "ecfp4", bell(0, 0.1)),
        isomer_of("C16H15F6N5O"),
        number(_TPSA, bell(value_of(SITAGLIPTIN, "tpsa"), 5)),
        number(crippen_logp, bell(value_of(SITAGLIPTIN, "logp"), 0.2)),
    )


@oracle(uses_rdkit=True)
def zaleplon_mpo(smiles: Sequence[str]) -> dict[str, float]:
    """A molecule like zaleplon of the formula C19H17N3O2: from 0 to 1.

    Geometric mean of ECFP4 similarity and closeness to the formula. Dummy atoms count nowhere, as in PyTDC; in GuacaMol
    they count among all atoms.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(smiles, likeness(ZALEPLON, "ecfp4"), isomer_of("C19H17N3O2"))


@oracle(uses_rdkit=True)
def valsartan_smarts(smiles: Sequence[str]) -> dict[str, float]:
    """Valsartan's core with sitagliptin's properties: from 0 to 1, and 0 without the core.

    Geometric mean of the core's presence, and of logP, TPSA and Bertz's complexity (1 at sitagliptin's, widths 0.2, 5
    Å² and 30).

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(
        smiles,
        present("CN(C=O)Cc1ccc(c2ccccc2)cc1"),
        number(_TPSA, bell(value_of(SITAGLIPTIN, "tpsa"), 5)),
        number(crippen_logp, bell(value_of(SITAGLIPTIN, "logp"), 0.2)),
        number(descriptor("BertzCT"), bell(value_of(SITAGLIPTIN, "BertzCT"), 30)),
    )


@oracle(uses_rdkit=True)
def deco_hop(smiles: Sequence[str]) -> dict[str, float]:
    """A quinazoline's core kept, both its decorations exchanged: from 0 to 1.

    Arithmetic mean of pharmacophoric similarity (1 from 0.85 on), of the core's presence, and of the absence of the
    sulfone and of the benzothiazole.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(
        smiles,
        likeness(HOPPED, "pharmacophore", clipped(0.85)),
        absent("CS([#6])(=O)=O"),
        absent("[#7]-c1ccc2ncsc2c1"),
        present(_QUINAZOLINE),
        mean="arithmetic",
    )


@oracle(uses_rdkit=True)
def scaffold_hop(smiles: Sequence[str]) -> dict[str, float]:
    """A quinazoline's decorations kept, its core exchanged: from 0 to 1.

    Arithmetic mean of pharmacophoric similarity (1 from 0.75 on), of the presence of the decorations at their distance,
    and of the absence of the core.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096; Gao et al. 2022, "PMO", NeurIPS.
    """
    return mean_of(
        smiles,
        likeness(HOPPED, "pharmacophore", clipped(0.75)),
        present("[#6]-[#6]-[#6]-[#8]-[#6]~[#6]~[#6]~[#6]~[#6]-[#7]-c1ccc2ncsc2c1"),
        absent(_QUINAZOLINE),
        mean="arithmetic",
    )
