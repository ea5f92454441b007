"""Records case by case, so that one case, or one arm, may be measured by itself and the others stay."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

Case = Mapping[str, Any]
"""What is recorded of a case: ``arms``, by name, and ``of``, which says what alone may be set side by side."""


def merge_cases(order: Iterable[str], earlier: Mapping[str, Case], now: Mapping[str, Case]) -> dict[str, Any]:
    """Cases of both records; of one that both have, the arms of both where it is ``of`` the same, else the new one.

    An earlier record that does not say what it is of is like none that does.

    Args:
        order: names of all cases.
        earlier: of the record.
        now: of this run.
    """
    merged: dict[str, Any] = {}
    for name in order:
        old, new = earlier.get(name), now.get(name)
        if old is not None and new is not None and old.get("of") == new["of"]:
            merged[name] = {**new, "arms": {**old["arms"], **new["arms"]}}
        elif (kept := new or old) is not None:
            merged[name] = dict(kept)
    return merged


def not_measured(what: str, names: Iterable[str], recorded: Collection[str]) -> str:
    """A sentence on what a record lacks; empty where it lacks nothing.

    Args:
        what: the names are of, in the plural.
        names: of all there are.
    """
    lacking = [name for name in names if name not in recorded]
    return f"Not measured yet, of the {what}: {', '.join(lacking)}.\n" if lacking else ""
