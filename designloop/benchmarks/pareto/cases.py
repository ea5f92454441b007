"""The campaigns that are compared: two properties that pull against each other, from the pretrained model alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CALLS = 500
"""Oracle calls of a campaign."""

_DRUG = "CC(C)(C(=O)O)c1ccc(C(O)CCCN2CCC(C(O)(c3ccccc3)c3ccccc3)CC2)cc1"


@dataclass(frozen=True)
class Case:
    """Two properties, each with its transform."""

    what: str
    """In a few words."""
    properties: tuple[Mapping[str, Any], Mapping[str, Any]]

    @property
    def names(self) -> list[str]:
        """Of the properties."""
        return [str(item["name"]) for item in self.properties]

    def weighted(self, weights: tuple[float, float]) -> list[dict[str, Any]]:
        """The properties with these weights, as a campaign file has them."""
        return [{**item, "weight": weight} for item, weight in zip(self.properties, weights, strict=True)]


def _linear(low: float, high: float) -> dict[str, Any]:
    return {"type": "linear", "low": low, "high": high}


CASES: Mapping[str, Case] = {
    "qed_similarity": Case(
        "drug-likeness against similarity to fexofenadine, which has little of it",
        (
            {"name": "qed", "oracle": "qed", "transform": _linear(0, 1)},
            {
                "name": "similarity",
                "oracle": "similarity",
                "params": {"reference": _DRUG, "fingerprint": "ecfp4"},
                "transform": _linear(0, 0.8),
            },
        ),
    ),
    "logp_tpsa": Case(
        "greasiness against polar surface",
        (
            {"name": "logp", "oracle": "logp", "transform": _linear(0, 16)},
            {"name": "tpsa", "oracle": "tpsa", "transform": _linear(0, 400)},
        ),
    ),
    "potency_solubility": Case(
        "potency in a simulated assay against solubility in water",
        (
            {"name": "potency", "oracle": "designloop.benchmarks.pareto.assay:potency", "transform": _linear(4, 9)},
            {"name": "solubility", "oracle": "esol", "transform": _linear(-6, 2)},
        ),
    ),
}


def write_campaign(name: str, folder: Path) -> Path:
    """The campaign file of a case, written into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    campaign = {
        "objective": {"aggregate": "pareto", "properties": [dict(item) for item in CASES[name].properties]},
        "evaluation": {"backend": "inline"},
        "budget": {"oracle_calls": CALLS, "patience": 0},
    }
    text = yaml.safe_dump(campaign, sort_keys=False)
    path.write_text(f"# {CASES[name].what}; every arm spends the same\n{text}", encoding="utf-8")
    return path
