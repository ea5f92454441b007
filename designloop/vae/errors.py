"""Errors of the VAE core library; each message names the argument, what came, what was expected, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence


class VAEError(ValueError):
    """Something given to a VAE, a likelihood, a prior or ``fit`` cannot be right."""


class ShapeError(VAEError):
    """An array has the wrong shape."""

    def __init__(self, name: str, received: Sequence[int], expected: str, remedy: str) -> None:
        super().__init__(f"{name} has shape {tuple(received)}, expected {expected}; {remedy}")


class MissingContextError(VAEError):
    """A part reads something of the context that was not given."""

    def __init__(self, part: str, name: str, given: Sequence[str]) -> None:
        had = ", ".join(sorted(given)) or "nothing"
        super().__init__(
            f"{part} reads context[{name!r}], the context holds {had}; pass context={{{name!r}: tensor of (batch, …)}}"
        )


class CapabilityError(VAEError):
    """A part was asked for something that it does not offer."""

    def __init__(self, part: object, name: str, remedy: str) -> None:
        super().__init__(f"{type(part).__name__} offers no {name}; {remedy}")
