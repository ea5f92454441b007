"""A campaign file as a draft: what of it can be read, whatever else is wrong with it.

Oracles, molecules and files that it names are looked for before it is known whether the file is right, so that all its
mistakes are told at once. So these models refuse nothing: what is not as declared is None. `Campaign` says what is
wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator

from designloop.molecules.chemistry import Mode, Stereo

T = TypeVar("T")


def _or_none(value: Any, handler: Callable[[Any], T]) -> T | None:
    try:
        return handler(value)
    except ValidationError:
        return None


Readable = Annotated[T | None, WrapValidator(_or_none)]
"""A value, or None where it is not as declared."""

Listed = Annotated[list[T], Field(strict=False)]
"""A list, or a tuple where it comes from Python."""

Texts = str | Listed[Readable[str]] | dict[str, Readable[str]]
"""One text, or several by position or by name; one that is no text is None, so that the others keep their places."""


class _Draft(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class PropertyDraft(_Draft):
    """A property of the objective, as far as its oracle goes."""

    name: Readable[str] = None
    oracle: Readable[str] = None
    params: Annotated[Readable[dict[str, Any]], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default_factory=dict
    )
    output: Readable[str] = None


class ObjectiveDraft(_Draft):
    """Its properties, each in its place."""

    properties: Readable[Listed[Readable[PropertyDraft]]] = None


class ExcludeDraft(_Draft):
    """A file of molecules that are never wanted, with what is said of it."""

    file: Readable[str] = None
    skip_bad: Readable[bool] = None


class FiltersDraft(_Draft):
    """The filters that name files or hold SMARTS."""

    exclude: Readable[str | ExcludeDraft] = None
    require_smarts: Readable[Texts] = None
    forbid_smarts: Readable[Texts] = None

    @property
    def smarts(self) -> Iterator[tuple[str, Texts]]:
        """(key, value) of those that hold SMARTS, where there is a value."""
        for key, value in (("require_smarts", self.require_smarts), ("forbid_smarts", self.forbid_smarts)):
            if value is not None:
                yield key, value


class BudgetDraft(_Draft):
    """The numbers that other keys are held against."""

    oracle_calls: Readable[Annotated[int, Field(ge=1)]] = None
    per_oracle: Readable[dict[str, Any]] = None


class StartingDraft(_Draft):
    """Starting molecules with what is said of them."""

    file: Readable[str] = None
    smiles: Readable[Listed[Readable[str]]] = None
    skip_bad: Readable[bool] = None
    values: Readable[dict[str, Readable[str]]] = None
    censored: Readable[str] = None


class PricesDraft(_Draft):
    """Where prices come from."""

    file: Readable[str] = None
    oracle: Readable[str] = None
    params: Annotated[Readable[dict[str, Any]], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default_factory=dict
    )
    output: Readable[str] = None


class Draft(_Draft):
    """The keys of a campaign file that are checked against each other, or against what lies beside the file."""

    name: Readable[str] = None
    objective: Readable[ObjectiveDraft] = None
    filters: Readable[FiltersDraft] = None
    budget: Readable[BudgetDraft] = None
    starting_molecules: Readable[str | Listed[Readable[str]] | StartingDraft] = None
    reference: Readable[Texts] = None
    standardize: Readable[Mode] = None
    stereo: Readable[Stereo] = None
    batch_size: Readable[int] = None
    prices: Readable[PricesDraft] = None
    model: Readable[str] = None
    output: Readable[str] = None
    ledger: Readable[str] = None

    @property
    def properties(self) -> list[tuple[int, PropertyDraft]]:
        """(place in the list, property) of those that can be read."""
        items = (self.objective.properties if self.objective else None) or []
        return [(place, item) for place, item in enumerate(items) if item is not None]
