"""What an oracle is: what one writes (a function or a class), and what the loop holds once it is loaded.

An oracle gives property values for molecules, and answers by molecule, never by position. A value is a float, or a
mapping of output name to float. A molecule without an answer has failed; a failure is never a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from designloop.oracles.answers import Answer, read_answers
from designloop.oracles.errors import OracleError
from designloop.oracles.own_files import digests
from designloop.words import meant_or_known

Value = float | Mapping[str, float]
"""What an oracle says of one molecule: a number, or a number for each of its outputs."""


class OracleFunction(Protocol):
    """An oracle as a function: molecules first, then its parameters by name.

    It may be called with any number of molecules, none included, in any order, in any process, and must give a molecule
    the same value whatever its neighbours are. It is never called by two threads at once. One declared stochastic
    gets a seed for each molecule as its second argument, and nothing else that is random may reach its values.
    """

    def __call__(self, smiles: Sequence[str], /, *args: Any, **params: Any) -> Mapping[str, Value]: ...


class OracleClass(Protocol):
    """An oracle as a class: made once a process with its parameters, so that a model is read once.

    ``score`` keeps the contract of :class:`OracleFunction`, without the parameters.
    """

    def score(self, smiles: Sequence[str], /, *seeds: Sequence[int]) -> Mapping[str, Value]: ...


@dataclass(frozen=True, eq=False)
class Oracle:
    """An oracle ready to score: found, its parameters checked, its fingerprint taken. Made by ``load``.

    It pickles as its recipe, which ``loading`` sees to. Two are equal when their fingerprints are.
    """

    name: str
    reference: str
    """As the campaign file names it: ``qed``, ``my_module:my_function`` or ``./my_oracle.py:score``."""
    params: Mapping[str, Any]
    """Every parameter as JSON, defaults filled in."""
    given_params: Mapping[str, Any] = field(repr=False)
    """Those of the parameters that the campaign gives; its own defaults an oracle has wherever it is."""
    version: str
    stochastic: bool
    costly: bool
    uses_rdkit: bool
    sees_stereo: bool
    files: tuple[str, ...]
    unit: str
    outputs: Mapping[str, str]
    """Output name -> unit; empty when a value is one number."""
    summary: str
    """First line of its docstring."""
    fingerprint: str
    """64 hex digits: the same for two oracles exactly when their results are interchangeable."""
    file_bytes: Mapping[str, bytes] = field(repr=False)
    """What must travel with the recipe: the user's own file, its declared files, and files that parameters name."""
    file_modes: Mapping[str, int] = field(repr=False)
    """Permission bits of each of these files."""
    located: Mapping[str, Mapping[str, str]] = field(repr=False)
    """Parameter -> relative path in it -> the file that it names; see :mod:`oracles.located`."""
    env: Mapping[str, str | None] = field(repr=False)
    """Environment variable that it declares -> value, None for one that is not set; in no file of results."""
    rdkit: str | None = field(repr=False)
    """RDKit's version where ``uses_rdkit``."""
    make: Callable[[], Callable[..., Any]] = field(repr=False)
    """Builds the function that scores; a class is constructed here, when first needed and never before."""

    @property
    def is_built_in(self) -> bool:
        """Whether it is one of ours, named by a word alone."""
        return ":" not in self.reference

    @cached_property
    def _scores(self) -> Callable[..., Any]:
        return self.make()

    def prepare(self) -> None:
        """Construct a class now, rather than in the time of the first molecules."""
        _ = self._scores

    def score(self, smiles: Sequence[str], seeds: Sequence[int] | None = None) -> Any:
        """What the oracle answered, unread: only :func:`designloop.oracles.read_answers` knows what of it counts.

        Args:
            smiles: (n,) molecules in standard form.
            seeds: (n,) one for each; needed by a stochastic oracle, not passed on to another.

        Raises:
            OracleError: A stochastic oracle without a seed for each molecule. Whatever the oracle itself raises.
        """
        if not self.stochastic:
            return self._scores(list(smiles))
        if seeds is None or len(seeds) != len(smiles):
            count = "none" if seeds is None else str(len(seeds))
            raise OracleError(
                f"oracle {self.name!r} is stochastic and got {count} of {len(smiles)} seeds; give one a molecule"
            )
        return self._scores(list(smiles), list(seeds))

    def answers(
        self, smiles: Sequence[str], seeds: Sequence[int] | None = None, output: str | None = None
    ) -> dict[str, Answer]:
        """Each molecule's answer: :meth:`score`, read by :func:`designloop.oracles.read_answers`."""
        return read_answers(smiles, self.score(smiles, seeds), output)

    def unit_of(self, output: str | None) -> str:
        """The unit of what a property picks, empty where none is declared."""
        return self.unit if output is None else self.outputs.get(output, "")

    def check_output(self, output: str | None) -> None:
        """Nothing, if a property may pick this output; an oracle that declares no outputs may still have some.

        Raises:
            OracleError: Outputs are declared, and this is none of them.
        """
        if not self.outputs or output in self.outputs:
            return
        names = ", ".join(self.outputs)
        if output is None:
            raise OracleError(f"oracle {self.name!r} has several outputs ({names}); name one of them by 'output'")
        raise OracleError(f"oracle {self.name!r} has no output {output!r}; {meant_or_known(output, self.outputs)}")

    def recipe(self) -> dict[str, Any]:
        """JSON that ``designloop.oracles.load_recipe`` turns back into this oracle elsewhere, given ``file_bytes``."""
        return {
            "reference": self.reference,
            "params": dict(self.given_params),
            "fingerprint": self.fingerprint,
            "rdkit": self.rdkit,
            "env": dict(self.env),
            "files": digests(self.file_bytes),
            "modes": dict(self.file_modes),
            "located": {key: dict(texts) for key, texts in self.located.items()},
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Oracle) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)
