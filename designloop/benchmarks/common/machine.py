"""The machine that a benchmark runs on, and two calibrations of how fast it is just now."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

REPEATS = 9
"""Of which the median is taken."""

MATMUL = (2048, 1024, 1024)
"""Rows, inner dimension and columns of the matrix product."""

PARSED = 2000
"""Molecules parsed at a time."""


def machine() -> dict[str, Any]:
    """Describes CPU, cores that this process may use, memory, AMX, and the versions that decide about speed."""
    import torch

    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9,
        "amx": bool(torch.cpu._is_amx_tile_supported()),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rdkit": version("rdkit"),
    }


def calibrations() -> dict[str, float]:
    """Measures ``fp32_matmul_tflops`` with all threads, and ``rdkit_parses_per_second`` on one core."""
    return {"fp32_matmul_tflops": fp32_matmul_tflops(), "rdkit_parses_per_second": rdkit_parses_per_second()}


def fp32_matmul_tflops() -> float:
    """Measures one matrix product of single precision, in 10^12 floating-point operations a second."""
    import torch

    rows, inner, columns = MATMUL
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(rows, inner, generator=generator), torch.randn(inner, columns, generator=generator)
    return 2 * rows * inner * columns / median_seconds(lambda: a @ b) / 1e12


def rdkit_parses_per_second() -> float:
    """Measures how many SMILES of ZINC RDKit parses and sanitises in a second, none of them cached."""
    from rdkit import Chem

    from designloop.molecules.corpus import zinc

    smiles = zinc()[:: len(zinc()) // PARSED][:PARSED]
    return len(smiles) / median_seconds(lambda: [Chem.MolFromSmiles(molecule) for molecule in smiles])


def median_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Times some work by the median of its repeats; a first run, which makes threads and tables, is not counted."""
    work()  # threads, pages and tables are there afterwards
    seconds = []
    for _ in range(repeats):
        began = perf_counter()
        work()
        seconds.append(perf_counter() - began)
    return median(seconds)


def ran_on(file: Path) -> str | None:
    """The CPU's name, if that of every process that asked by this file is the same; None where there were several.

    Args:
        file: the names so far, one a line; this one is added.
    """
    names = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    if (own := cpu_name()) not in names:
        names.append(own)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return own if len(names) == 1 else None


def cpu_name() -> str:
    """Returns Linux's name of the CPU, with family and model, which tell CPUs of one name apart; elsewhere Python's."""
    file = Path("/proc/cpuinfo")
    if not file.is_file():
        return platform.processor() or platform.machine()
    values: dict[str, str] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), value.strip())
    number = [f"{key} {values[key]}" for key in ("cpu family", "model") if key in values]
    return " ".join([values.get("model name", platform.machine()), *([f"({', '.join(number)})"] if number else [])])
