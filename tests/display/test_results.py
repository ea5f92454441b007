"""What is printed of a campaign's results, piece by piece."""

from __future__ import annotations

import pytest

from designloop.display.results import _beginnings


@pytest.mark.parametrize(
    ("restarts", "rounds"),
    [({}, []), ({1: 0.0, 2: 0.0}, []), ({1: 0.0, 2: 1.0, 3: 1.0, 4: 2.0}, [2, 4]), ({7: 1.0}, [7])],
)
def test_a_beginning_is_told_once(restarts: dict[int, float], rounds: list[int]) -> None:
    assert _beginnings(restarts) == rounds
