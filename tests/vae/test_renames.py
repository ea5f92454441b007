"""What docs/renames.md says of the VAE library: each new module is there, each new name, and no old one."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest

import designloop.vae

PAGE = (Path(__file__).parents[2] / "docs" / "renames.md").read_text("utf-8")
SECTION = PAGE.split("## The VAE library\n")[1].split("\n## ")[0]


def rows(heading: str) -> list[tuple[str, str]]:
    """(before, now) of the table below a heading."""
    table = SECTION.split(f"### {heading}\n")[1].split("\n#")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    return [(before.strip(), now.strip()) for before, now in lines[1:]]


def names(cell: str) -> list[str]:
    """Functions and classes in backticks, without arguments."""
    return [match for match in re.findall(r"`(\w+)(?:\([^`]*\)[.\w]*)?`", cell) if not match.isupper()]


def defined() -> dict[str, Any]:
    """Every public name that a module of the VAE library has."""
    listed = pkgutil.walk_packages(designloop.vae.__path__, "designloop.vae.")
    modules = [importlib.import_module(module.name) for module in listed]
    return {name: value for module in modules for name, value in vars(module).items() if not name.startswith("_")}


def test_new_names_are_there_and_old_ones_are_gone() -> None:
    known = defined()
    for before, now in rows("Names"):
        assert set(names(now)) <= known.keys(), now
        if "=" not in before and "`vae." not in before:  # an argument or a method of a class that stays
            ours = [name for name in names(before) if "designloop.vae." in getattr(known.get(name), "__module__", "")]
            assert not ours, f"{ours} are still there"


def test_names_that_left_the_top_are_in_their_rooms() -> None:
    for before, now in rows("Rooms"):
        (room,) = re.findall(r"`(designloop[\w.]*)`", now)
        for name in re.findall(r"`(\w+)`", before):
            assert name not in designloop.vae.__all__
            assert hasattr(importlib.import_module(room), name), f"{room}.{name}"


@pytest.mark.parametrize(("before", "now"), rows("Modules"))
def test_new_modules_are_there_and_old_ones_are_gone(before: str, now: str) -> None:
    new, *_ = re.findall(r"`(designloop[\w.]*)`", now)
    module = importlib.import_module(new)
    for listed in re.findall(r": (`[\w`, ]+`)", before):
        assert {*re.findall(r"\w+", listed)} <= vars(module).keys()
    for old in {*re.findall(r"`(designloop[\w.]*)`", before)} - {"designloop.vae.linear"}:  # a package of this name now
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(old)
