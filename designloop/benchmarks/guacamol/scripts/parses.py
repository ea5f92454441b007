"""RDKit's parsing alone: what an oracle cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

from rdkit import Chem, rdBase


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A turn parses its molecules; its value is their number."""

    def run(turn: int) -> dict[str, float]:
        smiles = task["turns"][turn]["smiles"]
        began = process_time()
        with rdBase.BlockLogs():
            # One by one, as each is let go of, too.
            valid = sum(Chem.MolFromSmiles(text) is not None for text in smiles)
        return {"seconds": process_time() - began, "value": float(valid)}

    return run
