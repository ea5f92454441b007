"""A built-in's values may change only together with its version, or with RDKit: a ledger takes the same fingerprint for
the same values.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from rdkit import rdBase

from designloop.oracles import available
from tests.oracles.record_values import CASES, DATA, measure, molecules

Record = Mapping[str, Any]
RECORDS: list[Record] = json.loads((DATA / "values.json").read_text())
TOLERANCE = 1e-9
"""Relative and absolute; another processor may sum in another order, while a change of a method moves far more."""
FIX = "python tests/oracles/record_values.py"


def complaint(recorded: Record, now: Record) -> str | None:
    """What is to be done, if anything."""
    if now["version"] != recorded["version"]:
        return f"version {recorded['version']} was recorded, and now it is {now['version']}; run {FIX}"
    for molecule, before, after in zip(molecules(), recorded["values"], now["values"], strict=True):
        same = (
            before == after
            if None in (before, after)
            else math.isclose(before, after, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        )
        if not same:
            return f"{molecule} had {before} and has {after}; raise the oracle's version, then run {FIX}"
    return None


def name(recorded: Record) -> str:
    return " ".join(
        [recorded["oracle"], *(f"{key}={value}" for key, value in recorded["params"].items() if len(str(value)) < 20)]
    )


@pytest.mark.parametrize("recorded", RECORDS, ids=name)
def test_values_change_only_with_the_version(recorded: Record) -> None:
    if recorded["rdkit"] != rdBase.rdkitVersion:
        pytest.skip(f"recorded under RDKit {recorded['rdkit']}, whose release is part of the fingerprint")
    assert complaint(recorded, measure(recorded["oracle"], recorded["params"])) is None


def test_every_built_in_is_recorded_as_the_script_says() -> None:
    assert len(molecules()) == len(set(molecules())) == 200
    assert [(recorded["oracle"], recorded["params"]) for recorded in RECORDS] == list(CASES)
    assert {recorded["oracle"] for recorded in RECORDS} == {card.name for card in available()} - {"measured"}
    assert all(len(recorded["values"]) == 200 for recorded in RECORDS)


def altered(recorded: Record) -> Record:
    return {**recorded, "values": [recorded["values"][0] + 1e-6, *recorded["values"][1:]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (altered, "raise the oracle's version, then run python tests/oracles/record_values.py"),
        (lambda recorded: {**recorded, "values": [None, *recorded["values"][1:]]}, "and has None; raise the"),
        (lambda recorded: {**recorded, "version": "2"}, "version 1 was recorded, and now it is 2; run python"),
        (
            lambda recorded: {**altered(recorded), "version": "2"},
            "version 1 was recorded, and now it is 2; run python",
        ),
    ],
)
def test_the_guard_fires(change: Callable[[Record], Record], message: str) -> None:
    assert message in (complaint(RECORDS[0], change(RECORDS[0])) or "")
