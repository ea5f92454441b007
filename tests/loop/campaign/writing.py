"""Campaign files that tests write, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from designloop.loop.campaign.campaign import CampaignError, load_campaign

MINIMAL = """\
objective:
  properties:
    - name: qed
      oracle: qed
      transform: {type: linear, low: 0.3, high: 0.8}
budget:
  oracle_calls: 100
"""

ORACLE = """\
from designloop.oracles import oracle

@oracle(outputs=["a", "b"], costly=True)
def two(smiles, scale: float):
    return {molecule: {"a": scale, "b": 0.0} for molecule in smiles}

@oracle(sees_stereo=True)
def chiral(smiles):
    return {molecule: float(molecule.count("@")) for molecule in smiles}
"""

Write = Callable[..., Path]


def problems(path: Path, overrides: Mapping[str, Any] | None = None) -> list[str]:
    """What is wrong with a file, each line without the folder."""
    with pytest.raises(CampaignError) as caught:
        load_campaign(path, overrides)
    return [str(problem).replace(f"{path.parent}/", "") for problem in caught.value.problems]


def with_property(text: str) -> str:
    return "objective:\n  properties:\n" + indent(dedent(text), "    ").rstrip() + "\nbudget: {oracle_calls: 10}\n"
