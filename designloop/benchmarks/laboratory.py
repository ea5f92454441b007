"""A laboratory in the loop: 30 molecules are measured, four batches of eight follow, and the true best three count.

The assay is simulated, with noise of sd 0.3. All start from the same measured molecules of a seed. What is suggested is
told in process, by the very calls of `designloop suggest` and `tell`; the forest and chance choose of the molecules of
ZINC that the campaign's own screen looks through, and the arm ``screen`` of these alone, as they do.
"""

from __future__ import annotations

import csv
import runpy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from designloop import api
from designloop.benchmarks.common.arms import campaign_file, choose, draw_start, model_digest, overrides_of, seeds_of
from designloop.benchmarks.common.cases import not_measured
from designloop.benchmarks.common.measures import PAIRED_COLUMNS, paired, paired_row
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.common.sources import identity_of
from designloop.benchmarks.common.trials import Trial, TrialResult, releases, run_trials
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.screening.screening import Screening
from designloop.molecules.chemistry import count_fingerprints
from designloop.molecules.count_prints import zinc_bank
from designloop.randomness import rng_of, seed_of
from designloop.records import Candidate

SUMMARY = "Suggest and tell with a simulated assay: 30 measured molecules, four batches of eight, against a forest."

OPTIONS = frozenset({"campaign", "model", "seeds", "arms", "jobs", "work"})

START = 30
BATCHES, BATCH = 4, 8
LIBRARY = 10_000
"""Molecules of ZINC: those that the screen looks through in a campaign of so few calls."""

TREES = 300
BEST = 3

Measure = Callable[[str, int], float]
"""(molecule, seed) -> a noisy potency."""

Chooser = Callable[[Mapping[str, float], int], Iterator[str]]
"""(measured potencies, seed) -> molecules of the library, the one to measure first before the others."""


class Assay:
    """The simulated assay beside a campaign file."""

    def __init__(self, file: Path) -> None:
        functions = runpy.run_path(str(file.with_name("simulated_assay.py")))
        self.true: Callable[[str], float] = functions["true_potency"]
        self.measure: Measure = functions["measure"]


def suggested(file: Path, overrides: Mapping[str, Any], seed: int, folder: Path) -> TrialResult:
    """Runs a campaign by `suggest` and `tell`, from where an earlier attempt left it."""
    folder = folder.resolve()
    assay, start = Assay(file), draw_start(load_campaign(file, {**overrides, "starting_molecules": []}), START, seed)
    known = _write(folder / "assay.csv", "pIC50", {smiles: assay.measure(smiles, seed) for smiles in start})
    places = {"output": str(folder / "campaign"), "ledger": str(folder / "ledger.sqlite"), "budget.patience": 0}
    settings = {"starting_molecules": {"file": str(known), "values": {"potency": "pIC50"}}, "seed": seed}
    campaign = load_campaign(file, {**overrides, **places, **settings, "budget.oracle_calls": BATCHES * BATCH})
    for _ in range(BATCHES):
        waiting = api.pending(campaign).suggestions if campaign.output_folder.exists() else []
        waiting = waiting or api.suggest(campaign, BATCH).suggestions
        if not waiting:
            break
        values = {item.candidate.smiles: assay.measure(item.candidate.smiles, seed) for item in waiting}
        api.tell(campaign, _write(folder / "results.csv", "potency", values))
    rows = api.open_candidates(campaign.output_folder).to_arrow()
    return _outcome(assay, start, rows["smiles"].to_pylist()[len(start) :], rows["proposer"].to_pylist()[len(start) :])


def chosen(choose_from: Chooser, file: Path, overrides: Mapping[str, Any], seed: int, folder: Path) -> TrialResult:
    """Measures what a chooser puts first in the library, batch after batch."""
    campaign, assay = load_campaign(file, {**overrides, "starting_molecules": []}), Assay(file)
    start = draw_start(campaign, START, seed)
    known = {smiles: assay.measure(smiles, seed) for smiles in start}
    for _ in range(BATCHES):
        stream = (Candidate(smiles, "library") for smiles in choose_from(known, seed))
        for candidate in _Library(campaign, list(known)).take(stream, BATCH):
            known[candidate.smiles] = assay.measure(candidate.smiles, seed)
    bought = list(known)[len(start) :]
    return _outcome(assay, start, bought, ["library"] * len(bought))


def by_forest(known: Mapping[str, float], seed: int) -> Iterator[str]:
    """The library in the order of what a random forest on count fingerprints expects of its molecules."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(TREES, max_features=1 / 3, random_state=seed_of(seed, "forest", len(known)) % 2**32)
    forest.fit(count_fingerprints(list(known), "ecfp4", 2048), list(known.values()))
    expected = forest.predict(_library_prints())
    return (zinc_bank(LIBRARY).smiles[row] for row in np.argsort(-expected, kind="stable").tolist())


def by_chance(known: Mapping[str, float], seed: int) -> Iterator[str]:
    """The library in an order of its own for each batch."""
    order = rng_of(seed, "chance", len(known)).permutation(len(zinc_bank(LIBRARY)))
    return (zinc_bank(LIBRARY).smiles[row] for row in order.tolist())


ARMS: Mapping[str, tuple[str, Mapping[str, Any], Callable[..., TrialResult]]] = {
    "suggest": ("the campaign as it stands", {}, suggested),
    "latent_bo": ("the same by latent Bayesian optimization", {"strategy": {"name": "latent_bo"}}, suggested),
    "screen": (
        "the same, choosing of the library alone",
        {"strategy": {"name": "property_loss", "proposers": ["screen"]}},
        suggested,
    ),
    "forest": (f"greedy choice of the library by a random forest of {TREES} trees", {}, partial(chosen, by_forest)),
    "random": ("random choice of the library", {}, partial(chosen, by_chance)),
}
"""Arm -> what it is, what differs from the campaign file, and how it is run."""

BARS = tuple((above, below) for above in ("suggest", "latent_bo", "screen") for below in ("random", "forest"))
"""Arms of which the one has to be above the other, start by start."""


def make_trial(name: str, file: Path, common: Mapping[str, Any], seed: int) -> Trial:
    """Makes the trial of an arm and a seed."""
    _, overrides, work = ARMS[name]
    settings = {**common, **overrides}
    campaign = load_campaign(file, settings)
    identity = {
        "campaign": campaign.fingerprint,
        "model": model_digest(campaign),
        "assay": file.with_name("simulated_assay.py").read_text(encoding="utf-8"),
        "search": identity_of(work),
        "packages": releases(),
    }
    return Trial(name, seed, partial(work, file.resolve(), settings, seed), identity)


def run(options: Options, say: Say) -> Results:
    """Runs every arm on every seed."""
    file = campaign_file(options, "campaigns/assay.yaml")
    common, seeds = overrides_of(options), seeds_of(options, 20)
    names = choose(list(ARMS), options.arms)
    trials = [make_trial(name, file, common, seed) for seed in seeds for name in names]
    by_arm = run_trials(trials, options.work / "laboratory", options.jobs, say)
    arms = {name: _average(ARMS[name][0], by_arm[name]) for name in names}
    bars = [judged(arms, *bar) for bar in BARS if set(bar) <= arms.keys()]
    return {"seeds": seeds, "campaign": str(file), "arms": arms, "bars": bars}


def judged(arms: Mapping[str, Any], above: str, below: str) -> dict[str, Any]:
    """Says how far one arm is above another, start by start, and how sure that is."""
    own, theirs = arms[above]["best_three"], arms[below]["best_three"]
    return paired(f"{above} above {below}", list(own.values()), [theirs[seed] for seed in own])


def report(results: Results) -> str:
    """Shows the arms and the bars."""
    starts = len(next(iter(results["arms"].values()))["best_three"])
    head = (
        f"`{results['campaign']}`: {START} measured molecules, {BATCHES} batches of {BATCH}, a simulated assay with "
        f"noise of sd 0.3; the true potency of the best three of all measured, mean of {starts} starts ± its standard "
        "error.\n"
    )
    arms = [
        (name, arm["what"], _with_error(arm["best_three"]), arm["of_start"], arm["of_bought"], f"{arm['seconds']:.0f}")
        for name, arm in results["arms"].items()
    ]
    parts = [
        head,
        table(("arm", "what it is", "best three", "of the start", "mean of what was bought", "seconds"), arms),
    ]
    parts += not_measured("arms", ARMS, results["arms"])
    return "\n".join([*parts, table(PAIRED_COLUMNS, map(paired_row, results["bars"]))])


class _Library(Screening):
    """The screening of a campaign that has measured some molecules."""

    def __init__(self, campaign: Campaign, measured: Sequence[str]) -> None:
        super().__init__(campaign, _Measured(measured))


class _Measured:
    """A table, as screening sees one."""

    def __init__(self, smiles: Sequence[str]) -> None:
        self._smiles = smiles

    def charged(self) -> Sequence[str]:
        return self._smiles


@cache
def _library_prints() -> np.ndarray:
    return count_fingerprints(zinc_bank(LIBRARY).smiles, "ecfp4", 2048)


def _outcome(assay: Assay, start: Sequence[str], bought: Sequence[str], proposers: Sequence[str]) -> TrialResult:
    of_start, of_bought = ([assay.true(smiles) for smiles in molecules] for molecules in (start, bought))
    return {
        "best_three": fmean(sorted([*of_start, *of_bought])[-BEST:]),
        "of_start": fmean(sorted(of_start)[-BEST:]),
        "bought": [[*row] for row in zip(bought, of_bought, proposers, strict=True)],
    }


def _average(what: str, by_seed: Mapping[int, TrialResult]) -> dict[str, Any]:
    results = list(by_seed.values())
    return {
        "what": what,
        "best_three": {str(seed): result["best_three"] for seed, result in by_seed.items()},
        "of_start": fmean(result["of_start"] for result in results),
        "of_bought": fmean(value for result in results for _, value, _ in result["bought"]),
        "seconds": fmean(result["seconds"] for result in results),
    }


def _with_error(by_seed: Mapping[str, float]) -> str:
    values = list(by_seed.values())
    error = f" ± {stdev(values) / len(values) ** 0.5:.3f}" if len(values) > 1 else ""
    return f"{fmean(values):.3f}{error}"


def _write(path: Path, column: str, values: Mapping[str, float]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([("smiles", column), *((smiles, f"{value:.3f}") for smiles, value in values.items())])
    return path
