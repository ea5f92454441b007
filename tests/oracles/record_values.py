"""Writes data/values.json: what each built-in oracle says of 200 fixed molecules, under this RDKit.

    python tests/oracles/record_values.py            after adding an oracle, or raising one's version
    python tests/oracles/record_values.py --draw     also draws the molecules anew, which is hardly ever right

The molecules are 180 drawn from ZINC 250k and the twenty odd ones of designloop.testing, all in standard form ``none``:
salts, charges and stereo marks are part of what is guarded.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(__file__).resolve().parent / "data"

BICALUTAMIDE = "CC(O)(CS(=O)(=O)c1ccc(F)cc1)C(=O)Nc1ccc(C#N)c(C(F)(F)F)c1"

GUACAMOL = (
    "albuterol_similarity amlodipine_mpo aripiprazole_similarity celecoxib_rediscovery cns_mpo cobimetinib_mpo "
    "deco_hop fexofenadine_mpo isomers_c11h24 isomers_c7h8n2o2 isomers_c9h10n2o2pf2cl logp_target median1 median2 "
    "mestranol_similarity osimertinib_mpo perindopril_mpo physchem_mpo pioglitazone_mpo ranolazine_fluorine "
    "ranolazine_mpo scaffold_hop sitagliptin_mpo thiothixene_rediscovery tpsa_target troglitazone_rediscovery "
    "valsartan_smarts zaleplon_mpo".split()
)
"""Which data/guacamol.json.gz compares with other packages; here, that nothing moves in the ninth decimal either."""

CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("alerts", {"sets": "BRENK"}),
    ("alerts", {"sets": ["NIH", "PAINS"]}),
    ("esol", {}),
    *((task, {}) for task in GUACAMOL),
    *((task, {"mean": "arithmetic"}) for task in ("fexofenadine_mpo", "isomers_c7h8n2o2", "median1")),
    ("aripiprazole_similarity", {"fingerprint": "ecfp4"}),
    *((name, {}) for name in ("strong_acid", "acid", "base")),
    ("hba", {}),
    ("hbd", {}),
    ("isomer", {"formula": "C9H10N2O2PF2Cl"}),
    ("isomer", {"formula": "C19H25N3O2"}),
    ("logp", {}),
    ("molecular_weight", {}),
    ("qed", {}),
    *(("rings", {"kind": kind}) for kind in ("all", "aromatic", "aliphatic", "saturated", "heterocycles")),
    ("rotatable_bonds", {}),
    ("sa_score", {}),
    *(
        ("similarity", {"reference": BICALUTAMIDE, "fingerprint": kind})
        for kind in ("ecfp4", "ecfp6", "fcfp4", "fcfp6", "atom_pair")
    ),
    ("similarity", {"reference": [BICALUTAMIDE, "C[C@H](N)C(=O)O"], "aggregate": "mean", "chirality": True}),
    *(("substructure", {"smarts": ["c1ccccc1", "C(=O)N"], "count": count}) for count in ("any", "all", "matches")),
    ("substructure", {"smarts": "[C@H](N)(C)C", "chirality": True}),
    ("tpsa", {}),
)
"""Each built-in at least once, and each of its options that leads elsewhere in the code."""


def molecules() -> list[str]:
    """The 200 molecules, in standard form ``none``."""
    return (DATA / "molecules.smi").read_text().split()


def measure(reference: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of the record: the oracle, its version, RDKit's, and its values in the order of the molecules."""
    from designloop.oracles import load

    oracle = load(reference, params)
    values = [answer.value for answer in oracle.answers(molecules()).values()]
    return {
        "oracle": reference,
        "params": dict(params),
        "version": oracle.version,
        "rdkit": oracle.rdkit,
        "values": values,
    }


def draw() -> list[str]:
    """180 molecules of ZINC 250k and twenty odd ones."""
    from designloop.molecules.chemistry import canonical
    from designloop.molecules.corpus import zinc
    from designloop.testing.oracle import ODD

    drawn = random.Random(20120).sample(zinc(), 180)
    return [str(canonical(smiles)) for smiles in (*drawn, *ODD, BICALUTAMIDE)]


def main() -> None:
    """Write the record anew."""
    sys.path.insert(0, str(ROOT))
    if "--draw" in sys.argv:
        (DATA / "molecules.smi").write_text("\n".join(draw()) + "\n")
    entries = [json.dumps(measure(reference, params)) for reference, params in CASES]
    (DATA / "values.json").write_text("[\n" + ",\n".join(entries) + "\n]\n")
    print(f"{len(entries)} records of {len(molecules())} molecules in {DATA / 'values.json'}")  # noqa: T201


if __name__ == "__main__":
    main()
