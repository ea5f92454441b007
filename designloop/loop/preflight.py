"""What is looked at before the first paid call: filters, every oracle on molecules that all know, and the bill.

Everything scored here is recorded as a check: outside budget and table, and never learned from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from statistics import median

import numpy as np

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.config.problems import one_of_each
from designloop.loop.evaluation.evaluator import Evaluator, seed_of
from designloop.loop.evaluation.oracle_process import Surroundings
from designloop.loop.evaluation.side_by_side import SideBySide
from designloop.loop.pretrained import Pretrained
from designloop.loop.screening.filters import Context, build, shares_passing
from designloop.molecules.chemistry import standard_form
from designloop.records import Scored
from designloop.tables import TableError
from designloop.tables.ledger import Intent, Ledger
from designloop.tables.manifest import RoundInfo
from designloop.tables.opening import refuse_foreign

KNOWN_MOLECULES: Mapping[str, str] = {
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "ibuprofen": "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
}
"""Name -> SMILES of what every oracle is run on before it is paid for."""

SIDE_BY_SIDE = 8
"""Molecules that two processes of an oracle are run on at once, those of the campaign first."""

SLOW_SECONDS = 2.0
"""An oracle that takes longer for a molecule is run on two only."""

_FURTHER = ("CN1CCCC1c1cccnc1", "CC(=O)Nc1ccc(O)cc1", "Clc1ccccc1", "CCCCCCCC(=O)O", "NCCc1ccc(O)c(O)c1")

SAMPLE = 500
"""Molecules that a filter's share is taken of."""


class BrokenOracle(ValueError):
    """An oracle has no value for any molecule that it was tried on; the message says what it said."""


@dataclass(frozen=True, slots=True)
class FilterShare:
    """What a filter lets pass."""

    name: str
    """``all`` for all filters together."""
    setting: object
    """As the campaign file says, or the default; None for ``all``."""
    zinc: float
    """Share of ZINC 250k molecules."""
    prior: float
    """Share of the model's own draws."""


@dataclass(frozen=True, slots=True)
class Check:
    """One property of one known molecule."""

    property: str
    molecule: str
    """Its name."""
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
    """Of the known molecules; none of a costly oracle."""
    problems: Sequence[str]
    """What has to be mended before a run."""

    @property
    def ready(self) -> bool:
        """Whether nothing stands in the way of a run."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a campaign will cost, as far as can be told beforehand."""

    calls: int
    """Oracle calls that are left in the budget."""
    rounds: int
    """In which they are spent, if each is full."""
    seconds: Mapping[str, float | None]
    """Property -> its oracle's seconds a molecule; None for a costly oracle that no ledger knows."""
    workers: int
    round_seconds: float | None = None
    """What proposing and learning took in a round of this campaign so far; None where there was none."""

    @property
    def own_seconds(self) -> float | None:
        """Time that proposing and learning take in the rounds left; None where it is not known."""
        return None if self.round_seconds is None else self.rounds * self.round_seconds

    @property
    def oracle_seconds(self) -> float | None:
        """Time that scoring takes on so many workers; None where an oracle's time is not known."""
        known = [one for one in self.seconds.values() if one is not None]
        return self.calls * sum(known) / self.workers if len(known) == len(self.seconds) else None


def plan(campaign: Campaign, ledger: Ledger) -> Plan:
    """The plan of a campaign, with every oracle run on the known molecules, and loaded on each node of its cluster."""
    checks = check_oracles(campaign, ledger)
    problems = [*broken(checks), *unloadable(campaign), *disturbed(campaign, ledger), *unwritable(campaign)]
    return Plan(campaign, filter_shares(campaign), checks, problems)


def filter_shares(campaign: Campaign) -> list[FilterShare]:
    """Each filter that is on, with the shares of 500 ZINC molecules and 500 draws from the prior that pass."""
    from designloop.molecules.corpus import zinc

    filters = build(campaign.filters, Context(campaign.folder, campaign.standardize, campaign.stereo))
    rows = np.random.default_rng(0).choice(len(zinc()), SAMPLE, replace=False)
    of_zinc = shares_passing(filters, [zinc()[row] for row in rows], campaign.standardize)
    of_prior = shares_passing(filters, Pretrained.of(campaign).draws(SAMPLE, seed=0), campaign.standardize)
    settings = dict(campaign.filters)
    return [FilterShare(name, settings.get(name), share, of_prior[name]) for name, share in of_zinc.items()]


def check_oracles(campaign: Campaign, ledger: Ledger) -> list[Check]:
    """Every oracle's answer for the known molecules; nothing of those that declare themselves costly."""
    cheap = _only_cheap(campaign)
    if cheap is None:
        return []
    forms = {name: standard_form(smiles, campaign.standardize) for name, smiles in KNOWN_MOLECULES.items()}
    with _evaluator(cheap, ledger) as evaluator:
        first, *others = forms.values()
        # One alone first, so that what an oracle loads when it is first called is not taken for what molecules cost.
        evaluations = [*evaluator.checks([first]), *evaluator.checks(others)]
    return [
        Check(name, molecule, result.value, scored.desirability[name], result.error, result.seconds)
        for molecule, scored in zip(forms, cheap.objective(evaluations), strict=True)
        for name, result in scored.evaluation.results.items()
    ]


def score_checks(campaign: Campaign, ledger: Ledger, smiles: Sequence[str]) -> list[Scored]:
    """Molecules scored outside budget and table, costly oracles included."""
    if not smiles:
        return []
    with _evaluator(campaign, ledger) as evaluator:
        return campaign.objective(evaluator.checks(smiles))


def broken(checks: Sequence[Check]) -> list[str]:
    """A sentence for each property that has no value for any known molecule."""
    errors: dict[str, list[str]] = {}
    for check in checks:
        errors.setdefault(check.property, []).extend(
            [] if check.value is not None else [check.error or "no reason given"]
        )
    known = ", ".join(KNOWN_MOLECULES)
    return [
        f"property {name!r}: its oracle has no value for {known}; it says: {' / '.join(one_of_each(said))}"
        for name, said in errors.items()
        if len(said) == len(KNOWN_MOLECULES)
    ]


def refuse_broken(campaign: Campaign, ledger: Ledger) -> None:
    """Returns if every oracle works on a known molecule, a reference, or one of the first starting molecules.

    Raises:
        BrokenOracle: an oracle works on none of them.
    """
    sentences = broken(check_oracles(campaign, ledger))
    if not sentences:
        return
    own = [molecule.smiles for molecule in [*campaign.references(), *campaign.starting()[:3]]]
    values = [one.evaluation.results for one in score_checks(campaign, ledger, own)]
    # An oracle may know one series of molecules only, and that is no defect.
    if not all(any(results[name].value is not None for results in values) for name in campaign.oracles):
        raise BrokenOracle(
            "\n".join(sentences)
            + "\nNothing was charged. Mend the oracle, or give a molecule that it can score as a `reference`."
        )


def unloadable(campaign: Campaign) -> list[str]:
    """A sentence for each oracle and node of the campaign's cluster where it cannot be loaded."""
    if campaign.evaluation.address is None:
        return []
    with Evaluator(campaign) as evaluator:
        return evaluator.cannot_load()


def disturbed(campaign: Campaign, ledger: Ledger) -> list[str]:
    """A sentence for each property whose oracle gives other values while another process runs it on other molecules.

    What is built in writes nothing, and a costly oracle is not run to check a set-up; one that the ledger knows to be
    slow is run on two molecules only.
    """
    own = [molecule.smiles for molecule in [*campaign.references(), *campaign.starting()[:3]]]
    known = [standard_form(smiles, campaign.standardize) for smiles in (*KNOWN_MOLECULES.values(), *_FURTHER)]
    smiles = list(dict.fromkeys([*own, *known]))[:SIDE_BY_SIDE]
    # Properties of one oracle with the same parameters are one run.
    oracles = {
        oracle: name for name, oracle in campaign.oracles.items() if not oracle.costly and not oracle.is_built_in
    }
    sentences = []
    with SideBySide(
        oracles, Surroundings.of_driver(campaign.folder), campaign.evaluation.timeout * len(smiles)
    ) as processes:
        for oracle, name in oracles.items():
            times = ledger.seconds(oracle.fingerprint)
            few = smiles[:2] if times and median(times) > SLOW_SECONDS else smiles
            seeds = [seed_of(Intent(oracle.fingerprint, molecule)) for molecule in few]
            if sentence := processes.disturbance(oracle, few, seeds):
                sentences.append(f"property {name!r}: {sentence}")
    return sentences


def unwritable(campaign: Campaign) -> list[str]:
    """A sentence on the folder of results, if that holds what is no campaign's."""
    try:
        refuse_foreign(campaign.output_folder)
    except TableError as error:
        return [str(error)]
    return []


def estimate(campaign: Campaign, ledger: Ledger, rounds: Sequence[RoundInfo] = ()) -> Estimate:
    """What is left to pay, by the seconds that each oracle took so far, or takes on the known molecules.

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
    calls = max(0, campaign.budget.oracle_calls - (rounds[-1].calls if rounds else 0))
    left = ceil(max(0, calls - (0 if rounds else len(campaign.starting()))) / campaign.batch_size)
    own = [
        float(info.metrics["propose_seconds"]) + float(info.metrics["learn_seconds"])
        for info in rounds
        if info.kind == "round" and {"propose_seconds", "learn_seconds"} <= info.metrics.keys()
    ]
    return Estimate(calls, left, seconds, campaign.evaluation.worker_count, median(own) if own else None)


@contextmanager
def _evaluator(campaign: Campaign, ledger: Ledger) -> Iterator[Evaluator]:
    """An evaluator for a few molecules: on the campaign's cluster, if it has one; else here, not waiting for Ray."""
    settings = campaign.evaluation
    if settings.address is None:
        settings = settings.model_copy(update={"backend": "inline"})
    with Evaluator(campaign.model_copy(update={"evaluation": settings}), ledger) as evaluator:
        yield evaluator


def _only_cheap(campaign: Campaign) -> Campaign | None:
    """The campaign without the properties of costly oracles; None if no property is left."""
    cheap = tuple(one for one in campaign.objective.properties if not campaign.oracles[one.name].costly)
    if not cheap:
        return None
    objective = campaign.objective.model_copy(update={"properties": cheap, "aggregate": "arithmetic_mean"})
    return campaign.model_copy(update={"objective": objective})
