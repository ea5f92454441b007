"""Our oracles. What logP remembers of kinds of atom it has from other molecules, as it has in a campaign."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

from designloop.molecules.chemistry import crippen_logp, require
from designloop.oracles import load


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A turn asks its task for its molecules; its value is their mean."""
    for other in task["others"]:
        crippen_logp(require(other))
    oracles = {name: load(name) for name in {turn["task"] for turn in task["turns"]}}
    for oracle in oracles.values():
        oracle.score(task["others"][:1])  # what it knows of its target is there afterwards, as in the package

    def run(turn: int) -> dict[str, float]:
        smiles, oracle = task["turns"][turn]["smiles"], oracles[task["turns"][turn]["task"]]
        began = process_time()
        values = oracle.score(smiles)
        return {"seconds": process_time() - began, "value": sum(values[text] for text in smiles) / len(smiles)}

    return run
