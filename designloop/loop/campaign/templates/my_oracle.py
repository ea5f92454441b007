"""An oracle: molecules in, one number for each out. Replace the arithmetic with your model or calculation."""

from __future__ import annotations

from collections.abc import Sequence

from rdkit import Chem

from designloop.oracles import oracle


@oracle(version="1")  # raise it when values change; costly=True, stochastic=True, files=["model.pkl"] go here as well
def score(smiles: Sequence[str], carbons: int = 20) -> dict[str, float]:
    """How near a molecule's number of carbon atoms is to the number wanted, from 0 to 1."""
    answers = {}
    for molecule in smiles:
        found = sum(atom.GetSymbol() == "C" for atom in Chem.MolFromSmiles(molecule).GetAtoms())
        answers[molecule] = 1 / (1 + abs(found - carbons))
    return answers  # by molecule; one that is left out, or that raises, has failed: it costs itself only
