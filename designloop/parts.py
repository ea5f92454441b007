"""Parts that are found by name: the modules of a package, or what is put into a registry. It knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

from designloop.words import meant_or_known

P = TypeVar("P")


def modules_in(package: str) -> list[str]:
    """Names of the modules that lie in a package, sorted: no packages, and none that begins with an underscore."""
    modules = iter_modules(import_module(package).__path__)
    return sorted(module.name for module in modules if not module.ispkg and not module.name.startswith("_"))


class Registry(dict[str, P], Generic[P]):
    """Name -> part; each name once.

    Args:
        what: a part in words: ``transform``.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def register(self, name: str, part: P) -> None:
        """Let a part be found by a name.

        Raises:
            ValueError: another part has the name already.
        """
        if name in self:
            raise ValueError(f"{_home(part)} and {_home(self[name])} both have {name!r}; rename one")
        self[name] = part

    def named(self, name: str) -> Callable[[P], P]:
        """Decorator: the part itself, found by this name from now on."""

        def register(part: P) -> P:
            self.register(name, part)
            return part

        return register

    def __missing__(self, name: str) -> P:
        raise KeyError(f"no {self.what} {name!r}; {meant_or_known(name, self)}")


def _home(part: object) -> str:
    return str(getattr(part, "__module__", None) or part)
