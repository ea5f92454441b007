"""A command-line program as an oracle: write its input, start it, read its output by name."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from designloop.oracles import oracle

PROGRAM = [sys.executable, str(Path(__file__).with_name("polar_surface_program.py"))]
"""What is started; of a program that is installed everywhere, its name alone, and then no ``files`` below."""


@oracle(version="1", files=["polar_surface_program.py"], unit="Å²")
def polar_surface(smiles: Sequence[str]) -> dict[str, float]:
    """Polar surface area of each molecule, as the program says."""
    # Fixed names do no harm: the working folder is this worker's own, and is as it was at the start of every call.
    names = {f"m{number}": molecule for number, molecule in enumerate(smiles)}
    Path("molecules.smi").write_text("".join(f"{molecule} {name}\n" for name, molecule in names.items()))
    done = subprocess.run([*PROGRAM, "molecules.smi", "values.csv"], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"the program ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    with Path("values.csv").open(newline="", encoding="utf-8") as file:
        # By name, not by position: what the program left out has failed, and no value lands on another molecule.
        return {names[row["name"]]: float(row["tpsa"]) for row in csv.DictReader(file)}
