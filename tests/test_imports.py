"""Imports run one way, and what is heavy is loaded only where it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

HEAVY = set("torch rdkit selfies ray botorch gpytorch sklearn scipy pyarrow duckdb pandas matplotlib".split())

RECORDS = {"records"}
RANDOMNESS = {"randomness"}
CHEMISTRY = {"chemistry"}
MODELS = {"vae", "molecules", "records", "chemistry"}
LOOP = MODELS | RANDOMNESS | {"strategies", "oracles", "loop", "tables"}
ALL_BUT_FACES = LOOP | {"report", "api", "testing"}

MAY_IMPORT: dict[str, set[str]] = {
    "_version": set(),
    "lazy": set(),
    "words": set(),
    "parts": {"words"},
    "pieces": set(),
    "pareto": set(),
    "paths": set(),
    "records": set(),
    "randomness": set(),
    "vae": {"vae"},
    "chemistry": CHEMISTRY,
    "molecules": MODELS,
    "strategies": MODELS | RANDOMNESS | {"strategies"},
    "oracles": CHEMISTRY | {"oracles"},
    "tables": RECORDS | CHEMISTRY | {"tables"},
    "report": RECORDS | CHEMISTRY | {"tables", "report"},
    "loop": LOOP,
    "api": LOOP | {"report", "api"},
    "testing": ALL_BUT_FACES | {"benchmarks", "exit_codes"},
    "benchmarks": ALL_BUT_FACES | {"benchmarks", "signals"},
    "display": ALL_BUT_FACES | {"display"},
    "exit_codes": ALL_BUT_FACES,
    "standard_streams": set(),
    "signals": set(),
    "command": {"exit_codes", "standard_streams", "signals"},
    "cli": ALL_BUT_FACES | {"benchmarks", "command", "display", "exit_codes", "standard_streams", "cli"},
}
"""Layer -> the layers that it may name, beside those that are open to all; every other arrow runs back."""

OPEN = {"designloop", "_version", "lazy", "words", "parts", "pieces", "paths", "pareto"}
"""What everything may name: the face, its version, and helpers that know nothing of ours."""


@cache
def modules() -> Mapping[str, Path]:
    """Every module of both packages and its file."""
    files = [path for package in ("designloop", "oracles") for path in sorted((ROOT / package).rglob("*.py"))]
    return {module_name(path): path for path in files}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    parts = ("designloop", *parts) if parts[0] == "oracles" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(source: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of ours in a source, those inside functions and for type checkers included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import; write the full name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in modules() else str(node.module) for name in names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "designloop")


def backward_arrows(module: str, source: str) -> list[str]:
    allowed = MAY_IMPORT[layer(module)] | OPEN
    return [
        f"{module}:{line} ({layer(module)}) imports {name} ({layer(name)})"
        for line, name in imports_in(source)
        if layer(name) not in allowed
    ]


@cache
def chemistry_modules() -> frozenset[str]:
    """`molecules.chemistry` and what it is made of: the modules below it, which know RDKit only."""
    collected: set[str] = set()
    todo = ["designloop.molecules.chemistry", "designloop.molecules.errors"]
    while todo:
        module = todo.pop()
        if module not in collected:
            collected.add(module)
            todo += [n for _, n in imports_in(modules()[module].read_text()) if n.startswith("designloop.molecules.")]
    return frozenset(collected)


def layer(module: str) -> str:
    if module in chemistry_modules():
        return "chemistry"
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "designloop"


def test_imports_run_one_way() -> None:
    faces = ("designloop", "designloop.__main__")  # the lazy public face and the command: they may name api and cli
    backward = [
        a for name, path in modules().items() if name not in faces for a in backward_arrows(name, path.read_text())
    ]
    assert not backward, "an import runs back:\n" + "\n".join(backward)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("designloop.strategies.base", "from designloop.loop.campaign import campaign"),
        ("designloop.vae.model", "def f():\n    import designloop.records"),
        ("designloop.oracles.base", "from designloop.molecules.codec import Codec"),
        ("designloop.tables.query", "if TYPE_CHECKING:\n    from designloop.loop.campaign.campaign import Campaign"),
        ("designloop.api.running", "import designloop.benchmarks"),
    ],
)
def test_an_arrow_that_runs_back_is_seen(module: str, source: str) -> None:
    assert len(backward_arrows(module, source)) == 1


ROOMS: dict[str, dict[str, set[str]]] = {
    "loop": {
        "config": set(),
        "scoring": {"config"},
        "screening": {"config"},
        "evaluation": {"config"},
        "campaign": {"config", "scoring", "screening", "evaluation"},
        # Suggesting and telling are a round in two halves, so they stand above what runs one, which is in no room ("").
        "laboratory": {"config", "scoring", "screening", "evaluation", "campaign", ""},
    },
    "strategies": {
        "base": set(),
        "archive": {"base"},
        "proposers": {"base", "archive"},
        "surrogates": {"base", "archive"},
        "learning": {"base", "archive", "surrogates"},
        "acquisition": {"base", "archive", "surrogates"},
        "search": {"base", "archive", "proposers", "surrogates", "learning", "acquisition"},
    },
    "benchmarks": {
        "common": set(),
        "demo": {"common"},
        "guacamol": {"common", "peers"},
        "keep_the_core": {"common"},
        "latent_peers": {"common", "pmo"},
        "odd_molecules": {"common"},
        "robustness": {"common"},
        "overhead": {"common"},
        "peers": {"common"},
        "pareto": {"common"},
        "pmo": {"common"},
        "learning": {"common", "pmo"},
        "sequence_vae": {"common", "pmo"},
        "synthetic": {"common"},
        "vae": {"common", "peers"},
    },
}
"""Package -> its rooms -> the rooms that each may name beside itself. The package's other modules, the round, the
strategies and what stands in one file, may name all rooms, and no room names them."""


def room(module: str) -> str:
    """The room of a module; empty for those of a package that stand in none."""
    parts = module.split(".")
    return parts[2] if len(parts) > 2 and parts[2] in ROOMS.get(parts[1], ()) else ""


def arrows_out_of_the_room(module: str, source: str) -> list[str]:
    home = room(module)
    package = layer(module)
    return [
        f"{module}:{line} imports {name}"
        for line, name in imports_in(source)
        if home and layer(name) == package and room(name) not in ROOMS[package][home] | {home}
    ]


def test_rooms_name_only_those_below_them() -> None:
    backward = [arrow for name, path in modules().items() for arrow in arrows_out_of_the_room(name, path.read_text())]
    assert not backward, "a room names one that stands above it:\n" + "\n".join(backward)


@pytest.mark.parametrize("package", ROOMS)
def test_every_folder_has_its_place_in_the_order(package: str) -> None:
    folders = {path.parent.name for path in (ROOT / "designloop" / package).glob("*/__init__.py")}
    assert folders | ({"base"} & ROOMS[package].keys()) == set(ROOMS[package])


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("designloop.loop.config.explain", "from designloop.loop.scoring.objective import Objective"),
        ("designloop.loop.scoring.objective", "from designloop.loop.screening.filters import Filters"),
        ("designloop.loop.evaluation.attempts", "if TYPE_CHECKING:\n    import designloop.loop.campaign.campaign"),
        ("designloop.loop.campaign.campaign", "def f():\n    from designloop.loop.runner import run_campaign"),
        ("designloop.strategies.proposers.base", "from designloop.strategies.search.machine import Search"),
        ("designloop.strategies.learning.settings", "import designloop.strategies.property_loss"),
        ("designloop.benchmarks.common.page", "from designloop.benchmarks.overhead.stopwatch import Stopwatch"),
    ],
)
def test_an_arrow_out_of_a_room_is_seen(module: str, source: str) -> None:
    assert len(arrows_out_of_the_room(module, source)) == 1


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The modules that import each other, however far around: strongly connected components of more than one."""

    @cache
    def reached(start: str) -> frozenset[str]:
        visited: set[str] = set()
        todo = [*graph[start]]
        while todo:
            module = todo.pop()
            if module not in visited:
                visited.add(module)
                todo += graph[module]
        return frozenset(visited)

    groups = {frozenset({other for other in reached(name) if name in reached(other)}) for name in graph}
    return sorted(sorted(group) for group in groups if group)


def test_no_modules_import_each_other() -> None:
    sources = {name: path.read_text() for name, path in modules().items()}
    graph = {
        name: {other for _, other in imports_in(source) if other in sources} - {name}
        for name, source in sources.items()
    }
    assert circles(graph) == []


def test_a_circle_is_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set(), "f": {"a"}, "g": {"g2"}, "g2": {"g"}}
    assert circles(graph) == [["a", "b", "c"], ["g", "g2"]]


def loaded_after(statement: str) -> set[str]:
    """Top-level names in sys.modules of a fresh process after a statement."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import designloop", HEAVY),
        ("import designloop.lazy", HEAVY),
        ("import designloop.records", HEAVY),
        ("import designloop.randomness", HEAVY),
        ("import designloop.strategies.base", {"torch", "ray", "botorch"}),
        ("import designloop.strategies.property_loss, designloop.strategies.latent_bo", {"torch", "rdkit", "scipy"}),
        ("import designloop.vae", HEAVY | {"yaml"}),
        (
            "from designloop.vae import *\nfrom designloop.vae import simulators, geometry",
            {"rdkit", "selfies", "ray", "yaml"},
        ),
        ("import designloop.oracles", {"torch", "ray", "selfies"}),
        ("import designloop.molecules.chemistry", {"torch", "ray", "selfies"}),
        ("import designloop.loop.campaign.campaign", {"torch", "ray", "botorch"}),
    ],
)
def test_an_import_loads_no_more_than_it_needs(statement: str, forbidden: set[str]) -> None:
    assert not loaded_after(statement) & forbidden


@pytest.mark.parametrize("command", [["--version"], ["--help"], ["run", "--help"]])
def test_a_command_that_computes_nothing_loads_nothing_heavy(command: list[str]) -> None:
    statement = f"from designloop.cli import app\ntry:\n    app({command!r})\nexcept SystemExit:\n    pass"
    assert not loaded_after(statement) & HEAVY
