"""A stand-in for a calculation that takes minutes a molecule: replace the body of ``score`` with your own."""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem
from rdkit.Chem import Crippen, rdFingerprintGenerator, rdMolDescriptors
from rdkit.DataStructs import TanimotoSimilarity

from oracles import oracle

FEXOFENADINE = Chem.MolFromSmiles("CC(C)(C(=O)O)c1ccc(C(O)CCCN2CCC(C(O)(c3ccccc3)c3ccccc3)CC2)cc1")

fingerprint = rdFingerprintGenerator.GetAtomPairGenerator(fpSize=2048).GetFingerprint


@oracle(costly=True, uses_rdkit=True, outputs={"similarity": "", "tpsa": "Å²", "logp": "log10"})
def score(smiles: Sequence[str]) -> dict[str, dict[str, float]]:
    """Atom-pair similarity to fexofenadine, polar surface area and lipophilicity, for each molecule."""
    wanted = fingerprint(FEXOFENADINE)
    answers = {}
    for molecule in smiles:
        mol = Chem.MolFromSmiles(molecule)
        answers[molecule] = {
            "similarity": TanimotoSimilarity(fingerprint(mol), wanted),
            "tpsa": rdMolDescriptors.CalcTPSA(mol),
            "logp": Crippen.MolLogP(mol),
        }
    return answers
