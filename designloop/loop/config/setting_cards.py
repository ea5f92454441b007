"""The settings of a part, read from their declaration: for `designloop strategies NAME` and for the page of keys."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined, to_jsonable_python

from designloop.loop.config.field_words import FieldType, describe_expected


@dataclass(frozen=True, slots=True)
class SettingCard:
    """One key of a campaign file."""

    name: str
    """Dotted where it stands inside another: `region.length`."""
    expected: str
    """What may stand there, in words."""
    default: str
    """As a campaign file would write it; ``must be given`` where there is none."""
    meaning: str


@dataclass(frozen=True, slots=True)
class PartCard:
    """A strategy, transform, filter or descriptor."""

    name: str
    summary: str
    """The first line of what is written about it."""
    description: str = ""
    """All of it."""
    settings: Sequence[SettingCard] = ()
    example: str = ""
    """How a campaign file says it."""


def setting_cards(model: type[BaseModel], leave_out: Sequence[str] = (), within: str = "") -> list[SettingCard]:
    """A card for each key of a settings model, those of models in it under dotted names."""
    cards = []
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        declared = FieldType(field.annotation, tuple(field.metadata))
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel) and not declared.metadata:
            cards += setting_cards(inner, within=f"{within}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        written = "must be given" if default is PydanticUndefined else flow(to_jsonable_python(default))
        meaning = " ".join((field.description or "").split())
        cards.append(SettingCard(within + name, describe_expected(declared), written, meaning))
    return cards


def flow(value: Any) -> str:
    """A JSON value as YAML writes it on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and value.replace("_", "").replace(".", "").isalnum():
        return value
    return json.dumps(value, ensure_ascii=False)
