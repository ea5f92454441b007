"""Whether drugs can be written in the model's language, and come back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from designloop.molecules.chemistry import require, standard_form
from designloop.molecules.drugs import Drug, approved
from designloop.molecules.errors import MoleculeError
from designloop.molecules.reconstruction import reconstruct
from designloop.molecules.sequence_vae import SequenceVAE

LARGE = {
    "atorvastatin": "CC(C)c1c(C(=O)Nc2ccccc2)c(-c2ccccc2)c(-c2ccc(F)cc2)n1CC[C@@H](O)C[C@@H](O)CC(=O)O",
    "ritonavir": (
        "CC(C)[C@H](NC(=O)N(C)Cc1csc(C(C)C)n1)C(=O)N[C@@H](Cc1ccccc1)C[C@H](O)[C@H](Cc1ccccc1)NC(=O)OCc1cncs1"
    ),
    "venetoclax": (
        "CC1(C)CCC(CN2CCN(c3ccc(C(=O)NS(=O)(=O)c4ccc(NCC5CCOCC5)c([N+](=O)[O-])c4)c(Oc4cnc5[nH]ccc5c4)c3)CC2)"
        "=C(c2ccc(Cl)cc2)C1"
    ),
}
"""Name -> SMILES of drugs longer than anything in ZINC 250k."""

MOST_HEAVY_ATOMS = 60

_ATOM = re.compile(r"\[[-=#/\\]*(?!Branch|Ring)([A-Z][a-z]?)")
"""An atom's symbol in brackets; behind the bond comes the element."""


def first_by_rule(drugs: Sequence[Drug], vae: SequenceVAE, n: int) -> list[str]:
    """Standard forms of the first drugs that the rule lets pass.

    The rule: the parent (largest organic fragment, uncharged) has carbon, at most 60 heavy atoms, and only elements
    that stand in the model's alphabet.
    """
    elements = {atom[1] for symbol in vae.codec.symbols if (atom := _ATOM.match(symbol))}
    found: list[str] = []
    for drug in drugs:
        try:
            parent = standard_form(drug.smiles)
        except MoleculeError:
            continue  # RDKit cannot read it: no organic parent
        atoms = [atom.GetSymbol() for atom in require(parent).GetAtoms()]
        if "C" in atoms and len(atoms) <= MOST_HEAVY_ATOMS and elements.issuperset(atoms):
            found.append(parent)
            if len(found) == n:
                break
    return found


def measures(vae: SequenceVAE, n: int = 200) -> dict[str, Any]:
    """Shares that can be encoded and that come back exactly: the first by the rule, three large ones, all."""
    drugs = approved()
    by_rule = reconstruct(vae, first_by_rule(drugs, vae, n))
    large = dict(zip(LARGE, reconstruct(vae, list(LARGE.values())), strict=True))
    whole = reconstruct(vae, [drug.smiles for drug in drugs])
    return {
        "by_rule": len(by_rule),
        "encoded": sum(one.error is None for one in by_rule) / len(by_rule),
        "not_encoded": [one.error for one in by_rule if one.error is not None],
        "reconstructed": sum(one.exact for one in by_rule) / len(by_rule),
        "large": {name: {"encoded": one.error is None, "similarity": one.similarity} for name, one in large.items()},
        "whole_list": len(whole),
        "whole_list_encoded": sum(one.error is None for one in whole) / len(whole),
        "whole_list_reconstructed": sum(one.exact for one in whole) / len(whole),
    }
