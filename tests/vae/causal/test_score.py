from __future__ import annotations

import math

import pytest
import torch

from designloop.vae.causal import consistency_score, outside_shares
from designloop.vae.errors import ShapeError

CHAIN = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
"""0 -> 1 -> 2."""


def test_a_share_is_of_what_changes_outside_of_unit_and_descendants() -> None:
    changes = torch.tensor([
        [[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]],  # all is behind unit 0
        [[-1.0, 3.0, 4.0], [1.0, -3.0, -4.0]],  # 0 is outside: 2 of 16
        [[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]],  # 0 and 1 are: 2 of 4
    ])  # fmt: skip
    shares = outside_shares(changes, CHAIN)
    assert math.isnan(shares[0])
    assert shares[1:].tolist() == [0.125, 0.5]
    assert float(consistency_score(changes, CHAIN)) == pytest.approx(0.3125)
    in_units = outside_shares(changes, CHAIN, torch.tensor([0.5, 1.0, 2.0]))
    assert in_units[1:].tolist() == pytest.approx([4 / 14, 3 / 4])


def test_doing_nothing_is_all_wrong() -> None:
    assert outside_shares(torch.zeros(3, 4, 3), CHAIN)[1:].tolist() == [1, 1]


def test_what_does_not_go_together_is_told() -> None:
    with pytest.raises(
        ShapeError, match=r"changes has shape \(2, 4, 3\), expected \(3, rows, 3\) as causes is \(3, 3\)"
    ):
        outside_shares(torch.zeros(2, 4, 3), CHAIN)
    with pytest.raises(ShapeError, match="of two units at least"):
        consistency_score(torch.zeros(1, 4, 1), torch.zeros(1, 1))
