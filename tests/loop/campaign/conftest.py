"""A fixture that writes campaign files."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.loop.campaign.writing import MINIMAL, ORACLE, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A campaign file called test.yaml, and what lies beside it."""

    def write(text: str = "", **beside: str) -> Path:
        (tmp_path / "test.yaml").write_text(dedent(text) + (MINIMAL if "objective:" not in text else ""))
        (tmp_path / "mine.py").write_text(ORACLE)
        for name, content in beside.items():
            (tmp_path / name.replace("__", ".")).write_text(dedent(content))
        return tmp_path / "test.yaml"

    return write
