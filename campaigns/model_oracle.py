"""A QSAR model of one's own: a class that reads its weights once a process. Replace both with yours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rdkit import Chem
from rdkit.Chem import Crippen, Descriptors, rdMolDescriptors

from designloop.oracles import oracle


@oracle(version="1", files=["solubility_model.json"], uses_rdkit=True, unit="log10(mol/L)")
class Solubility:
    """Aqueous solubility by a linear model of four descriptors, whose weights stand in solubility_model.json."""

    def __init__(self) -> None:
        # A declared file lies beside this one wherever the oracle runs; its bytes count in the oracle's fingerprint.
        model = json.loads(Path(__file__).with_name("solubility_model.json").read_text(encoding="utf-8"))
        self.intercept: float = model["intercept"]
        self.coefficients: dict[str, float] = model["coefficients"]

    def score(self, smiles: Sequence[str]) -> dict[str, float]:
        """The prediction for each molecule."""
        return {molecule: self._predict(Chem.MolFromSmiles(molecule)) for molecule in smiles}

    def _predict(self, mol: Chem.Mol) -> float:
        values = {
            "logp": Crippen.MolLogP(mol),
            "molecular_weight": Descriptors.MolWt(mol),
            "rotatable_bonds": rdMolDescriptors.CalcNumRotatableBonds(mol),
            "aromatic_proportion": len(mol.GetAromaticAtoms()) / mol.GetNumHeavyAtoms(),
        }
        return self.intercept + sum(weight * values[name] for name, weight in self.coefficients.items())
