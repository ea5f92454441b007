"""Whether drugs can be written in the model's language, and come back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from designloop.benchmarks.pmo import own
from designloop.benchmarks.sequence_vae.limits import DRUG_SIZE
from designloop.benchmarks.sequence_vae.samples import zinc_parents
from designloop.molecules.chemistry import require, standard_form, standard_forms, without_stereo
from designloop.molecules.drugs import Drug, approved_drugs, organic_drugs
from designloop.molecules.errors import MoleculeError
from designloop.molecules.reconstruction import reconstruct
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.oracles import guacamol, guacamol_more, guacamol_targets

TARGETS = (
    guacamol.FEXOFENADINE, guacamol.OSIMERTINIB, guacamol.RANOLAZINE, guacamol.PERINDOPRIL, guacamol.AMLODIPINE,
    guacamol.SITAGLIPTIN, guacamol.ZALEPLON, guacamol.HOPPED, guacamol_more.COBIMETINIB, guacamol_more.PIOGLITAZONE,
    guacamol_targets.CELECOXIB, guacamol_targets.TROGLITAZONE, guacamol_targets.THIOTHIXENE,
    guacamol_targets.ARIPIPRAZOLE, guacamol_targets.ALBUTEROL, guacamol_targets.MESTRANOL, guacamol_targets.CAMPHOR,
    guacamol_targets.MENTHOL, guacamol_targets.TADALAFIL, guacamol_targets.SILDENAFIL, *own.TARGETS,
)  # fmt: skip
"""Molecules that the goal-directed benchmarks ask for: no model is judged, or chosen, by how well it knows them."""

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


def select_by_rule(drugs: Sequence[Drug], vae: SequenceVAE, n: int) -> list[str]:
    """Returns the standard forms of the first drugs that the rule lets pass.

    The rule: the parent (largest organic fragment, uncharged) has carbon, at most 60 heavy atoms, and only elements
    that stand in the model's alphabet.
    """
    elements = {atom[1] for symbol in vae.codec.symbols if (atom := _ATOM.match(symbol))}
    parents: list[str] = []
    for drug in drugs:
        try:
            parent = standard_form(drug.smiles)
        except MoleculeError:
            continue  # RDKit cannot read it: no organic parent
        atoms = [atom.GetSymbol() for atom in require(parent).GetAtoms()]
        if "C" in atoms and len(atoms) <= MOST_HEAVY_ATOMS and elements.issuperset(atoms):
            parents.append(parent)
            if len(parents) == n:
                break
    return parents


def select_unknown(vae: SequenceVAE) -> list[str]:
    """Returns the standard forms of drugs of at most 40 heavy atoms that ZINC 250k does not hold.

    Stereo marks are left aside in that; drugs that the model's alphabet cannot express, and what benchmarks ask for,
    are left out.
    """
    known = set(zinc_parents())
    known |= {without_stereo(form) for form in standard_forms(TARGETS) if form is not None}
    chosen: list[str] = []
    for form in organic_drugs():
        if require(form).GetNumHeavyAtoms() <= DRUG_SIZE and without_stereo(form) not in known:
            try:
                vae.codec.to_selfies(form)
            except MoleculeError:
                continue
            chosen.append(form)
    return chosen


def measure_unknown(vae: SequenceVAE, most: int | None = None) -> dict[str, float]:
    """Measures how many drugs of ``select_unknown``, or as many first ones, come back, refined and as encoded."""
    drugs = select_unknown(vae)[:most]
    return {
        "drugs": len(drugs),
        "reconstructed": fmean(outcome.exact for outcome in reconstruct(vae, drugs)),
        "reconstructed_without_refinement": fmean(outcome.exact for outcome in reconstruct(vae, drugs, refine=0)),
    }


def measure(vae: SequenceVAE, n: int = 200) -> dict[str, Any]:
    """Measures which drugs can be encoded and come back exactly: the first by the rule, three large ones, all."""
    drugs = approved_drugs()
    by_rule = reconstruct(vae, select_by_rule(drugs, vae, n))
    large = dict(zip(LARGE, reconstruct(vae, list(LARGE.values())), strict=True))
    whole_list = reconstruct(vae, [drug.smiles for drug in drugs])
    return {
        "by_rule": len(by_rule),
        "encoded": sum(outcome.error is None for outcome in by_rule) / len(by_rule),
        "not_encoded": [outcome.error for outcome in by_rule if outcome.error is not None],
        "reconstructed": sum(outcome.exact for outcome in by_rule) / len(by_rule),
        "large": {
            name: {"encoded": outcome.error is None, "similarity": outcome.similarity}
            for name, outcome in large.items()
        },
        "whole_list": len(whole_list),
        "whole_list_encoded": sum(outcome.error is None for outcome in whole_list) / len(whole_list),
        "whole_list_reconstructed": sum(outcome.exact for outcome in whole_list) / len(whole_list),
    }
