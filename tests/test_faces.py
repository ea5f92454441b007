"""Faces of packages: the names that they load when first used are those that a type checker sees, and all are there."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest

from designloop.lazy import attach

ROOT = Path(__file__).parent.parent
FACES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    # The oracles come through a link, which is not followed.
    for path in {*(ROOT / "designloop").rglob("__init__.py"), ROOT / "designloop" / "oracles" / "__init__.py"}
    if "import attach" in path.read_text("utf-8")
)


def seen_by_type_checkers(face: str) -> list[tuple[str, str]]:
    """(module, name) of each import under ``TYPE_CHECKING``, which renames nothing."""
    tree = ast.parse((ROOT / face.replace(".", "/") / "__init__.py").read_text("utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body)
    names = [(str(node.module), alias) for node in imports for alias in node.names]
    assert all(alias.asname == alias.name for _, alias in names), "write `import name as name`, which re-exports it"
    return [(module, alias.name) for module, alias in names]


def test_the_faces_are_found() -> None:
    assert {
        "designloop",
        "designloop.oracles",
        "designloop.tables",
        "designloop.testing",
        "designloop.vae",
        "designloop.vae.linear",
    } <= {*FACES}


@pytest.mark.parametrize("face", FACES)
def test_a_face_offers_what_type_checkers_see(face: str) -> None:
    package, visible = importlib.import_module(face), seen_by_type_checkers(face)
    assert sorted(package.__all__) == sorted(name for _, name in visible)
    assert set(package.__all__) <= set(dir(package))
    for module, name in visible:
        value = getattr(package, name)
        if module == face:
            assert inspect.ismodule(value), f"{name} is no module of {face}"
        else:
            assert value is getattr(importlib.import_module(module), name), f"{face}.{name} is not {module}'s"


def test_the_vae_library_has_one_screen_of_names_and_its_applications_beside() -> None:
    from designloop import vae

    applications = [name for name in vae.__all__ if inspect.ismodule(getattr(vae, name))]
    assert len(vae.__all__) - len(applications) <= 40
    folder = ROOT / "designloop" / "vae"
    assert all((folder / name).is_dir() or (folder / f"{name}.py").is_file() for name in applications)


def test_names_that_moved_are_where_the_error_says() -> None:
    from designloop import vae

    places = {
        "RandomWalk": "priors",
        "FullNormal": "posteriors",
        "refine": "inference",
        "ConvEncoder": "image_networks",
    }
    for name, room in places.items():
        with pytest.raises(AttributeError, match=rf"no attribute '{name}' any more; it is in designloop\.vae\.{room}$"):
            getattr(vae, name)
        assert hasattr(importlib.import_module(f"designloop.vae.{room}"), name)
    tree = ast.parse((ROOT / "designloop" / "vae" / "__init__.py").read_text("utf-8"))
    (moved,) = [
        keyword.value for keyword in ast.walk(tree) if isinstance(keyword, ast.keyword) and keyword.arg == "elsewhere"
    ]
    for room, names in ast.literal_eval(moved).items():
        assert all(hasattr(importlib.import_module(f"designloop.vae.{room}"), name) for name in names), room


@pytest.mark.parametrize("face", FACES)
def test_a_name_that_is_not_there_is_answered_with_those_that_are(face: str) -> None:
    package = importlib.import_module(face)
    with pytest.raises(AttributeError, match=rf"module '{face}' has no attribute 'nothing'; it offers "):
        package.nothing  # noqa: B018


def test_a_module_is_loaded_as_an_attribute() -> None:
    attribute, listed, public = attach("designloop", {"records": ["Candidate"]}, modules=["records"])
    assert public == ["Candidate", "records"]
    assert attribute("records") is importlib.import_module("designloop.records")
    assert attribute("Candidate") is attribute("records").Candidate
    assert set(public) <= set(listed())
    assert "__version__" in listed()
