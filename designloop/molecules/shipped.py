"""The models that are shipped, and how they are used where nothing else is said. Torch is not needed to know them."""

from __future__ import annotations

from pathlib import Path

DEFAULT_MODEL = "zinc250k-joins"
"""The model that is used where none is named. ``zinc250k`` was it before, and campaigns begun with it go on with it."""

PRETRAINED = Path(__file__).parent / "pretrained"
"""Where the shipped models lie."""

PRIOR_NOISE = 6.0
"""Noise level at which the prior is sampled by default: the decoder is nearly a language model there."""


def shipped_models() -> list[str]:
    """Their names, sorted."""
    return sorted(path.stem for path in PRETRAINED.glob("*.safetensors"))
