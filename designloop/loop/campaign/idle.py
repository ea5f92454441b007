"""Settings that the file says and that do nothing: they are told, for who wrote them expects something of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from designloop.loop.config.problems import PathKey
from designloop.loop.config.yaml_file import Document
from designloop.loop.evaluation.settings import EvaluationSettings
from designloop.loop.screening.diversity import Diversity
from designloop.strategies import base as strategies


class ChosenStrategy(Protocol):
    """The strategy of a campaign."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> BaseModel: ...


class Settings(Protocol):
    """What a campaign says, as far as some of it keeps other parts from doing anything."""

    @property
    def strategy(self) -> ChosenStrategy: ...

    @property
    def diversity(self) -> Diversity: ...

    @property
    def evaluation(self) -> EvaluationSettings: ...


def find_idle(document: Document, campaign: Settings, objective: strategies.KnownObjective) -> Iterator[str]:
    """A sentence on each setting that the file says and that does nothing: key, line and why."""
    chosen = campaign.strategy
    of_strategy = strategies.idle_settings(chosen.name, chosen.settings, objective)
    idle = {f"strategy.{key}": why for key, why in of_strategy.items()}
    idle |= {f"diversity.{key}": why for key, why in _idle_diversity(campaign.diversity).items()}
    idle |= {f"evaluation.{key}": why for key, why in campaign.evaluation.idle().items()}
    for key, why in idle.items():
        path = tuple(key.split("."))
        if _is_said(document.data, path):
            line = document.line(path)
            yield key + ("" if line is None else f" (line {line})") + f" does nothing: {why}"


def _idle_diversity(diversity: Diversity) -> dict[str, str]:
    idle = {}
    if diversity.per_scaffold is None:
        idle["scaffold"] = "it is for `per_scaffold`, which is not given"
    if diversity.batch is not None and (least := diversity.min_distance) is not None and least >= diversity.batch:
        idle["batch"] = f"`min_distance` {least:g} keeps a batch as far apart already"
    return idle


def _is_said(data: Any, path: PathKey) -> bool:
    for part in path:
        if not isinstance(data, Mapping) or part not in data:
            return False
        data = data[part]
    return True
