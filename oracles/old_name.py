"""`oracles`, this package's short name: `from oracles import oracle` gives the very modules of `designloop.oracles`.

A second copy of the package would have a second class `Declaration`, and what it declares would be overlooked silently.
So no copy is ever made: a finder answers the short name with the modules that there are. Who else has the name comes
first: a module of the user's own, or another distribution's. In an oracle's file only the file's own folder does.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType

SHORT = "oracles"
FULL = f"designloop.{SHORT}"


class _Finder(MetaPathFinder, Loader):
    """Answers `oracles` where nobody else does, and `oracles.*` where `oracles` is this package."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == SHORT:
            elsewhere = PathFinder.find_spec(SHORT)
            return None if elsewhere and not _is_this_package(elsewhere) else spec_from_loader(SHORT, self)
        if not fullname.startswith(f"{SHORT}.") or sys.modules.get(SHORT) is not sys.modules.get(FULL):
            return None
        full = importlib.util.find_spec(f"designloop.{fullname}")
        return spec_from_loader(fullname, self) if full else None

    def exec_module(self, module: ModuleType) -> None:
        """Put the module of the full name in the place of the empty one that Python has made."""
        sys.modules[module.__name__] = importlib.import_module(f"designloop.{module.__name__}")


def install(module: str = FULL) -> None:
    """Let the short name be understood in this process; again does no harm.

    Args:
        module: the name by which the package is being imported. In a checkout it may be found by its folder's own; who
            imports that is given the one that there is.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if module != FULL:
        sys.modules[module] = importlib.import_module(FULL)


def is_taken(folder: Path) -> bool:
    """Whether a module or package beside a user's file has the short name; a checkout of this project's is none."""
    package = folder / SHORT
    has_package = (package / "__init__.py").is_file() and not (package / "declaration.py").is_file()
    return has_package or (folder / f"{SHORT}.py").is_file()


@contextmanager
def short_name(taken: Collection[str]) -> Iterator[None]:
    """While this lasts the short name means this package, whoever else has it, unless it is among those taken."""
    if SHORT in taken:
        yield
        return
    others = _take_out()
    sys.modules[SHORT] = importlib.import_module(FULL)
    try:
        yield
    finally:
        _take_out()
        sys.modules.update(others)


def import_hint(error: BaseException) -> str:
    """What to write where the short name was meant for this package and meant another; empty if that is not it."""
    if not isinstance(error, ImportError) or not error.name or error.name.partition(".")[0] != SHORT:
        return ""
    return f"here {SHORT!r} is {error.path or 'a module'} beside it; for designloop's, write `from {FULL} import …`"


def _take_out() -> dict[str, ModuleType]:
    """The modules of the short name, taken out of ``sys.modules``."""
    names = [name for name in sys.modules if name.partition(".")[0] == SHORT]
    return {name: sys.modules.pop(name) for name in names}


def _is_this_package(spec: ModuleSpec) -> bool:
    """Whether this is where the package lies in a checkout, or a mere folder without code."""
    return spec.origin is None or Path(spec.origin).resolve().parent == Path(__file__).resolve().parent
