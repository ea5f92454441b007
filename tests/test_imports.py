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
    "testing": ALL_BUT_FACES | {"benchmarks"},
    "benchmarks": ALL_BUT_FACES | {"benchmarks"},
    "display": ALL_BUT_FACES | {"display"},
    "exit_codes": ALL_BUT_FACES,
    "standard_streams": set(),
    "signals": set(),
    "cli": ALL_BUT_FACES | {"benchmarks", "display", "exit_codes", "standard_streams", "signals", "cli"},
}
"""Layer -> the layers that it may name; every other arrow runs back. `designloop` itself and `lazy` are open to all."""


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
    allowed = MAY_IMPORT[layer(module)] | {"designloop", "_version", "lazy"}
    return [
        f"{module}:{line} ({layer(module)}) imports {name} ({layer(name)})"
        for line, name in imports_in(source)
        if layer(name) not in allowed
    ]


@cache
def chemistry_modules() -> frozenset[str]:
    """`molecules.chemistry` and what it is made of: the modules below it, which know RDKit only."""
    found: set[str] = set()
    todo = ["designloop.molecules.chemistry", "designloop.molecules.errors"]
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += [n for _, n in imports_in(modules()[module].read_text()) if n.startswith("designloop.molecules.")]
    return frozenset(found)


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
        ("designloop.api", "import designloop.benchmarks"),
    ],
)
def test_an_arrow_that_runs_back_is_seen(module: str, source: str) -> None:
    assert len(backward_arrows(module, source)) == 1


STRATEGY_ROOMS: dict[str, set[str]] = {
    "base": set(),
    "archive": set(),
    "proposers": {"archive"},
    "surrogates": {"archive"},
    "learning": {"archive"},
    "acquisition": {"archive", "surrogates"},
    "search": {"archive", "proposers", "surrogates", "learning", "acquisition"},
}
"""Room of strategies -> the rooms that it may name beside itself and `base`; a strategy may name every room."""


def room(module: str) -> str:
    """Of a module of strategies: its folder, or its own name."""
    return module.split(".")[2] if module.count(".") > 1 else ""


def arrows(package: str) -> dict[str, set[str]]:
    """Module -> modules of the same package that it imports, in functions and for type checkers included."""
    inside = {name: path for name, path in modules().items() if f"{name}.".startswith(f"{package}.")}
    return {
        name: {target for _, target in imports_in(path.read_text()) if target in inside and target != name}
        for name, path in inside.items()
    }


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """Names of a circle of arrows, its first one again at the end; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if circle := walk(target, [*path, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in sorted(graph) if (circle := walk(name, []))), [])


def test_the_rooms_of_strategies_import_one_way() -> None:
    for module, targets in arrows("designloop.strategies").items():
        if room(module) in STRATEGY_ROOMS:
            allowed = STRATEGY_ROOMS[room(module)] | {"base", room(module)}
            backward = sorted(target for target in targets if room(target) not in allowed)
            assert not backward, f"{module} ({room(module)}) imports {', '.join(backward)}"


def test_every_folder_of_strategies_has_its_place_in_the_order() -> None:
    folders = {path.parent.name for path in (ROOT / "designloop/strategies").glob("*/__init__.py")}
    assert folders | {"base"} == set(STRATEGY_ROOMS)


def test_there_is_no_circle_of_modules() -> None:
    circle = circle_in(arrows("designloop.strategies"))
    assert not circle, " -> ".join(circle)


@pytest.mark.parametrize(
    ("graph", "circle"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c", "b"]),
        ({"a": {"a"}}, ["a", "a"]),
        ({"a": {"b", "c"}, "b": {"c"}, "c": set()}, []),
    ],
)
def test_a_circle_is_seen(graph: dict[str, set[str]], circle: list[str]) -> None:
    assert circle_in(graph) == circle


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
