"""The ``diversity:`` of a campaign file: how unlike each other the molecules that are paid for have to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from designloop.loop.config.problems import PathKey
from designloop.loop.config.settings import StrictSettings

FORMER = {"max_per_scaffold": "per_scaffold", "min_distance": "min_distance"}
"""Keys that stood under ``filters:`` -> what they are called under ``diversity:``."""


class Diversity(StrictSettings):
    """How unlike each other molecules have to be. Distance is 1 - ECFP4 similarity; stereoisomers have 0."""

    min_distance: float | None = Field(default=None, gt=0, lt=1)
    """Least distance to every molecule scored before in the campaign."""
    per_scaffold: int | None = Field(default=None, ge=1)
    """Most molecules of one scaffold in the whole campaign; molecules without rings are not counted."""
    scaffold: Literal["murcko", "framework"] = "murcko"
    """What counts as one: rings and what links them (Bemis-Murcko), or these as if all were carbon and single bonds."""
    batch: float | None = Field(default=None, gt=0, lt=1)
    """Least distance between any two molecules of a batch that the strategy chose."""
    penalty: float = Field(default=0.0, ge=0)
    """What the mean distance inside a batch weighs beside the strategy's own order, a place in it counting from 1 (the
    best) to 0 (the last of three times as many as are wanted); 0: the order alone."""


def former_keys(settings: Mapping[str, Any]) -> list[str]:
    """A sentence on each key that stands where it stood before there was ``diversity:``."""
    filters = settings.get("filters")
    said = [key for key in FORMER if isinstance(filters, Mapping) and key in filters]
    return [f"filters.{key} is read as diversity.{FORMER[key]}, which is its name now: move it there" for key in said]


def as_written(path: PathKey, settings: Mapping[str, Any]) -> PathKey:
    """The place where the settings, as they were given, have what stands at a path of those with today's keys."""
    former = next((key for key, name in FORMER.items() if path[:2] == ("diversity", name)), None)
    own, filters = settings.get("diversity"), settings.get("filters")
    is_moved = former is not None and isinstance(filters, Mapping) and former in filters
    if not is_moved or (isinstance(own, Mapping) and path[1] in own):
        return path
    return ("filters", str(former), *path[2:])


def with_todays_keys(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A campaign's settings, those that stood under ``filters:`` before there was ``diversity:`` moved there.

    What ``diversity:`` says itself stays where it is, and so does a former key that it says, too.
    """
    filters, diversity = settings.get("filters"), settings.get("diversity")
    if not isinstance(filters, Mapping) or not (isinstance(diversity, Mapping) or diversity is None):
        return dict(settings)
    moved = {key: name for key, name in FORMER.items() if key in filters and name not in (diversity or {})}
    if not moved:
        return dict(settings)
    kept = {key: value for key, value in filters.items() if key not in moved}
    said = {name: filters[key] for key, name in moved.items()}
    return {**settings, "filters": kept, "diversity": {**said, **(diversity or {})}}
