from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from designloop.benchmarks.common import sources
from designloop.benchmarks.common.sources import code_of, definitions_of

SEARCH = '''"""A search."""
from box.face import helper
from box import tools

LIMIT = 3
"""Steps."""

def search(n):
    """Searches."""
    from box.lazy import late
    return helper(n) + LIMIT + late() + tools.sharp(1)  # a comment

def unused():
    return helper(1)
'''

FILES = {
    "box/__init__.py": "",
    "box/search.py": SEARCH,
    "box/face.py": "from box.inner import helper as helper\nfrom box.inner import other as other\n",
    "box/inner.py": "import math\nBASE = 2\n\ndef helper(n: int) -> float:\n    return math.sqrt(n + BASE)\n\n"
    "def other():\n    return 1\n",
    "box/lazy.py": "def late():\n    return 7\n",
    "box/tools.py": "from box.steel import edge\n\ndef sharp(n):\n    return edge(n)\n\ndef blunt():\n    return 0\n",
    "box/steel.py": "def edge(n):\n    return n\n",
}

REACHED = ["inner.py: BASE", "inner.py: helper", "lazy.py: late", "search.py: LIMIT", "search.py: search"]
REACHED += ["steel.py: edge", "tools.py: sharp"]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small repository."""
    monkeypatch.setattr(sources, "ROOT", tmp_path)
    for name, text in FILES.items():
        write(tmp_path / name, text)
    yield tmp_path
    sources._source.cache_clear()


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    sources._source.cache_clear()


def test_what_counts_is_what_is_reached_by_name(root: Path) -> None:
    assert definitions_of("box.search:search") == REACHED
    assert definitions_of("box.search") == sorted([*REACHED, "search.py: unused"])


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("box/search.py", '"""Searches."""', '"""Looks for it."""'),
        ("box/search.py", "  # a comment", ""),
        ("box/search.py", '"""Steps."""', ""),
        ("box/search.py", "helper(1)", "helper(2)"),
        ("box/inner.py", "return 1", "return 2"),
        ("box/tools.py", "return 0", "return 1"),
        ("box/inner.py", "n + BASE)", "n +\n        BASE)"),
    ],
)
def test_what_changes_nothing_leaves_the_digest(root: Path, file: str, old: str, new: str) -> None:
    before = code_of("box.search:search")
    assert old in FILES[file]
    write(root / file, FILES[file].replace(old, new))
    assert code_of("box.search:search") == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("box/search.py", "LIMIT = 3", "LIMIT = 4"),
        ("box/inner.py", "BASE = 2", "BASE = 3"),
        ("box/lazy.py", "return 7", "return 8"),
        ("box/steel.py", "return n", "return -n"),
        ("box/face.py", "helper as helper", "other as helper"),
    ],
)
def test_what_changes_a_result_changes_the_digest(root: Path, file: str, old: str, new: str) -> None:
    before = code_of("box.search:search")
    write(root / file, FILES[file].replace(old, new))
    assert code_of("box.search:search") != before


def test_a_package_may_move(root: Path) -> None:
    before = code_of("box.search:search")
    for name, text in FILES.items():
        write(root / "chest" / name, text.replace("box", "chest.box"))
    assert code_of("chest.box.search:search") == before


@pytest.mark.parametrize("place", ["box.serach", "box.search:serach", "numpy"])
def test_what_is_not_there_is_told(root: Path, place: str) -> None:
    with pytest.raises(ValueError, match=f"found '{place}', expected a module or a definition below"):
        code_of(place)
