"""Arms that are ordinary campaigns: one campaign file, and for each arm what differs from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from designloop import api
from designloop.benchmarks.common.measures import Call, measure_calls
from designloop.benchmarks.common.options import Options
from designloop.benchmarks.common.sources import identity_of
from designloop.benchmarks.common.trials import Trial, TrialResult, releases
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.screening.screening import Screening
from designloop.molecules.corpus import zinc
from designloop.randomness import rng_of
from designloop.records import Candidate

JUDGED = ("judged_molecules", "judged_rank_correlation", "judged_coverage")
"""How well a strategy foresaw scores, of molecules that were drawn uniformly."""

ROUND_METRICS = ("mean_top_10", "reconstruction", "rolled_back", "prior_allowed", "prior_sa", *JUDGED)
"""What is kept of each round."""


def run_campaign_arm(file: Path, overrides: Mapping[str, Any], folder: Path) -> TrialResult:
    """Runs a campaign into a folder, or resumes it, and returns its measures and the metrics of its rounds."""
    places = {"output": str(folder / "campaign"), "ledger": str(folder / "ledger.sqlite")}
    campaign = load_campaign(file, {"budget.patience": 0, **overrides, **places})  # arms spend the same
    summary = api.run(campaign, try_costly=False).summary
    rows = api.open_candidates(campaign.output_folder).to_arrow()
    columns = (rows[name].to_pylist() for name in ("smiles", "score", "proposer"))
    calls = [Call(*row) for row in zip(*columns, strict=True)]
    return {
        **measure_calls(calls, campaign.budget.oracle_calls),
        "seconds": sum(summary.metric("seconds").values()),
        "digest": summary.digest,
        "end": str(summary.end),
        "rounds": {
            name: {str(number): value for number, value in summary.metric(name).items()}
            for name in ROUND_METRICS
            if summary.metric(name)
        },
    }


@dataclass(frozen=True)
class Arm:
    """A way to search."""

    name: str
    what: str
    """In a few words."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the campaign file, by dotted key."""
    search: Callable[[Path, Mapping[str, Any], Path], TrialResult] = run_campaign_arm
    """(campaign file, overrides, folder) -> measures; a function of a module, so that it can be pickled."""


RANDOM_PRIOR = Arm("random_prior", "random draws from the prior", {"strategy": {"name": "random"}})
RANDOM_ZINC = Arm("random_zinc", "random ZINC molecules", {"strategy": {"name": "random", "source": "zinc"}})


def choose(names: Collection[str], wanted: Sequence[str], kind: str = "arm") -> list[str]:
    """Returns the wanted names in the order of ``names``; all of them where none is wanted.

    Args:
        kind: what the error calls a name.
    Raises:
        InputError: one is not among ``names``.
    """
    if unknown := [name for name in wanted if name not in names]:
        raise api.InputError(f"no {kind} {unknown[0]!r}; give some of {', '.join(names)}")
    return [name for name in names if name in wanted or not wanted]


def seeds_of(options: Options, default: int = 5) -> list[int]:
    """Returns the seeds 0, 1, …: as many as the options say, else ``default``."""
    return list(range(options.seeds or default))


def campaign_file(options: Options, default: str) -> Path:
    """Returns the campaign file that a benchmark runs.

    Raises:
        InputError: there is none.
    """
    path = options.campaign or Path(default)
    if not path.is_file():
        raise api.InputError(
            f"there is no {path}; run in a clone of the repository, or give a campaign file by --campaign"
        )
    return path


def overrides_of(options: Options) -> dict[str, Any]:
    """Returns what holds for every arm: it runs inline, which leaves the cores to the model and the table as it is."""
    overrides: dict[str, Any] = {"evaluation.backend": "inline"}
    if options.model is not None:
        is_file = Path(options.model).is_file()
        overrides["model"] = str(Path(options.model).resolve()) if is_file else options.model
    if options.calls is not None:
        overrides["budget.oracle_calls"] = options.calls
    return overrides


def model_digest(campaign: Campaign) -> str:
    """Returns the digest of the weights that a campaign starts from."""
    from designloop.molecules.sequence_vae import find  # loads torch

    return hashlib.sha256(find(campaign.model_file).read_bytes()).hexdigest()


@dataclass(frozen=True)
class _NothingCharged:
    """A table before its first call."""

    def charged(self) -> list[str]:
        return []


def open_screening(campaign: Campaign) -> Screening:
    """Opens the screening of a campaign that was charged for nothing yet."""
    return Screening(campaign, _NothingCharged())


def draw_start(campaign: Campaign, n: int, seed: int) -> list[str]:
    """Draws n ZINC molecules in standard form that the campaign's filters let pass; a seed always draws the same."""
    rows = rng_of(seed, "start").permutation(len(zinc()))
    drawn = (Candidate(zinc()[row], "file") for row in rows)
    start = [candidate.smiles for candidate in open_screening(campaign).take(drawn, n)]
    if len(start) < n:
        raise api.InputError(
            f"the filters of {campaign.path} let too few ZINC molecules pass to start from; loosen them"
        )
    return start


def make_trials(
    file: Path, arms: Sequence[Arm], seeds: Sequence[int], common: Mapping[str, Any], start: int
) -> list[Trial]:
    """Makes a trial for each arm and seed; all arms of a seed start from the same molecules.

    A trial's key hangs on the campaign, on where it starts, on how its arm searches and is measured, and on releases of
    packages.

    Args:
        common: overrides of every arm.
        start: molecules that each starts from, counted: the file's own, and random ones of ZINC; with 0, the file's.
    Raises:
        CampaignError: an arm's campaign cannot be run.
    """
    made = []
    starts = {seed: _start(file, common, start, seed) for seed in seeds}
    for arm in arms:
        search = identity_of(arm.search)
        packages = releases() if arm.search is run_campaign_arm else releases("mol_ga")
        for seed in seeds:
            overrides = {**common, **arm.overrides, **starts[seed], "seed": seed}
            campaign = load_campaign(file, overrides)
            identity = {
                "campaign": campaign.fingerprint,
                "model": model_digest(campaign),
                "calls": campaign.budget.oracle_calls,
                "start": overrides.get("starting_molecules"),  # of no campaign's fingerprint
                "search": search,
                "packages": packages,
            }
            made.append(Trial(arm.name, seed, partial(arm.search, file.resolve(), overrides), identity))
    return made


def _start(file: Path, common: Mapping[str, Any], start: int, seed: int) -> dict[str, Any]:
    if not start:
        return {}
    campaign = load_campaign(file, common)
    own = [molecule.smiles for molecule in campaign.starting()]
    drawn = [smiles for smiles in draw_start(campaign, start, seed) if smiles not in own]
    return {"starting_molecules": [*own, *drawn][:start]}
