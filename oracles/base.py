"""What an oracle is, and what one declares about itself.

An oracle gives property values for molecules, and answers by molecule, never by position:

    @oracle(version="2", unit="kcal/mol", files=["model.pkl"])
    def affinity(smiles: Sequence[str], temperature: float = 298.0) -> dict[str, float]:
        return {molecule: ... for molecule in smiles}

A value is a float, or a mapping of output name to float. A molecule without an answer has failed; a failure is never a
number. This module loads neither RDKit nor pydantic: a user's own file imports ``oracle`` at no cost.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from oracles.answers import Answer

Value = float | Mapping[str, float]
"""What an oracle says of one molecule: a number, or a number for each of its outputs."""

Target = TypeVar("Target", bound=Callable[..., Any])


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A hint that names the known word nearest to a misspelt one, else all of them."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known are {', '.join(sorted(known))}" if known else "there are none"


class OracleError(ValueError):
    """An oracle cannot be found, loaded or understood. The message ends in what to do next."""


@dataclass(frozen=True, slots=True)
class ParameterProblem:
    """One thing wrong with one parameter of an oracle."""

    parameter: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"parameter {self.parameter!r}: found {self.found}, expected {self.expected}{hint}"


class ParameterError(OracleError):
    """The parameters given to an oracle are not the ones that it takes; ``problems`` has all of them."""

    def __init__(self, oracle_name: str, problems: Sequence[ParameterProblem]) -> None:
        super().__init__(f"oracle {oracle_name!r}: " + "\n".join(map(str, problems)))
        self.oracle_name = oracle_name
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[Any, ...]:  # BaseException pickles its message alone, which is not what made it
        return type(self), (self.oracle_name, self.problems)


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

    def prepare(self) -> None:
        """Construct a class now, rather than in the time of the first molecules."""
        _ = self._scores

    def score(self, smiles: Sequence[str], /, *seeds: Sequence[int]) -> Mapping[str, Value]: ...


@dataclass(frozen=True)
class Declaration:
    """What an oracle says about itself; the defaults are those of a plain function."""

    name: str = ""
    """Empty for the name of the function or class."""
    version: str = "1"
    """Raise it whenever values change: old results in a ledger are then not taken for new ones."""
    stochastic: bool = False
    """Called ``score(smiles, seeds)``, a seed a molecule."""
    costly: bool = False
    """Sent to workers one molecule at a time, and never run merely to check a set-up."""
    uses_rdkit: bool = False
    """Its values may change with RDKit's release, which then is part of its fingerprint."""
    sees_stereo: bool | str = False
    """Stereoisomers may differ in value; or the name of the boolean parameter on which that depends."""
    files: tuple[str, ...] = ()
    """Files that it reads or imports, or folders of them, relative to its own; they travel with it."""
    unit: str = ""
    """Unit of its value; empty for a pure number."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Name of each output -> its unit; empty when a value is one number."""
    example: Mapping[str, Any] = field(default_factory=dict)
    """What a campaign file might say of it: its ``params``, and the ``transform`` of the property."""

    def __post_init__(self) -> None:
        given: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}  # users have no mypy
        if not _are_texts(given["files"]):
            raise OracleError(f"declared files={self.files!r}; expected file names, as files=['model.pkl']")
        object.__setattr__(self, "files", tuple(self.files))
        if not _are_texts(given["outputs"]):
            raise OracleError(f"declared outputs={self.outputs!r}; expected names, as outputs=['affinity', 'strain']")
        if not isinstance(given["outputs"], Mapping):
            object.__setattr__(self, "outputs", dict.fromkeys(self.outputs, self.unit))
        for key, kinds in _KINDS.items():
            found = given[key]
            if not isinstance(found, kinds):
                expected = " or ".join(kind.__name__ for kind in kinds)
                raise OracleError(f"declared {key}={found!r}, which is {type(found).__name__}; expected {expected}")


_KINDS: Mapping[str, tuple[type, ...]] = {
    "name": (str,),
    "version": (str,),
    "stochastic": (bool,),
    "costly": (bool,),
    "uses_rdkit": (bool,),
    "sees_stereo": (bool, str),
    "unit": (str,),
    "example": (Mapping,),
}


def _are_texts(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str) and all(isinstance(one, str) for one in value)


DECLARED = tuple(item.name for item in fields(Declaration))
"""The names that ``@oracle(...)`` takes and that a class may have as attributes."""


@overload
def oracle(target: Target, /) -> Target: ...


@overload
def oracle(
    *,
    name: str = "",
    version: str = "1",
    stochastic: bool = False,
    costly: bool = False,
    uses_rdkit: bool = False,
    sees_stereo: bool | str = False,
    files: Sequence[str] = (),
    unit: str = "",
    outputs: Sequence[str] | Mapping[str, str] = (),
    example: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[[Target], Target]: ...


def oracle(target: Target | None = None, /, **declared: Any) -> Target | Callable[[Target], Target]:
    """The same function or class, with what it declares written on it; see :class:`Declaration` for the names.

    Raises:
        OracleError: A name that is no declaration, a value of the wrong kind, or a class that has both the decorator
            and an attribute of the same meaning.
    """
    if unknown := sorted(set(declared) - set(DECLARED)):
        raise OracleError(f"@oracle({unknown[0]}=…) is no declaration; {did_you_mean(unknown[0], DECLARED)}")
    declaration = Declaration(**declared)

    def declare(target: Target) -> Target:
        if isinstance(target, type) and (twice := [key for key in DECLARED if hasattr(target, key)]):
            raise OracleError(f"{target.__name__} declares {twice[0]!r} as an attribute beside @oracle(…); keep one")
        target.__oracle__ = declaration  # type: ignore[attr-defined]
        return target

    return declare if target is None else declare(target)


def declaration_of(target: Callable[..., Any]) -> Declaration:
    """What a function or class declares: by its decorator, else (a class) by its attributes, else the defaults."""
    declared = getattr(target, "__oracle__", None)
    if isinstance(declared, Declaration):
        return declared
    if isinstance(target, type):
        return Declaration(**{key: getattr(target, key) for key in DECLARED if hasattr(target, key)})
    return Declaration()


@dataclass(frozen=True, eq=False)
class Oracle:
    """An oracle ready to score: found, its parameters checked, its fingerprint taken. Made by ``oracles.load``.

    It pickles as its recipe. Two are equal when their fingerprints are.
    """

    name: str
    reference: str
    """As the campaign file names it: ``qed``, ``my_module:my_function`` or ``./my_oracle.py:score``."""
    params: Mapping[str, Any]
    """Every parameter as JSON, defaults filled in."""
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
    rdkit: str | None = field(repr=False)
    """RDKit's version where ``uses_rdkit``."""
    make: Callable[[], Callable[..., Any]] = field(repr=False)
    """Builds the function that scores; a class is constructed here, when first needed and never before."""

    @cached_property
    def _scores(self) -> Callable[..., Any]:
        return self.make()

    def prepare(self) -> None:
        """Construct a class now, rather than in the time of the first molecules."""
        _ = self._scores

    def score(self, smiles: Sequence[str], seeds: Sequence[int] | None = None) -> Any:
        """What the oracle answered, unread: only :func:`oracles.read_answers` knows what of it counts.

        Args:
            smiles: (n,) molecules in standard form.
            seeds: (n,) one for each; needed by a stochastic oracle, not passed on to another.
        Raises:
            OracleError: A stochastic oracle without a seed for each molecule. Whatever the oracle itself raises.
        """
        if not self.stochastic:
            return self._scores(list(smiles))
        if seeds is None or len(seeds) != len(smiles):
            found = "none" if seeds is None else str(len(seeds))
            raise OracleError(
                f"oracle {self.name!r} is stochastic and got {found} of {len(smiles)} seeds; give one a molecule"
            )
        return self._scores(list(smiles), list(seeds))

    def answers(
        self, smiles: Sequence[str], seeds: Sequence[int] | None = None, output: str | None = None
    ) -> dict[str, Answer]:
        """Each molecule's answer: :meth:`score`, read by :func:`oracles.read_answers`."""
        from oracles.answers import read_answers

        return read_answers(smiles, self.score(smiles, seeds), output)

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
        raise OracleError(f"oracle {self.name!r} has no output {output!r}; {did_you_mean(output, self.outputs)}")

    def recipe(self) -> dict[str, Any]:
        """JSON that ``oracles.load_recipe`` turns back into this oracle elsewhere, given ``file_bytes``."""
        from oracles.own_files import digests

        return {
            "reference": self.reference,
            "params": dict(self.params),
            "fingerprint": self.fingerprint,
            "rdkit": self.rdkit,
            "files": digests(self.file_bytes),
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Oracle) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        from oracles.loading import load_recipe

        return load_recipe, (self.recipe(), dict(self.file_bytes))
