"""What is found by its name: files, and folders that hold a file of the agreed name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from designloop.benchmarks.common.registry import modules_by_name


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with two files, two folders with a ``benchmark.py``, and what is no entry."""
    for name in ("", "whole", "other_whole", "shared", "_private"):
        (tmp_path / "made_up" / name).mkdir()
        (tmp_path / "made_up" / name / "__init__.py").touch()
    for name in (
        "file",
        "two_words",
        "_hidden",
        "whole/benchmark",
        "other_whole/benchmark",
        "whole/inside",
        "shared/x",
    ):
        (tmp_path / "made_up" / f"{name}.py").touch()
    (tmp_path / "made_up" / "_private" / "benchmark.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield "made_up"
    sys.modules.pop("made_up", None)


def test_files_and_folders_with_the_agreed_file_are_found_in_order(package: str) -> None:
    assert list(modules_by_name(package, "benchmark").items()) == [
        ("file", "made_up.file"),
        ("other-whole", "made_up.other_whole.benchmark"),
        ("two-words", "made_up.two_words"),
        ("whole", "made_up.whole.benchmark"),
    ]


def test_another_agreed_file_finds_other_folders(package: str) -> None:
    assert modules_by_name(package, "inside")["whole"] == "made_up.whole.inside"
    assert "other-whole" not in modules_by_name(package, "inside")
