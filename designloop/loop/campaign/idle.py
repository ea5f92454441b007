"""Settings that the file says and that do nothing: they are told, for who wrote them expects something of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from designloop.loop.config.problems import PathKey
from designloop.loop.config.yaml_file import Document
from designloop.strategies import base as strategies


class ChosenStrategy(Protocol):
    """The strategy of a campaign."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> BaseModel: ...


def find_idle(document: Document, chosen: ChosenStrategy, objective: strategies.KnownObjective) -> Iterator[str]:
    """A sentence on each setting of the strategy that the file says and that does nothing: key, line and why."""
    for key, why in strategies.idle_settings(chosen.name, chosen.settings, objective).items():
        path = ("strategy", *key.split("."))
        if _is_said(document.data, path):
            line = document.line(path)
            yield f"strategy.{key}" + ("" if line is None else f" (line {line})") + f" does nothing: {why}"


def _is_said(data: Any, path: PathKey) -> bool:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True
