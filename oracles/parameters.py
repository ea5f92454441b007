"""The parameters that an oracle takes, read from its signature, and what a campaign gives for them.

They come from a campaign file and go into a fingerprint, so they are JSON. Types are checked strictly where they are
annotated: no text is taken for a number. A parameter annotated ``pathlib.Path`` names a file to read: it is sought
beside the campaign file, its bytes count instead of its name, and it travels to the workers.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pydantic
import pydantic_core
from pydantic.errors import PydanticUserError

from designloop.oracles.declaration import Declaration
from designloop.oracles.errors import OracleError, ParameterError, ParameterProblem
from designloop.words import did_you_mean, nearest

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_MISSING = inspect.Parameter.empty


@dataclass(frozen=True)
class Parameter:
    """One parameter of an oracle, as its signature has it."""

    name: str
    annotation: Any
    """Resolved; ``Any`` where there is none."""
    default: Any
    """``inspect.Parameter.empty`` for one that must be given."""

    @property
    def required(self) -> bool:
        return self.default is _MISSING

    @cached_property
    def adapter(self) -> pydantic.TypeAdapter[Any]:
        """What checks a value against the annotation.

        Raises:
            OracleError: An annotation that no JSON value can have.
        """
        try:
            return pydantic.TypeAdapter(self.annotation)
        except PydanticUserError as error:
            raise OracleError(
                f"parameter {self.name!r} is annotated {self.annotation!r}, which no campaign file can hold; annotate "
                "it with str, int, float, bool, pathlib.Path, a Literal, or a list or dict of them"
            ) from error

    def read(self, value: Any) -> Any:
        """The value as the oracle gets it.

        Raises:
            pydantic.ValidationError: It has not the annotated type.
        """
        return self.adapter.validate_json(_canonical(value), strict=True)

    def write(self, value: Any) -> Any:
        """The value as JSON."""
        return json.loads(self.adapter.dump_json(value, warnings="none"))


@dataclass(frozen=True)
class Arguments:
    """What an oracle is called with."""

    python: Mapping[str, Any]
    """As the oracle gets them: those given, and no others, so that its own defaults hold."""
    written: Mapping[str, Any]
    """As JSON, defaults filled in."""
    paths: Mapping[str, Path]
    """The files that parameters point at, as given."""
    default_paths: Mapping[str, Path]
    """The files that defaults point at."""
    choices: frozenset[str] = frozenset()
    """Parameters that are one word out of several, which is never a path."""


def parameters_of(target: Callable[..., Any], declared: Declaration) -> tuple[dict[str, Parameter], bool]:
    """Name -> parameter, and whether it takes any other name too (``**params``).

    Raises:
        OracleError: It cannot be called as an oracle is: no place for the molecules, or for the seeds.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError) as error:
        raise OracleError(f"{target!r} has no readable signature; wrap it in a function of your own") from error
    parameters = list(signature.parameters.values())
    if not isinstance(target, type):
        namespace = _globals(target)
        _check_each(signature, namespace, declared, target)
        parameters = parameters[_molecules_and_seeds(parameters, declared, target) :]
    else:
        score = getattr(target, "score", None)
        if not callable(score):
            raise OracleError(f"class {target.__name__} has no method 'score'; give it score(self, smiles)")
        of_score = inspect.signature(score)
        without_self = of_score.replace(parameters=list(of_score.parameters.values())[int(_takes_self(target)) :])
        _check_each(without_self, _globals(score), declared, target)
        _molecules_and_seeds(list(without_self.parameters.values()), declared, target)
        namespace = _globals(getattr(target, "__init__", None))
    named = {
        item.name: Parameter(item.name, _resolve(item, namespace), item.default)
        for item in parameters
        if item.kind in _NAMED
    }
    return named, any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters)


def read_arguments(
    name: str, target: Callable[..., Any], declared: Declaration, values: Mapping[str, Any]
) -> Arguments:
    """The given parameters, checked by the oracle's signature.

    Raises:
        ParameterError: All unknown, missing and ill-typed ones together.
    """
    known, takes_any = parameters_of(target, declared)
    problems: list[ParameterProblem] = []
    python: dict[str, Any] = {}
    written: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known and not takes_any:
            problems.append(_unknown(key, known))
            continue
        parameter = known.get(key) or Parameter(key, Any, _MISSING)
        try:
            python[key] = parameter.read(value)
            written[key] = parameter.write(python[key])
            if _holds_a_path(python[key]):
                problems.append(ParameterProblem(key, repr(value), "one file", "give each file a parameter of its own"))
        except pydantic.ValidationError as error:
            problems.append(_ill_typed(key, value, error))
        except (TypeError, ValueError) as error:
            problems.append(ParameterProblem(key, repr(value), "a value that JSON can hold", str(error)))
    misspelt = {nearest(key, known) for key in values if key not in known}
    for parameter in known.values():
        if parameter.name in values or (parameter.required and parameter.name in misspelt):
            continue
        if parameter.required:
            problems.append(_missing(parameter, declared))
            continue
        try:
            written[parameter.name] = parameter.write(parameter.default)
        except pydantic_core.PydanticSerializationError:
            continue  # an object of the oracle's own code, which its version and its file's bytes stand for
    if problems:
        raise ParameterError(name, problems)
    defaults = {key: parameter.default for key, parameter in known.items() if key not in values}
    choices = frozenset(key for key in values if key in known and typing.get_origin(known[key].annotation) is Literal)
    return Arguments(python, written, _paths(python), _paths(defaults), choices)


def kind(annotation: Any) -> str:
    """An annotation in a chemist's words: ``number``, ``SMILES or list of SMILES``, ``max | mean``."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return next((item for item in inner[1:] if isinstance(item, str)), kind(inner[0]))
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(kind(item) for item in inner)
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping of {kind(inner[0])} to {kind(inner[1])}"
    if origin is not None and inner:
        word = kind(inner[0])
        return f"list of {word}" if word.isupper() or "|" in word else f"list of {word}s"
    words = {str: "text", int: "integer", float: "number", bool: "true | false", type(None): "null", Any: "anything"}
    return words.get(annotation, "file" if getattr(annotation, "__module__", "") == "pathlib" else _plain(annotation))


def _paths(values: Mapping[str, Any]) -> dict[str, Path]:
    return {key: value for key, value in values.items() if isinstance(value, Path)}


def _takes_self(target: type) -> bool:
    """Whether the method ``score`` of a class is given its object, unlike a static one or an object that is called."""
    stored = inspect.getattr_static(target, "score")
    return hasattr(type(stored), "__get__") and not isinstance(stored, staticmethod | classmethod)


def _holds_a_path(value: Any) -> bool:
    """Whether a list or mapping has paths in it, which would be sought nowhere and would not travel."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple | set) else ()
    return any(isinstance(item, Path) or _holds_a_path(item) for item in inner)


def _globals(target: Any) -> dict[str, Any]:
    """What the names in its annotations mean."""
    while isinstance(target, functools.partial):
        target = target.func
    function = inspect.unwrap(target)
    if not hasattr(function, "__globals__"):  # an instance that can be called: what stands in its class
        function = vars(type(function)).get("__call__")
    return dict(getattr(function, "__globals__", {}))


def _plain(annotation: Any) -> str:
    return getattr(annotation, "__name__", str(annotation))


def _molecules_and_seeds(parameters: list[inspect.Parameter], declared: Declaration, target: Callable[..., Any]) -> int:
    """How many leading parameters the molecules and seeds take."""
    wanted = ["smiles", "seeds"] if declared.stochastic else ["smiles"]
    if any(item.kind is inspect.Parameter.VAR_POSITIONAL for item in parameters[: len(wanted)]):
        return len(wanted)
    positional = [item for item in parameters if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)]
    if len(positional) < len(wanted):
        why = "it declares stochastic=True, so it" if declared.stochastic else "it"
        name = getattr(target, "__name__", repr(target))
        raise OracleError(f"oracle {name!r}: {why} is called with ({', '.join(wanted)}); put these parameters first")
    return len(wanted)


def _check_each(
    signature: inspect.Signature, namespace: dict[str, Any], declared: Declaration, target: Callable[..., Any]
) -> None:
    """Refuses annotations that contradict whether it is called with all molecules, or with each by itself."""
    first = next(iter(signature.parameters.values()), None)
    name = getattr(target, "__name__", repr(target))
    if first is None or first.kind is inspect.Parameter.VAR_POSITIONAL:
        return
    if declared.each:
        molecules = _annotated(first.annotation, namespace)
        origin = typing.get_origin(molecules) or molecules
        if isinstance(origin, type) and issubclass(origin, Iterable) and not issubclass(origin, str):
            raise OracleError(
                f"oracle {name!r} declares each=True, and its first parameter {first.name!r} is a list; "
                f"annotate it {first.name}: str, or leave each=True out"
            )
        return
    numbers = _annotated(signature.return_annotation, namespace) in (float, int, bool)
    if numbers or _annotated(first.annotation, namespace) is str:
        what = f"answers with one number (-> {_plain(signature.return_annotation)})" if numbers else "takes one SMILES"
        raise OracleError(
            f"oracle {name!r} {what}, but an oracle is called with a list of molecules and answers with a mapping of "
            "molecule to value; write @oracle(each=True) above it (from designloop.oracles import oracle), and it is "
            "called with each molecule by itself"
        )


def _annotated(annotation: Any, namespace: dict[str, Any]) -> Any:
    """What an annotation is; a name that is not imported is left as its text."""
    if not isinstance(annotation, str):
        return annotation
    with contextlib.suppress(Exception):  # who wrote it gets to know elsewhere, where it matters
        return eval(annotation, dict(namespace))
    return annotation


def _resolve(parameter: inspect.Parameter, namespace: dict[str, Any]) -> Any:
    """The annotation, also where ``from __future__ import annotations`` left its text."""
    annotation = parameter.annotation
    if annotation is _MISSING:
        return Any
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(namespace))  # as inspect.signature(eval_str=True) does, but one at a time
    except Exception as error:
        raise OracleError(
            f"parameter {parameter.name!r} is annotated {annotation}, which gives {type(error).__name__}: {error}; "
            "import what it names outside `if TYPE_CHECKING`"
        ) from error


def _canonical(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _unknown(key: str, known: Mapping[str, Parameter]) -> ParameterProblem:
    expected = f"one of {', '.join(known)}" if known else "no parameter: it takes none"
    return ParameterProblem(key, f"{key!r}", expected, did_you_mean(key, known))


def _missing(parameter: Parameter, declared: Declaration) -> ParameterProblem:
    hint = f"give it under params, as {parameter.name}: …"
    if parameter.name in ("seed", "seeds") and not declared.stochastic:
        hint = "an oracle that takes a seed for each molecule declares @oracle(stochastic=True)"
    expected = "a value" if parameter.annotation is Any else kind(parameter.annotation)
    return ParameterProblem(parameter.name, "nothing", expected, hint)


def _ill_typed(key: str, value: Any, error: pydantic.ValidationError) -> ParameterProblem:
    """One problem out of pydantic's several (it has one for each branch of a union)."""
    details = error.errors(include_url=False)
    ours = [item for item in details if item["type"] == "value_error"]
    relevant = ours or details  # our own checks say more than types
    expected = " or ".join(dict.fromkeys(_expectation(item["msg"]) for item in relevant))
    culprit = relevant[0]["input"] if len(relevant) == 1 or relevant[0]["type"] == "value_error" else value
    choices = [word for item in relevant for word in re.findall(r"'([^']+)'", item["msg"])]
    hint = did_you_mean(culprit, choices) if choices and isinstance(culprit, str) else ""
    return ParameterProblem(key, repr(culprit), expected, hint)


def _expectation(message: str) -> str:
    return re.sub(r"^(Input should be |Value error, )", "", message).removeprefix("expected ")
