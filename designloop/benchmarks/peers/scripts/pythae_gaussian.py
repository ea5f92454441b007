"""pythae's trainer on its VAE, with the encoder and the decoder that ours has; its loss is of unit variance too."""

from __future__ import annotations

from collections.abc import Callable
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
from pythae.data.datasets import BaseDataset  # type: ignore[import-not-found]
from pythae.models import VAE, VAEConfig  # type: ignore[import-not-found]
from pythae.models.base.base_utils import ModelOutput  # type: ignore[import-not-found]
from pythae.models.nn import BaseDecoder, BaseEncoder  # type: ignore[import-not-found]
from pythae.trainers import BaseTrainer, BaseTrainerConfig  # type: ignore[import-not-found]
from pythae.trainers.training_callbacks import TrainingCallback  # type: ignore[import-not-found]
from torch import Tensor, nn


class Encoder(BaseEncoder):
    """Mean and log variance of each unit."""

    def __init__(self, features: int, latent: int, hidden: int) -> None:
        BaseEncoder.__init__(self)
        self.net = nn.Sequential(nn.Linear(features, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent))

    def forward(self, x: Tensor) -> ModelOutput:
        mean, log_variance = self.net(x).chunk(2, -1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """Mean of each feature."""

    def __init__(self, latent: int, features: int, hidden: int) -> None:
        BaseDecoder.__init__(self)
        self.net = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, features))

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.net(z))


class Clock(TrainingCallback):
    """When each epoch began and ended, and its loss."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.losses: list[float] = []

    def on_epoch_begin(self, training_config: Any, **unused: Any) -> None:
        self.times.append(perf_counter())

    def on_epoch_end(self, training_config: Any, **unused: Any) -> None:
        self.times.append(perf_counter())

    def on_log(self, training_config: Any, logs: dict[str, float], **unused: Any) -> None:
        self.losses.append(logs["train_epoch_loss"])


def prepare(task: dict[str, Any]) -> Callable[[int], dict[str, float]]:
    """A run trains a fresh model; timed are its epochs alone, without set-up and the saving of files."""
    x = torch.from_numpy(np.load(task["data"])["x"])
    features, latent, hidden = x.shape[1], task["latent"], task["hidden"]
    data = BaseDataset(x, torch.zeros(len(x)))

    def run(seed: int) -> dict[str, float]:
        torch.manual_seed(seed)
        config = VAEConfig(input_dim=(features,), latent_dim=latent, reconstruction_loss="mse")
        model = VAE(config, Encoder(features, latent, hidden), Decoder(latent, features, hidden))
        clock = Clock()
        with TemporaryDirectory() as folder:
            training = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=task["epochs"],
                per_device_train_batch_size=task["batch"],
                learning_rate=task["rate"],
                seed=seed,
                no_cuda=True,
            )
            BaseTrainer(model, train_dataset=data, training_config=training, callbacks=[clock]).train()
        return {"seconds": clock.times[-1] - clock.times[0], "value": clock.losses[-1]}

    return run
