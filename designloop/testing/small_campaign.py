"""A campaign that runs in a second or two, with a model of no weight: to be tried, damaged and asked about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from designloop.molecules.corpus import zinc

MOLECULES = 120
"""In the file that the strategy ``random`` draws from."""

ORACLE = '''
from designloop.oracles import oracle


@oracle(version="1")
def score(smiles, fails="", raises=False):
    """Carbon atoms, in tens."""
    if raises:
        raise RuntimeError("no licence left")
    return {s: s.upper().count("C") / 10 for s in smiles if not fails or fails not in s}
'''


def write_campaign(folder: Path, model: Path, changes: Mapping[str, Any] | None = None, name: str = "small") -> Path:
    """A campaign file: 45 calls, 20 a round, drawn from 120 ZINC molecules, scored by an oracle in a file beside it.

    Args:
        changes: values by dotted key.
    """
    drawn = [smiles for smiles in zinc()[:400] if "+" not in smiles and "-]" not in smiles][:MOLECULES]
    (folder / "molecules.smi").write_text("\n".join(drawn) + "\n")
    (folder / "my_oracle.py").write_text(ORACLE)
    campaign: dict[str, Any] = {
        "name": name,
        "model": str(model),
        "objective": {
            "properties": [
                {
                    "name": "carbons",
                    "oracle": "./my_oracle.py:score",
                    "transform": {"type": "linear", "low": 0, "high": 3},
                },
            ]
        },
        "strategy": {"name": "random", "source": "molecules.smi"},
        "evaluation": {"backend": "inline"},
        "batch_size": 20,
        "budget": {"oracle_calls": 45},
    }
    for dotted, value in (changes or {}).items():
        *outer, last = dotted.split(".")
        place: Any = campaign
        for key in outer:
            place = place[int(key)] if key.isdigit() else place.setdefault(key, {})
        place[last] = value
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(campaign, sort_keys=False))
    return path


def write_tiny_model(path: Path) -> Path:
    """A sequence VAE of random weights over the shipped alphabet: it does what a trained one does, badly and fast."""
    from designloop.molecules.corpus import zinc_codec
    from designloop.molecules.pretrain import new_model
    from designloop.molecules.sequence_networks import Architecture

    small = Architecture(latent=8, embedding=8, features=4, channels=8, width=16, hidden=16)
    new_model(zinc_codec(), small, seed=0).save(path, {"corpus": "zinc250k"})
    return path
