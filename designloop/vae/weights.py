"""A VAE's weights as one safetensors file, with what it takes to build the VAE again as JSON in its header.

    save_weights(vae, "cells.safetensors", {"features": 2000, "latent": 10})
    about = read_about("cells.safetensors")
    vae = build(**about)                      # your own function: a file holds numbers, never code
    load_weights(vae, "cells.safetensors")

Parameters of likelihood and prior go along; weights that parts share (a VampPrior's encoder) are written once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from designloop.vae.errors import VAEError


def save_weights(vae: nn.Module, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
    """The file that all weights and buffers were written to, in the precision that they have.

    Args:
        vae: any model.
        about: JSON values, whatever its maker wants to read before building it anew.

    Raises:
        VAEError: ``about`` is not JSON.
    """
    try:
        header = json.dumps(dict(about or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise VAEError(f"about cannot be written as JSON ({error}); give numbers, texts, lists and mappings") from error
    first: dict[tuple[int, torch.Size, tuple[int, ...]], str] = {}
    own, shared = {}, {}
    for name, value in vae.state_dict().items():
        place = (value.data_ptr(), value.shape, value.stride())
        if value.numel() and place in first:
            shared[name] = first[place]
        else:
            first[place] = name
            own[name] = value.detach().cpu().contiguous().clone()
    save_file(own, path, {"about": header, "shared": json.dumps(shared)})
    return Path(path)


def read_about(path: str | Path) -> dict[str, Any]:
    """What was told of a model when it was saved.

    Raises:
        VAEError: the file is none of ``save_weights``.
    """
    return json.loads(_header(path)["about"])  # type: ignore[no-any-return]


def load_weights(vae: nn.Module, path: str | Path) -> None:
    """Puts the weights of a file into a model that is built like the one saved, in the model's precision and place.

    Raises:
        VAEError: the file is none of ``save_weights``, or of a model that is built otherwise; the model is as before.
    """
    shared: dict[str, str] = json.loads(_header(path)["shared"])
    stored = load_file(path)
    stored |= {name: stored[first] for name, first in shared.items()}
    wanted = vae.state_dict()
    for name in sorted(wanted.keys() | stored.keys()):
        expected, given = (str(tuple(state[name].shape)) if name in state else "missing" for state in (wanted, stored))
        if expected != given:
            raise VAEError(
                f"{name} is {given} in {path} and {expected} in the model; build the model as it was saved, "
                "read_about tells what was written of it"
            )
    vae.load_state_dict(stored)


def _header(path: str | Path) -> dict[str, str]:
    try:
        with safe_open(path, framework="np") as file:
            header = dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise VAEError(f"{path} cannot be read ({error}); give a file that save_weights wrote") from error
    if not {"about", "shared"} <= header.keys():
        raise VAEError(f"{path} does not say how its model was built; give a file that save_weights wrote")
    return header
