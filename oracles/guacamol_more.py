"""The goals of GuacaMol that are in its first or its trivial suite only, and so no tasks of PMO; each from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence

from designloop.molecules.chemistry import crippen_logp, descriptor
from designloop.oracles.declaration import oracle
from designloop.oracles.goals import (
    Part,
    arithmetic_mean,
    at_least,
    at_most,
    bell,
    clipped,
    element,
    likeness,
    mean_of,
    number,
    value_of,
)
from designloop.oracles.guacamol import RANOLAZINE

COBIMETINIB = "OC1(CN(C1)C(=O)C1=C(NC2=C(F)C=C(I)C=C2)C(F)=C(F)C=C1)C1CCCCN1"
PIOGLITAZONE = "O=C1NC(=O)SC1Cc3ccc(OCCc2ncc(cc2)CC)cc3"

_TPSA, _WEIGHT = descriptor("tpsa"), descriptor("molecular_weight")


def _cns(max_logp: float) -> Part:
    """GuacaMol's score of what may enter the brain, which other goals have as one part of theirs."""
    parts = (
        number(_TPSA, at_most(90, 30)),
        number(_TPSA, at_least(40, 20)),
        number(descriptor("hbd"), at_most(0, 2)),
        number(crippen_logp, at_most(max_logp, 1)),
        number(_WEIGHT, at_most(360, 60)),
    )
    return lambda batch: [arithmetic_mean(values) for values in zip(*(part(batch) for part in parts), strict=True)]


@oracle(uses_rdkit=True)
def cns_mpo(smiles: Sequence[str], max_logp: float = 5.0) -> dict[str, float]:
    """What may enter the brain by its polar surface, donors, logP and weight: from 0 to 1.

    Arithmetic mean of TPSA (1 up to 90 Å²), TPSA (1 from 40 Å² on), hydrogen-bond donors (1 at none), logP (1 up to the
    greatest) and weight (1 up to 360 g/mol).

    Args:
        smiles: (n,) molecules.
        max_logp: The greatest logP that has a full score; GuacaMol's first suite takes 6.35584.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096. No task of PMO.
    """
    return mean_of(smiles, _cns(max_logp))


@oracle(uses_rdkit=True)
def cobimetinib_mpo(smiles: Sequence[str], max_logp: float = 6.35584) -> dict[str, float]:
    """Cobimetinib's roles in another molecule that may enter the brain: from 0 to 1.

    Arithmetic mean of FCFP4 similarity (1 from 0.7 on), ECFP6 similarity (1 up to 0.75), rotatable bonds (1 up to
    three), aromatic rings (1 from three on) and ``cns_mpo``.

    Args:
        smiles: (n,) molecules.
        max_logp: As in ``cns_mpo``.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096, first suite. No task of PMO.
    """
    return mean_of(
        smiles,
        likeness(COBIMETINIB, "fcfp4", clipped(0.7)),
        likeness(COBIMETINIB, "ecfp6", at_most(0.75, 0.1)),
        number(descriptor("rotatable_bonds"), at_most(3, 1)),
        number(descriptor("aromatic_rings"), at_least(3, 1)),
        _cns(max_logp),
        mean="arithmetic",
    )


@oracle(uses_rdkit=True)
def pioglitazone_mpo(smiles: Sequence[str]) -> dict[str, float]:
    """Another molecule with pioglitazone's weight and two rotatable bonds: from 0 to 1.

    Geometric mean of ECFP4 similarity (1 at none at all, width 0.1), weight (1 at pioglitazone's, width 10 g/mol) and
    rotatable bonds (1 at two, width 0.5).

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096, trivial suite. No task of PMO.
    """
    return mean_of(
        smiles,
        likeness(PIOGLITAZONE, "ecfp4", bell(0, 0.1)),
        number(_WEIGHT, bell(value_of(PIOGLITAZONE, "molecular_weight"), 10)),
        number(descriptor("rotatable_bonds"), bell(2, 0.5)),
    )


@oracle(uses_rdkit=True)
def physchem_mpo(smiles: Sequence[str]) -> dict[str, float]:
    """A small but intricate molecule with six fluorines: from 0 to 1.

    Arithmetic mean of Bertz's complexity (1 from 1,500 on), weight (1 up to 400 g/mol), aromatic rings (1 up to three)
    and fluorines (1 at six).

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096, first suite. No task of PMO.
    """
    return mean_of(
        smiles,
        number(descriptor("BertzCT"), at_least(1500, 200)),
        number(_WEIGHT, at_most(400, 40)),
        number(descriptor("aromatic_rings"), at_most(3, 1)),
        number(element("F"), bell(6, 1)),
        mean="arithmetic",
    )


@oracle(uses_rdkit=True)
def ranolazine_fluorine(smiles: Sequence[str]) -> dict[str, float]:
    """Ranolazine made greasier, with one fluorine and one aromatic ring at most: from 0 to 1.

    The first suite's "Ranolazine MPO". Arithmetic mean of atom-pair similarity (1 from 0.7 on), logP (1 from 7 on),
    fluorines (1 at one) and aromatic rings (1 up to one).

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096, first suite. No task of PMO.
    """
    return mean_of(
        smiles,
        likeness(RANOLAZINE, "atom_pair", clipped(0.7)),
        number(crippen_logp, at_least(7, 1)),
        number(element("F"), bell(1, 1)),
        number(descriptor("aromatic_rings"), at_most(1, 1)),
        mean="arithmetic",
    )


@oracle(uses_rdkit=True)
def logp_target(smiles: Sequence[str], target: float = -1.0) -> dict[str, float]:
    """Closeness of logP to a value, a Gaussian of width 1: from 0 to 1.

    Args:
        smiles: (n,) molecules.
        target: The logP wanted; GuacaMol asks for -1 and for 8.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096, trivial suite. No task of PMO.
    """
    return mean_of(smiles, number(crippen_logp, bell(target, 1)))


@oracle(uses_rdkit=True)
def tpsa_target(smiles: Sequence[str], target: float = 150.0) -> dict[str, float]:
    """Closeness of the polar surface to a value, a Gaussian of width 20 Å²: from 0 to 1.

    Args:
        smiles: (n,) molecules.
        target: The TPSA wanted, in Å²; GuacaMol asks for 150.

    Source: Brown et al. 2019, "GuacaMol", J. Chem. Inf. Model. 59, 1096, trivial suite. No task of PMO.
    """
    return mean_of(smiles, number(_TPSA, bell(target, 20)))
