"""The campaigns that are compared: the whole one, what it is without its parts, and its controls."""

from __future__ import annotations

from designloop.benchmarks.common.arms import RANDOM_PRIOR, RANDOM_ZINC, Arm
from designloop.benchmarks.common.mol_ga import run_mol_ga
from designloop.strategies import property_loss
from designloop.strategies.proposers.base import MODEL_PROPOSERS
from designloop.strategies.search.screen import PROPOSER as SCREEN

STEPS = "strategy.learning.steps"
PROPOSERS = "strategy.proposers"
SURROGATE = "strategy.surrogate"
NO_GENETICS = [name for name in property_loss.PROPOSERS if name in MODEL_PROPOSERS]
GENETICS = [name for name in property_loss.PROPOSERS if name not in {*MODEL_PROPOSERS, SCREEN}]

MOL_GA = Arm("mol_ga", "PyPI's mol_ga: population 100, 100 offspring a generation", search=run_mol_ga)
ARMS = (
    Arm("full", "the campaign as it stands"),
    Arm("full_no_learning", "full, the model left as it is", {STEPS: 0}),
    Arm("full_committees", "full, a committee for each property instead of the composite", {SURROGATE: "committees"}),
    Arm("N", "no genetic steps: prior and posterior only", {PROPOSERS: NO_GENETICS}),
    Arm("N0", "N, the model left as it is", {PROPOSERS: NO_GENETICS, STEPS: 0}),
    Arm("G", "genetic steps only", {PROPOSERS: GENETICS, STEPS: 0}),
    RANDOM_PRIOR,
    RANDOM_ZINC,
    MOL_GA,
)
