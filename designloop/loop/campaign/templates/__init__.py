"""The campaign files that `designloop init` writes: commented, ready to run, and shipped with the package."""

from __future__ import annotations

import re
from pathlib import Path

from designloop.words import did_you_mean, listed

DEFAULT = "quickstart"

_PACKAGE = Path(__file__).parents[3]

_FOLDERS = (
    Path(__file__).parent,
    next(folder for folder in (_PACKAGE / "campaigns", _PACKAGE.parent / "campaigns") if folder.is_dir()),
)
"""Where templates lie, the first counts: commented ones here, and the campaigns that run as they are, which stand in
the package where it is installed and beside it in a checkout."""

_ENDINGS = (".yaml", ".py", ".csv", ".smi", ".json")
"""Of the files that make a template; results that lie beside the campaigns have others, or folders of their own."""


class TemplateError(ValueError):
    """There is no such template."""


def names() -> list[str]:
    """Lists all templates, the default one first."""
    others = {file.removesuffix(".yaml") for file in _places() if file.endswith(".yaml")} - {DEFAULT}
    return [DEFAULT, *sorted(others)]


def summary(template: str) -> str:
    """Says what a template is for, in one line: its first comment."""
    return _text(f"{template}.yaml").partition("\n")[0].removeprefix("# ")


def render(template: str, name: str) -> dict[str, str]:
    """Returns file name -> text of a campaign called ``name`` and of what it needs beside it.

    Raises:
        TemplateError: no template is called so.
    """
    if template not in names():
        hint = did_you_mean(template, names()) or "choose one of them"
        raise TemplateError(f"found no template {template!r}, expected {listed(names())}; {hint}")
    text = _text(f"{template}.yaml")
    beside = _named_in(text)
    text = text.replace("CAMPAIGN.yaml", f"{name}.yaml").replace(f"campaigns/{template}.yaml", f"{name}.yaml")
    campaign = re.sub(r"^name: .*$", f"name: {name}", text, count=1, flags=re.MULTILINE)
    return {f"{name}.yaml": campaign.replace("campaigns/", ""), **beside}


def _named_in(text: str) -> dict[str, str]:
    """File name -> text of what a campaign names: oracles, molecules, and whatever those name in turn."""
    others = [file for file in _places() if not file.endswith(".yaml")]
    named: dict[str, str] = {}
    unread = [text]
    while unread:
        reading = unread.pop()
        for file in others:
            if file not in named and re.search(rf"(?<![\w.-]){re.escape(file)}(?![\w-])", reading):
                named[file] = _text(file)
                unread.append(named[file])
    return named


def _places() -> dict[str, Path]:
    """File name -> its place, of each campaign and each file that one may name."""
    return {
        entry.name: entry
        for folder in reversed(_FOLDERS)
        for entry in folder.iterdir()
        if entry.is_file() and entry.name.endswith(_ENDINGS) and entry.name != "__init__.py"
    }


def _text(file: str) -> str:
    return _places()[file].read_text(encoding="utf-8")
