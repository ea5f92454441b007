from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from designloop.records import Candidate, Evaluation, Result, Scored, State
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.surrogates.base import Moments, Posterior
from designloop.strategies.surrogates.calibration import HALF_WIDTH, LATEST, Calibration, moments_of

RNG = np.random.default_rng(0)


class Numbers:
    """A view of molecules that are called by a number."""

    def features(self, names: Sequence[str]) -> np.ndarray:
        return np.array([float(name) for name in names])


@dataclass(frozen=True)
class Sayer:
    """A belief that expects the number of a molecule, and ten times that of its potency."""

    deviation: float

    def __call__(self, features: np.ndarray, /) -> Posterior:
        variance = [np.full(len(features), self.deviation**2)]
        return Posterior([features], lambda: variance, lambda: [np.diag(variance[0])], [0.0], 1.0)

    def property_moments(self, features: np.ndarray) -> Moments:
        return {"potency": (10 * features, np.full(len(features), 10 * self.deviation))}


def told(belief: object, expected: np.ndarray, scores: np.ndarray, potencies: np.ndarray | None = None) -> ToldRound:
    rows = []
    for name, score, potency in zip(expected, scores, scores if potencies is None else potencies, strict=True):
        results = {"potency": Result(float(potency))}
        rows.append(Scored(Evaluation(Candidate(repr(float(name)), "prior"), results), {}, float(score)))
    return ToldRound(1, rows, rows, Archive(), Archive(), belief)  # type: ignore[arg-type]


def calibration(has_properties: bool = False, state: State | None = None, **more: bool) -> Calibration:
    return Calibration(Numbers(), has_properties=has_properties, state=state, **more)


def learned(errors: np.ndarray, deviation: float = 1.0) -> Calibration:
    own = calibration()
    own.learn(told(Sayer(deviation), np.zeros(len(errors)), errors))
    return own


def coverage(own: Calibration, deviation: float, errors: np.ndarray) -> float:
    """Of the 90 % intervals that are shown."""
    shown: Mapping[str, tuple[np.ndarray, np.ndarray]] = own.rescaled(
        moments_of(Sayer(deviation), np.zeros(len(errors)), has_score=True, has_properties=False), Sayer(deviation)
    )
    mean, sd = shown["score"]
    low, high = norm.interval(0.9, mean, sd)
    return float(np.mean((low <= errors) & (errors <= high)))


@pytest.mark.parametrize("said", [0.05, 0.5, 1.0, 3.0, 40.0])
@pytest.mark.parametrize("law", [RNG.standard_normal, lambda n: RNG.standard_t(3, n), lambda n: RNG.normal(0.7, 1, n)])
def test_whatever_doubt_is_said_nine_in_ten_of_the_intervals_shown_hold(said: float, law: object) -> None:
    """Too narrow, right, or too wide; of normal errors, of heavy tails, and of a mean that is off."""
    own = learned(law(LATEST), said)  # type: ignore[operator]
    fresh = law(4000)  # type: ignore[operator]
    assert 0.84 <= coverage(own, said, fresh) <= 0.96
    if said <= 0.05 or said >= 40:
        assert not 0.8 <= coverage(calibration(), said, fresh) <= 0.97, "as it is said, it would not"


def test_a_belief_that_knows_its_errors_is_shown_as_it_is() -> None:
    assert learned(RNG.standard_normal(LATEST)).factor("score") == pytest.approx(1, abs=0.15)


def test_of_exchangeable_errors_no_number_of_them_gives_too_narrow_intervals() -> None:
    """The rank promises nine in ten in the mean, from the first error count that gives one on."""
    for count in (9, 15, 39):
        held = [coverage(learned(RNG.standard_normal(count), 0.2), 0.2, RNG.standard_normal(200)) for _ in range(200)]
        assert np.mean(held) >= 0.885


@settings(deadline=None, max_examples=30)
@given(st.floats(1e-3, 1e3), st.integers(9, 60))
def test_in_what_unit_doubt_is_said_makes_no_difference(unit: float, count: int) -> None:
    errors = np.random.default_rng(count).standard_normal(count)
    assert unit * learned(errors, unit).factor("score") == pytest.approx(learned(errors).factor("score"))


def test_the_factor_is_numpys_quantile_and_only_the_latest_errors_count() -> None:
    own = learned(np.full(LATEST, 7.0))
    assert own.factor("score") == pytest.approx(7 / HALF_WIDTH)
    own.learn(told(Sayer(1.0), np.zeros(LATEST), np.linspace(-1, 1, LATEST)))
    sizes = np.abs(np.linspace(-1, 1, LATEST))
    expected = np.quantile(sizes, (LATEST + 1) * 0.9 / LATEST, method="inverted_cdf") / HALF_WIDTH
    assert own.factor("score") == pytest.approx(expected)


def test_with_fewer_than_nine_errors_doubt_stays_as_it_is_said() -> None:
    assert learned(np.full(8, 5.0)).factor("score") == 1.0
    assert learned(np.full(9, 5.0)).factor("score") == pytest.approx(5 / HALF_WIDTH)
    assert calibration().factor("score") == 1.0


def test_means_stay_and_each_property_has_a_factor_of_its_own() -> None:
    own = calibration(has_properties=True)
    expected = np.linspace(0, 1, 50)
    own.learn(told(Sayer(1.0), expected, expected + 2, 10 * expected + 5))
    assert own.factor("score") == pytest.approx(2 / HALF_WIDTH)
    assert own.factor("potency") == pytest.approx(0.5 / HALF_WIDTH)
    shown = own.rescaled({"potency": (expected, np.ones(50)), "other": (expected, np.ones(50))}, Sayer(1.0))
    assert shown["potency"][0].tolist() == expected.tolist()
    assert shown["potency"][1] == pytest.approx(np.full(50, 0.5 / HALF_WIDTH))
    assert shown["other"][1].tolist() == [1.0] * 50


def test_the_share_that_was_held_is_told_of_the_intervals_as_they_were_shown_before() -> None:
    own = calibration()
    assert own.learn(told(Sayer(1.0), np.zeros(20), np.full(20, 0.5))) == {}, "nothing was shown by errors before"
    assert own.learn(told(Sayer(1.0), np.zeros(4), np.array([0.4, 0.5, 0.6, 9.0]))) == {"interval_coverage": 0.5}


def test_what_says_nothing_of_errors_is_passed_over() -> None:
    own = calibration()
    assert own.learn(told(None, np.zeros(20), np.ones(20))) == {}
    assert own.learn(told(lambda features: None, np.zeros(20), np.ones(20))) == {}
    assert own.learn(told(Sayer(1.0), np.zeros(0), np.ones(0))) == {}
    of_trade_offs = calibration(has_score=False)
    assert of_trade_offs.learn(told(Sayer(1.0), np.zeros(20), np.ones(20))) == {}
    assert of_trade_offs.state().data["errors"] == {}
    assert own.state().data["errors"] == {}


def test_a_correction_of_what_was_known_is_no_error_of_foresight() -> None:
    own, expected = calibration(), np.linspace(0, 1, 30)
    known = Archive().add([Member(repr(float(name)), "[C]", 0.5, (0.5,)) for name in expected[:10]])
    own.learn(replace(told(Sayer(1.0), expected, expected + 2), before=known))
    assert len(own.state().data["errors"]["score"]) == 20
    assert own.learn(replace(told(Sayer(1.0), expected[:10], expected[:10]), before=known)) == {}
    forgotten = told(Sayer(1.0), expected[:10], expected[:10])  # as after a restart
    corrected = [replace(row, told_before=True, scored_before=True) for row in forgotten.news]
    assert own.learn(replace(forgotten, news=corrected)) == {}
    assert len(own.state().data["errors"]["score"]) == 20


@dataclass(frozen=True)
class Ranker(Sayer):
    """A belief whose doubt of scores is that of ranks."""

    doubts_ranks: bool = True

    def shown(self, features: np.ndarray, /) -> Posterior:
        return self(features)


def test_errors_in_deviations_of_ranks_say_nothing_of_deviations_of_scores() -> None:
    """A score that comes to be seen would else be shown with the tiny intervals of one that was not."""
    own, nothing, scale = calibration(), np.zeros(LATEST), 1e-6
    own.learn(told(Ranker(1.0), nothing, scale * RNG.standard_normal(LATEST)))
    seen = Ranker(0.05, doubts_ranks=False)
    for belief, factor in ((Ranker(1.0), own.factor("score")), (seen, 1.0)):
        moments = moments_of(belief, nothing, has_score=True, has_properties=False)
        shown = own.rescaled(moments, belief)["score"][1]
        assert shown.tolist() == pytest.approx((factor * belief.deviation * np.ones(LATEST)).tolist())
    own = calibration(state=State(data=json.loads(json.dumps(own.state().data))))
    own.learn(told(seen, np.zeros(20), 0.05 * RNG.standard_normal(20)))
    assert len(own.state().data["errors"]["score"]) == 20
    assert 0.3 < own.factor("score") < 3


def test_a_score_that_nothing_is_doubted_of_and_that_is_off_does_not_widen_all_others_for_good() -> None:
    own = calibration()
    own.learn(told(Sayer(0.05), np.zeros(150), 0.05 * RNG.standard_normal(150)))
    own.learn(told(Sayer(0.0), np.zeros(50), np.full(50, 0.05)))
    assert own.factor("score") < 50


def test_a_restart_changes_nothing() -> None:
    own = learned(RNG.standard_normal(30))
    again = calibration(state=State(data=json.loads(json.dumps(own.state().data))))
    assert again.factor("score") == own.factor("score")
    for part in (own, again):
        part.learn(told(Sayer(1.0), np.zeros(5), np.full(5, 3.0)))
    assert again.state() == own.state()
