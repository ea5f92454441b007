"""Latent Bayesian optimization of few, costly calls against other searches, and how well its surrogates foresee."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from designloop.benchmarks.common.arms import (
    JUDGED,
    RANDOM_PRIOR,
    RANDOM_ZINC,
    Arm,
    campaign_file,
    choose,
    draw_start,
    make_trials,
    overrides_of,
    run_campaign_arm,
    seeds_of,
)
from designloop.benchmarks.common.cases import not_measured
from designloop.benchmarks.common.earlier import REVISION, run_earlier
from designloop.benchmarks.common.gp_bo import run_gp_bo
from designloop.benchmarks.common.gp_search import Sizes
from designloop.benchmarks.common.made_by import DIGITS, made_by, marked, mixed_arms, unequal
from designloop.benchmarks.common.measures import PAIRED_COLUMNS, Criterion, average_over_seeds, paired, paired_row
from designloop.benchmarks.common.mol_ga import require_mol_ga, run_mol_ga
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.records import rounded
from designloop.benchmarks.common.search_report import arms_table, criteria_table
from designloop.benchmarks.common.trials import TrialResult, code_digest, run_trials
from designloop.benchmarks.pmo.ga_search import CHILDREN
from designloop.loop.campaign.campaign import load_campaign

SUMMARY = "Latent Bayesian optimization of a costly score against other searches; how well it foresees."

OPTIONS = frozenset({"campaign", "model", "seeds", "calls", "arms", "jobs", "work"})

Search = Callable[[Path, Mapping[str, Any], Path], TrialResult]


def run_from_zinc(search: Search, n: int, file: Path, overrides: Mapping[str, Any], folder: Path) -> TrialResult:
    """Measures a search that has no beginning of its own: from n random molecules of ZINC, counted."""
    campaign = load_campaign(file, overrides)
    start = draw_start(campaign, min(n, campaign.budget.oracle_calls), campaign.seed)
    return search(file, {**overrides, "starting_molecules": start}, folder)


SCREEN = {"name": "property_loss", "surrogate": "committees", "proposers": ["screen"], "learning": {"loss": "none"}}
MOL_GA = Arm(
    "mol_ga",
    "PyPI's mol_ga from 20 random ZINC molecules, as few as the others begin with; five children a generation as "
    "published",
    search=partial(run_from_zinc, partial(run_mol_ga, offspring=CHILDREN), 20),
)
GP_BO = Arm(
    "gp_bo_by_fives",
    "the published Tanimoto GP with genetic search from 10 random ZINC molecules, but five picks of a search, not one",
    search=partial(run_from_zinc, partial(run_gp_bo, Sizes(batch=5, each=5)), 10),
)
ARMS = (
    Arm("latent_bo", "the campaign as it stands"),
    Arm("hasty", "with no more free molecules for the first calls than for later ones", {"strategy.thorough": 0}),
    Arm("chains", "and 15 molecules by chains in latent space for each one paid for", {"strategy.chains": 15}),
    Arm("regions", "or by trust regions in latent space, as many", {"strategy.regions.decoded": 15}),
    Arm(
        "one_committee",
        "with one committee of the score, the composite of the properties among its members",
        {"strategy.surrogate": "committee"},
    ),
    Arm("property_loss", "the default strategy at its default settings", {"strategy": {"name": "property_loss"}}),
    Arm(
        "property_loss_committees",
        "the same with a committee for each property",
        {"strategy": {"name": "property_loss", "surrogate": "committees"}},
    ),
    Arm(
        "property_loss_formerly",
        "the default strategy as it was before this one was made, by the code and the model of then",
        search=partial(run_earlier, "property_loss"),
    ),
    Arm(
        "latent_bo_formerly",
        "latent Bayesian optimization as it was then: one process over latents in trust regions",
        search=partial(run_earlier, "latent_bo"),
    ),
    Arm(
        "zinc_screen",
        "ZINC screened by the same committees from 20 random ones on, nothing generated",
        {"strategy": SCREEN},
        partial(run_from_zinc, run_campaign_arm, 20),
    ),
    MOL_GA,
    GP_BO,
    RANDOM_PRIOR,
    RANDOM_ZINC,
)

RIVALS = (
    "random_prior",
    "random_zinc",
    "mol_ga",
    "zinc_screen",
    "gp_bo_by_fives",
    "property_loss_formerly",
    "latent_bo_formerly",
    "one_committee",
    "hasty",
)
"""What latent_bo has to be above, pair by pair."""

FORMERLY = frozenset({"property_loss_formerly", "latent_bo_formerly"})
"""Arms whose code is by design another."""

SAME_IN = ("calls", "failed", "mean_top_10", "auc_top_10", "top_10")
"""What two searches that are the same have alike."""

NOT_BELOW = Criterion("latent_bo", "property_loss", by=-0.01)


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every seed."""
    file = campaign_file(options, "campaigns/latent_bo.yaml")
    common = overrides_of(options)
    arms = {arm.name: arm for arm in ARMS}
    names, seeds = choose(arms, options.arms), seeds_of(options)
    if {MOL_GA.name, GP_BO.name} & set(names):
        require_mol_ga()
    planned = make_trials(file, [arms[name] for name in names], seeds, common, start=0)
    by_arm = run_trials(planned, options.work / "latent-bo", options.jobs, say)
    made = {trial.arm: made_by(trial, code_digest()) for trial in planned if trial.seed == seeds[0]}
    for name in FORMERLY & made.keys():
        made[name] |= {"code": REVISION[:DIGITS], "model": None}  # its own of then
    results = {
        name: {"what": arms[name].what, "made_by": made[name], **average_over_seeds(by_arm[name])} for name in names
    }
    return {
        "seeds": seeds,
        "campaign": str(file),
        "calls": load_campaign(file, common).budget.oracle_calls,
        "arms": results,
        **judge(results),
        "foresight": foresight(by_arm["latent_bo"]) if "latent_bo" in by_arm else None,
    }


def judge(arms: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the paired tests, ``pairs``, and the criteria, ``bars``, of the arms that there are.

    Of arms that are of other code or another model than ``latent_bo`` nothing holds, and their bars say so; those of
    ``FORMERLY`` are to be of other code.
    """
    made = {name: arm.get("made_by", {}) for name, arm in arms.items()}

    def of_one_code(bar: Mapping[str, Any], other: str) -> dict[str, Any]:
        names = [] if _is_of_then(other, made[other]) else unequal((made["latent_bo"], made[other]), ("code", "model"))
        return marked(bar, names)

    pairs = []
    for name in RIVALS:
        if {"latent_bo", name} <= arms.keys():
            own, theirs = arms["latent_bo"]["seeds"], arms[name]["seeds"]
            seeds = [seed for seed in own if seed in theirs]
            values = ([of[seed]["mean_top_10"] for seed in seeds] for of in (own, theirs))
            pairs.append(of_one_code(paired(f"latent_bo above {name}", *values), name))
    judged = NOT_BELOW.judge(arms)
    return {"pairs": pairs, "bars": [] if judged is None else [of_one_code(judged, NOT_BELOW.below)]}


def merge(earlier: Results, now: Results) -> Results:
    """The arms of both records of a campaign: of one that both have, that with more seeds, of as many the new one.

    Only where both ran an arm with a seed, and with each such seed it found the same, is it the same search, and its
    seeds are put together. What arms of other code are set against says so.
    """
    if (earlier["campaign"], earlier["calls"]) != (now["campaign"], now["calls"]):
        return now
    arms = {}
    for name in [arm.name for arm in ARMS]:
        versions = [record["arms"][name] for record in (now, earlier) if name in record["arms"]]
        if name in FORMERLY:
            versions = [arm for arm in versions if _is_of_then(name, arm.get("made_by", {}))]
        if len(versions) > 1 and found_the_same(*(arm["seeds"] for arm in versions)):
            by_seed = {int(seed): of for arm in reversed(versions) for seed, of in arm["seeds"].items()}
            arms[name] = {**versions[0], **average_over_seeds(dict(sorted(by_seed.items())))}
        elif versions:
            arms[name] = max(versions, key=lambda arm: len(arm["seeds"]))  # the first of equals
    seeds = sorted({int(seed) for arm in arms.values() for seed in arm["seeds"]})
    seen = foresight(arms["latent_bo"]["seeds"]) if "latent_bo" in arms else None
    return {**now, "seeds": seeds, "arms": arms, **judge(arms), "foresight": seen}


def _is_of_then(name: str, made: Mapping[str, Any]) -> bool:
    """Whether an arm is by design of other code, and of the very revision that it is to be of."""
    return name in FORMERLY and made.get("code") == REVISION[:DIGITS]


def found_the_same(first: Mapping[str, TrialResult], second: Mapping[str, TrialResult]) -> bool:
    """Whether two runs of an arm have seeds in common, and paid for the same with each, as far as is recorded."""
    common = first.keys() & second.keys()
    return bool(common) and all(
        rounded(first[seed].get(name)) == rounded(second[seed].get(name)) for seed in common for name in SAME_IN
    )


def foresight(by_seed: Mapping[Any, TrialResult]) -> dict[str, float | None]:
    """Averages over the seeds what the last round said of the molecules that were drawn uniformly.

    Returns:
        Each of ``JUDGED``; None where no seed has it.
    """
    of_rounds = {name: [result["rounds"].get(name, {}) for result in by_seed.values()] for name in JUDGED}
    last = {name: [seed[max(seed, key=int)] for seed in seeds if seed] for name, seeds in of_rounds.items()}
    return {name: fmean(values) if values else None for name, values in last.items()}


def report(results: Results) -> str:
    """Shows the arms, the criteria, and how well latent_bo foresees; a record from before it was judged lacks that."""
    judged = judge(results["arms"])  # as is done now: earlier records took what proves nothing for lost
    made = {name: arm.get("made_by", {}) for name, arm in results["arms"].items()}
    codes = mixed_arms({name: of for name, of in made.items() if not _is_of_then(name, of)})
    head = (
        f"`{results['campaign']}`, {results['calls']:,} calls. All measures count stereoisomers once and are "
        "means over the seeds, ± their standard error. The arm gp_bo_by_fives takes five picks of a search where the "
        "published one takes one, and was not held against published values: what is said of it is said of this "
        f"variant alone.{codes}\n"
    )
    parts = [head, arms_table(results["arms"])]
    parts += not_measured("arms", [arm.name for arm in ARMS], results["arms"])
    if judged["pairs"]:
        parts.append(table(PAIRED_COLUMNS, map(paired_row, judged["pairs"])))
    parts += filter(None, [criteria_table(judged["bars"])])
    seen = results.get("foresight")
    if seen is not None and seen["judged_molecules"] is not None:
        parts.append(
            "How well latent_bo foresaw the scores of molecules that were drawn uniformly from the better half of the "
            "free ones, in the mean of the seeds:\n"
        )
        columns = ("molecules of a seed", "rank correlation", "within the 90 % intervals")
        parts.append(table(columns, [[seen[name] for name in JUDGED]]))
    return "\n".join(parts)
