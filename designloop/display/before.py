"""What is printed before a campaign runs: its plan, molecules of the user's own, the bill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from designloop.display.tables import cell, grid, property_value, say
from designloop.loop.campaign.known_values import describe_readings
from designloop.loop.laboratory.readings import measured_properties
from designloop.loop.progress import duration
from designloop.words import counted

if TYPE_CHECKING:
    from designloop.loop.molecule_scores import OwnMolecule
    from designloop.loop.passing import FilterShare
    from designloop.loop.preflight import Estimate, Plan


def plan(planned: Plan) -> None:
    """Prints what ``validate`` found."""
    campaign = planned.campaign
    has_file = campaign.path.exists()  # one that was built of a mapping has none
    say(f"{campaign.name}: {campaign.path if has_file else campaign.folder}")
    calls = f"{counted(campaign.budget.oracle_calls, 'oracle call')}, {campaign.batch_size:,} a round"
    known = campaign.known_values()
    charged = len(campaign.starting()) - len(known)
    starting = f", {charged:,} of them for starting molecules" if charged else ""
    say(f"strategy {campaign.strategy.name}, {calls}{starting}, seed {campaign.seed}")
    if said := describe_readings(known, len(campaign.starting())):
        say(said)
    for warning in campaign.warnings:
        say(f"note: {warning}")
    say(f"\nObjective: {campaign.objective.aggregate} of")
    units = campaign.units
    grid(
        ("property", "oracle", "unit", "transform", "weight"),
        [
            (
                item.name,
                item.oracle,
                units.get(item.name, ""),
                f"{item.transform.type} {_setting(item.transform.model_dump(exclude_none=True, exclude={'type'}))}",
                item.weight,
            )
            for item in campaign.objective.properties
        ],
    )
    _filters(planned.filters, planned.own)
    if planned.in_model:
        say("\nThe model, and your own molecules")
    for line in planned.in_model:
        say(line)
    if planned.checks:
        say("\nOracles on molecules of yours, or on some that all know where you gave none")
        tried = list(dict.fromkeys(check.molecule for check in planned.checks))
        values = {
            (check.molecule, check.property): property_value(check.value, check.desirability)
            for check in planned.checks
        }
        properties = list(dict.fromkeys(check.property for check in planned.checks))
        grid(
            ("molecule", *properties),
            [(molecule, *(values[molecule, name] or "failed" for name in properties)) for molecule in tried],
        )
        for check in planned.checks:
            if check.error:
                say(f"{check.property} failed on {check.molecule}: {check.error}")
    measured = measured_properties(campaign)
    if measured:
        say(f"\nMeasured in a laboratory, so nothing is tried: {', '.join(measured)}")
    costly = [name for name, oracle in campaign.oracles.items() if oracle.costly and name not in measured]
    if costly:
        say(f"\nNot tried, as they declare themselves costly: {', '.join(costly)}; `run` first gives each one molecule")
    say()
    for remark in planned.remarks:
        say(f"remark: {remark}")
    for problem in planned.problems:
        say(f"problem: {problem}")
    verb, options = ("suggest", " --csv todo.csv") if measured else ("run", "")
    go_on = f"designloop {verb} {campaign.path}{options}" if has_file else f"designloop.{verb}(campaign)"
    say(f"Ready: {go_on}" if planned.ready else "Not ready: mend what is named above.")


def _filters(shares: Sequence[FilterShare], own: Sequence[str]) -> None:
    """Prints what each filter lets pass, and what they refuse of the user's own molecules."""
    say("\nFilters, and the share of molecules that passes each")
    has_own = any(share.own is not None for share in shares)
    rows = [
        (
            share.name,
            _setting(share.setting),
            f"{share.zinc:.1%}",
            f"{share.prior:.1%}",
            *([] if share.own is None else [f"{share.own:.1%}"]),
        )
        for share in shares
    ]
    grid(("filter", "setting", "of ZINC 250k", "of the model's draws", *(["of yours"] if has_own else [])), rows)
    for line in own:
        say(line)


def _setting(setting: object) -> str:
    if isinstance(setting, Mapping):
        return ", ".join(f"{name} {_setting(value)}" for name, value in setting.items())
    if isinstance(setting, float):
        return f"{setting:g}"
    if isinstance(setting, list | tuple):
        if len(setting) == 2 and setting[0] == setting[1]:  # a range of one value
            return _setting(setting[0])
        return "[" + ", ".join("…" if item is None else str(item) for item in setting) + "]"
    return cell(setting)


def scores(molecules: Sequence[OwnMolecule]) -> None:
    """Prints what ``score`` found, the best first."""
    if not molecules:
        return
    properties = list(molecules[0].scored.desirability)
    ranked = sorted(
        molecules, key=lambda molecule: -1.0 if molecule.scored.score is None else molecule.scored.score, reverse=True
    )
    grid(
        ("score", *properties, "name", "smiles", "remark"),
        [
            (
                molecule.scored.score,
                *(property_value(*_value_and_desirability(molecule, name)) for name in properties),
                molecule.name,
                molecule.scored.smiles,
                "; ".join(_remarks(molecule)),
            )
            for molecule in ranked
        ],
    )
    say("\nA property's value, and in brackets the desirability that its transform makes of it.")


def _value_and_desirability(molecule: OwnMolecule, name: str) -> tuple[float | None, float | None]:
    return molecule.scored.evaluation.results[name].value, molecule.scored.desirability[name]


def _remarks(molecule: OwnMolecule) -> list[str]:
    return [*([f"refused by {molecule.refused}"] if molecule.refused else []), *molecule.failures()]


def estimate(bill: Estimate) -> None:
    """Prints what ``run --dry-run`` found."""
    _filters(bill.filters, bill.own)
    say()
    say(f"{counted(bill.calls, 'oracle call is', 'oracle calls are')} left, in {counted(bill.rounds, 'round')}.")
    rows = [(name, "not known" if seconds is None else f"{seconds:.3g} s") for name, seconds in bill.seconds.items()]
    grid(("oracle of", "a molecule takes"), rows)
    total = bill.oracle_seconds
    if total is None:
        say("The time of a costly oracle is known once it has run: `designloop score` runs it on molecules of yours.")
    else:
        say(f"Scoring takes about {duration(total)} on {counted(bill.workers, 'worker')}.")
    if bill.own_seconds is None:
        say("What proposing and learning take on top is known once a round of this campaign has run.")
    else:
        say(f"Proposing and learning take about {duration(bill.own_seconds)} on top, as in the rounds so far.")
