"""MultiVae's MoPoE and MVTCAE on the cells of the benchmark: how they are recorded, and what the record says.

    python -m designloop.benchmarks.vae.methods.multimodal.multivae [PYTHON]

PYTHON is an interpreter that can import multivae; without it an environment of its own is made for it. The record lies
beside this file, so that the benchmark itself needs no peer; it holds for the seeds and the cells that it was made on.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from designloop.benchmarks.peers.environments import make_environment
from designloop.benchmarks.vae.methods.multimodal import translation
from designloop.vae.simulators.multiome import Cells

VERSION = "1.0.3"

MODELS: Mapping[str, Mapping[str, float]] = {"MoPoE": {}, "MVTCAE": {}}
"""Name -> settings that are not the package's own."""

SCALE = 0.5
"""Standard deviation of log(1 + count) about its decoded mean."""

RECORD = Path(__file__).with_name("multivae.json")

SIDE = Path(__file__).with_name("multivae_side.py")

SEEDS = 5
"""That are recorded, from 0."""

Scores = dict[str, dict[str, float]]
"""Model -> modality that is translated to -> measure."""


def digest(held: Cells) -> str:
    """Tells cells from others."""
    whole = np.concatenate([held.counts, held.is_open], 1)
    return hashlib.sha256(np.ascontiguousarray(whole).tobytes()).hexdigest()[:16]


def read(seeds: Sequence[int]) -> dict[int, Scores]:
    """Reads what is recorded of some seeds; a seed that was not recorded, or on other cells, is left out."""
    if not RECORD.is_file():
        return {}
    recorded = {row["seed"]: row for row in json.loads(RECORD.read_text("utf-8"))["rows"]}
    known = [seed for seed in seeds if seed in recorded]
    return {
        seed: recorded[seed]["scores"]
        for seed in known
        if recorded[seed]["cells"] == digest(translation.make_cells(seed)[2])
    }


def record(python: Path, seeds: Sequence[int]) -> None:
    """Trains and measures the peer's models on the benchmark's cells, and writes the record."""
    rows = []
    with TemporaryDirectory() as folder:
        jobs = [_write_job(Path(folder), seed, *translation.make_cells(seed)[1:]) for seed in seeds]
        task = {
            "threads": 1, "latent": translation.LATENT, "hidden": translation.HIDDEN, "steps": translation.STEPS,
            "batch": translation.BATCH, "rate": translation.RATE, "draws": translation.DRAWS, "scale": SCALE,
            "models": {name: dict(settings) for name, settings in MODELS.items()},
        }  # fmt: skip
        file = Path(folder) / "task.json"
        file.write_text(json.dumps({**task, "jobs": jobs}), encoding="utf-8")
        subprocess.run([str(python), "-P", str(SIDE), str(file)], check=True)
        for seed, job in zip(seeds, jobs, strict=True):
            held, said = translation.make_cells(seed)[2], np.load(job["out"])
            scores = {
                name: {
                    "rna": translation.correlation(said[f"{name}_rna"].astype(float), held),
                    "atac": translation.auroc(said[f"{name}_atac"].astype(float), held),
                }
                for name in MODELS
            }
            rows.append({"seed": seed, "cells": digest(held), "scores": scores})
    RECORD.write_text(json.dumps({"multivae": VERSION, **task, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def _write_job(folder: Path, seed: int, training_cells: Cells, held: Cells) -> dict[str, Any]:
    data = folder / f"cells_{seed}.npz"
    np.savez(
        data, allow_pickle=False,
        rna=np.log1p(training_cells.counts).astype(np.float32), atac=training_cells.is_open.astype(np.float32),
        rna_held=np.log1p(held.counts).astype(np.float32), atac_held=held.is_open.astype(np.float32),
    )  # fmt: skip
    return {"seed": seed, "data": str(data), "out": str(folder / f"said_{seed}.npz")}


if __name__ == "__main__":
    interpreter = (
        Path(sys.argv[1])
        if len(sys.argv) > 1
        else make_environment(f"multivae=={VERSION}", Path("work") / "peers" / "multivae", print)
    )
    record(interpreter, range(SEEDS))
