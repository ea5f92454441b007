"""What is looked at before the first paid call: filters, every oracle on a few molecules, and the bill.

Everything scored here is recorded as a check: outside budget and table, and never learned from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.config.problems import one_of_each
from designloop.loop.ends import what_is_left
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.side_by_side import SideBySide
from designloop.loop.evaluation.evaluator import Evaluator, seed_of
from designloop.loop.laboratory.pricing import find_bad_prices
from designloop.loop.laboratory.readings import describe_lacking, measured_properties
from designloop.loop.own_in_model import describe_own_in_model
from designloop.loop.passing import (
    RUN_ANYWAY,
    FilterShare,
    describe_own,
    filter_shares,
    find_hard_core,
    find_wrong_filters,
    judge_own,
)
from designloop.molecules.chemistry import standard_form
from designloop.strategies import base as strategies
from designloop.tables import TableError
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_records import Intent
from designloop.tables.manifest import RoundInfo, asked_in
from designloop.tables.opening import refuse_foreign

KNOWN_MOLECULES: Mapping[str, str] = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "ibuprofen": "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
}
"""Name -> SMILES of what every oracle is run on before it is paid for, where the user gives no molecule."""

SIDE_BY_SIDE = 8
"""Molecules that two processes of an oracle are run on at once, those of the campaign first."""

SLOW_SECONDS = 2.0
"""An oracle that takes longer for a molecule is run on two only."""

_FURTHER = ("CN1CCCC1c1cccnc1", "CC(=O)Nc1ccc(O)cc1", "Clc1ccccc1", "CCCCCCCC(=O)O", "NCCc1ccc(O)c(O)c1")

TRIED = 3
"""References, and starting molecules, that every oracle is run on before it is paid for; the first."""


class BrokenOracle(ValueError):
    """An oracle has no value for any molecule that it was tried on; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Check:
    """One property of one molecule that the oracles were tried on."""

    property: str
    molecule: str
    """Its name, or its SMILES."""
    value: float | None
    desirability: float | None
    error: str | None
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What a campaign is going to do, and whether it can."""

    campaign: Campaign
    filters: Sequence[FilterShare]
    checks: Sequence[Check]
    """Of the molecules that `trial_molecules` gives; none of a costly oracle."""
    problems: Sequence[str]
    """What has to be mended before a run."""
    own: Sequence[str] = ()
    """What the filters refuse of the user's own molecules, a line each."""
    remarks: Sequence[str] = ()
    """What should be mended, and keeps nobody from running it."""
    in_model: Sequence[str] = ()
    """Which of the user's own molecules the model writes again, a line each thing to be said."""

    @property
    def ready(self) -> bool:
        """Whether nothing stands in the way of a run."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a campaign will cost, as far as can be told beforehand."""

    calls: int
    """Oracle calls that are left, by whichever of the budget's caps is reached first, but for its hours."""
    rounds: int
    """In which they are spent, if each is full."""
    seconds: Mapping[str, float | None]
    """Property -> its oracle's seconds a molecule; None for a costly oracle that no ledger knows."""
    workers: int
    round_seconds: float | None = None
    """What proposing and learning took in a round of this campaign so far; None where there was none."""
    filters: Sequence[FilterShare] = ()
    """What the filters let pass."""
    own: Sequence[str] = ()
    """What the filters refuse of the user's own molecules, a line each."""

    @property
    def own_seconds(self) -> float | None:
        """Time that proposing and learning take in the rounds left; None where it is not known."""
        return None if self.round_seconds is None else self.rounds * self.round_seconds

    @property
    def oracle_seconds(self) -> float | None:
        """Time that scoring takes on so many workers; None where an oracle's time is not known."""
        known = [seconds for seconds in self.seconds.values() if seconds is not None]
        return self.calls * sum(known) / self.workers if len(known) == len(self.seconds) else None


def plan(campaign: Campaign, ledger: Ledger) -> Plan:
    """Plans a campaign: every oracle is run on a few molecules, and loaded on each node of its cluster.

    Raises:
        MoleculeError: a file of molecules that a filter or the strategy names cannot be used.
    """
    check_strategy(campaign)
    verdicts = judge_own(campaign)
    checks = check_oracles(campaign, ledger)
    # What a laboratory has measured is learned from whatever filters say, so there it stands in nothing's way.
    is_measured = bool(measured_properties(campaign))
    wrong_filters = find_wrong_filters(verdicts, "designloop suggest" if is_measured else RUN_ANYWAY)
    said = [wrong_filters] if wrong_filters else []
    problems = [
        *([] if is_measured else said),
        *find_broken(checks),
        *find_unloadable(campaign),
        *find_disturbed(campaign, ledger),
        *find_unwritable(campaign),
        *find_bad_prices(campaign, ledger, list(KNOWN_MOLECULES.values())),
    ]
    own = [] if wrong_filters else describe_own(verdicts)
    shares = filter_shares(campaign, verdicts)
    remarks = [*(said if is_measured else []), *find_hard_core(campaign, verdicts), *describe_lacking(campaign)]
    return Plan(campaign, shares, checks, problems, own, remarks, describe_own_in_model(campaign))


def check_strategy(campaign: Campaign) -> None:
    """Returns if the files that the strategy's settings name can be used.

    Raises:
        MoleculeError: a file of molecules cannot be used.
    """
    chosen = campaign.strategy
    strategies.check_files(chosen.name, chosen.settings, lambda path: str(campaign.resolve(path)))


def trial_molecules(campaign: Campaign) -> dict[str, str]:
    """Name -> standard form of the first references and starting molecules; of what all know where there are none."""
    own = [*campaign.references()[:TRIED], *campaign.starting()[:TRIED]]
    if own:
        by_form = {molecule.smiles: molecule.name or molecule.written for molecule in reversed(own)}
        names = Counter(by_form.values())
        return {
            name if names[name] == 1 else f"{name} ({smiles})": smiles for smiles, name in reversed(by_form.items())
        }
    return {name: standard_form(smiles, campaign.standardize) for name, smiles in KNOWN_MOLECULES.items()}


def check_oracles(campaign: Campaign, ledger: Ledger) -> list[Check]:
    """Every oracle's answer for a few molecules; nothing of those that declare themselves costly."""
    cheap = campaign.with_only([name for name, oracle in campaign.oracles.items() if not oracle.costly])
    if cheap is None:
        return []
    forms = trial_molecules(campaign)
    with checking_evaluator(cheap, ledger) as evaluator:
        first, *others = forms.values()
        # One alone first, so that what an oracle loads when it is first called is not taken for what molecules cost.
        evaluations = [*evaluator.checks([first]), *(evaluator.checks(others) if others else [])]
    return [
        Check(name, molecule, result.value, scored.desirability[name], result.error, result.seconds)
        for molecule, scored in zip(forms, cheap.objective(evaluations), strict=True)
        for name, result in scored.evaluation.results.items()
    ]


def find_broken(checks: Sequence[Check]) -> list[str]:
    """A sentence for each property that has no value for any molecule that its oracle was tried on."""
    by_property: dict[str, list[Check]] = {}
    for check in checks:
        by_property.setdefault(check.property, []).append(check)
    return [
        f"property {name!r}: its oracle has no value for {', '.join(check.molecule for check in tried)}; it says: "
        + " / ".join(one_of_each([check.error or "no reason given" for check in tried]))
        for name, tried in by_property.items()
        if all(check.value is None for check in tried)
    ]


def refuse_broken(campaign: Campaign, ledger: Ledger) -> list[Check]:
    """Returns what every oracle that is not costly says of the first references and starting molecules.

    Where there are none, it is asked about molecules that all know. A costly oracle is not run here.

    Raises:
        BrokenOracle: an oracle works on none of them.
    """
    checks = check_oracles(campaign, ledger)
    if sentences := find_broken(checks):
        raise BrokenOracle(
            "\n".join(sentences)
            + "\nNothing was charged. Mend the oracle, or give a molecule that it can score as a `reference`."
        )
    return checks


def find_unloadable(campaign: Campaign) -> list[str]:
    """Says for each oracle and node of the campaign's cluster where it cannot be loaded why."""
    if campaign.evaluation.address is None:
        return []
    with Evaluator(campaign) as evaluator:
        return evaluator.cannot_load()


def find_disturbed(campaign: Campaign, ledger: Ledger) -> list[str]:
    """A sentence for each property whose oracle gives other values while another process runs it on other molecules.

    What is built in writes nothing, and a costly oracle is not run to check a set-up; one that the ledger knows to be
    slow is run on two molecules only.
    """
    known = [standard_form(smiles, campaign.standardize) for smiles in (*KNOWN_MOLECULES.values(), *_FURTHER)]
    smiles = list(dict.fromkeys([*trial_molecules(campaign).values(), *known]))[:SIDE_BY_SIDE]
    # Properties of one oracle with the same parameters are one run.
    oracles = {
        oracle: name for name, oracle in campaign.oracles.items() if not oracle.costly and not oracle.is_built_in
    }
    sentences = []
    with SideBySide(
        oracles, ProcessEnvironment.of_driver(campaign.folder), campaign.evaluation.timeout * len(smiles)
    ) as processes:
        for oracle, name in oracles.items():
            times = ledger.seconds(oracle.fingerprint)
            checked = smiles[:2] if times and median(times) > SLOW_SECONDS else smiles
            seeds = [seed_of(Intent(oracle.fingerprint, molecule)) for molecule in checked]
            if sentence := processes.disturbance(oracle, checked, seeds):
                sentences.append(f"property {name!r}: {sentence}")
    return sentences


def find_unwritable(campaign: Campaign) -> list[str]:
    """A sentence on the folder of results, if that holds what is no campaign's."""
    try:
        refuse_foreign(campaign.output_folder)
    except TableError as error:
        return [str(error)]
    return []


def estimate(campaign: Campaign, ledger: Ledger, rounds: Sequence[RoundInfo] = ()) -> Estimate:
    """Estimates what is left to pay, by the seconds that each oracle took so far, or takes on a few molecules.

    Args:
        rounds: those of the campaign that are committed.
    """
    check_oracles(campaign, ledger)  # what the ledger knows is not run again
    times = {name: ledger.seconds(oracle.fingerprint) for name, oracle in campaign.oracles.items()}
    # Properties of one oracle with the same parameters are one run.
    first: dict[str, str] = {}
    for name, oracle in campaign.oracles.items():
        first.setdefault(oracle.fingerprint, name)
    seconds = {name: (median(times[name]) if times[name] else None) for name in first.values()}
    calls, left = _calls_and_rounds_left(campaign, rounds)
    round_seconds = [
        float(info.metrics["propose_seconds"]) + float(info.metrics["learn_seconds"])
        for info in rounds
        if info.kind == "round" and {"propose_seconds", "learn_seconds"} <= info.metrics.keys()
    ]
    verdicts = judge_own(campaign)
    return Estimate(
        calls,
        left,
        seconds,
        campaign.evaluation.worker_count,
        median(round_seconds) if round_seconds else None,
        filter_shares(campaign, verdicts),
        describe_own(verdicts),
    )


def _calls_and_rounds_left(campaign: Campaign, rounds: Sequence[RoundInfo]) -> tuple[int, int]:
    """The oracle calls that are left, and the rounds that they are spent in."""
    budget = campaign.budget
    asked = asked_in(rounds, campaign.oracles)
    calls = what_is_left(budget, rounds[-1].calls if rounds else 0, asked).molecules
    of_start = 0 if rounds else min(calls, sum(not molecule.known for molecule in campaign.starting()))
    left = ceil((calls - of_start) / campaign.batch_size)
    if budget.rounds is not None:
        left = min(left, max(0, budget.rounds - sum(info.kind == "round" for info in rounds)))
    return min(calls, of_start + left * campaign.batch_size), left


@contextmanager
def checking_evaluator(campaign: Campaign, ledger: Ledger) -> Iterator[Evaluator]:
    """An evaluator for a few molecules: on the campaign's cluster, if it has one; else here, not waiting for Ray."""
    settings = campaign.evaluation
    if settings.address is None:
        settings = settings.model_copy(update={"backend": "inline"})
    with Evaluator(campaign.model_copy(update={"evaluation": settings}), ledger) as evaluator:
        yield evaluator
