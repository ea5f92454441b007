"""Runs the example of a page in docs/vae/, quickly."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).parent.parent.parent / "docs" / "vae"


def run_example(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **quick: str) -> dict[str, Any]:
    """What the Python blocks of a page define, run one behind the other in a folder where their pictures go.

    Args:
        page: file in docs/vae/.
        quick: the first assignment to a name, or to several with commas between, gets this right-hand side instead; a
            name that is not assigned to fails.
    """
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(folder)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", (PAGES / page).read_text("utf-8"), re.M | re.S))
    for name, value in quick.items():
        left = re.escape(name.replace("_and_", ", "))
        code, result = re.subn(rf"^{left} = .*$", f"{name.replace('_and_', ', ')} = {value}", code, count=1, flags=re.M)
        assert result == 1, f"{page} assigns nothing to {name}"
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(code, page, "exec"), names)
    matplotlib.pyplot.close("all")
    return names
