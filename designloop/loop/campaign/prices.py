"""The ``prices:`` of a campaign file: what it costs to buy or make a molecule that a laboratory is to measure."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from designloop.loop.config.problems import Finding
from designloop.loop.config.settings import StrictSettings, error


class Prices(StrictSettings):
    """What molecules cost before they are measured; what a file does not say, an oracle does, else `otherwise`."""

    file: str | None = None
    """A table of known prices, such as a supplier's: a column of molecules, and one of prices. Of several prices of one
    molecule the least counts; an empty cell is none."""
    column: str = "price"
    """Of the file, in which the prices stand: numbers from 0 on, without their unit."""
    oracle: str | None = None
    """What computes the price of a molecule that the file does not have: an oracle as of a property, such as
    `./prices.py:price`, or `sa_score`, whose unit is then that of `spend`."""
    params: dict[str, Any] = Field(default_factory=dict)
    """What the oracle is called with."""
    output: str | None = None
    """Which of its outputs, where the oracle has several."""
    otherwise: float | None = Field(default=None, ge=0)
    """Of a molecule that has no price by either; without it, such a molecule is not suggested where a sum is given."""
    unit: str = ""
    """Of all prices, as they are shown: `EUR`."""
    spend: float | None = Field(default=None, gt=0)
    """The most that the molecules of one `suggest` may cost together; `suggest --spend` says another sum. Without
    either, prices are shown and nothing is chosen by them."""

    @model_validator(mode="after")
    def _come_from_somewhere(self) -> Prices:
        if self.file is None and self.oracle is None and self.otherwise is None:
            expected = "where prices come from: file, oracle, or otherwise, one price for all"
            raise error("prices", [Finding((), "none of the three", expected)])
        return self
