"""What the demo has to show, judged from what its arms found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from designloop.benchmarks.common.measures import Criterion, holds_of
from designloop.molecules.chemistry import fingerprints, require, scaffold, strong_acids, tanimoto

CRITERIA = (
    Criterion("full", "random_zinc", by=0.05),
    Criterion("full", "random_zinc", by=0.05, than_best=True),
    Criterion("full", "mol_ga"),
    Criterion("N", "random_prior", on_each_seed=True),
    Criterion("N", "N0"),
    Criterion("full", "G"),
)


@dataclass(frozen=True)
class TenCriterion:
    """What the ten best molecules of the whole campaign have to be on each seed."""

    measure: str
    what: str
    limit: float
    least: bool
    """Whether the limit is the least allowed; else the most."""

    def judge(self, ten_by_seed: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Returns the criterion in words, the value on each seed, and whether it holds on all.

        Of fewer seeds than ``FEWEST`` it is not said to hold; it fails with the first that it does not hold on.
        """
        values = {seed: ten[self.measure] for seed, ten in ten_by_seed.items()}
        worst = min(values.values()) if self.least else max(values.values())
        words = f"{self.what}, at {'least' if self.least else 'most'} {self.limit:g}"
        holds = worst >= self.limit if self.least else worst <= self.limit
        return {"bar": words, "values": values, "holds": holds_of(len(values), holds, fails_at_once=True)}


TEN_CRITERIA = (
    TenCriterion("scaffolds", "scaffolds among the ten best", 5, least=True),
    TenCriterion("similarity", "mean ECFP4 similarity of their pairs", 0.5, least=False),
    TenCriterion("strong_acids", "of them strong acids", 0, least=False),
    TenCriterion("mean_top_10", "mean score, which leaves head-room", 0.95, least=False),
)


def judge(arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Judges the arms by the criteria: what a record has of ``arms`` and follows from them."""
    whole = arms.get("full", {}).get("seeds", {})
    ten = {seed: measure_ten(result["top_10"]) for seed, result in whole.items()}
    return {
        "arms": arms,
        "bars": [judged for criterion in CRITERIA if (judged := criterion.judge(arms)) is not None],
        "ten": ten,
        "ten_bars": [criterion.judge(ten) for criterion in TEN_CRITERIA] if ten else [],
    }


def measure_ten(best: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Measures the ten best of a search.

    Returns:
        ``scaffolds`` (distinct ones), ``similarity`` (ECFP4, mean of all pairs), ``strong_acids`` and ``mean_top_10``.
    """
    smiles = [molecule["smiles"] for molecule in best]
    prints = fingerprints(smiles)
    pairs = tanimoto(prints, prints)[np.triu_indices(len(smiles), 1)]
    return {
        "scaffolds": len({scaffold(molecule) for molecule in smiles}),
        "similarity": float(pairs.mean()) if pairs.size else 0.0,
        "strong_acids": sum(strong_acids(require(molecule)) > 0 for molecule in smiles),
        "mean_top_10": float(np.mean([molecule["score"] for molecule in best])),
    }
