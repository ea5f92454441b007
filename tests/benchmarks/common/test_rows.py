"""Rows of criteria: what may be recorded, and what holds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from designloop.benchmarks.common.rows import Row, as_json, from_json, mean_row, rows_table, worst_row


def test_a_row_comes_back_as_it_was() -> None:
    row = mean_row("R²", [0.9, 1.0, 0.95], bar=">= 0.9", holds=True, ceiling=1.0)
    assert from_json(as_json("some", row)) == row
    assert row.spread == pytest.approx(0.05 / 3**0.5)
    assert "| R² | >= 0.9 | 0.95 ± 0.029 | 1 | 3 | yes |" in rows_table([row])


def test_numpys_own_numbers_are_written_as_pythons() -> None:
    numpys: list[Any] = [np.float64(0.95), np.float32(0.5), np.bool_(True)]
    row = Row(
        measure="R²", bar=">= 0.9", value=numpys[0], spread=numpys[1], seeds=3, holds=numpys[2], ceiling=np.float64(1)
    )
    assert json.loads(json.dumps(as_json("some", row)))["holds"] is True


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"value": float("nan")}, "R²: .* are not all finite"),
        ({"holds": None}, "bar '> 1' with holds None; give both, or neither"),
        ({"bar": ""}, "bar '' with holds True; give both, or neither"),
    ],
)
def test_a_row_that_cannot_be_recorded_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Row(**{"measure": "R²", "bar": "> 1", "value": 2.0, "spread": None, "seeds": 1, "holds": True, **wrong})


@pytest.mark.parametrize(
    ("values", "bar", "holds"),
    [
        ([0.1, 0.3], "< 0.5", True),
        ([0.1, 0.5], "< 0.5", False),
        ([0.1, 0.5], "≤ 0.5", True),
        ([0.6, 0.1], "≤ 0.5", False),
    ],
)
def test_the_worst_value_decides(values: list[float], bar: str, holds: bool) -> None:
    row = worst_row("error", values, bar=bar, limit=0.5)
    assert (row.value, row.seeds, row.holds, row.spread) == (max(values), 2, holds, None)


def test_a_worst_row_of_what_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match=r"error: .* are not all finite"):
        worst_row("error", [0.1, float("nan")], bar="< 0.5", limit=0.5)
