"""A model that has learned nothing and is small, for tests of what is around models."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the model's file."""
    import torch

    from designloop.molecules.corpus import zinc_codec
    from designloop.molecules.sequence_networks import Architecture
    from designloop.molecules.sequence_vae import SequenceVAE

    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = Architecture(latent=8, embedding=8, features=4, channels=8, width=16, hidden=16)
        vae = SequenceVAE(zinc_codec(), small)
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    vae.save(path, {"corpus": "zinc250k"})
    return str(path)
