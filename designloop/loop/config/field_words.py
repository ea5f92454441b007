"""What a declared field wants, in the words of someone who writes YAML and no Python."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from designloop.loop.config.settings import ByName
from designloop.loop.config.yaml_nodes import quote, read_value
from designloop.words import did_you_mean, listed

_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
"""What YAML 1.1 took for true and false, and YAML 1.2 takes for text."""

_PLAIN: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
}

Metadata: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class FieldType:
    """The declaration of a value: a type and what else is said of it (ranges, lengths, a registry)."""

    annotation: Any
    metadata: Metadata = ()

    @property
    def options(self) -> list[FieldType]:
        """The members of a union, None left out; the declaration itself where it is none."""
        bare = self._bare()
        if get_origin(bare.annotation) in (Union, types.UnionType):
            members = [member for member in get_args(bare.annotation) if member is not type(None)]
            return [option for member in members for option in FieldType(member, bare.metadata).options]
        return [bare]

    @property
    def is_union(self) -> bool:
        return len(self.options) > 1

    @property
    def takes_nothing(self) -> bool:
        return type(None) in get_args(self._bare().annotation)

    def branch(self, value: Any) -> FieldType:
        """The option that a value of this shape was most likely meant for."""
        shaped = [option for option in self.options if option._has_shape_of(value)]
        return (shaped or self.options)[0]

    def model(self, value: Any) -> type[BaseModel] | None:
        """The model that a mapping here is read by."""
        for mark in self.metadata:
            if isinstance(mark, ByName):
                return mark.model_for(value)
        return self.annotation if _is_model(self.annotation) else None

    def inside(self, part: str | int, value: Any) -> FieldType | None:
        """How an entry of a value is declared; None if there can be no such entry."""
        model = self.model(value)
        if model is not None:
            field = model.model_fields.get(str(part))
            return FieldType(field.annotation, tuple(field.metadata)) if field else None
        arguments = get_args(self.annotation)
        if self._is(Mapping) and len(arguments) == 2 and isinstance(value, Mapping) and part in value:
            return FieldType(arguments[1])
        if self._is(Sequence) and isinstance(part, int) and arguments:
            return FieldType(
                arguments[0] if len(arguments) < 2 or arguments[1] is ... else arguments[part % len(arguments)]
            )
        return None

    def _bare(self) -> FieldType:
        """Returns the same type with `Annotated` taken apart."""
        if get_origin(self.annotation) is Annotated:
            inner, *more = get_args(self.annotation)
            return FieldType(inner, (*_spread(more), *self.metadata))._bare()
        return self

    def _is(self, kind: type) -> bool:
        origin = get_origin(self.annotation) or self.annotation
        return isinstance(origin, type) and issubclass(origin, kind) and origin is not str

    def _has_shape_of(self, value: Any) -> bool:
        if isinstance(value, Mapping):
            return self._is(Mapping) or _is_model(self.annotation) or any(isinstance(m, ByName) for m in self.metadata)
        is_list = isinstance(value, Sequence) and not isinstance(value, str)
        return self._is(Sequence) if is_list else self.annotation is type(value)


def describe_expected(declared: FieldType) -> str:
    """What may stand there, e.g. ``a whole number of at least 1``; empty where no plain words are known."""
    # Lists last: what follows `each item` would be taken for what its items may be.
    options = sorted(declared.options, key=lambda option: option._is(Sequence))
    words = list(dict.fromkeys(map(_expected_of_option, options)))
    if not all(words):
        return ""
    between = "; or " if any(", " in word for word in words[:-1]) else " or "
    return between.join(words) + (", or null" if declared.takes_nothing else "")


def hint_for(value: Any, declared: FieldType | None, written: str | None = None) -> str:
    """How the value found was most likely meant to be written; empty if there is no telling.

    Args:
        written: the unquoted text in the file that the value was read from.
    """
    if declared is None:
        return ""
    types_ = [option.annotation for option in declared.options]
    choices = [word for kind in types_ if get_origin(kind) is Literal for word in get_args(kind)]
    takes_number = int in types_ or float in types_
    if isinstance(value, str):
        if choices:
            return did_you_mean(value, map(str, choices))
        if bool in types_ and value.lower() in _TRUTHS:
            return f"write {_TRUTHS[value.lower()]}"
        number = read_value(value.replace("_", "").replace(",", "").strip()) if takes_number else None
        if isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number):
            is_whole = float not in types_ and number == int(number)
            return f"write {int(number) if is_whole else number!r} without quotes"
        if takes_number and (amount := re.fullmatch(r"([0-9.]+)\s*[A-Za-z]+", value)):
            return f"write {amount[1]}, without a unit"
        items = [option.inside(0, [value]) for option in declared.options if option._is(Sequence)]
        if any(item is not None and str in [option.annotation for option in item.options] for item in items):
            return f"write it as a list: [{quote(value)}]"
    if str in types_:
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
            return f"quote the SMILES: {quote(f'[{value[0]}]')}"
        if isinstance(value, (bool, int, float)):
            return f"quote it: '{written or (str(value).lower() if isinstance(value, bool) else value)}'"
    return ""


def _expected_of_option(declared: FieldType) -> str:
    kind, metadata = declared.annotation, declared.metadata
    by_name = next((mark for mark in metadata if isinstance(mark, ByName)), None)
    if by_name is not None:
        return f"a mapping such as {{{by_name.key}: {by_name.names()[0]}, …}}"
    if get_origin(kind) is Literal:
        return f"one of {listed(map(str, get_args(kind)))}"
    if _is_model(kind):
        return f"a mapping with the keys {', '.join(kind.model_fields)}"
    if declared._is(Mapping):
        inner = describe_expected(FieldType(get_args(kind)[1])) if get_args(kind) else ""
        return f"a mapping of names, each to {inner}" if inner else "a mapping"
    if declared._is(Sequence):
        return _list(get_args(kind)) + _length(metadata)
    words = _PLAIN.get(kind, "")
    return words + _range(metadata) if words else ""


def _list(items: tuple[Any, ...]) -> str:
    if len(items) == 2 and items[1] is not ... and items[0] == items[1]:
        inner = describe_expected(FieldType(items[0]))
        return f"a list of two, [lowest, highest], each {inner}" if inner else "a list of two"
    inner = describe_expected(FieldType(items[0])) if items else ""
    return f"a list, each item {inner}" if inner else "a list"


def _range(metadata: Metadata) -> str:
    words = []
    for mark in metadata:
        for name, text in (("ge", "of at least"), ("gt", "above"), ("le", "of at most"), ("lt", "below")):
            bound = getattr(mark, name, None)
            if isinstance(bound, (int, float)):
                words.append(f"{text} {bound if isinstance(bound, int) else f'{bound:g}'}")
    return f" {' and '.join(words)}" if words else ""


def _length(metadata: Metadata) -> str:
    least = max((mark.min_length for mark in metadata if isinstance(mark, annotated_types.MinLen)), default=0)
    return f" (at least {least})" if least else ""


def _spread(marks: Sequence[Any]) -> list[Any]:
    """What is said beside a type, with what pydantic's `Field(ge=1)` says taken out of it."""
    return [inner for mark in marks for inner in (mark.metadata if isinstance(mark, FieldInfo) else [mark])]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
