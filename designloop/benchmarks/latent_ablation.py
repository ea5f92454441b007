"""`latent_bo` without one ingredient after another, or with those that are off, on three of PMO's tasks of development.

Left out are parts, by what stands in their place while a campaign runs, and settings. Two are not among them: that a
search begins anew, which it does after 500 calls without gain, and has no more than these; and what is learned of
failures, of which these tasks have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from designloop.benchmarks.ablation import without_numbers
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.trials import TrialResult
from designloop.benchmarks.kernels import ProductOf
from designloop.benchmarks.pmo import left_out
from designloop.benchmarks.pmo.altered import Altered, Work
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.studies import Study
from designloop.strategies.surrogates.kernels import KERNELS, Kernel

SUMMARY = "Latent Bayesian optimization without its parts, and with those that are off: three PMO tasks at 500 calls."

OPTIONS = frozenset({"arms", "calls", "jobs", "model", "seeds", "tasks", "work"})

MODEL = ("prior", "posterior", "mixing")
GENETIC = ("mutation", "crossover", "graph_mutation", "graph_crossover")
"""Proposers of `latent_bo`."""

Kernels = Mapping[str, Kernel]
"""Name of a member -> its kernel."""

WRITTEN = 15
"""Molecules that chains, or trust regions, write for each one paid for, where they are asked for."""


def with_latent_members(change: Callable[[Kernels], Kernels], work: Work, folder: Path) -> TrialResult:
    """Runs a trial in which a committee's members that see latents are changed."""
    from designloop.strategies.surrogates import committee

    whole: Callable[..., committee.Committee] = committee.Committee

    def of_others(*given: Any, others: Kernels, **settings: Any) -> committee.Committee:
        return whole(*given, others=change(others), **settings)

    with patch.object(committee, "Committee", of_others):
        return work(folder)


def none_of_them(others: Kernels) -> Kernels:
    """No member sees latents."""
    return {}


def as_product(others: Kernels) -> Kernels:
    """A member sees latents and the composition's parts as a product, where it is their mean."""
    return {**others, "latent_composition": ProductOf(others["latent"], KERNELS["composition"])}


def with_equal_shares(work: Work, folder: Path) -> TrialResult:
    """Runs a trial in which all members of a committee have the same share of the choices, however they foresee."""
    from designloop.strategies.surrogates.committee import Committee

    def equal(of: Committee) -> np.ndarray:
        return np.full(len(of.names), 1 / len(of.names))

    with patch.object(Committee, "shares", property(equal)):
        return work(folder)


def without_proposers(names: Sequence[str], work: Work, folder: Path) -> TrialResult:
    """Runs a trial in which these proposers are never asked, and earn nothing."""
    from designloop.strategies.proposers import weighted
    from designloop.strategies.search import credit

    class Weighted(weighted.Weighted):
        def __init__(self, proposers: Mapping[str, Any], *rest: Any) -> None:
            super().__init__({name: asked for name, asked in proposers.items() if name not in names}, *rest)

    class Credit(credit.Credit):
        def __init__(self, proposers: Sequence[str], *rest: Any) -> None:
            super().__init__([name for name in proposers if name not in names], *rest)

    with patch.object(weighted, "Weighted", Weighted), patch.object(credit, "Credit", Credit):
        return work(folder)


def with_regions_of(constant: str, value: int, work: Work, folder: Path) -> TrialResult:
    """Runs a trial in which a constant of the search in trust regions has another value."""
    from designloop.strategies.search import region_search

    with patch.object(region_search, constant, value):
        return work(folder)


def with_centres_by_value(work: Work, folder: Path) -> TrialResult:
    """Runs a trial in which regions open at the best molecules, whatever could be gained around them."""
    from designloop.strategies.search.regions import Regions

    def nothing(regions: Regions, process: Any, centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.zeros(len(centres))

    with patch.object(Regions, "_potentials", nothing):
        return work(folder)


def strategy(**settings: Any) -> dict[str, Any]:
    """The strategy, but for some settings."""
    return {"strategy": {"name": "latent_bo", **settings}}


ARMS = (
    Ours("full", "latent_bo at its default settings", strategy()),
    Altered("no_latent_kernels", "no surrogate sees latents", strategy(),
           run_by=partial(with_latent_members, none_of_them)),
    Altered("latent_product", "latents times what the composition's kernel sees, not the mean of both", strategy(),
           run_by=partial(with_latent_members, as_product)),
    Altered("equal_shares", "each surrogate has the same share of the choices, however it foresees", strategy(),
           run_by=with_equal_shares),
    Altered("no_numbers", "no surrogate sees numbers of whole molecules", strategy(), run_by=without_numbers),
    Altered("no_mixing", "latents of two parents are not mixed", strategy(),
           run_by=partial(without_proposers, ("mixing",))),
    Altered("no_model", "the model proposes nothing; it begins with its draws", strategy(),
           run_by=partial(without_proposers, MODEL)),
    Altered("no_genetics", "no genetic steps", strategy(), run_by=partial(without_proposers, GENETIC)),
    Ours("no_screen", "ZINC is not looked through", strategy(screen=False)),
    Ours("low_effort", "a quarter of the free molecules a call, a fifth of ZINC screened", strategy(effort="low")),
    Ours("high_effort", "two and a half times the free molecules a call", strategy(effort="high")),
    Ours("none_at_random", "no molecule of a batch is drawn at random", strategy(judged=0)),
    Ours("uniform", "batches are drawn blindly of what the votes choose from", strategy(acquisition="uniform")),
    Ours("thompson", "batches by joint draws of the committee", strategy(acquisition="thompson")),
    Ours("qlogei", "batches by their expected improvement", strategy(acquisition="qlogei")),
    Ours("ucb", "batches by upper bounds", strategy(acquisition="ucb")),
    Ours("chains", f"and {WRITTEN} molecules a call by chains in latent space", strategy(chains=WRITTEN)),
    Ours("regions", f"and {WRITTEN} molecules a call by trust regions", strategy(regions={"decoded": WRITTEN})),
    Altered("regions_unrefined", "regions whose centres are where the encoder puts them, not inverted",
            strategy(regions={"decoded": WRITTEN}), run_by=partial(with_regions_of, "_REFINE", 0)),
    Altered("regions_one_decode", "regions that write one molecule at a place, at three times as many places",
            strategy(regions={"decoded": WRITTEN}), run_by=partial(with_regions_of, "_DECODES", 1)),
    Altered("regions_by_value", "regions that open at the best molecules, whatever their potential",
            strategy(regions={"decoded": WRITTEN}), run_by=with_centres_by_value),
    Ours("fitted_regions", "regions by a process with fitted lengths",
         strategy(regions={"decoded": WRITTEN, "fitted": True})),
    Ours("metric_regions", "regions stretched by the decoder's metric",
         strategy(regions={"decoded": WRITTEN, "metric": "pullback"})),
    Ours("typical_regions", "regions without what the model takes for odd",
         strategy(regions={"decoded": WRITTEN, "typical": 0.95})),
)  # fmt: skip

STUDY = Study("latent-ablation", ARMS, left_out.TASKS, calls=500, seeds=3)


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every task and seed that was asked for; what is done already is read."""
    return STUDY.run(options, say)


def merge(earlier: Results, now: Results) -> Results:
    """Both records."""
    return STUDY.merge(earlier, now)


def report(results: Results) -> str:
    """Each arm's values, and what the whole strategy is above it, pair by pair."""
    return left_out.report(STUDY, results)
