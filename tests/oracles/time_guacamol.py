"""Prints how fast GuacaMol's tasks are beside RDKit's parsing and beside the package guacamol, on one core.

    peers/bin/python tests/oracles/time_guacamol.py        in the environment that record_guacamol.py describes

The three take turns on 100 molecules of ZINC, nine times; of each the fastest turn counts, in seconds of the processor.
Each molecule is parsed anew. What our logP remembers of kinds of atom it has from 2,000 other molecules.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from rdkit import Chem, rdBase

MPO = tuple(
    f"{drug}_mpo" for drug in "amlodipine fexofenadine osimertinib perindopril ranolazine sitagliptin zaleplon".split()
)
OTHERS = ("valsartan_smarts", "deco_hop", "scaffold_hop", "median1", "celecoxib_rediscovery", "isomers_c7h8n2o2")


def fastest(ways: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Way -> processor time of its fastest turn, in seconds."""
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(turns):
        for name, way in ways.items():
            began = time.thread_time()
            way()
            seconds[name] = min(seconds[name], time.thread_time() - began)
    return seconds


def timed(
    task: str, smiles: Sequence[str], theirs: Callable[[], Any] | None = None, turns: int = 9
) -> dict[str, float]:
    """``parse``, ``ours`` and, where it is given, ``theirs`` on the same molecules, in seconds."""
    from designloop.molecules.parsing import parse
    from designloop.oracles import load

    oracle = load(task)

    def ours() -> None:
        parse.cache_clear()
        oracle.score(smiles)

    def parsing() -> None:
        with rdBase.BlockLogs():
            for molecule in smiles:
                Chem.MolFromSmiles(molecule)

    ways: dict[str, Callable[[], Any]] = {"parse": parsing, "ours": ours}
    return fastest(ways if theirs is None else {**ways, "theirs": theirs}, turns)


@cache
def molecules(number: int) -> list[str]:
    """So many of ZINC, after our logP has met 2,000 others."""
    from designloop.molecules.chemistry import crippen_logp, require
    from designloop.molecules.corpus import zinc

    drawn = random.Random(20123).sample(zinc(), 2000 + number)
    for other in drawn[number:]:
        crippen_logp(require(other))
    return drawn[:number]


def main() -> None:
    """Print the table."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from tests.oracles.record_guacamol import CASES, guacamol_benchmarks

    smiles = molecules(100)
    print("task | µs a molecule | × RDKit's parse | the package: × ours")  # noqa: T201
    for task in (*MPO, *OTHERS):
        case = next(case for case in CASES if str(case) == task)
        score_list = case.benchmark(guacamol_benchmarks()).objective.score_list
        seconds = timed(task, smiles, partial(score_list, smiles))
        ours = seconds["ours"]
        print(  # noqa: T201
            f"{task} | {ours / len(smiles) * 1e6:.0f} | {ours / seconds['parse']:.2f} | {seconds['theirs'] / ours:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
