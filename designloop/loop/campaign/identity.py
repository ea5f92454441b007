"""What of a campaign decides what its table will hold, and what may change while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MAY_CHANGE = ("budget", "evaluation", "prices", "reference")
"""Keys that decide how much is spent, how fast, and what is shown beside it, but not what a molecule's row holds."""


def identity_of(dump: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a `Campaign.dump()` that decides what the table will hold."""
    left_out = {own_file(dump, "reference"), own_file(dump, "starting_molecules")}
    digests = {path: digest for path, digest in dump["molecules"].items() if path not in left_out}
    files = {path: digest for path, digest in dump["files"].items() if path not in (*digests, *left_out)}
    kept = {key: value for key, value in dump.items() if key not in (*MAY_CHANGE, "starting_molecules")}
    return {**kept, "files": files, "molecules": digests}


def own_file(dump: Mapping[str, Any], key: str) -> str | None:
    """The file that a key of a dump names and no other key does; None where there is none."""
    others = {name: value for name, value in dump.items() if name not in (key, "files", "molecules")}
    path = dump[key].get("file") if isinstance(dump[key], Mapping) else dump[key]
    return path if isinstance(path, str) and path not in [value for _, value in flat(others)] else None


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything that is no mapping; a list counts as one value, but for properties."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from flat(inner, f"{key}.{name}" if key else str(name))
    elif key == "objective.properties":
        yield f"{key} (their order)", [item["name"] for item in value]
        for item in value:
            yield from flat(item, f"{key}[{item['name']}]")
    else:
        yield key, value
