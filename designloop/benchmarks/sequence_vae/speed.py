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


def time_training(vae: SequenceVAE, steps: int) -> dict[str, float]:
    """Times training steps in float32, and counts their operations; the rate as a share of that of matmul."""
    copy = new_model(vae.codec, vae.architecture, 0)
    stream = list(batches(corpus.zinc_tokens(), corpus.training_rows(), Recipe().scale(steps + 2), 0))
    optimizer = torch.optim.Adam(copy.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)

    def learn(part: list[Batch]) -> None:
        fit(copy, ELBO(beta=0.1), part, optimizer, generator=generator, clip=1.0)

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


def time_writing(vae: SequenceVAE, n: int) -> dict[str, Any]:
    """Times sampling and reconstruction; seconds of the network, and of SELFIES and RDKit."""
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


def measure(vae: SequenceVAE, steps: int, n: int) -> dict[str, Any]:
    """Times training steps, and the writing of ``n`` molecules, with the threads that torch has."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {
            "threads": torch.get_num_threads(),
            "training": time_training(vae, steps),
            **time_writing(vae, n),
        }
