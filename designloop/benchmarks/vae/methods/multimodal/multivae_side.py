"""MultiVae's models on the cells of the benchmark; run as a file in an environment that has multivae and no designloop.

    python -P multivae_side.py TASK.json          # reads and writes the .npz files that the task names

Its models know no counts: RNA is log(1 + count) under a normal of the task's scale. Encoders, decoders, steps, batches
and learning rates are those that ours has; the models and their objectives are the package's.
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


class Hollow(types.ModuleType):
    """Stands in for torchvision, which multivae imports for images: not every torch has one that is built for it."""

    __path__ = []  # noqa: RUF012 - of all modules' kind, and never changed

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for module in ("", ".transforms", ".transforms.functional", ".datasets", ".datasets.utils", ".utils", ".io"):
    sys.modules.setdefault(f"torchvision{module}", Hollow(f"torchvision{module}"))

from multivae.data.datasets.base import MultimodalBaseDataset  # type: ignore[import-not-found]  # noqa: E402
from multivae.models import MVTCAE, MoPoE, MoPoEConfig, MVTCAEConfig  # type: ignore[import-not-found]  # noqa: E402
from pythae.models.base.base_utils import ModelOutput  # type: ignore[import-not-found]  # noqa: E402
from pythae.models.nn import BaseDecoder, BaseEncoder  # type: ignore[import-not-found]  # noqa: E402


class Encoder(BaseEncoder):
    """Mean and log variance of each unit."""

    def __init__(self, features: int, latent: int, hidden: int) -> None:
        BaseEncoder.__init__(self)
        self.latent_dim = latent
        self.net = nn.Sequential(nn.Linear(features, hidden), nn.SiLU(), nn.Linear(hidden, 2 * latent))

    def forward(self, x: Tensor) -> ModelOutput:
        mean, log_variance = self.net(x).chunk(2, -1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """Mean of each gene, or logit of each peak."""

    def __init__(self, latent: int, features: int, hidden: int) -> None:
        BaseDecoder.__init__(self)
        self.latent_dim = latent
        self.net = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, features))

    def forward(self, z: Tensor) -> ModelOutput:
        return ModelOutput(reconstruction=self.net(z))


def build(name: str, task: dict[str, Any], widths: dict[str, int]) -> Any:
    """One of the package's models."""
    latent, hidden = task["latent"], task["hidden"]
    encoders = {modality: Encoder(wide, latent, hidden) for modality, wide in widths.items()}
    decoders = {modality: Decoder(latent, wide, hidden) for modality, wide in widths.items()}
    kind, config = (MoPoE, MoPoEConfig) if name == "MoPoE" else (MVTCAE, MVTCAEConfig)
    settings = config(
        n_modalities=2,
        latent_dim=latent,
        input_dims={modality: (wide,) for modality, wide in widths.items()},
        decoders_dist={"rna": "normal", "atac": "bernoulli"},
        decoder_dist_params={"rna": {"scale": task["scale"]}},
        **task["models"][name],
    )
    return kind(settings, encoders, decoders)


def train(model: Any, data: dict[str, Tensor], task: dict[str, Any], seed: int) -> None:
    """Fits the model by Adam, the rate falling as a half cosine."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=task["rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, task["steps"])
    model.train()
    for _ in range(task["steps"]):
        rows = torch.randint(len(data["rna"]), (task["batch"],), generator=generator)
        loss = model(MultimodalBaseDataset({name: values[rows] for name, values in data.items()})).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()


@torch.no_grad()
def translate(model: Any, data: dict[str, Tensor], source: str, target: str, draws: int) -> Tensor:
    """(cells, features) mean of what draws of the source's posterior are decoded to."""
    whole = MultimodalBaseDataset(data)
    total = torch.zeros_like(data[target])
    for z in model.encode(whole, cond_mod=source, N=draws).z:  # (draws, cells, latent)
        decoded = model.decoders[target](z).reconstruction
        total += decoded.sigmoid() if target == "atac" else decoded
    return total / draws


def main() -> None:
    """Every model of the task on every data set of the task."""
    task = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    torch.set_num_threads(task["threads"])
    for job in task["jobs"]:
        arrays = np.load(job["data"])
        data, held = (
            {name: torch.from_numpy(arrays[f"{name}{which}"]) for name in ("rna", "atac")} for which in ("", "_held")
        )
        widths = {name: values.shape[1] for name, values in data.items()}
        result = {}
        for name in task["models"]:
            torch.manual_seed(job["seed"])
            model = build(name, task, widths)
            train(model, data, task, job["seed"])
            for source, target in (("rna", "atac"), ("atac", "rna")):
                result[f"{name}_{target}"] = translate(model, held, source, target, task["draws"]).numpy()
        np.savez(job["out"], allow_pickle=False, **result)


if __name__ == "__main__":
    main()
