"""What a campaign runs on, as far as its numbers depend on it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from designloop._version import __version__

_PACKAGES = ("torch", "numpy", "scipy", "rdkit", "selfies", "botorch", "gpytorch", "linear_operator")

BLAS_THREADS = "blas_threads"
"""Key of the threads that the linear algebra of NumPy and SciPy takes, in which sums round by how they are shared."""


def environment() -> dict[str, Any]:
    """Versions, threads and the CPU's declared capability, as JSON values."""
    import scipy.linalg  # noqa: F401  # brings a library of its own, of which the threads are told
    import torch
    from threadpoolctl import threadpool_info

    blas = [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]
    return {
        "designloop": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "precision": "float32",
        "threads": torch.get_num_threads(),
        BLAS_THREADS: max(blas, default=1),
    }


def take_up(recorded: Mapping[str, Any]) -> list[str]:
    """Sets torch and the linear algebra to a campaign's first threads; gives what differs now, a sentence each.

    A campaign that is resumed where something differs goes on well, but no longer to the identical table. What was not
    recorded when it was begun is not compared.
    """
    import scipy.linalg  # noqa: F401  # as above: limits hold for what is loaded
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(int(recorded["threads"]))
    if BLAS_THREADS in recorded:
        threadpool_limits(int(recorded[BLAS_THREADS]), user_api="blas")
    return [
        f"begun with {name} {recorded[name]}, resumed with {value}"
        for name, value in environment().items()
        if name in recorded and recorded[name] != value
    ]
