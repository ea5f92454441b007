"""The door between a peer and a task's oracle: it counts each distinct molecule once, and keeps what was paid for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from designloop.benchmarks.common.pmo_measures import Paid
from designloop.benchmarks.common.records import RecordError
from designloop.benchmarks.pmo.tasks import oracle_of
from designloop.molecules.chemistry import canonical


class BudgetSpent(Exception):
    """All calls are charged."""


class Door:
    """A task's oracle behind a counter.

    Invalid strings and molecules that were paid for before are free. Each call is a line of a file, so that a search
    that was interrupted need not ask the oracle again: what the file knows is charged when it is asked for, but not
    computed.
    """

    def __init__(self, task: str, budget: int, file: Path) -> None:
        """Open a door.

        Args:
            task: its name.
            budget: distinct molecules that may be paid for.
            file: of JSON lines; one that is there is gone on with.
        """
        self.budget = budget
        self.paid: dict[str, float] = {}
        """Canonical SMILES -> score, in the order in which they were charged."""
        self.oracle_seconds = 0.0
        """Spent in the oracle by this process."""
        self._oracle = oracle_of(task)
        self._file = file
        lines = _read_lines(file)
        self._known = {str(line["smiles"]): float(line["score"]) for line in lines}
        self._seconds_before = float(lines[-1]["seconds"]) if lines else 0.0
        self._opened = perf_counter()

    @property
    def left(self) -> int:
        """Calls that are left."""
        return self.budget - len(self.paid)

    @property
    def seconds(self) -> float:
        """Since the search began, without the time between an interruption and the next start."""
        return self._seconds_before + perf_counter() - self._opened

    @property
    def calls(self) -> list[Paid]:
        """What was charged, in turn."""
        return list(self.paid.items())

    def take_up(self) -> None:
        """Charges at once all that the file knows, in its order: for a search whose state is what it has paid for."""
        self.paid = dict(list(self._known.items())[: self.budget])

    def __call__(self, smiles: Sequence[str]) -> list[float | None]:
        """The score of each molecule; None where a string is no molecule.

        Raises:
            BudgetSpent: there are more new molecules than calls; as many as there are calls were charged.
        """
        forms = [canonical(text) for text in smiles]
        new = [form for form in dict.fromkeys(forms) if form is not None and form not in self.paid]
        affordable = new[: self.left]
        self.paid.update(self._scores(affordable))
        if len(affordable) < len(new):
            raise BudgetSpent
        return [None if form is None else self.paid[form] for form in forms]

    def _scores(self, smiles: Sequence[str]) -> dict[str, float]:
        """Score of each molecule, of the file or computed now and written there; what has no answer scores 0 (PMO)."""
        unknown = [molecule for molecule in smiles if molecule not in self._known]
        if unknown:
            began = perf_counter()
            answers: Mapping[str, float] = self._oracle(unknown)
            self.oracle_seconds += perf_counter() - began
            computed = {molecule: float(answers.get(molecule, 0.0)) for molecule in unknown}
            seconds = round(self.seconds, 3)
            with self._file.open("a", encoding="utf-8") as file:
                for molecule, score in computed.items():
                    file.write(json.dumps({"smiles": molecule, "score": score, "seconds": seconds}) + "\n")
            self._known.update(computed)
        return {molecule: self._known[molecule] for molecule in smiles}


def _read_lines(file: Path) -> list[dict[str, Any]]:
    """The lines of a file of calls; a last one that was cut off by a kill is taken away from the file.

    Raises:
        RecordError: another line is none.
    """
    if not file.is_file():
        return []
    text = file.read_text(encoding="utf-8")
    whole, _, rest = text.rpartition("\n")
    if rest:
        file.write_text(f"{whole}\n" if whole else "", encoding="utf-8")
    lines = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            lines.append(json.loads(line))
        except ValueError as error:
            raise RecordError(
                f"{file}, line {number}: found {line[:60]!r}, expected a call as JSON; delete the file to begin anew"
            ) from error
    return lines
