"""Physicochemical properties and drug-likeness of a molecule, all from RDKit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from designloop.molecules.chemistry import descriptor
from designloop.oracles.chemical import score_each
from designloop.oracles.declaration import oracle


def _example(low: float, high: float, **params: str) -> dict[str, dict[str, object]]:
    """A linear transform, 0 at ``low`` and 1 at ``high``; less is better where ``high`` is the smaller."""
    return {"params": dict(params), "transform": {"type": "linear", "low": low, "high": high}}


@oracle(uses_rdkit=True, example=_example(0.3, 0.8))
def qed(smiles: Sequence[str]) -> dict[str, float]:
    """Quantitative estimate of drug-likeness, from 0 to 1 (drug-like).

    Source: Bickerton et al. 2012, Nat. Chem. 4, 90, with mean weights, as in RDKit.
    """
    return score_each(smiles, descriptor("qed"))


@oracle(uses_rdkit=True, unit="log10", example=_example(0, 3))
def logp(smiles: Sequence[str]) -> dict[str, float]:
    """Octanol-water partition coefficient, log10, from atom contributions; more is more lipophilic.

    Source: Wildman & Crippen 1999, J. Chem. Inf. Comput. Sci. 39, 868, as in RDKit.
    """
    return score_each(smiles, descriptor("logp"))


@oracle(uses_rdkit=True, unit="log10(mol/L)", example=_example(-6, -3))
def esol(smiles: Sequence[str]) -> dict[str, float]:
    """Solubility in water at 25 °C, log10 of mol/L; more is more soluble.

    0.16 - 0.63 logP - 0.0062 MW + 0.066 rotatable bonds - 0.74 aromatic proportion, with Crippen's logP in place of
    Daylight's clogP.

    Fitted to 2,874 measured solubilities, most of them of small neutral compounds. It knows neither pH nor charge: of
    an acid or a base it gives the solubility of the neutral form, which at pH 7.4 can be off by orders of magnitude.
    Not valid for salts, zwitterions and what is always charged, nor for macrocycles, peptides and flat, symmetric
    molecules whose crystals hold together better than their atoms tell. `filters: {strong_acid: 0, base: 0}` keeps
    acids and bases out.

    Source: Delaney 2004, J. Chem. Inf. Comput. Sci. 44, 1000.
    """
    return score_each(smiles, descriptor("esol"))


@oracle(uses_rdkit=True, unit="Å²", example=_example(140, 90))
def tpsa(smiles: Sequence[str]) -> dict[str, float]:
    """Topological polar surface area of nitrogens and oxygens.

    Source: Ertl et al. 2000, J. Med. Chem. 43, 3714, as in RDKit.
    """
    return score_each(smiles, descriptor("tpsa"))


@oracle(uses_rdkit=True, unit="g/mol", example=_example(550, 400))
def molecular_weight(smiles: Sequence[str]) -> dict[str, float]:
    """Average molecular weight, all hydrogens counted."""
    return score_each(smiles, descriptor("molecular_weight"))


@oracle(uses_rdkit=True, example=_example(6, 3))
def hbd(smiles: Sequence[str]) -> dict[str, float]:
    """Number of hydrogen-bond donors: nitrogens and oxygens that carry hydrogen, as RDKit counts them."""
    return score_each(smiles, descriptor("hbd"))


@oracle(uses_rdkit=True, example=_example(11, 7))
def hba(smiles: Sequence[str]) -> dict[str, float]:
    """Number of hydrogen-bond acceptors, as RDKit counts them."""
    return score_each(smiles, descriptor("hba"))


@oracle(uses_rdkit=True, example=_example(11, 6))
def rotatable_bonds(smiles: Sequence[str]) -> dict[str, float]:
    """Number of rotatable bonds, amides and the like not counted."""
    return score_each(smiles, descriptor("rotatable_bonds"))


_RINGS = {
    "all": "RingCount",
    "aromatic": "NumAromaticRings",
    "aliphatic": "NumAliphaticRings",
    "saturated": "NumSaturatedRings",
    "heterocycles": "NumHeterocycles",
}
"""Kind of ring -> RDKit's name of the count."""


@oracle(uses_rdkit=True, example=_example(4, 2, kind="aromatic"))
def rings(
    smiles: Sequence[str], kind: Literal["all", "aromatic", "aliphatic", "saturated", "heterocycles"] = "all"
) -> dict[str, float]:
    """Number of rings of a kind, in the smallest set of smallest rings.

    Args:
        smiles: (n,) molecules.
        kind: Which rings count: aliphatic ones have a bond that is not aromatic, saturated ones only single bonds,
            heterocycles an atom that is not carbon.
    """
    return score_each(smiles, descriptor(_RINGS[kind]))
