from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.mixture import VampPrior
from designloop.vae.weights import load_weights, read_about, save_weights


def build(features: int, latent: int, seed: int = 0) -> VAE:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = MLPEncoder(features, latent, [5])
        prior = VampPrior(encoder, torch.randn(3, features).exp(), latent, transform=torch.log1p)
        return VAE(encoder, MLPDecoder(latent, features), NegativeBinomial(features, 2.0, size=None), prior)


def counts() -> torch.Tensor:
    return torch.poisson(torch.full((6, 4), 3.0), generator=torch.Generator().manual_seed(0))


def test_a_model_built_from_its_file_says_the_same(tmp_path: Path) -> None:
    about = {"features": 4, "latent": 2}
    vae = build(**about)
    path = save_weights(vae, tmp_path / "cells.safetensors", about)
    assert read_about(path) == about
    other = build(**read_about(path), seed=1)
    noise = torch.zeros(6, 2)
    assert not torch.equal(other.elbo(counts(), noise=noise), vae.elbo(counts(), noise=noise))
    load_weights(other, path)
    assert torch.equal(other.elbo(counts(), noise=noise), vae.elbo(counts(), noise=noise))
    assert isinstance(other.prior, VampPrior)
    assert other.prior.encoder is other.encoder
    load_weights(other.double(), path)
    assert next(other.parameters()).dtype == torch.float64


def test_weights_that_are_shared_are_written_once(tmp_path: Path) -> None:
    path = save_weights(build(4, 2), tmp_path / "one.safetensors")
    names = set(load_file(path))
    assert "encoder.net.0.weight" in names
    assert not any(name.startswith("prior.encoder.") for name in names)
    assert read_about(path) == {}


def test_a_model_that_is_built_otherwise_is_left_as_it_was(tmp_path: Path) -> None:
    path = save_weights(build(4, 2), tmp_path / "one.safetensors")
    other = build(4, 3)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(
        VAEError, match=r"decoder.net.0.weight is \(4, 2\) in .*one.safetensors and \(4, 3\) in the model"
    ):
        load_weights(other, path)
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    whole = build(4, 2)
    with pytest.raises(VAEError, match=r"likelihood.log_dispersion is \(4,\) in .* and missing in the model"):
        load_weights(torch.nn.ModuleDict({"encoder": whole.encoder, "decoder": whole.decoder}), path)  # type: ignore[dict-item]


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.safetensors", tmp_path / "text.safetensors"):
        if path.stem == "text":
            path.write_text("no weights")
        with pytest.raises(VAEError, match=r"cannot be read .*; give a file that save_weights wrote"):
            read_about(path)
    save_file({"a": torch.zeros(2)}, tmp_path / "bare.safetensors")
    with pytest.raises(VAEError, match="does not say how its model was built"):
        load_weights(build(4, 2), tmp_path / "bare.safetensors")
    with pytest.raises(VAEError, match="about cannot be written as JSON"):
        save_weights(build(4, 2), tmp_path / "one.safetensors", {"made_by": object()})
