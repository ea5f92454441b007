"""A card that tells a chemist how to use an oracle, built in or not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from designloop.oracles.declaration import Declaration, declaration_of, docstring_of, name_of
from designloop.oracles.parameters import kind, parameters_of
from designloop.oracles.registry import built_ins


@dataclass(frozen=True)
class ParameterCard:
    """One parameter of an oracle, for a person."""

    name: str
    kind: str
    """In words: ``number``, ``SMILES or list of SMILES``, ``max | mean``."""
    required: bool
    default: Any
    """None for one that must be given."""
    meaning: str
    """From the docstring's ``Args:``."""


@dataclass(frozen=True)
class OracleCard:
    """What a person needs to know to use an oracle."""

    name: str
    reference: str
    """What a campaign file writes for it."""
    summary: str
    """First line of its docstring."""
    description: str
    """The docstring without its sections."""
    parameters: tuple[ParameterCard, ...]
    unit: str
    outputs: Mapping[str, str]
    """Output name -> unit; empty when a value is one number."""
    version: str
    source: str
    """Where the method is published, from the docstring's ``Source:``."""
    example: str
    """YAML: an entry of ``objective: properties:`` that works as it stands."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> OracleCard:
        """Returns the card of which these are the fields, as JSON values."""
        return cls(**{**data, "parameters": tuple(ParameterCard(**item) for item in data["parameters"])})


def available() -> list[OracleCard]:
    """A card for each built-in oracle, by name."""
    return [card_of(target, name) for name, target in sorted(built_ins().items())]


def card_of(target: Callable[..., Any], reference: str) -> OracleCard:
    """The card of a function or class in hand."""
    name = name_of(target, reference)
    declared = declaration_of(target)
    prose, sections = _docstring(target)
    meanings = _meanings(sections.get("Args", ""))
    known, _ = parameters_of(target, declared)
    parameters = tuple(
        ParameterCard(
            item.name,
            kind(item.annotation),
            item.required,
            None if item.required else item.default,
            meanings.get(item.name, ""),
        )
        for item in known.values()
    )
    return OracleCard(
        name=name,
        reference=reference,
        summary=prose.partition("\n")[0],
        description=prose,
        parameters=parameters,
        unit=declared.unit,
        outputs=declared.outputs,
        version=declared.version,
        source=" ".join(sections.get("Source", "").split()),
        example=_example(name, reference, declared, parameters),
    )


def _docstring(target: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """The prose of a docstring, and its sections (``Args``, ``Raises``, ``Source``) by title."""
    parts = re.split(r"^(Args|Returns|Raises|Source):", docstring_of(target), flags=re.MULTILINE)
    return parts[0].strip(), {title: text.strip("\n") for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _meanings(args: str) -> dict[str, str]:
    """Parameter -> what ``Args:`` says of it."""
    entries = re.split(r"^ {4}(\w+):", args, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in zip(entries[1::2], entries[2::2], strict=True)}


def _example(name: str, reference: str, declared: Declaration, parameters: tuple[ParameterCard, ...]) -> str:
    params = declared.example.get("params", {}) or {item.name: "…" for item in parameters if item.required}
    lines = [f"- name: {re.sub(r'[^A-Za-z0-9_]', '_', name)}", f"  oracle: {reference}"]
    if params:
        lines.append(f"  params: {_flow(params)}")
    if declared.outputs:
        lines.append(f"  output: {next(iter(declared.outputs))}")
    lines.append(f"  transform: {_flow(declared.example.get('transform', {'type': 'linear', 'low': 0, 'high': 1}))}")
    return "\n".join(lines)


def _flow(value: Any) -> str:
    """A value as YAML on one line; texts are quoted unless they are plain words, as a SMILES never surely is."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"[a-z][a-z0-9_]{3,}", value) and value not in ("true", "false", "null"):
        return value
    return json.dumps(value, ensure_ascii=False)
