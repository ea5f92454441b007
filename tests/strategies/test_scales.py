"""The scales of values: against scipy's, there and back, and their slopes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import yeojohnson

from designloop.strategies.surrogates.scales import POWERS, Scale, powered, stretches

Z = np.array([-6.0, -1.3, -0.2, -1e-4, 0.0, 1e-4, 0.3, 1.0, 9.0])
EACH = pytest.mark.parametrize("power", [POWERS[0], 0.4, 1.0, 1.7, POWERS[1]])


@EACH
def test_it_is_the_scale_of_yeo_and_johnson(power: float) -> None:
    assert powered(Z, power)[0] == pytest.approx(yeojohnson(Z, power), abs=1e-12)


def test_at_power_1_values_are_seen_as_they_are() -> None:
    assert powered(Z, 1.0)[0] == pytest.approx(Z)
    values = np.array([3.0, 5.0, 10.0])
    assert Scale.of(values)(values) == pytest.approx((values - 6) / values.std())


@EACH
def test_slopes_are_those_of_finite_differences(power: float) -> None:
    step = 1e-6
    by_power = (powered(Z, power + step)[0] - powered(Z, power - step)[0]) / (2 * step)
    assert powered(Z, power)[1] == pytest.approx(by_power, abs=1e-7)
    scale = Scale(2.0, 3.0, power)
    seen = powered(Z, power)[0]
    rise = (scale.values(seen + step) - scale.values(seen - step)) / (2 * step)
    assert scale.slopes(seen) == pytest.approx(rise, rel=1e-5)
    # What is seen rises with z by as much less as values rise more with what is seen.
    assert np.log(3.0 / scale.slopes(seen)) == pytest.approx((power - 1) * stretches(Z), abs=1e-9)


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8, unique=True).map(sorted),
    power=st.floats(*POWERS),
)
def test_values_come_back_from_what_is_seen_of_them_and_keep_their_order(values: list[float], power: float) -> None:
    known = np.array(values)
    scale = Scale.of(known, power)
    seen = scale(known)
    assert np.isfinite(seen).all()
    assert (np.diff(seen) >= 0).all()
    assert scale.values(seen) == pytest.approx(known, rel=1e-6, abs=1e-6 * scale.spread)


def test_everything_that_may_be_seen_is_of_some_value() -> None:
    far = np.array([-50.0, 50.0])
    for power in POWERS:
        assert np.isfinite(Scale(0.0, 1.0, power).values(far)).all()


def test_equal_values_lie_in_the_middle() -> None:
    for values in (np.full(4, 7.0), np.full(6, 0.1)):  # the mean of six tenths is not a tenth
        assert np.abs(Scale.of(values, 0.3)(values)).max() < 1e-12
