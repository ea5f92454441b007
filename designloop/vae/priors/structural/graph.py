"""The order in which a graph of causes is gone through."""

from __future__ import annotations

from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError


def generations(causes: Tensor) -> list[list[int]]:
    """The units in generations, each behind that of its last cause (Kahn's algorithm).

    Raises:
        ShapeError: ``causes`` is not square.
        VAEError: it has a cycle.
    """
    if causes.ndim != 2 or causes.shape[0] != causes.shape[1]:
        raise ShapeError("causes", causes.shape, "(latent, latent)", "give True at [i, j] where j causes i")
    left = {i: set(row.nonzero().flatten().tolist()) for i, row in enumerate(causes.bool())}
    behind: list[list[int]] = []
    while left:
        free = [i for i, parents in left.items() if not parents & left.keys()]
        if not free:
            cycle = ", ".join(map(str, left))
            raise VAEError(f"causes has a cycle among the units {cycle}; take out an arrow, no unit may cause itself")
        behind.append(free)
        for i in free:
            del left[i]
    return behind
