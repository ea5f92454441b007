"""Molecules of the user's own, scored outside any budget: what a campaign thinks of them before it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.laboratory.readings import measured_results, without_measured
from designloop.loop.passing import filters_of, refusals
from designloop.loop.preflight import checking_evaluator
from designloop.molecules.chemistry import Mode, parse, require, standard_form
from designloop.molecules.errors import MoleculeError
from designloop.molecules.reading import LineProblem, bad_lines, read_molecules
from designloop.paths import is_file
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.tables.file_columns import SCORED_FILE, name_beside
from designloop.tables.ledger import Ledger
from designloop.tables.schema import DESIRABILITY

_AS_GIVEN = "molecule"
"""What stands for the file where molecules are given as such: ``molecule:2`` is the second of them."""


@dataclass(frozen=True, slots=True)
class WrittenMolecule:
    """A molecule as the user gives it, and what the user says of it."""

    text: str
    line: int
    """In its file, from 1; its place where molecules are given as such."""
    name: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Header -> value of the other columns of its file."""


@dataclass(frozen=True, slots=True)
class OwnMolecule:
    """A molecule of the user's own, scored."""

    name: str
    written: str
    """As the user wrote it."""
    scored: Scored
    refused: str | None
    """The filters that would refuse it, each with what it found; None where all let it pass."""
    line: int = 0
    """In its file, from 1; its place where molecules are given as such."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Header -> value of the other columns of its file."""

    def failures(self) -> list[str]:
        """Says of each property without a value why it has none."""
        results = self.scored.evaluation.results
        return [f"{name} {result.status}: {result.error}" for name, result in results.items() if result.status != "ok"]


def score_own(campaign: Campaign, ledger: Ledger, molecules: Sequence[WrittenMolecule]) -> list[OwnMolecule]:
    """Returns the molecules in the order given, scored by the campaign's oracles and looked at by its filters.

    Raises:
        MoleculeError: one of them is no molecule.
    """
    forms = [standard_form(molecule.text, campaign.standardize) for molecule in molecules]
    filters = filters_of(campaign)

    def refusal(form: str) -> str | None:
        return "; ".join(f"{name}: {why}" for name, why in refusals(filters, form).items()) or None

    return [
        OwnMolecule(written.name, written.text, scored, refusal(form), written.line, written.columns)
        for written, scored, form in zip(molecules, score_checks(campaign, ledger, forms), forms, strict=True)
    ]


def score_checks(campaign: Campaign, ledger: Ledger, smiles: Sequence[str]) -> list[Scored]:
    """The molecules scored outside budget and table, costly oracles included.

    A property that is measured in a laboratory has the value that is known of the molecule, or none.
    """
    if not smiles:
        return []
    results: dict[str, dict[str, Result]] = {molecule: {} for molecule in smiles}
    if (computed := without_measured(campaign)) is not None:
        with checking_evaluator(computed, ledger) as evaluator:
            for evaluation in evaluator.checks(smiles):
                results[evaluation.candidate.smiles].update(evaluation.results)
    for name, of_molecules in measured_results(campaign, ledger, smiles).items():
        for molecule, result in of_molecules.items():
            results[molecule][name] = result
    names = [item.name for item in campaign.objective.properties]
    return campaign.objective(
        [
            Evaluation(Candidate(molecule, "check"), {name: results[molecule][name] for name in names})
            for molecule in smiles
        ]
    )


def read_own(
    molecules: Path | str | Sequence[str], standardize: Mode | None = None, *, skip_bad: bool = False
) -> tuple[list[WrittenMolecule], list[str]]:
    """Reads a file of molecules, or SMILES as such; returns the molecules, and a sentence on each that was left out.

    Args:
        molecules: the path of a file, or SMILES.
        standardize: the standard form that each must have; None where one that RDKit can read is enough.
        skip_bad: leave out what is no molecule.
    Raises:
        MoleculeError: no such file, no molecule in it, or molecules that cannot be used; each is named with its line.
    """
    if isinstance(molecules, str | Path):
        if isinstance(molecules, str) and not is_file(Path(molecules)) and parse(molecules) is not None:
            raise MoleculeError(f"{molecules!r} is a molecule, expected a file or a list; write [{molecules!r}]")
        where = str(molecules)
        written, problems = _of_file(molecules)
    else:
        where = _AS_GIVEN
        written = [WrittenMolecule(text, place) for place, text in enumerate(molecules, 1)]
        problems = []
    usable = []
    for molecule in written:
        try:
            _check(molecule.text, standardize)
            usable.append(molecule)
        except MoleculeError as error:
            problems.append(LineProblem(molecule.line, molecule.text, str(error)))
    problems.sort(key=lambda problem: problem.line)
    if problems and not (skip_bad and usable):
        raise bad_lines(where, problems, "mend them, delete them, or skip bad ones (--skip-bad)")
    return usable, [problem.sentence(where) for problem in problems]


def score_rows(molecules: Sequence[OwnMolecule]) -> tuple[list[str], list[dict[str, object]]]:
    """Returns the columns of a file of scored molecules, and a row for each: ``tables.file_columns.SCORED_FILE``."""
    fixed = [column.name for column in SCORED_FILE]
    properties = name_beside(molecules[0].scored.desirability if molecules else (), fixed)
    taken = fixed + [column for name in properties.values() for column in (name, name + DESIRABILITY)]
    users = name_beside(dict.fromkeys(header for molecule in molecules for header in molecule.columns), taken)
    rows = []
    for molecule in molecules:
        results = molecule.scored.evaluation.results
        row: dict[str, object] = {
            "smiles": molecule.scored.smiles,
            "written": molecule.written,
            "name": molecule.name,
            "line": molecule.line,
            "score": molecule.scored.score,
            "refused": molecule.refused,
            "error": "; ".join(molecule.failures()) or None,
        }
        for name, column in properties.items():
            row |= {column: results[name].value, column + DESIRABILITY: molecule.scored.desirability[name]}
        rows.append(row | {users[header]: value for header, value in molecule.columns.items()})
    return [*taken, *users.values()], rows


def _of_file(path: Path | str) -> tuple[list[WrittenMolecule], list[LineProblem]]:
    """The molecules of a file with their columns, and the lines that hold none."""
    read = read_molecules(path, columns=True)
    written = [
        WrittenMolecule(text, line, name, {header: values[row] for header, values in read.columns.items()})
        for row, (text, line, name) in enumerate(zip(read.smiles, read.lines, read.names, strict=True))
    ]
    return written, list(read.problems)


def _check(text: str, standardize: Mode | None) -> None:
    """Returns if the text is a molecule that can be used, and raises a MoleculeError otherwise."""
    if standardize is None:
        require(text)
    else:
        standard_form(text, standardize)
