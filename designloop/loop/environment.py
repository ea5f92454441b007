"""What a campaign runs on, as far as its numbers depend on it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from designloop._version import __version__

_PACKAGES = ("torch", "numpy", "rdkit", "selfies", "botorch")


def environment() -> dict[str, Any]:
    """Versions, threads and the CPU's declared capability, as JSON values."""
    import torch

    return {
        "designloop": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "precision": "float32",
        "threads": torch.get_num_threads(),
    }


def take_up(begun: Mapping[str, Any]) -> list[str]:
    """Sets torch to the threads that a campaign was begun with; gives what differs now, a sentence each.

    A campaign that is resumed where something differs goes on well, but no longer to the identical table.
    """
    import torch

    torch.set_num_threads(int(begun["threads"]))
    now = environment()
    return [
        f"begun with {name} {begun[name]}, resumed with {now.get(name)}"
        for name in ("torch", "cpu_capability", "precision", "threads", "rdkit", "selfies")
        if begun.get(name) != now.get(name)
    ]
