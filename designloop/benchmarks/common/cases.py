"""Records case by case and arm by arm, so that a part may be measured by itself and the rest stays."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

Arms = Mapping[str, Mapping[str, Any]]
"""What is recorded of each arm; ``of`` says what has to agree before two are set side by side, as its ``seeds``."""


def merge_cases(
    cases: Iterable[str], arms: Collection[str], earlier: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, Any]:
    """The arms of each case of both records; of one that both have, that with more seeds, of as many the new one.

    No arm is put together of both.

    Args:
        cases: names of all there are, in order.
        arms: likewise.
        earlier: case -> what a record has of it, its ``arms`` among that.
        now: the same of this run.
    """
    merged: dict[str, Any] = {}
    for case in cases:
        versions = [record[case] for record in (now, earlier) if case in record]
        if versions:
            kept = {name: [version["arms"][name] for version in versions if name in version["arms"]] for name in arms}
            fuller = {name: max(of, key=_seeds) for name, of in kept.items() if of}  # the first of equals
            merged[case] = {**versions[0], "arms": fuller}
    return merged


def beside(arms: Arms, own: str) -> dict[str, Any]:
    """Those arms that are of the same as one of them, that one included; none where it is not there."""
    return {name: arm for name, arm in arms.items() if own in arms and arm.get("of") == arms[own].get("of")}


def not_measured(what: str, names: Iterable[str], recorded: Collection[str]) -> list[str]:
    """A sentence for a report on what a record lacks; none where it lacks nothing.

    Args:
        what: the names are of, in the plural.
        names: of all there are.
        recorded: of those that the record has.
    """
    lacking = [name for name in names if name not in recorded]
    return [f"Not measured yet, of the {what}: {', '.join(lacking)}.\n"] if lacking else []


def _seeds(arm: Mapping[str, Any]) -> int:
    return len(arm.get("of", {}).get("seeds", ()))
