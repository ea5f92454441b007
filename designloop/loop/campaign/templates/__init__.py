"""The campaign files that `designloop init` writes: commented, ready to run, and shipped with the package."""

from __future__ import annotations

import re
from importlib.resources import files

from designloop.words import did_you_mean, listed

DEFAULT = "quickstart"

_BESIDE = {"own_oracle": ("my_oracle.py",), "own_molecules": ("my_molecules.csv",)}
"""Template -> files that its campaign names, written beside it."""


class TemplateError(ValueError):
    """There is no such template."""


def names() -> list[str]:
    """All templates, the default one first."""
    found = sorted(
        entry.name.removesuffix(".yaml") for entry in files(__name__).iterdir() if entry.name.endswith(".yaml")
    )
    return [DEFAULT, *(name for name in found if name != DEFAULT)]


def summary(template: str) -> str:
    """What a template is for, in one line: its first comment."""
    return _text(f"{template}.yaml").partition("\n")[0].removeprefix("# ")


def render(template: str, name: str) -> dict[str, str]:
    """File name -> text of a campaign called ``name`` and of what it needs beside it.

    Raises:
        TemplateError: no template is called so.
    """
    if template not in names():
        hint = did_you_mean(template, names()) or "choose one of them"
        raise TemplateError(f"found no template {template!r}, expected {listed(names())}; {hint}")
    text = _text(f"{template}.yaml").replace("CAMPAIGN.yaml", f"{name}.yaml")
    campaign = re.sub(r"^name: .*$", f"name: {name}", text, count=1, flags=re.MULTILINE)
    return {f"{name}.yaml": campaign, **{file: _text(file) for file in _BESIDE.get(template, ())}}


def _text(file: str) -> str:
    return (files(__name__) / file).read_text(encoding="utf-8")
