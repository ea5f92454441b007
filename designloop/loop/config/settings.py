"""How the settings of a campaign file are declared: strict, frozen, every key known, and parts found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, SerializationInfo, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from designloop.loop.config.problems import Finding
from designloop.words import did_you_mean, listed, shorten

FINDING = "finding"
"""Type of the pydantic errors that carry a `Finding` of ours in their context."""

_PYDANTICS_OWN = frozenset(get_args(core_schema.ErrorType))


class StrictSettings(BaseModel):
    """A part of a campaign file. Types are meant: the text "100" is no number, and an unknown key is a mistake."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


@dataclass(frozen=True)
class ByName:
    """Annotation of a field such as ``{type: sigmoid, low: 0, high: 1}``, whose keys are those of what ``type`` names.

    The registry is asked when a value is read, never at import.
    """

    key: str
    """The key that names the part."""
    what: str
    """The part in words: ``transform``, ``strategy``."""
    names: Callable[[], Sequence[str]]
    """All names that there are."""
    model: Callable[[str], type[BaseModel]]
    """A part's name -> the model of its settings, which may hold ``key`` or leave it out."""
    kind: type[Any]
    """The type of the field's value."""
    make: Callable[[str, BaseModel], Any]
    """(name, settings) -> the value of the field."""
    taken_apart: Callable[[Any], tuple[str, BaseModel]]
    """The value of the field -> (name, settings)."""

    def model_for(self, value: Any) -> type[BaseModel] | None:
        """The model that a value's settings are read by; None where it names no part."""
        name = value.get(self.key) if isinstance(value, Mapping) else None
        return self.model(name) if isinstance(name, str) and name in self.names() else None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        write = core_schema.plain_serializer_function_ser_schema(self._write, info_arg=True)
        return core_schema.with_info_plain_validator_function(self._read, serialization=write)

    def _read(self, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, self.kind):  # made in Python
            return value
        model = self.model_for(value)
        if model is None:
            raise error(self.what, [self._misnamed(value)], value)
        settings = {key: setting for key, setting in value.items() if key != self.key or key in model.model_fields}
        return self.make(value[self.key], model.model_validate(settings, context=info.context))

    def _write(self, value: Any, info: SerializationInfo) -> dict[str, Any]:
        name, settings = self.taken_apart(value)
        return {self.key: name, **settings.model_dump(mode=info.mode)}

    def _misnamed(self, value: Any) -> Finding:
        names = self.names()
        if not isinstance(value, Mapping):
            return Finding((), describe(value), f"a mapping such as {{{self.key}: {names[0]}, …}}")
        name = value.get(self.key)
        hint = did_you_mean(name, names) if isinstance(name, str) else ""
        return Finding((self.key,), describe(name), f"the name of a {self.what}: {listed(names)}", hint)


def describe(value: Any, written: str | None = None) -> str:
    """A value of a YAML file and its type, for a sentence that begins with "found".

    Args:
        written: a number as the file writes it: ``1e-4`` may have been meant as a name or a molecule.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()} (true or false)"
    if isinstance(value, int):
        return f"{written or value} (a whole number)"
    if isinstance(value, float):
        return f"{written or repr(value)} (a number)"
    if isinstance(value, str):
        return f"{shorten(repr(value))} (text)" if value else "an empty text"
    if isinstance(value, Mapping):
        return f"a mapping with the keys {shorten(', '.join(map(str, value)))}" if value else "an empty mapping"
    if isinstance(value, Sequence):
        return shorten(f"the list {list(value)!r}") if value else "an empty list"
    return shorten(repr(value))


def error(title: str, findings: Iterable[Finding], value: Any = None) -> ValidationError:
    """The pydantic error that holds these findings; their paths are relative to the part that raises it."""
    return ValidationError.from_exception_data(title, [_line(finding, value) for finding in findings])


def also(value: Any, handler: Callable[[Any], Any], findings: Sequence[Finding], title: str) -> Any:
    """What pydantic makes of a value; its own errors and these findings are raised as one.

    For wrap validators: a validator that runs after pydantic's own would be silent until those errors are mended.
    """
    try:
        validated = handler(value)
    except ValidationError as caught:
        lines = [*_lines_of(caught), *(_line(finding, value) for finding in findings)]
        raise ValidationError.from_exception_data(title, lines) from None
    if findings:
        raise error(title, findings, value)
    return validated


def _line(finding: Finding, value: Any) -> InitErrorDetails:
    context = {"found": finding.actual, "expected": finding.expected, "hint": finding.hint, "at_key": finding.at_key}
    # Pydantic fills the template in from the context; only who builds settings in Python reads it.
    template = "found {found}, expected {expected} {hint}" if finding.expected else "{found} {hint}"
    return InitErrorDetails(type=PydanticCustomError(FINDING, template, context), loc=finding.path, input=value)


def _lines_of(caught: ValidationError) -> list[InitErrorDetails]:
    """The lines of a pydantic error, to be raised again together with others."""
    lines = []
    for line in caught.errors(include_url=False):
        kind: Any = line["type"]
        context = line.get("ctx", {})
        if kind not in _PYDANTICS_OWN:
            kind = PydanticCustomError(kind, line["msg"].replace("{", "("), context)
        lines.append(InitErrorDetails(type=kind, loc=line["loc"], input=line["input"], ctx=context))
    return lines
