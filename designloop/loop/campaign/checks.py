"""What only the campaign as a whole can tell: oracles and their parameters, molecules, and keys that contradict others.

Every check reads the file as a `Draft`, in which what is not as declared is None, so that each says its say whatever
else is wrong with the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from designloop.loop.campaign.draft import (
    BudgetDraft,
    Draft,
    ExcludeDraft,
    FiltersDraft,
    PropertyDraft,
    StartingDraft,
    Texts,
)
from designloop.loop.campaign.known_values import ValueColumns
from designloop.loop.campaign.user_molecules import (
    UserMolecule,
    UserMolecules,
    bracket_hint,
    by_place,
    misread_text,
    read_user_molecules,
)
from designloop.loop.config.problems import Finding, PathKey, Problem
from designloop.loop.config.yaml_file import Document
from designloop.loop.screening.excluded import read_excluded
from designloop.molecules.chemistry import Mode, MoleculeError, Stereo, parse
from designloop.molecules.reading import left_out
from designloop.molecules.shipped import shipped_models
from designloop.molecules.smarts import kekule_hint
from designloop.oracles import Oracle, OracleError, ParameterError, load
from designloop.oracles.first_import import shared_processes
from designloop.oracles.measured import NAME as MEASURED
from designloop.oracles.measured import is_measured
from designloop.paths import exists, is_file, is_folder, real
from designloop.words import counted, did_you_mean, listed


@dataclass
class Parts:
    """What the file refers to, loaded, with all that is wrong with it."""

    oracles: dict[str, Oracle] = field(default_factory=dict)
    """Property name -> its oracle, in the order of the file."""
    price_oracle: Oracle | None = None
    """What computes prices."""
    starting: tuple[UserMolecule, ...] = ()
    references: tuple[UserMolecule, ...] = ()
    stereo: Stereo = "ignore"
    """As the file says; by default ``keep`` where an oracle sees stereo, else ``ignore``."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def load_parts(document: Document, data: Mapping[str, Any], folder: Path) -> Parts:
    """Reads everything that a campaign file refers to.

    Args:
        document: the file, for the places of what is found.
        data: the file's data, with what it leaves out.
        folder: what its relative paths are relative to.
    """
    draft = Draft.model_validate(data)
    parts = Parts()
    findings: list[Finding] = []
    with shared_processes():
        for place, item in draft.properties:
            findings += _load_oracle(document, ("objective", "properties", place), item, folder, parts.oracles)
        findings += _prices(document, draft, folder, parts)
    findings += _misread_filters(document, draft.filters)
    findings += _files(draft, folder)
    _decide_stereo(draft, parts)
    start_key, given, skip_bad = _starting(draft)
    values, of_values = _value_columns(draft)
    findings += of_values
    mode = draft.standardize or "parent"
    starting = read_user_molecules(document, start_key, given, folder, mode, parts.stereo, skip_bad, values=values)
    references = read_user_molecules(document, ("reference",), draft.reference, folder, mode, parts.stereo)
    findings += _budget(draft, starting)
    parts.starting, parts.references = tuple(starting.molecules), tuple(references.molecules)
    parts.warnings += [*starting.warnings, *references.warnings, *_one_round(draft), *_drawn_rings(draft)]
    parts.warnings += _left_out_of_excluded(draft, folder, mode, parts.stereo)
    parts.problems = [*map(document.problem, findings), *starting.problems, *references.problems]
    return parts


def _starting(draft: Draft) -> tuple[PathKey, Texts | None, bool]:
    """Where the starting molecules stand, what stands there, and whether what cannot be read is left out."""
    key, value = "starting_molecules", draft.starting_molecules
    if not isinstance(value, StartingDraft):
        return (key,), value, False
    skip_bad = bool(value.skip_bad)
    return (
        ((key, "file"), value.file, skip_bad) if value.file is not None else ((key, "smiles"), value.smiles, skip_bad)
    )


def _value_columns(draft: Draft) -> tuple[ValueColumns | None, list[Finding]]:
    """Where measured values of starting molecules stand, and what is wrong with the properties that are named."""
    value = draft.starting_molecules
    if not isinstance(value, StartingDraft) or not value.values or value.file is None:
        return None, []
    known = [item.name for _, item in draft.properties if item.name is not None]
    findings = [
        Finding(
            ("starting_molecules", "values", name),
            f"{name!r}, which is no property of the objective",
            f"a property: {listed(known)}",
            did_you_mean(name, known),
            at_key=True,
        )
        for name in value.values
        if name not in known
    ]
    columns = {name: column for name, column in value.values.items() if name in known and column is not None}
    return ValueColumns(columns, value.censored == "failed"), findings


def _load_oracle(
    document: Document, path: PathKey, item: PropertyDraft, folder: Path, oracles: dict[str, Oracle]
) -> list[Finding]:
    if item.oracle is None or item.params is None:
        return []
    if misread := list(_misread_params(document, (*path, "params"), item.params)):
        return misread
    try:
        oracle = load(item.oracle, item.params, folder)
    except ParameterError as error:
        return [
            Finding(
                (*path, "params", problem.parameter),
                problem.actual if problem.parameter in item.params else "nothing",
                problem.expected,
                bracket_hint(document, (*path, "params", problem.parameter)) or problem.hint,
                at_key=problem.actual == repr(problem.parameter),
            )
            for problem in error.problems
        ]
    except OracleError as error:
        return [Finding((*path, "oracle"), str(error))]
    if item.name is not None:
        oracles[item.name] = oracle
    try:
        oracle.check_output(item.output)
    except OracleError as error:
        return [Finding((*path, "output"), str(error))]
    return []


def _prices(document: Document, draft: Draft, folder: Path, parts: Parts) -> Iterator[Finding]:
    """What is wrong with where prices come from; loads their oracle."""
    prices = draft.prices
    if prices is None:
        return
    if prices.file is not None and not is_file(folder / prices.file):
        yield Finding(("prices", "file"), f"{prices.file!r}, which is no file in {folder}", "a table of prices")
    if prices.oracle == MEASURED:
        yield Finding(("prices", "oracle"), f"{MEASURED!r}", "an oracle that a machine can run, or a file of prices")
    elif prices.oracle is not None:
        item = PropertyDraft(name="price", oracle=prices.oracle, params=prices.params, output=prices.output)
        loaded: dict[str, Oracle] = {}
        yield from _load_oracle(document, ("prices",), item, folder, loaded)
        parts.price_oracle = loaded.get("price")
    if any(item.name is not None and item.name.lower() == "price" for _, item in draft.properties):
        actual = "a property of that name in the objective"
        yield Finding(("prices",), actual, "the name price for prices alone: call the property something else")
    if parts.oracles and not any(map(is_measured, parts.oracles.values())):
        parts.warnings.append("prices: only `designloop suggest` heeds them, and no property is `oracle: measured`")


def _misread_params(document: Document, path: PathKey, value: Any) -> Iterator[Finding]:
    """Parameters that may be molecules or patterns, and were not read as meant (``ecfp4 # why`` is no molecule)."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _misread_params(document, (*path, key), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _misread_params(document, (*path, index), inner)
    elif isinstance(value, str) and ("smarts" in path or not value.isprintable() or parse(value) is not None):
        finding = misread_text(document, path, value)
        if finding:
            yield finding


def _misread_filters(document: Document, filters: FiltersDraft | None) -> Iterator[Finding]:
    for key, value in filters.smarts if filters else ():
        for part, text in by_place(value):
            finding = misread_text(document, ("filters", key, *part), text)
            if finding:
                yield finding


def _drawn_rings(draft: Draft) -> Iterator[str]:
    """A sentence on each SMARTS, of a filter or an oracle, that was meant for an aromatic ring and matches none."""
    for key, value in draft.filters.smarts if draft.filters else ():
        for _, text in by_place(value):
            if hint := kekule_hint(text):
                yield f"filters.{key}: {hint}"
    for place, item in draft.properties:
        for text in _smarts_of((), item.params):
            if hint := kekule_hint(text):
                yield f"objective.properties[{item.name or place}].params: {hint}"


def _smarts_of(path: PathKey, value: Any) -> Iterator[str]:
    """The texts of an oracle's parameters that stand under a key `smarts`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _smarts_of((*path, key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _smarts_of(path, inner)
    elif isinstance(value, str) and "smarts" in path:
        yield value


def _files(draft: Draft, folder: Path) -> Iterator[Finding]:
    """Files that must be there, and folders that must not be in each other's way."""
    place, exclude, _ = _excluded(draft)
    if exclude is not None and not is_file(folder / exclude):
        yield Finding(place, f"{exclude!r}, which is no file in {folder}", "a file of molecules")
    if draft.model is not None and draft.model not in shipped_models() and not is_file(folder / draft.model):
        shipped = shipped_models()
        expected = f"a shipped model ({listed(shipped)}) or a file that `designloop pretrain` wrote"
        yield Finding(("model",), repr(draft.model), expected, did_you_mean(draft.model, shipped))
    for key, path in (("output", draft.output), ("ledger", draft.ledger)):
        if path is not None and (why := _why_no_place(folder / path)):
            yield Finding((key,), f"{path!r}, which {why}", "a path")
            return
    if draft.ledger is not None and is_folder(folder / draft.ledger):
        yield Finding(("ledger",), f"{draft.ledger!r}, which is a folder", "the file of the ledger")
    output, ledger = draft.output or draft.name or "", draft.ledger or f"{draft.name}.ledger.sqlite"
    results = real(folder / output)
    if real(folder).is_relative_to(results):
        if draft.output is not None:  # else what is wrong is the name, which is told
            actual = f"{draft.output!r}, which holds the campaign file"
            yield Finding(("output",), actual, "a folder of the campaign's own: --fresh moves it aside as a whole")
    # One that was begun so goes on; then only --fresh is refused.
    elif real(folder / ledger).is_relative_to(results) and not exists(results / "campaign.json"):
        key, value = ("output", output) if draft.ledger is None else ("ledger", ledger)
        actual = f"{value!r}, by which the ledger lies in the folder of results"
        expected = "a place outside it: --fresh moves it aside as a whole, and all would be paid for again"
        hint = "" if draft.ledger is None else "leave it out, and the ledger lies beside the campaign file"
        yield Finding((key,), actual, expected, hint)


def _why_no_place(path: Path) -> str:
    """Why a path cannot be that of any file or folder; empty if it can."""
    try:
        path.resolve()
    except ValueError:
        return "holds a zero byte"
    except (OSError, RuntimeError):
        return "goes in a circle of links"
    return ""


def _excluded(draft: Draft) -> tuple[PathKey, str | None, bool]:
    """Where the file of `exclude` stands, what stands there, and whether what cannot be read is left out."""
    value = draft.filters.exclude if draft.filters else None
    if isinstance(value, ExcludeDraft):
        return ("filters", "exclude", "file"), value.file, bool(value.skip_bad)
    return ("filters", "exclude"), value, False


def _left_out_of_excluded(draft: Draft, folder: Path, standardize: Mode, stereo: Stereo) -> Iterator[str]:
    """A sentence on the lines of the file of `exclude` that are left out, where that is asked for."""
    _, path, skip_bad = _excluded(draft)
    if path is None or not skip_bad or not is_file(folder / path):
        return
    try:
        problems = read_excluded(folder / path, standardize, stereo).problems
    except MoleculeError:  # it holds no molecule, which whoever asks the filter is told
        return
    if problems:
        yield left_out(
            "filters.exclude", [(problem.line, f"{problem.text!r}, {problem.reason}") for problem in problems]
        )


def _decide_stereo(draft: Draft, parts: Parts) -> None:
    seeing = [name for name, oracle in parts.oracles.items() if oracle.sees_stereo]
    parts.stereo = draft.stereo or ("keep" if seeing else "ignore")
    if draft.stereo == "ignore" and seeing:
        parts.warnings.append(
            f"stereo: of stereoisomers only the first is scored, though the oracle of {listed(seeing)} tells them apart"
        )


def _budget(draft: Draft, starting: UserMolecules) -> Iterator[Finding]:
    budget = draft.budget or BudgetDraft()
    charged = sum(not molecule.known for molecule in starting.molecules)
    if budget.oracle_calls is not None and charged > budget.oracle_calls:
        actual = counted(charged, "molecule")
        expected = f"no more than the {budget.oracle_calls:,} of budget.oracle_calls, to which they are charged"
        yield Finding(("starting_molecules",), actual, expected, "give fewer, or raise budget.oracle_calls")
    names = [name for _, item in draft.properties for name in (item.name, item.oracle) if name is not None]
    known = list(dict.fromkeys(names))
    for key, most in (budget.per_oracle or {}).items():
        if key not in known:
            actual, expected = f"the unknown oracle {key!r}", f"a property or its oracle: {listed(known)}"
            yield Finding(("budget", "per_oracle", key), actual, expected, did_you_mean(key, known), at_key=True)
            continue
        properties = [item.name for _, item in draft.properties if key in (item.name, item.oracle)]
        asked = max(sum(name not in molecule.known for molecule in starting.molecules) for name in properties)
        if isinstance(most, int) and asked > most:
            actual = f"{counted(asked, 'molecule')} of which {key!r} is asked"
            expected = f"no more than the {counted(most, 'call')} that budget.per_oracle gives it"
            hint = "give fewer, their values (`values:`), or more calls"
            yield Finding(("starting_molecules",), actual, expected, hint)


def _one_round(draft: Draft) -> Iterator[str]:
    batch, calls = draft.batch_size, draft.budget.oracle_calls if draft.budget else None
    if batch is not None and calls is not None and batch >= calls:
        yield f"batch_size: all {calls:,} oracle calls fit into one round of {batch:,}, so that nothing is learned from"
