"""The one door for what oracles answer: read by molecule, checked, and a failure never taken for a number."""

from __future__ import annotations

import logging
import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from designloop.oracles.errors import OracleError
from designloop.words import meant_or_known

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an oracle said of one molecule: a value, or why there is none."""

    value: float | Mapping[str, float] | None
    """A finite number, or the finite numbers among its outputs; None when there is nothing that counts."""
    error: str | None = None
    """One line for a person; None where ``value`` is there."""
    failed_outputs: Mapping[str, str] = field(default_factory=dict)
    """Output name -> why it has no value."""

    def pick(self, output: str | None) -> Answer:
        """The answer as one number: the named output, or the only value when ``output`` is None."""
        if output is not None and output in self.failed_outputs:
            return Answer(None, f"output {output!r}: {self.failed_outputs[output]}")
        if isinstance(self.value, Mapping):
            names = ", ".join(self.value)
            if output is None:
                return Answer(None, f"answered several outputs ({names}); name one of them by 'output'")
            if output not in self.value:
                return Answer(None, f"answered no output {output!r}; {meant_or_known(output, self.value)}")
            return Answer(self.value[output])
        if self.value is not None and output is not None:
            return Answer(None, f"answered one number where output {output!r} was asked; leave 'output' out")
        return self


def read_answers(smiles: Sequence[str], answer: object, output: str | None = None) -> dict[str, Answer]:
    """Molecule -> its answer, one for each molecule asked, in the order asked.

    A number is anything that ``float`` takes as one: Python's, NumPy's and torch's scalars. A bool is a yes or no, so
    1 or 0. None, NaN, infinities, texts and molecules without an answer are failures; a text is shown, so that an
    oracle may say why. Answers to molecules that were not asked are dropped, and named.

    Args:
        smiles: (n,) the molecules that were asked.
        answer: What the oracle returned.
        output: Of a value that maps output names to numbers, the one to pick. None leaves such a value whole, to be
            picked from by :meth:`Answer.pick`.

    Raises:
        OracleError: The answer is no mapping, so nothing says which value belongs to which molecule.
    """
    if not isinstance(answer, Mapping):
        raise OracleError(_not_a_mapping(answer))
    missing = "no answer for this molecule"
    if others := describe_unasked(smiles, answer):
        missing = f"no answer for this molecule, but one for {others}; use the SMILES as they were given for keys"
        _log.warning("an oracle answered for %s; the answer is dropped", others)
    read = {
        molecule: _read_value(answer[molecule]) if molecule in answer else Answer(None, missing) for molecule in smiles
    }
    return read if output is None else {molecule: answer.pick(output) for molecule, answer in read.items()}


def describe_unasked(smiles: Sequence[str], answer: object) -> str:
    """``'OCC', which was not asked (and 1 more)``: the answers to molecules not asked; empty where there are none."""
    asked = set(smiles)
    others = [key for key in answer if key not in asked] if isinstance(answer, Mapping) else []
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    return f"{_short(others[0])}, which was not asked{more}" if others else ""


def _read_value(value: object) -> Answer:
    if not isinstance(value, Mapping):
        number = _read_number(value)
        return Answer(number) if isinstance(number, float) else Answer(None, number)
    numbers = {str(name): _read_number(item) for name, item in value.items()}
    good = {name: number for name, number in numbers.items() if isinstance(number, float)}
    failed = {name: why for name, why in numbers.items() if isinstance(why, str)}
    if good:
        return Answer(good, None, failed)
    whys = "; ".join(f"output {name!r}: {why}" for name, why in failed.items())
    return Answer(None, whys or "answered a mapping with no outputs", failed)


def _read_number(value: object) -> float | str:
    """The value as a finite float, or why it is none."""
    if value is None:
        return "answered None"
    if isinstance(value, str | bytes):
        return f"answered {_short(value)}, expected a number"
    if getattr(value, "ndim", 0) != 0:  # an array of one is a batch of one that was not taken apart
        return f"answered an array of shape {getattr(value, 'shape', '?')}, expected one number"
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return f"answered {_short(value)} ({type(value).__name__}), expected a number"
    # Minus zero becomes zero, as in SQLite: a ledger and the oracle itself must not differ in a bit.
    return number + 0.0 if math.isfinite(number) else f"answered {number}, expected a finite number"


def _not_a_mapping(answer: object) -> str:
    if answer is None:
        return "the oracle returned None; return a mapping of molecule to value"
    kind = type(answer).__name__
    if isinstance(answer, int | float | str):
        return (
            f"the oracle returned {_short(answer)} ({kind}); return a mapping of molecule to value, or, where the "
            "function takes one SMILES, declare @oracle(each=True)"
        )
    article = "an" if kind[0] in "AEIOUaeiou" or kind == "ndarray" else "a"
    return (
        f"the oracle returned {article} {kind}, so nothing says which value belongs to which molecule; "
        "return a mapping instead: dict(zip(smiles, values))"
    )


def _short(value: object) -> str:
    """The value's repr, on one line and of bounded length."""
    brief = reprlib.Repr()
    brief.maxstring = brief.maxother = 80
    return " ".join(brief.repr(value).split())
