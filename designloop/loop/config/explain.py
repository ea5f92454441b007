"""Pydantic's errors in plain words: where in the file, what was found, what was expected.

What is expected is read from the declaration of the field, not from pydantic's message, so that a wrong type and a
wrong range give the same sentence: ``found 'abc' (text), expected a whole number of at least 1``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from designloop.loop.config.field_words import FieldType, describe_expected, hint_for
from designloop.loop.config.problems import Finding, PathKey
from designloop.loop.config.settings import FINDING, describe
from designloop.words import did_you_mean, listed

_SENTENCES = ("value_error", "assertion_error")
"""Types of pydantic errors that carry a whole sentence of the validator's author."""

_KEYS_LISTED = 12
"""An unknown key is answered with all known ones, if there are no more than these."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error stands in the data, and how that place is declared."""

    path: PathKey
    value: Any
    declared: FieldType | None
    model: type[BaseModel] | None
    """The model whose key the last part of the path is or should be."""
    union: PathKey | None
    """The place of the outermost union on the way, whose branches complain one by one."""


Written = Callable[[PathKey], str | None]
"""Where a value stands -> the unquoted text that it was read from, if it was."""


def explain(
    caught: ValidationError, model: type[BaseModel], data: Any, written: Written = lambda _: None
) -> list[Finding]:
    """One finding for each mistake, at its place in ``data``, which ``model`` refused."""
    findings: list[Finding] = []
    unions: dict[PathKey, list[tuple[_Place, ErrorDetails]]] = {}
    for line in caught.errors(include_url=False):
        place = _place(line, model, data)
        if place.union is None:
            findings.append(_finding(line, place, written))
        else:
            unions.setdefault(place.union, []).append((place, line))
    for members in unions.values():
        findings += _of_union(members, written)
    return findings


def _of_union(members: Sequence[tuple[_Place, ErrorDetails]], written: Written) -> list[Finding]:
    """Joins what the branches of a union say: those that got furthest, or that say it in a sentence, are right."""
    sentences = [(place, line) for place, line in members if line["type"] in (FINDING, *_SENTENCES)]
    depth = max(len(place.path) for place, _ in members)
    deepest = [(place, line) for place, line in members if len(place.path) == depth]
    chosen = {place.path: _finding(line, place, written) for place, line in sentences or deepest}
    return list(chosen.values())


def _finding(line: ErrorDetails, place: _Place, written: Written) -> Finding:
    context = line.get("ctx", {})
    if line["type"] == FINDING:
        return Finding(place.path, context["found"], context["expected"], context["hint"], context["at_key"])
    if line["type"] in _SENTENCES:
        return Finding(place.path, str(context["error"]))
    if line["type"] == "extra_forbidden" and place.model is not None:
        return _unknown_key(place.path, place.model)
    words = describe_expected(place.declared) if place.declared else ""
    words = words or line["msg"].removeprefix("Input should be ").lower()
    if line["type"] == "missing":
        return Finding(place.path, "nothing", words)
    if line["type"] == "finite_number":
        words = words.replace("a number", "a finite number", 1)
    text = written(place.path)
    return Finding(place.path, describe(line["input"], text), words, hint_for(line["input"], place.declared, text))


def _unknown_key(path: PathKey, model: type[BaseModel]) -> Finding:
    known = list(model.model_fields)
    key = str(path[-1])
    hint = did_you_mean(key, known)
    words = listed(known) if len(known) <= _KEYS_LISTED or not hint else "a key that there is"
    return Finding(path, f"the unknown key {key!r}", words, hint, at_key=True)


def _place(line: ErrorDetails, model: type[BaseModel], data: Any) -> _Place:
    """Follows pydantic's location through data and declarations, past the labels it gives to branches of unions."""
    path: list[str | int] = []
    value, holder = data, None
    declared: FieldType | None = FieldType(model)
    union: PathKey | None = None
    for part in line["loc"]:
        field_type = declared.branch(value) if declared else None
        if union is None and declared is not None and declared.is_union:
            union = tuple(path)
        inner = field_type.inside(part, value) if field_type else None
        is_there = (isinstance(value, Mapping) and part in value) or (
            isinstance(part, int) and isinstance(value, Sequence) and not isinstance(value, str) and part < len(value)
        )
        is_label = line["type"] != FINDING or (declared is not None and declared.is_union)
        if inner is None and not is_there and is_label:
            continue  # the label of a branch
        path.append(part)
        holder = field_type.model(value) if field_type else None
        value = value[part] if is_there else None
        declared = inner
    return _Place(tuple(path), value, declared, holder, union)
