"""What a laboratory said of molecules: what becomes of it, and where it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.known_values import Reading, Readings
from designloop.molecules.chemistry import identity
from designloop.oracles import Oracle
from designloop.oracles.measured import NAME, is_measured
from designloop.records import Result
from designloop.tables import CandidateTable
from designloop.tables.ledger import Ledger
from designloop.tables.ledger_records import Finished, Intent, LedgerResult, RunStatus, StoredValue
from designloop.tables.manifest import RoundInfo
from designloop.tables.suggestions import Suggestion, pending_of
from designloop.words import counted

READINGS = "readings"
"""The metric of a round that holds what was told, as JSON: molecule -> property -> values, or why there is none."""

SCORED_BEFORE = "scored_before"
"""The metric of an amendment that counts those of its rows that had a score before it."""

WAITING = "waiting"
"""The metric of a round that counts its rows of which something is still to be measured, so that they have no score."""

NOT_MEASURED = Result(None, "not_run", "not measured yet")
"""What the table holds of a property that was not told, where another one of the molecule was."""


def measured_properties(campaign: Campaign) -> list[str]:
    """The properties that are measured in a laboratory, in the order of the objective."""
    return [name for name, oracle in campaign.oracles.items() if is_measured(oracle)]


def measured_in(dump: Mapping[str, Any]) -> list[str]:
    """The same, by the settings of a campaign as its table keeps them."""
    return [item["name"] for item in dump["objective"]["properties"] if item["oracle"] == NAME]


def without_measured(campaign: Campaign) -> Campaign | None:
    """The campaign as far as a machine can evaluate it; None where all its properties are measured."""
    return campaign.with_only(campaign.oracles.keys() - measured_properties(campaign))


def to_metric(readings: Readings) -> str:
    """The readings as a metric of their round."""
    return json.dumps(
        {
            smiles: {name: list(reading.values) or reading.failure for name, reading in of_molecule.items()}
            for smiles, of_molecule in readings.items()
        }
    )


def readings_in(rounds: Iterable[RoundInfo]) -> dict[str, dict[str, Reading]]:
    """All readings that the rounds hold; a later one takes the place of an earlier one."""
    readings: dict[str, dict[str, Reading]] = {}
    for info in rounds:
        for smiles, of_molecule in json.loads(str(info.metrics.get(READINGS, "{}"))).items():
            readings.setdefault(smiles, {}).update(
                {
                    name: Reading((), kept) if isinstance(kept, str) else Reading(tuple(kept))
                    for name, kept in of_molecule.items()
                }
            )
    return readings


def asked_of(campaign: Campaign, table: CandidateTable) -> dict[str, int]:
    """Property -> molecules that its oracle, or the laboratory, was asked about.

    A laboratory may tell one property of a molecule with the round and another one later, by an amendment.
    """
    asked = table.per_oracle_calls()
    if measured := measured_properties(campaign):
        given = readings_in(info for info in table.rounds() if info.kind == "start")
        told = readings_in(info for info in table.rounds() if info.kind != "start")
        for name in measured:
            asked[name] = sum(name in of and name not in given.get(smiles, {}) for smiles, of in told.items())
    return asked


def lacking(told: Readings, measured: Sequence[str]) -> dict[str, list[str]]:
    """Molecule -> the measured properties of which nothing was told yet, of those of which something was."""
    lacks = {smiles: [name for name in measured if name not in of] for smiles, of in told.items()}
    return {smiles: names for smiles, names in lacks.items() if names}


def describe_lacking(campaign: Campaign) -> list[str]:
    """A remark on the starting molecules of which some measured property is known and another one is not."""
    lacks = lacking(campaign.known_values(), measured_properties(campaign))
    if not lacks:
        return []
    names = [name for name in measured_properties(campaign) if any(name in of for of in lacks.values())]
    come = counted(len(lacks), "molecule comes", "molecules come")
    return [
        f"starting_molecules: {come} with a value and without one of {', '.join(names)}, so that there is no score to "
        "learn from, and what comes with a value is not suggested: measure it, and `designloop tell` it by structure"
    ]


def waiting_of(given: Sequence[Suggestion], table: CandidateTable, campaign: Campaign) -> list[Suggestion]:
    """Those of which nothing, or not every measured property, was told yet, in their order."""
    lacks = lacking(readings_in(table.rounds()), measured_properties(campaign))
    return pending_of(given, [smiles for smiles in table.charged() if smiles not in lacks])


def with_values(told: Readings) -> dict[str, set[str]]:
    """Molecule -> the measured properties of which it has a value."""
    return {smiles: {name for name, reading in of.items() if reading.values} for smiles, of in told.items()}


def corrections_of(whose: str, before: Mapping[str, Reading], now: Mapping[str, Reading]) -> list[str]:
    """A sentence for each reading of a molecule that takes the place of another; one that is added is no correction."""
    replaced = {name: before[name] for name, reading in now.items() if before.get(name, reading) != reading}
    return [f"{name} of {whose} is {now[name]}, and was {earlier}" for name, earlier in replaced.items()]


def corrections_in(rounds: Iterable[RoundInfo]) -> list[str]:
    """A sentence for each reading that an amendment put in the place of another."""
    readings: dict[str, dict[str, Reading]] = {}
    sentences = []
    for info in rounds:
        for smiles, of_molecule in readings_in([info]).items():
            before = readings.setdefault(smiles, {})
            if info.kind == "amendment":
                sentences += [f"round {info.number}: {said}" for said in corrections_of(smiles, before, of_molecule)]
            before.update(of_molecule)
    return sentences


def ledger_key(oracle: Oracle, name: str) -> str:
    """The fingerprint under which the ledger keeps a measured property: of the assay and the property's name."""
    return hashlib.sha256(f"{oracle.fingerprint} {name}".encode()).hexdigest()


def record_readings(campaign: Campaign, ledger: Ledger, readings: Readings) -> None:
    """Writes readings to the ledger, but for those that it holds already as this campaign's last word.

    Raises:
        LedgerError: the ledger cannot be written.
    """
    for name in measured_properties(campaign):
        key = ledger_key(campaign.oracles[name], name)
        wanted = {smiles: of_molecule[name] for smiles, of_molecule in readings.items() if name in of_molecule}
        known = ledger.known(key, list(wanted))
        news = [smiles for smiles, reading in wanted.items() if not _is_kept(known.get(smiles), reading)]
        if news:
            intents = ledger.record_intents({key: news}, {key: f"{NAME} {name}"})
            ledger.record([_outcome(intent, wanted[intent.smiles]) for intent in intents])


def measured_results(campaign: Campaign, ledger: Ledger, smiles: Sequence[str]) -> dict[str, dict[str, Result]]:
    """Measured property -> molecule -> what is known of it: what was told last, else what stands in the user's file.

    Of stereoisomers that count as one molecule any has what is known of the one that the campaign began with.
    """
    given = campaign.known_values()
    by_identity = {identity(form, campaign.stereo): form for form in given}
    forms = {molecule: by_identity.get(identity(molecule, campaign.stereo), molecule) for molecule in smiles}
    results = {}
    for name in measured_properties(campaign):
        known = ledger.last_words(ledger_key(campaign.oracles[name], name), list(forms.values()))
        results[name] = {
            molecule: _told_result(known[forms[molecule]])
            if forms[molecule] in known
            else given[forms[molecule]][name].result()
            if name in given.get(forms[molecule], {})
            else NOT_MEASURED
            for molecule in smiles
        }
    return results


def _told_result(kept: LedgerResult) -> Result:
    mean = kept.value["mean"] if isinstance(kept.value, Mapping) else kept.value
    return Result(None if mean is None else float(mean), kept.status, kept.error)


def _outcome(intent: Intent, reading: Reading) -> Finished:
    status: RunStatus = "ok" if reading.values else "failed"
    return Finished(intent, status, _ledger_value(reading), reading.failure or None, 0.0, intent.attempt)


def _ledger_value(reading: Reading) -> StoredValue | None:
    """What the ledger gets: the mean, with the noise and number of the replicates where there are several."""
    if not reading.values:
        return None
    if reading.deviation is None:
        return reading.mean
    return {"mean": reading.mean, "sd": reading.deviation, "n": float(len(reading.values))}


def _is_kept(kept: LedgerResult | None, reading: Reading) -> bool:
    return kept is not None and (kept.value, kept.error or "") == (_ledger_value(reading), reading.failure)
