"""What only the campaign as a whole can tell: oracles and their parameters, molecules, and keys that contradict others.

Every check reads the file's plain data and looks only at what has the right shape, so that each says its say whatever
else is wrong with the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from designloop.loop.campaign.user_molecules import Given, GivenMolecule, bracket_hint, misread_text, read_given
from designloop.loop.config.problems import Finding, PathKey, Problem, did_you_mean, listed
from designloop.loop.config.yaml_file import Document
from designloop.molecules.chemistry import Mode, Stereo, parse
from designloop.oracles import Oracle, OracleError, ParameterError, load

DEFAULT_MODEL = "zinc250k"

PRETRAINED = Path(__file__).parent.parent.parent / "molecules" / "pretrained"
"""Where the shipped models lie. (`molecules.sequence_vae` knows too, but loads torch.)"""


@dataclass
class Parts:
    """What the file refers to, loaded, with all that is wrong with it."""

    oracles: dict[str, Oracle] = field(default_factory=dict)
    """Property name -> its oracle, in the order of the file."""
    starting: tuple[GivenMolecule, ...] = ()
    references: tuple[GivenMolecule, ...] = ()
    stereo: Stereo = "ignore"
    """As the file says; by default ``keep`` where an oracle sees stereo, else ``ignore``."""
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def load_parts(document: Document, data: Mapping[str, Any], folder: Path) -> Parts:
    """Everything that a campaign file refers to.

    Args:
        data: the file's data, with what it leaves out.
        folder: what its relative paths are relative to.
    """
    parts = Parts()
    findings: list[Finding] = []
    for path, item in _properties(data):
        findings += _load_oracle(document, path, item, folder, parts.oracles)
    findings += _misread_filters(document, data)
    findings += _files(data, folder)
    _decide_stereo(data, parts)
    standardize: Any = data.get("standardize")
    mode: Mode = standardize if standardize in get_args(Mode) else "parent"
    starting, references = (
        read_given(document, key, data.get(key), folder, mode, parts.stereo)
        for key in ("starting_molecules", "reference")
    )
    findings += _budget(data, starting)
    parts.starting, parts.references = tuple(starting.molecules), tuple(references.molecules)
    parts.warnings += [*starting.warnings, *references.warnings, *_one_round(data)]
    parts.problems = [*map(document.problem, findings), *starting.problems, *references.problems]
    return parts


def _properties(data: Mapping[str, Any]) -> Iterator[tuple[PathKey, Mapping[str, Any]]]:
    objective = data.get("objective")
    items = objective.get("properties") if isinstance(objective, Mapping) else None
    for index, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, Mapping):
            yield ("objective", "properties", index), item


def _load_oracle(
    document: Document, path: PathKey, item: Mapping[str, Any], folder: Path, oracles: dict[str, Oracle]
) -> list[Finding]:
    reference, params, output = item.get("oracle"), item.get("params") or {}, item.get("output")
    if not isinstance(reference, str) or not isinstance(params, Mapping):
        return []
    if misread := list(_misread_params(document, (*path, "params"), params)):
        return misread
    try:
        oracle = load(reference, params, folder)
    except ParameterError as error:
        return [
            Finding(
                (*path, "params", problem.parameter),
                problem.found if problem.parameter in params else "nothing",
                problem.expected,
                bracket_hint(document, (*path, "params", problem.parameter)) or problem.hint,
                at_key=problem.found == repr(problem.parameter),
            )
            for problem in error.problems
        ]
    except OracleError as error:
        return [Finding((*path, "oracle"), str(error))]
    if isinstance(item.get("name"), str):
        oracles[item["name"]] = oracle
    try:
        oracle.check_output(output if isinstance(output, str) else None)
    except OracleError as error:
        return [Finding((*path, "output"), str(error))]
    return []


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


def _misread_filters(document: Document, data: Mapping[str, Any]) -> Iterator[Finding]:
    filters = data.get("filters")
    for key in ("require_smarts", "forbid_smarts"):
        value = filters.get(key) if isinstance(filters, Mapping) else None
        items = [((), value)] if isinstance(value, str) else [((i,), item) for i, item in enumerate(value or ())]
        for part, text in items:
            finding = misread_text(document, ("filters", key, *part), text) if isinstance(text, str) else None
            if finding:
                yield finding


def _files(data: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
    """Files that must be there, and folders that must not be in each other's way."""
    filters = data.get("filters")
    exclude = filters.get("exclude") if isinstance(filters, Mapping) else None
    if isinstance(exclude, str) and not (folder / exclude).is_file():
        yield Finding(("filters", "exclude"), f"{exclude!r}, which is no file in {folder}", "a file of molecules")
    model = data.get("model", DEFAULT_MODEL)
    if isinstance(model, str) and not (_shipped_model(model) or (folder / model).is_file()):
        shipped = sorted({DEFAULT_MODEL, *(path.stem for path in PRETRAINED.glob("*.safetensors"))})
        expected = f"a shipped model ({listed(shipped)}) or a file that `designloop pretrain` wrote"
        yield Finding(("model",), repr(model), expected, did_you_mean(model, shipped))
    output = data.get("output")
    if isinstance(output, str) and folder.resolve().is_relative_to((folder / output).resolve()):
        found = f"{output!r}, which holds the campaign file"
        yield Finding(("output",), found, "a folder of the campaign's own: --fresh moves it aside as a whole")


def _shipped_model(name: str) -> bool:
    return name == DEFAULT_MODEL or (PRETRAINED / f"{name}.safetensors").is_file()


def _decide_stereo(data: Mapping[str, Any], parts: Parts) -> None:
    seeing = [name for name, oracle in parts.oracles.items() if oracle.sees_stereo]
    said = data.get("stereo")
    parts.stereo = cast(Stereo, said) if said in get_args(Stereo) else "keep" if seeing else "ignore"
    if said == "ignore" and seeing:
        parts.warnings.append(
            f"stereo: of stereoisomers only the first is scored, though the oracle of {listed(seeing)} tells them apart"
        )


def _whole(data: Mapping[str, Any], *path: str) -> int | None:
    """The whole number at a path; None if there is anything else."""
    value: Any = data
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _budget(data: Mapping[str, Any], starting: Given) -> Iterator[Finding]:
    calls = _whole(data, "budget", "oracle_calls")
    if calls is not None and len(starting.molecules) > calls >= 1:
        found = f"{len(starting.molecules):,} molecules"
        expected = f"no more than the {calls:,} of budget.oracle_calls, to which they are charged"
        yield Finding(("starting_molecules",), found, expected, "give fewer, or raise budget.oracle_calls")
    budget = data.get("budget")
    caps = budget.get("per_oracle") if isinstance(budget, Mapping) else None
    named = [item.get(key) for _, item in _properties(data) for key in ("name", "oracle")]
    known = list(dict.fromkeys(name for name in named if isinstance(name, str)))
    for key in caps if isinstance(caps, Mapping) else ():
        if key not in known:
            found, expected = f"the unknown oracle {key!r}", f"a property or its oracle: {listed(known)}"
            yield Finding(("budget", "per_oracle", key), found, expected, did_you_mean(key, known), at_key=True)


def _one_round(data: Mapping[str, Any]) -> Iterator[str]:
    batch, calls = _whole(data, "batch_size"), _whole(data, "budget", "oracle_calls")
    if batch is not None and calls is not None and batch >= calls:
        yield f"batch_size: all {calls:,} oracle calls fit into one round of {batch:,}, so that nothing is learned from"
