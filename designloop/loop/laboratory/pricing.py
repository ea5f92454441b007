"""What molecules cost, and which of them are worth their prices where a sum is given.

    value(batch) = sum of (1 - place / number of places),    cost(batch) <= sum

Places are those of the strategy's own order, so that a batch forgoes a favourite only for several others that cost as
much together. The batch of greatest value is found exactly: a knapsack with a bound on its number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.known_values import UnusableValue, number_in
from designloop.loop.evaluation.evaluator import Evaluator
from designloop.loop.evaluation.settings import EvaluationSettings
from designloop.molecules.chemistry import MoleculeError, identity, standard_form
from designloop.molecules.reading import read_molecules
from designloop.oracles import Oracle
from designloop.tables.ledger import Ledger
from designloop.words import counted, meant_or_known

WINDOW = 3
"""Molecules that a batch is chosen of, for each one wanted."""

PRICE = "price"
"""What a price is called where the ledger and the file of suggestions have one."""

_ROUNDED = 1 + 1e-9
"""A sum of prices that are no binary fractions may come to so much more; the solver's own tolerance is wider."""

_SHOWN = 10


class PriceError(ValueError):
    """Prices that cannot be used; the message names the file with its lines, or the molecule, and says what to do."""


@dataclass(frozen=True, slots=True)
class _Price:
    """The one property that the oracle of prices gives."""

    output: str | None
    name: str = PRICE


@dataclass(frozen=True, slots=True)
class _PriceAlone:
    properties: Sequence[_Price]


@dataclass(frozen=True, slots=True)
class _PriceCampaign:
    """A campaign whose only property is the price, as evaluation sees one."""

    folder: Path
    evaluation: EvaluationSettings
    objective: _PriceAlone
    oracles: Mapping[str, Oracle]


def prices_of(campaign: Campaign, ledger: Ledger, smiles: Sequence[str]) -> list[float | None]:
    """The price of each molecule in standard form; None of one that has none.

    What the oracle of prices gives is written to the ledger, beside budget and table.

    Raises:
        PriceError: the file of prices cannot be used, or the oracle gave a price below 0.
    """
    if campaign.prices is None or not smiles:
        return [None] * len(smiles)
    listed = _listed_prices(campaign)
    known = [listed.get(identity(own, campaign.stereo)) for own in smiles]
    unlisted = [own for own, price in zip(smiles, known, strict=True) if price is None]
    computed = _computed_prices(campaign, ledger, unlisted)
    return [
        price if price is not None else computed.get(own, campaign.prices.otherwise)
        for own, price in zip(smiles, known, strict=True)
    ]


def find_bad_prices(campaign: Campaign, ledger: Ledger, smiles: Sequence[str]) -> list[str]:
    """Why prices cannot be used, if they cannot: the wrong lines of their table, or what their oracle gave."""
    try:
        prices_of(campaign, ledger, [standard_form(own, campaign.standardize) for own in smiles])
    except PriceError as error:
        return [str(error)]
    return []


def affordable(prices: Sequence[float | None], wanted: int, spend: float, sure: Sequence[float] = ()) -> list[int]:
    """The rows of the batch of greatest value, in their order: at most so many, that cost no more than a sum together.

    Args:
        prices: of molecules in the strategy's order; one without a price is never taken.
        sure: prices of others that are in the batch whatever joins them; they count among those wanted.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # a second

    rows = [row for row, price in enumerate(prices) if price is not None and price <= spend]
    room = wanted - len(sure)
    if not rows or room < 1:
        return []
    costs = np.array([prices[row] for row in rows], dtype=float)
    values = 1 - np.array(rows) / len(prices)
    # In parts of the sum, so that the solver's tolerance means the same for cents and for thousands.
    rest = max(0.0, 1.0 - math.fsum(sure) / spend)
    limits = LinearConstraint(np.array([costs / spend, np.ones(len(rows))]), ub=[rest, room])
    solved = milp(-values, constraints=limits, integrality=np.ones(len(rows)), bounds=Bounds(0, 1))
    if solved.x is None:
        raise RuntimeError(
            f"no batch of {len(rows)} molecules was found that costs at most {spend:g}: {solved.message}"
        )
    chosen = [row for row, is_taken in zip(rows, solved.x > 0.5, strict=True) if is_taken]
    while chosen and not is_within([*sure, *(prices[row] or 0.0 for row in chosen)], spend):
        chosen.pop()
    return chosen


def is_within(prices: Sequence[float], spend: float) -> bool:
    """Whether some prices come to no more than a sum."""
    return math.fsum(prices) <= spend * _ROUNDED


def _listed_prices(campaign: Campaign) -> dict[str, float]:
    """Identity -> the least price that the file has of a molecule; nothing without a file."""
    settings = campaign.prices
    if settings is None or settings.file is None:
        return {}
    path = campaign.resolve(settings.file)
    try:
        read = read_molecules(path, columns=True)
    except MoleculeError as error:
        raise PriceError(f"prices.file: {error}") from error
    column = next((name for name in read.columns if name.lower() == settings.column.lower()), None)
    if column is None:
        hint = meant_or_known(settings.column, list(read.columns))
        raise PriceError(f"{path} has no column {settings.column!r}; name that of the prices by prices.column: {hint}")
    wrong = [(problem.line, problem.sentence(path).partition(": ")[2]) for problem in read.problems]
    prices: dict[str, float] = {}
    for written, line, cell in zip(read.smiles, read.lines, read.columns[column], strict=True):
        if not (text := cell.strip()):
            continue
        try:
            price = number_in(text)
            if price < 0:
                raise UnusableValue("expected a price of 0 or more")
            key = identity(standard_form(written, campaign.standardize), campaign.stereo)
        except UnusableValue as why:
            wrong.append((line, f"{column} is {text!r}, {why}"))
            continue
        except MoleculeError as why:
            wrong.append((line, str(why)))
            continue
        prices[key] = min(price, prices.get(key, math.inf))
    if wrong:
        shown = [f"line {line}: {why}" for line, why in sorted(wrong)[:_SHOWN]]
        more = [f"and {len(wrong) - _SHOWN:,} more"] if len(wrong) > _SHOWN else []
        advice = "mend or delete them, and leave a cell blank where there is no price"
        head = f"{path}: {counted(len(wrong), 'line')} cannot be used; {advice}"
        raise PriceError("\n  ".join([head, *shown, *more]))
    return prices


def _computed_prices(campaign: Campaign, ledger: Ledger, smiles: Sequence[str]) -> dict[str, float]:
    """Molecule -> what the oracle of prices gives for it; nothing without an oracle, or where it fails."""
    oracle, settings = campaign.price_oracle, campaign.evaluation
    if oracle is None or campaign.prices is None or not smiles:
        return {}
    if settings.address is None:
        settings = settings.model_copy(update={"backend": "inline"})
    alone = _PriceAlone([_Price(campaign.prices.output)])
    with Evaluator(_PriceCampaign(campaign.folder, settings, alone, {PRICE: oracle}), ledger) as evaluate:
        results = {done.candidate.smiles: done.results[PRICE].value for done in evaluate.checks(smiles)}
    prices = {own: price for own, price in results.items() if price is not None}
    if below := [f"{price:g} for {own}" for own, price in prices.items() if price < 0]:
        raise PriceError(f"prices.oracle gave {below[0]}, expected 0 or more; mend {oracle.name}")
    return prices
