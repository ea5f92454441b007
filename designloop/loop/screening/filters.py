"""The filters of a campaign: what a molecule must be before any oracle is asked of it.

One registry, the model ``Filters``: each field is a filter, in the order in which they are asked, cheapest first, with
its settings' type, its default and the function that builds its predicate. A new filter is one function in
``predicates`` and one field here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import to_jsonable_python
from rdkit import Chem, rdBase

from designloop.loop.screening import predicates
from designloop.loop.screening.excluded import ExcludedFile
from designloop.loop.screening.predicates import FilterContext, Refuses
from designloop.molecules.chemistry import Mode, MoleculeError, check_alert_set, descriptor, parse, standard_forms

__all__ = ["Filter", "FilterContext", "Filters", "Refuses", "build", "shares_passing", "without"]

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter, ready to be asked."""

    name: str
    refuses: Refuses


@dataclass(frozen=True, slots=True)
class BuiltBy:
    """Mark on a field of ``Filters``: the function that makes its predicate from its settings."""

    build: Callable[[Any, FilterContext], Refuses | None]
    """Gives None where the settings switch the filter off."""
    off: Any = None
    """The setting that switches it off."""
    example: Any = None
    """A setting of a use, for listings, where the default is none."""


# --- settings ------------------------------------------------------------------------------------------------------


def _check_order(ends: tuple[T | None, T | None]) -> tuple[T | None, T | None]:
    low, high = ends
    if low is None and high is None:
        raise ValueError(
            "found [null, null], expected [lowest, highest] with at least one number; leave the filter out"
        )
    if low is not None and high is not None and low > high:
        raise ValueError(f"found [{low}, {high}], expected [lowest, highest]; did you mean [{high}, {low}]?")
    return ends


def _element(symbol: str) -> str:
    if symbol not in _SYMBOLS:
        hint = f"did you mean {symbol.capitalize()!r}?" if symbol.capitalize() in _SYMBOLS else "check the spelling."
        raise ValueError(f"found {symbol!r}, expected the symbol of an element, such as C or Cl; {hint}")
    return symbol


def _alert_set(name: str) -> str:
    check_alert_set(name)
    return name


def _pair(value: Any) -> Any:
    """One number where a range is expected is both its ends."""
    return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value


def _smarts(text: str) -> str:
    with rdBase.BlockLogs():
        query = Chem.MolFromSmarts(text) if text else None
    if query is None:
        raise ValueError(
            f"found {text!r}, expected a SMARTS such as 'c1ccccc1[NX3;H2]'; check brackets and ring closures"
        )
    return text


def _descriptor(name: str) -> str:
    descriptor(name)
    return name


def _as_list(value: Any) -> Any:
    """A single word where a list is expected is a list of one; nothing is an empty list."""
    return () if value is None else (value,) if isinstance(value, str) else value


_SYMBOLS = tuple(Chem.GetPeriodicTable().GetElementSymbol(number) for number in range(1, 119))

IntRange = Annotated[tuple[int | None, int | None], AfterValidator(_check_order)]
Range = Annotated[tuple[float | None, float | None], AfterValidator(_check_order)]
Element = Annotated[str, AfterValidator(_element)]
AlertSet = Annotated[str, AfterValidator(_alert_set)]
Smarts = Annotated[str, AfterValidator(_smarts)]
DescriptorName = Annotated[str, AfterValidator(_descriptor)]


# --- the registry --------------------------------------------------------------------------------------------------


class Filters(BaseModel):
    """The ``filters:`` of a campaign file, cheapest first; null switches a filter off."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    # Not boron: its few approved drugs are special cases, and generators write boranes. Who wants them adds B here.
    elements: Annotated[tuple[Element, ...] | None, BuiltBy(predicates.elements)] = (
        "H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I",
    )  # fmt: skip
    """Elements allowed."""
    heavy_atoms: Annotated[IntRange | None, BuiltBy(predicates.heavy_atoms)] = (10, 50)
    """Range of the number of heavy atoms."""
    net_charge: Annotated[IntRange | None, BeforeValidator(_pair), BuiltBy(predicates.net_charge)] = (0, 0)
    """Net charge, or its range, in standard form: what no proton can neutralise, such as a quaternary ammonium."""
    radicals: Annotated[bool, BuiltBy(predicates.radicals, off=True)] = False
    """Whether unpaired electrons are allowed."""
    ring_size: Annotated[IntRange | None, BuiltBy(predicates.ring_size)] = (3, 7)
    """Range of the sizes of rings (smallest set of smallest rings)."""
    largest_ring: Annotated[int | None, BuiltBy(predicates.at_most("largest_ring"), example=7)] = None
    """Most atoms in the largest ring."""
    exclude: Annotated[Path | ExcludedFile | None, BuiltBy(predicates.exclude, example="made_already.smi")] = None
    """File of molecules that are never wanted, such as those already made; or `{file: …, skip_bad: true}`."""
    forbid_smarts: Annotated[
        tuple[Smarts, ...],
        BeforeValidator(_as_list),
        BuiltBy(predicates.forbid_smarts, off=(), example=["[N+](=O)[O-]"]),
    ] = ()
    """SMARTS of which none may be there."""
    require_smarts: Annotated[
        tuple[Smarts, ...],
        BeforeValidator(_as_list),
        BuiltBy(predicates.require_smarts, off=(), example=["c1ccc2ncncc2c1"]),
    ] = ()
    """SMARTS of which all must be there: a core to keep."""
    unstable: Annotated[bool, BuiltBy(predicates.unstable, off=False)] = True
    """Whether to refuse what would not survive on the shelf or in water (unstable.smarts)."""
    reactive: Annotated[bool, BuiltBy(predicates.reactive, off=False)] = True
    """Whether to refuse what reacts with itself or the next nucleophile, such as fulvenes (reactive.smarts)."""
    known_rings: Annotated[int | None, Field(ge=1), BuiltBy(predicates.known_rings)] = 1
    """Fewest known molecules (ZINC 250k, drugs) with each ring system or the rings fused in it."""
    known_groups: Annotated[int | None, Field(ge=1), BuiltBy(predicates.known_groups)] = 1
    """Fewest known molecules (ZINC 250k, drugs) with each pair of bonded functional groups."""
    strong_acid: Annotated[int | None, Field(ge=0), BuiltBy(predicates.ionisable("strong_acid"), example=0)] = None
    """Most groups with a pKa below 6, such as carboxylic acids; 0 forbids them."""
    acid: Annotated[int | None, Field(ge=0), BuiltBy(predicates.ionisable("acid"), example=0)] = None
    """Most groups with a pKa below 8.5, strong acids included."""
    base: Annotated[int | None, Field(ge=0), BuiltBy(predicates.ionisable("base"), example=1)] = None
    """Most groups whose conjugate acid has a pKa above 6.5, such as alkyl amines."""
    undefined_stereo: Annotated[int | None, BuiltBy(predicates.at_most("undefined_stereo"), example=2)] = None
    """Most stereocentres and double bonds without a stereo mark."""
    descriptors: Annotated[
        Mapping[DescriptorName, Range],
        BuiltBy(predicates.descriptors, off={}, example={"logp": [1, 4], "tpsa": [None, 90]}),
    ] = Field(default_factory=dict)
    """Ranges of descriptors by name, such as {logp: [1, 4]}."""
    alerts: Annotated[tuple[AlertSet, ...], BeforeValidator(_as_list), BuiltBy(predicates.alerts, off=())] = (
        "PAINS",
        "NIH",
    )
    """RDKit's catalogues of structural alerts, by name."""


def without(filters: Filters, names: Iterable[str]) -> Filters:
    """Returns the filters with some of them switched off."""
    return filters.model_copy(update={name: _off(name) for name in names})


def switched_on(filters: Filters) -> list[str]:
    """Returns the names of the filters that refuse anything, in the order of the registry."""
    return [name for name in Filters.model_fields if getattr(filters, name) != _off(name)]


def example_of(name: str) -> Any:
    """A setting that a campaign file may give a filter, as JSON values: the default, where it refuses anything."""
    example = _mark(name).example
    default = Filters.model_fields[name].get_default(call_default_factory=True)
    return to_jsonable_python(default) if example is None else example


def _off(name: str) -> Any:
    """The setting that switches a filter off."""
    return _mark(name).off


def _mark(name: str) -> BuiltBy:
    return next(mark for mark in Filters.model_fields[name].metadata if isinstance(mark, BuiltBy))


def build(filters: Filters, context: FilterContext) -> list[Filter]:
    """The filters that are switched on, in the order in which they are asked.

    Raises:
        MoleculeError: when the file of ``exclude`` is missing or unreadable.
    """
    built = []
    for name, field in Filters.model_fields.items():
        setting = getattr(filters, name)
        if setting is None or setting == () or setting == {}:
            continue
        for mark in field.metadata:
            refuses = mark.build(setting, context) if isinstance(mark, BuiltBy) else None
            if refuses is not None:
                built.append(Filter(name, refuses))
    return built


def shares_passing(filters: Sequence[Filter], smiles: Sequence[str], mode: Mode = "parent") -> dict[str, float]:
    """Share of some molecules that each filter alone lets pass, and all of them together (``all``); invalid ones fail.

    Raises:
        MoleculeError: when there are no molecules.
    """
    if not smiles:
        raise MoleculeError("no molecules to take shares of; give at least one SMILES")
    passing = dict.fromkeys([*(rule.name for rule in filters), "all"], 0)
    for form in standard_forms(smiles, mode):
        mol = None if form is None else parse(form)
        if form is None or mol is None:
            continue
        verdicts = {rule.name: rule.refuses(mol, form) is None for rule in filters}
        for name, passes in verdicts.items():
            passing[name] += passes
        passing["all"] += all(verdicts.values())
    return {name: count / len(smiles) for name, count in passing.items()}
