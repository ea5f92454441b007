from __future__ import annotations

import math

import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from designloop.vae.likelihoods.special import log_rising


def number(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


@settings(max_examples=50, deadline=None)
@given(st.floats(-7, 16), st.integers(0, 5000))
def test_log_rising_is_scipys(log_r: float, x: int) -> None:
    r = math.exp(log_r)
    if r < 1e5:  # beyond, the difference of scipy's two is less exact than ours
        wanted = scipy.special.gammaln(r + x) - scipy.special.gammaln(r)
    else:
        wanted = sum(math.log(r + i) for i in range(x))
    assert float(log_rising(number(r), number(float(x)))) == pytest.approx(wanted, rel=1e-8, abs=1e-8)
