"""What loading has to know of a function or class: what it declares, and what it makes of its parameters.

All of it is plain data, so a process that imported a user's code can say it to one that did not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from designloop.oracles import located
from designloop.oracles.declaration import Declaration, declaration_of, docstring_of, name_of
from designloop.oracles.errors import OracleError
from designloop.oracles.parameters import read_arguments
from designloop.words import meant_or_known


@dataclass(frozen=True, slots=True)
class Facts:
    """What a function or class says of itself and of the parameters that a campaign gives for it."""

    name: str
    """What the oracle is called."""
    home: Path
    """The folder that its declared files are relative to."""
    docstring: str
    declared: Declaration
    written: Mapping[str, Any]
    """Every parameter as JSON, defaults filled in."""
    paths: Mapping[str, Path]
    """Parameter -> the file that it points at, as given."""
    default_paths: Mapping[str, Path]
    """Parameter -> the file that its default points at."""
    texts: Mapping[str, Sequence[str]]
    """Given parameter -> the texts in it, each of which may name a file."""
    helpers: Sequence[str] = ()
    """Modules of its folder that its file imports, relative to it."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """Returns the facts of which these are the fields, as JSON values."""
        paths = {key: {name: Path(path) for name, path in data[key].items()} for key in ("paths", "default_paths")}
        return cls(**{**data, **paths, "home": Path(data["home"]), "declared": Declaration(**data["declared"])})


def facts_of(
    target: Callable[..., Any], reference: str, params: Mapping[str, Any], home: Path, helpers: Sequence[str] = ()
) -> Facts:
    """Returns the facts of a function or class in hand.

    Raises:
        ParameterError: All wrong parameters together.
        OracleError: It cannot be called as an oracle is, or contradicts what it declares.
    """
    declared = declaration_of(target)
    name = name_of(target, reference)
    arguments = read_arguments(name, target, declared, params)
    return Facts(
        name=name,
        home=home,
        docstring=docstring_of(target),
        declared=declared,
        written=arguments.written,
        paths=arguments.paths,
        default_paths=arguments.default_paths,
        texts=located.texts_in(arguments),
        helpers=helpers,
    )


def fields_of(item: Any) -> dict[str, Any]:
    """Returns the fields of a dataclass; ``asdict`` would copy what stands in them, which not everything allows."""
    return {field.name: getattr(item, field.name) for field in fields(item)}


def plain(item: Any) -> Any:
    """Returns what stands in JSON for something that JSON has not: fields or entries, else a text."""
    if is_dataclass(item):
        return fields_of(item)
    return dict(item) if isinstance(item, Mapping) else str(item)


def attribute_of(module: ModuleType, name: str, place: str) -> Callable[..., Any]:
    """Returns the function or class of that name in a module.

    Args:
        place: what messages call the module.
    Raises:
        OracleError: There is none.
    """
    theirs = [key for key, item in vars(module).items() if _is_own(item, module) and not key.startswith("_")]
    if not name:
        raise OracleError(f"{place!r} names no function; write {place}:{theirs[0] if theirs else 'FUNCTION'}")
    if not hasattr(module, name):
        raise OracleError(f"{place} has no {name!r}; {meant_or_known(name, theirs)}")
    target = getattr(module, name)
    if not callable(target):
        raise OracleError(f"{name!r} of {place} is {type(target).__name__}; name a function or a class")
    return target  # type: ignore[no-any-return]


def _is_own(item: Any, module: ModuleType) -> bool:
    return callable(item) and getattr(item, "__module__", None) == module.__name__
