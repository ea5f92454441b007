"""What an oracle declares about itself, written on the function or class that it is.

    @oracle(version="2", unit="kcal/mol", files=["model.pkl"])
    def affinity(smiles: Sequence[str], temperature: float = 298.0) -> dict[str, float]:
        return {molecule: ... for molecule in smiles}

Neither RDKit nor pydantic is loaded here: a user's own file imports ``oracle`` at no cost.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, TypeVar, overload

from designloop.oracles.errors import OracleError
from designloop.words import meant_or_known

Target = TypeVar("Target", bound=Callable[..., Any])


@dataclass(frozen=True)
class Declaration:
    """What an oracle says about itself; the defaults are those of a plain function."""

    name: str = ""
    """Empty for the name of the function or class."""
    version: str = "1"
    """Raise it whenever values change: old results in a ledger are then not taken for new ones."""
    stochastic: bool = False
    """Called ``score(smiles, seeds)``, a seed a molecule."""
    each: bool = False
    """Called with one molecule at a time, a text, and answers with its value alone: ``score("CCO") -> 0.4``."""
    costly: bool = False
    """Sent to workers one molecule at a time. ``validate`` never runs it; ``run`` gives it one molecule before all
    others, the first starting molecule or reference, and keeps the result in the ledger (``--no-try`` skips that)."""
    uses_rdkit: bool = False
    """Its values may change with RDKit's release, which then is part of its fingerprint."""
    sees_stereo: bool | str = False
    """Stereoisomers may differ in value; or the name of the boolean parameter on which that depends."""
    files: tuple[str, ...] = ()
    """Files that it reads, imports or executes, or folders of them, relative to its own; they travel with it, and lie
    in the folder in which it runs."""
    env: tuple[str, ...] = ()
    """Environment variables that its values depend on: a digest of each counts for the fingerprint, and wherever it
    runs each is what it is where the campaign was started."""
    unit: str = ""
    """Unit of its value; empty for a pure number."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Name of each output -> its unit; empty when a value is one number."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """What a campaign file might say of it: its ``params``, and the ``transform`` of the property."""

    def __post_init__(self) -> None:
        values: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}  # users have no mypy
        if not _are_texts(values["files"]):
            raise OracleError(f"declared files={self.files!r}; expected file names, as files=['model.pkl']")
        object.__setattr__(self, "files", tuple(self.files))
        if not _are_texts(values["env"]):
            raise OracleError(f"declared env={self.env!r}; expected names of variables, as env=['DOCK_HOME']")
        object.__setattr__(self, "env", tuple(self.env))
        if not _are_texts(values["outputs"]):
            raise OracleError(f"declared outputs={self.outputs!r}; expected names, as outputs=['affinity', 'strain']")
        if not isinstance(values["outputs"], Mapping):
            object.__setattr__(self, "outputs", dict.fromkeys(self.outputs, self.unit))
        for key, kinds in _KINDS.items():
            value = values[key]
            if not isinstance(value, kinds):
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise OracleError(f"declared {key}={value!r}, which is {type(value).__name__}; expected {expected}")


_KINDS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "version": (str,),
    "stochastic": (bool,),
    "each": (bool,),
    "costly": (bool,),
    "uses_rdkit": (bool,),
    "sees_stereo": (bool, str),
    "unit": (str,),
    "example": (Mapping,),
}


def _are_texts(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str) and all(isinstance(item, str) for item in value)


DECLARED = tuple(item.name for item in fields(Declaration))
"""The names that ``@oracle(...)`` takes and that a class may have as attributes."""


@overload
def oracle(target: Target, /) -> Target: ...


@overload
def oracle(
    *,
    name: str = "",
    version: str = "1",
    stochastic: bool = False,
    each: bool = False,
    costly: bool = False,
    uses_rdkit: bool = False,
    sees_stereo: bool | str = False,
    files: Sequence[str] = (),
    env: Sequence[str] = (),
    unit: str = "",
    outputs: Sequence[str] | Mapping[str, str] = (),
    example: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[Target], Target]: ...


def oracle(target: Target | None = None, /, **declared: Any) -> Target | Callable[[Target], Target]:
    """The same function or class, with what it declares written on it; see :class:`Declaration` for the names.

    Raises:
        OracleError: A name that is no declaration, a value of the wrong kind, or a class that has both the decorator
            and an attribute of the same meaning.
    """
    if unknown := sorted(set(declared) - set(DECLARED)):
        raise OracleError(f"@oracle({unknown[0]}=…) is no declaration; {meant_or_known(unknown[0], DECLARED)}")
    declaration = Declaration(**declared)

    def declare(target: Target) -> Target:
        if isinstance(target, type) and (twice := [key for key in DECLARED if hasattr(target, key)]):
            raise OracleError(f"{target.__name__} declares {twice[0]!r} as an attribute beside @oracle(…); keep one")
        target.__oracle__ = declaration  # type: ignore[attr-defined]
        return target

    return declare if target is None else declare(target)


def name_of(target: Callable[..., Any], reference: str) -> str:
    """What an oracle is called: as it declares, else as it was defined, else by the name in the reference.

    A ``functools.partial`` or an instance with ``__call__`` has no name of its own. The file is no part of the name,
    for it lies elsewhere on a worker.
    """
    return declaration_of(target).name or getattr(target, "__name__", "") or reference.rpartition(":")[2]


def docstring_of(target: Callable[..., Any]) -> str:
    """What is written about a function or class; of a ``functools.partial`` about its function, else about its class.

    Python would give the documentation of ``functools.partial`` itself.
    """
    while isinstance(target, functools.partial):
        target = target.func
    return inspect.getdoc(target) or ""


def declaration_of(target: Callable[..., Any]) -> Declaration:
    """What a function or class declares: by its decorator, else (a class) by its attributes, else the defaults."""
    declared = getattr(target, "__oracle__", None)
    if isinstance(declared, Declaration):
        return declared
    if isinstance(target, type):
        return Declaration(**{key: getattr(target, key) for key in DECLARED if hasattr(target, key)})
    return Declaration()
