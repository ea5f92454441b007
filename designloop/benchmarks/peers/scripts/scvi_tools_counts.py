"""scvi-tools' SCVI with a negative binomial: no dropout, no batch norm, no progress bar, no logger."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import anndata  # type: ignore[import-not-found]
import numpy as np
import scvi  # type: ignore[import-not-found]
from lightning.pytorch.callbacks import Callback  # type: ignore[import-not-found]
from torch import nn


class Clock(Callback):
    """When each epoch began and ended, and the loss of the last one."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.loss = float("nan")

    def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
        self.times.append(perf_counter())

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self.times.append(perf_counter())

    def on_train_end(self, trainer: Any, module: Any) -> None:
        self.loss = float(trainer.callback_metrics["train_loss"])


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A run trains a fresh model; timed are its epochs alone, without set-up."""
    data = anndata.AnnData(np.load(task["data"])["x"])
    scvi.model.SCVI.setup_anndata(data)
    same = {"activation_fn": nn.SiLU}

    def run(seed: int) -> dict[str, float]:
        scvi.settings.seed = seed
        model = scvi.model.SCVI(
            data,
            n_hidden=task["hidden"],
            n_latent=task["latent"],
            n_layers=1,
            dropout_rate=0.0,
            gene_likelihood="nb",
            use_batch_norm="none",
            extra_encoder_kwargs=same,
            extra_decoder_kwargs=same,
        )
        clock = Clock()
        model.train(
            max_epochs=task["epochs"],
            accelerator="cpu",
            devices=1,
            train_size=1.0,
            batch_size=task["batch"],
            plan_kwargs={"lr": task["rate"], "weight_decay": 0.0, "eps": 1e-8, "n_epochs_kl_warmup": None},
            callbacks=[clock],
            enable_progress_bar=False,
            logger=False,
        )
        return {"seconds": clock.times[-1] - clock.times[0], "value": clock.loss}

    return run
