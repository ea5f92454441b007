"""Parts by name: the modules of a package, and registries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from designloop.parts import Registry, modules_in


def test_the_modules_of_a_package_are_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "some_parts_of_mine"
    (folder / "inner").mkdir(parents=True)
    for name in ("__init__.py", "second.py", "first.py", "_private.py", "notes.txt", "inner/__init__.py"):
        (folder / name).write_text("raise SystemExit" if name == "first.py" else "")
    monkeypatch.syspath_prepend(tmp_path)
    assert modules_in("some_parts_of_mine") == ["first", "second"]
    monkeypatch.delitem(sys.modules, "some_parts_of_mine")


def test_a_part_is_found_by_the_name_that_it_was_given() -> None:
    registry: Registry[type] = Registry("shape")

    @registry.named("circle")
    class Round:
        pass

    assert registry["circle"] is Round
    assert list(registry) == ["circle"]
    with pytest.raises(KeyError, match="no shape 'circel'; did you mean 'circle'"):
        _ = registry["circel"]


def test_a_name_is_given_once() -> None:
    registry: Registry[type] = Registry("shape")
    registry.register("circle", int)
    with pytest.raises(ValueError, match=r"builtins and builtins both have 'circle'; rename one"):
        registry.register("circle", str)
    assert registry["circle"] is int
