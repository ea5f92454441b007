"""Seeds and generators: every random draw of a campaign follows from (campaign seed, round, what for)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed that follows from its parts alone, the same in every process."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def rng_of(*parts: int | str) -> np.random.Generator:
    """NumPy's generator for one task, from (campaign seed, round, what for)."""
    return np.random.default_rng(seed_of(*parts))


def torch_generator(device: torch.device | str, *parts: int | str) -> torch.Generator:
    """Torch's generator for one task."""
    import torch

    return torch.Generator(device).manual_seed(seed_of(*parts))


@dataclass(frozen=True)
class Generators:
    """Both generators of one task, for code that draws with NumPy and on the model's device."""

    numpy: np.random.Generator
    torch: torch.Generator


def generators_of(device: torch.device | str, *parts: int | str) -> Generators:
    """Both generators of one task."""
    return Generators(rng_of(*parts), torch_generator(device, *parts))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Runs a block under global generators (torch, NumPy, Python) seeded by ``seed``; leaves them as they were.

    It is for libraries that know no other generator.
    """
    import torch

    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - what runs inside may use it
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)  # noqa: NPY002
