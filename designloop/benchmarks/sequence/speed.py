"""How fast the model learns and writes, and what holds it up; in one run with the machine's own calibration."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from designloop.benchmarks.common.machine import fp32_matmul_tflops
from designloop.molecules import corpus
from designloop.molecules.pretrain import batches, new_model
from designloop.molecules.recipe import Recipe
from designloop.molecules.reconstruction import REFINE
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO


def training(vae: SequenceVAE, steps: int) -> dict[str, float]:
    """Seconds and counted floating-point operations of a training step in float32, as shares of the matmul rate."""
    copy = new_model(vae.codec, vae.architecture, 0)
    stream = list(batches(corpus.zinc_tokens(), corpus.training_rows(), Recipe().scaled(steps + 2), 0))
    optimizer = torch.optim.Adam(copy.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)

    def learn(part: list[Batch]) -> None:
        fit(copy, ELBO(beta=0.1), part, optimizer, generator=generator)

    learn(stream[:1])
    with FlopCounterMode(display=False) as counted:
        learn(stream[1:2])
    # Padding makes batches differ in length, and operations go with it.
    per_token = counted.get_total_flops() / stream[1].x.numel()
    began = perf_counter()
    learn(stream[2:])
    seconds = perf_counter() - began
    flops = per_token * sum(batch.x.numel() for batch in stream[2:])
    rate = fp32_matmul_tflops()
    return {
        "molecules_per_second": sum(len(batch.x) for batch in stream[2:]) / seconds,
        "tflops": flops / seconds / 1e12,
        "matmul_tflops": rate,
        "share_of_matmul": flops / seconds / 1e12 / rate,
    }


def writing(vae: SequenceVAE, n: int) -> dict[str, Any]:
    """Molecules a second sampled, and reconstructed; seconds of the network, and of SELFIES and RDKit."""
    generator = torch.Generator(vae.device).manual_seed(0)
    rows = corpus.held_out_rows()[:n]
    selfies = vae.codec.selfies_of(corpus.zinc_tokens().take(rows))

    def timed(work: Callable[[], list[str]]) -> dict[str, float]:
        work()
        began = perf_counter()
        written = work()
        network = perf_counter() - began
        vae.codec.to_smiles_many(written)
        total = perf_counter() - began
        return {"per_second": len(written) / total, "network_seconds": network, "chemistry_seconds": total - network}

    return {
        "sampling": timed(lambda: vae.draw(len(rows), generator)),
        "reconstructing": timed(lambda: vae.write(vae.latents(selfies, REFINE))),
        "reconstructing_without_refinement": timed(lambda: vae.write(vae.latents(selfies))),
    }


def measures(vae: SequenceVAE, steps: int = 8, n: int = 2000) -> dict[str, Any]:
    """Both, with the threads that torch has."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {
            "threads": torch.get_num_threads(),
            "training": training(vae, steps),
            **writing(vae, n),
        }
