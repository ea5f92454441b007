"""Likeness to molecules that one has already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
from rdkit.Chem import rdFingerprintGenerator

from designloop.molecules import chemistry
from designloop.oracles.chemical import Smiles, as_list
from designloop.oracles.declaration import oracle
from designloop.oracles.pharmacophores import pharmacophores

Kind = Literal["ecfp4", "ecfp6", "fcfp4", "fcfp6", "atom_pair", "pharmacophore"]

_AGGREGATES: Mapping[str, Callable[..., Any]] = {"max": np.max, "mean": np.mean, "min": np.min}


@oracle(
    uses_rdkit=True,
    sees_stereo="chirality",
    example={
        "params": {"reference": "CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1"},
        "transform": {"type": "linear", "low": 0.1, "high": 0.6},
    },
)
def similarity(
    smiles: Sequence[str],
    reference: Smiles | list[Smiles],
    fingerprint: Kind = "ecfp4",
    aggregate: Literal["max", "mean", "min"] = "max",
    chirality: bool = False,
) -> dict[str, float]:
    """Tanimoto similarity to one or more references, from 0 to 1 (the same features).

    Args:
        smiles: (n,) molecules.
        reference: What to be like. Taken as it is written, while the molecules come in standard form: write a drug
            neutral and without its salt.
        fingerprint: The features compared, in 2,048 bits: circular of radius 2 or 3 (ecfp4, ecfp6), the same by
            pharmacophoric role (fcfp4, fcfp6), or pairs of atoms at a distance (atom_pair). Or, not folded, pairs and
            triples of donors, acceptors, charges, aromatic rings and hydrophobic groups by the bonds between them
            (pharmacophore): another scaffold may bind in the same way.
        aggregate: With several references, whether the nearest (max), the mean or the farthest (min) counts.
        chirality: Whether configuration at tetrahedral centres is a feature too; fingerprints then are not folded.
            Pharmacophores know none.

    Source: Rogers & Hahn 2010, J. Chem. Inf. Model. 50, 742 (ECFP, FCFP); Carhart et al. 1985, J. Chem. Inf. Comput.
    Sci. 25, 64 (atom pairs); Gobbi & Poppinger 1998, Biotechnol. Bioeng. 61, 47 (pharmacophores).
    """
    valid = [molecule for molecule in smiles if chemistry.parse(molecule) is not None]
    likeness = chemistry.tanimoto(
        _fingerprints(valid, fingerprint, chirality), _fingerprints(as_list(reference), fingerprint, chirality)
    )
    if not valid:
        return {}
    return dict(zip(valid, _AGGREGATES[aggregate](likeness, axis=1).tolist(), strict=True))


def _fingerprints(smiles: Sequence[str], kind: Kind, chirality: bool) -> list[Any]:
    if kind == "pharmacophore":
        if chirality:
            raise ValueError("the fingerprint pharmacophore has no configuration; leave chirality out")
        return [pharmacophores(chemistry.require(molecule)) for molecule in smiles]
    if not chirality:
        return chemistry.fingerprints(smiles, kind)
    # Not folded: of an atom pair's code the part that has the configuration is mostly lost in 2,048 bits.
    return [_chiral_generator(kind).GetSparseFingerprint(chemistry.require(molecule)) for molecule in smiles]


@cache
def _chiral_generator(kind: Kind) -> Any:
    if kind == "atom_pair":
        return rdFingerprintGenerator.GetAtomPairGenerator(includeChirality=True)
    roles = rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if kind.startswith("fcfp") else None
    radius = int(kind[-1]) // 2  # the name has the diameter
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=radius, includeChirality=True, atomInvariantsGenerator=roles
    )
