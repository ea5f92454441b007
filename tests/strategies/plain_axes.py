"""Latent space as a kernel sees it without a corpus."""

from __future__ import annotations

import torch

from designloop.strategies.surrogates.axes import Axes


def plain_axes(latent: int) -> Axes:
    """Every unit of a latent as an axis of its own."""
    return Axes(torch.zeros(latent).double(), torch.eye(latent).double())
