"""What a part of a VAE may leave out: its base class answers for it, in one sentence.

    class Likelihood(nn.Module):
        @optional("draw from it by sample instead")
        def mean(self, params, context=None):
            raise NotImplementedError

A part that has a mean defines it; asked for the mean of one that has none, the base class raises ``CapabilityError``. A
part that is made of others, and offers what all of them offer, names them (``MadeOf``).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

from designloop.vae.errors import CapabilityError, VAEError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def optional(remedy: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """The mark of a base class's method that a part may leave out.

    Args:
        remedy: what who asks for it can do instead, the end of the error's sentence.
    """

    def mark(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @wraps(method)
        def refuse(*arguments: Arguments.args, **keywords: Arguments.kwargs) -> Result:
            raise CapabilityError(arguments[0], method.__name__, remedy)

        refuse.remedy = remedy  # type: ignore[attr-defined]  # how ``offers`` tells it from a method of the part's own
        return refuse

    return mark


class MadeOf:
    """A part whose optional methods call those of other parts: it offers what all of them offer."""

    @abstractmethod
    def made_of(self) -> Mapping[str, object]:
        """The parts by name."""


def offers(part: object, name: str) -> bool:
    """Whether a part has a method of its own where its base class would refuse."""
    return _remedy(part, name) is None


def require(part: object, *names: str) -> None:
    """Asks for methods before any work is done.

    Raises:
        CapabilityError: the part leaves one out.
    """
    for name in names:
        remedy = _remedy(part, name)
        if remedy is not None:
            raise CapabilityError(part, name, remedy)


def require_base(part: object, base: type) -> None:
    """Refuses a part that its base class could not answer for.

    Raises:
        VAEError: the part does not derive from ``base``.
    """
    if not isinstance(part, base):
        raise VAEError(
            f"{type(part).__name__} does not derive from {base.__name__}; "
            f"write class {type(part).__name__}({base.__name__}), from designloop.vae import {base.__name__}"
        )


def _remedy(part: object, name: str) -> str | None:
    remedy: str | None = getattr(getattr(type(part), name), "remedy", None)
    if remedy is None and isinstance(part, MadeOf):
        for of_part, other in part.made_of().items():
            if (missing := _remedy(other, name)) is not None:
                return f"its {of_part!r}, a {type(other).__name__}, has none: {missing}"
    return remedy
