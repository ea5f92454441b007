"""The ways to search that are compared, all with the same surrogate, proposers and budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from designloop import api
from designloop.benchmarks.common.arms import model_digest
from designloop.benchmarks.common.sources import identity_of
from designloop.benchmarks.common.trials import Trial, TrialResult, releases
from designloop.benchmarks.pareto.cases import CASES
from designloop.pareto import hypervolume, pareto_ranks
from designloop.tables.schema import DESIRABILITY

STEP = 100
"""Calls between two points of a curve."""


@dataclass(frozen=True)
class Arm:
    """A campaign of a case, but for a few keys."""

    name: str
    what: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    weights: tuple[float, float] | None = None
    """Of the two properties in one score, their weighted geometric mean; None where the front is sought."""

    def settings(self, case: str) -> dict[str, Any]:
        """What differs from the case's campaign file, by dotted key."""
        if self.weights is None:
            return dict(self.overrides)
        weighted = CASES[case].weighted(self.weights)
        score = {"objective.aggregate": "geometric_mean", "objective.properties": weighted}
        # What the others have by default, where a front is sought.
        return {**self.overrides, **score, "strategy": {"name": "property_loss", "surrogate": "committees"}}

    def trial(self, case: str, seed: int, calls: int, file: Path, common: Mapping[str, Any]) -> Trial:
        """The trial of a case's campaign file with a seed."""
        overrides = {**common, **self.settings(case), "seed": seed, "budget.oracle_calls": calls}
        campaign = api.load_campaign(file, overrides)
        search = partial(run_arm, CASES[case].names)
        identity = {
            "campaign": campaign.fingerprint,
            "model": model_digest(campaign),
            "calls": calls,
            "search": identity_of(search),
            "packages": releases(),
        }
        return Trial(f"{case}.{self.name}", seed, partial(search, file.resolve(), overrides), identity)


FIXED = (
    Arm("weights_25", "one score, the first property's weight a quarter", weights=(0.25, 0.75)),
    Arm("weights_50", "one score, both weights equal", weights=(0.5, 0.5)),
    Arm("weights_75", "one score, the first property's weight three quarters", weights=(0.75, 0.25)),
)
CHEBYSHEV = Arm(
    "chebyshev", "a trade-off drawn anew each round", {"strategy": {"name": "property_loss", "trade_offs": "chebyshev"}}
)
OURS = Arm("hypervolume", "the campaign as it stands: what a batch adds to the front's hypervolume")
LATENT = Arm("latent_bo", "the same goals, latent Bayesian optimization", {"strategy": {"name": "latent_bo"}})
LATENT_CHEBYSHEV = Arm(
    "latent_chebyshev",
    "latent Bayesian optimization, by a trade-off drawn anew each round",
    {"strategy": {"name": "latent_bo", "trade_offs": "chebyshev"}},
)
ARMS: tuple[Arm, ...] = (OURS, CHEBYSHEV, *FIXED, LATENT, LATENT_CHEBYSHEV)


def run_arm(names: Sequence[str], file: Path, overrides: Mapping[str, Any], folder: Path) -> TrialResult:
    """Runs a campaign into a folder, or goes on with the one that is there, and measures what it paid for."""
    places = {"output": str(folder / "campaign"), "ledger": str(folder / "ledger.sqlite")}
    campaign = api.load_campaign(file, {**overrides, **places})
    summary = api.run(campaign).summary
    rows = api.open_candidates(campaign.output_folder).to_arrow()
    columns = [rows[name + DESIRABILITY].to_pylist() for name in names]
    points = [tuple(row) for row in zip(*columns, strict=True)]
    return {**measure(points), "digest": summary.digest, "seconds": sum(summary.metric("seconds").values())}


def measure(points: Sequence[tuple[float | None, ...]]) -> dict[str, Any]:
    """What is told of a search.

    Args:
        points: desirabilities of what was paid for in turn; None where an oracle failed.
    Returns:
        ``calls``, ``hypervolume`` above 0, that after each hundred calls (``curve``), that of the best single molecule
        (``one_point``), ``front_size`` (distinct points), and the greatest of each property (``best``).
    """
    whole = [np.array([point for point in points[:end] if None not in point]) for end in _ends(len(points))]
    known = [part.astype(float).reshape(-1, 2) for part in whole]
    last = known[-1] if known else np.zeros((0, 2))
    front = np.unique(last[pareto_ranks(last) == 1], axis=0) if len(last) else last
    return {
        "calls": len(points),
        "hypervolume": _volume(last),
        "curve": [_volume(part) for part in known],
        "one_point": float(last.prod(1).max(initial=0.0)),
        "front_size": len(front),
        "best": last.max(0).tolist() if len(last) else [],
    }


def _ends(n: int) -> list[int]:
    """Every hundredth call, and the last."""
    return [*range(STEP, n, STEP), n] if n else []


def _volume(points: np.ndarray) -> float:
    return hypervolume(points, (0.0, 0.0)) if len(points) else 0.0
