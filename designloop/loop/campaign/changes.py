"""What has changed between a campaign as it was begun and as its file says now, and what of it may."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.identity import MAY_CHANGE, flat, own_file
from designloop.loop.screening.diversity import with_todays_keys
from designloop.loop.screening.filters import switched_on, without
from designloop.molecules.shipped import shipped_models
from designloop.strategies.base import Formerly

_ABSENT = object()

_MOST = 60
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True)
class Change:
    """A key whose value is not what it was."""

    key: str
    """Dotted, with a property by its name: ``objective.properties[qed].weight``."""
    before: Any
    """None where there was none."""
    now: Any
    allowed: bool
    """Whether a campaign that was begun may go on with it."""

    def __str__(self) -> str:
        return f"{self.key}: found {_shown(self.now)}, expected {_shown(self.before)}"


def changes(old: Mapping[str, Any], campaign: Campaign) -> list[Change]:
    """Every key in which a stored `Campaign.dump()` and the campaign differ, in the order of the file.

    What the stored one does not say, having been written before there was such a key, is the key's default; a filter
    that it does not name is off, and a setting of the strategy is what its `Formerly` says. Molecules are compared by
    what they are: a comment, a blank line or another line end in their file is no change, nor are the same molecules
    in another file or another notation.
    """
    then, today = _with_defaults(old), campaign.dump()
    _forget_notation(then, today)
    before, now = dict(flat(then)), dict(flat(today))
    keys = [*now, *(key for key in before if key not in now)]
    return [
        Change(key, before.get(key), now.get(key), key.split(".")[0] in MAY_CHANGE)
        for key in keys
        if before.get(key, _ABSENT) != now.get(key, _ABSENT)
    ]


def unknown_filters(old: Mapping[str, Any], campaign: Campaign) -> list[str]:
    """Returns the filters that are on by default alone, and that a stored `Campaign.dump()` does not know."""
    known = {*old.get("filters", {}), *campaign.filters.model_fields_set}
    return [name for name in switched_on(campaign.filters) if name not in known]


def unknown_settings(old: Mapping[str, Any], campaign: Campaign) -> dict[str, Any]:
    """Returns the strategy's settings that are at their defaults, and that a stored `Campaign.dump()` does not know.

    Only those that say what they were before: dotted key -> that value.
    """
    stored = old.get("strategy", {})
    if stored.get("name", campaign.strategy.name) != campaign.strategy.name:
        return {}
    return {f"strategy.{key}": value for key, value in _former(stored, campaign.strategy.settings)}


def _former(stored: Mapping[str, Any], settings: BaseModel) -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of each setting that says what it was formerly, and that neither names."""
    for name, field in type(settings).model_fields.items():
        inner, known = getattr(settings, name), stored.get(name, {})
        if isinstance(inner, BaseModel) and isinstance(known, Mapping):
            yield from ((f"{name}.{key}", value) for key, value in _former(known, inner))
        elif name not in stored and name not in settings.model_fields_set:
            yield from ((name, mark.value) for mark in field.metadata if isinstance(mark, Formerly))


def former_default_model(old: Mapping[str, Any], campaign: Campaign) -> str | None:
    """Returns the shipped model of a stored `Campaign.dump()` where it is another one only because the default is."""
    then = old.get("model", campaign.model)
    if "model" in campaign.model_fields_set or then == campaign.model or then not in shipped_models():
        return None
    return str(then)


def as_begun(old: Mapping[str, Any], campaign: Campaign) -> Campaign:
    """Returns the campaign as it goes on from stored settings: what is on by default only since then stays off.

    Otherwise a new version would refuse, in mid-campaign and unnoticed, what the earlier rounds were allowed, learn by
    another loss than they did, or read with one model what another one wrote.
    """
    update: dict[str, Any] = {}
    if model := former_default_model(old, campaign):
        update["model"] = model
    if names := unknown_filters(old, campaign):
        update["filters"] = without(campaign.filters, names)
    if former := unknown_settings(old, campaign):
        settings = campaign.strategy.settings
        for key, value in former.items():
            settings = _with(settings, key.split(".")[1:], value)
        update["strategy"] = replace(campaign.strategy, settings=settings)
    return campaign.model_copy(update=update) if update else campaign


def _with(settings: BaseModel, path: Sequence[str], value: Any) -> BaseModel:
    """The settings with another value at a path of names."""
    name, *inner = path
    return settings.model_copy(update={name: _with(getattr(settings, name), inner, value) if inner else value})


def changed_keys(old: Mapping[str, Any], campaign: Campaign) -> list[Change]:
    """The changes that may not be: a campaign that was begun with ``old`` cannot go on if there are any."""
    return [change for change in changes(old, campaign) if not change.allowed]


def _forget_notation(then: dict[str, Any], today: dict[str, Any]) -> None:
    """Makes equal, in two dumps, what says the same molecules in other words, and takes out how that is known."""
    said_then, said_today = then.pop("molecules"), today.pop("molecules")
    files_then, files_today = then["files"], today["files"]
    for path in files_then.keys() & files_today.keys():
        # A dump of an earlier version has the digest of the bytes alone, which of a plain file is that of its lines.
        if said_today.get(path) is not None and said_today[path] in (said_then.get(path), files_then[path]):
            files_then[path] = files_today[path]
    none = object()
    if said_then.get("starting_molecules", none) == said_today.get("starting_molecules"):
        for dump in (then, today):
            dump["files"].pop(own_file(dump, "starting_molecules"), None)
        then["starting_molecules"] = today["starting_molecules"]
    for dump in (then, today):
        dump["files"].pop(own_file(dump, "reference"), None)


def _shown(value: Any) -> str:
    """A value as a campaign file writes it, on one line, shortened; ``nothing`` for none."""
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}… ({len(text):,} characters)"


def _with_defaults(old: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in with_todays_keys(old).items() if key not in ("files", "molecules")}
    try:
        campaign = Campaign.model_validate(settings)
        read = as_begun(old, campaign).model_dump(mode="json")
    except ValidationError:  # from a version whose keys this one does not know: compared as it stands
        read = {"starting_molecules": (), "reference": (), **settings}
    return {**read, "files": dict(old.get("files", {})), "molecules": dict(old.get("molecules", {}))}
