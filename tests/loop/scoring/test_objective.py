"""Transforms against their closed forms; the objective, its aggregates, and what a failure is to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from designloop.loop.scoring.objective import AGGREGATES, RESERVED, Objective, Property
from designloop.loop.scoring.transforms import TRANSFORMS, Transform, logistic10
from designloop.records import Candidate, Evaluation, Result

values = st.floats(-1e9, 1e9)
steepness = st.floats(1e-3, 1e3)
ends = st.tuples(st.floats(-1e4, 1e4), st.floats(1e-3, 1e4)).map(
    lambda low_and_width: (low_and_width[0], sum(low_and_width))
)


def made(kind: str, **settings: float) -> Transform:
    return TRANSFORMS[kind](**settings)


@st.composite
def transforms(draw: st.DrawFn) -> Transform:
    kind = draw(st.sampled_from(sorted(TRANSFORMS)))
    low, high = draw(ends)
    if kind == "gaussian":
        return made(kind, mean=low, sd=draw(steepness))
    if kind == "double_sigmoid":
        return made(
            kind, low=low, high=high, coef_div=draw(steepness), coef_si=draw(steepness), coef_se=draw(steepness)
        )
    if kind.endswith("sigmoid"):
        return made(kind, low=low, high=high, k=draw(steepness))
    return made(kind, low=low, high=high) if kind in ("linear", "step") else made(kind, **TRANSFORMS[kind].example)


@given(transforms(), st.lists(values, min_size=1))
def test_a_desirability_lies_in_0_to_1_in_the_shape_of_the_values(transform: Transform, x: list[float]) -> None:
    made = transform(np.array(x))
    assert made.shape == (len(x),)
    assert np.all((made >= 0) & (made <= 1))
    assert np.array_equal(made, [transform(value) for value in x])


@given(ends, steepness, st.lists(values, min_size=2))
def test_more_is_better_or_worse_as_the_transform_says(low_high: tuple[float, float], k: float, x: list[float]) -> None:
    low, high = low_high
    ordered = np.sort(x)
    rising = [made("linear", low=low, high=high), made("sigmoid", low=low, high=high, k=k), made("step", low=low)]
    falling = [
        made("linear", low=high, high=low),
        made("reverse_sigmoid", low=low, high=high, k=k),
        made("step", high=low),
    ]
    for transform in rising:
        assert np.all(np.diff(transform(ordered)) >= -1e-15)
    for transform in falling:
        assert np.all(np.diff(transform(ordered)) <= 1e-15)


@given(ends, steepness, steepness, st.lists(values, min_size=3))
def test_a_window_rises_then_falls(low_high: tuple[float, float], si: float, se: float, x: list[float]) -> None:
    low, high = low_high
    steps = np.diff(made("double_sigmoid", low=low, high=high, coef_si=si, coef_se=se)(np.sort(x)))
    falls = np.flatnonzero(steps < -1e-15)
    assert falls.size == 0 or np.all(steps[falls[0] :] <= 1e-15)


@pytest.mark.parametrize(
    ("kind", "settings", "x", "expected"),
    [
        ("linear", {"low": 0.1, "high": 0.6}, [0.0, 0.1, 0.35, 0.6, 0.9], [0, 0, 0.5, 1, 1]),
        ("linear", {"low": 5.0, "high": 2.5}, [6.0, 5.0, 3.0, 2.5, 1.0], [0, 0, 0.8, 1, 1]),
        ("sigmoid", {"low": 2.0, "high": 4.0}, [2.0, 3.0, 4.0], [1 / (1 + 10**2.5), 0.5, 1 / (1 + 10**-2.5)]),
        ("sigmoid", {"low": 2.0, "high": 4.0, "k": 0.1}, [3.4], [1 / (1 + 10**-0.2)]),
        ("reverse_sigmoid", {"low": 2.0, "high": 4.0}, [2.0, 3.0, 4.0], [1 / (1 + 10**-2.5), 0.5, 1 / (1 + 10**2.5)]),
        ("gaussian", {"mean": 90.0, "sd": 10.0}, [90.0, 100.0, 70.0], [1, math.exp(-0.5), math.exp(-2)]),
        ("step", {"low": 1.0, "high": 3.0}, [0.9, 1.0, 3.0, 3.1], [0, 1, 1, 0]),
        ("step", {"low": 1.0}, [0.9, 1.0, 1e9], [0, 1, 1]),
        ("step", {"high": 0.0}, [0.0, 0.1], [1, 0]),
        ("step", {"low": 2.0, "high": 2.0}, [2.0, 2.1], [1, 0]),
    ],
)
def test_closed_forms(kind: str, settings: dict[str, float], x: list[float], expected: list[float]) -> None:
    assert made(kind, **settings)(x) == pytest.approx(expected, abs=1e-12)


REINVENT4 = {"low": 200.0, "high": 500.0, "coef_div": 500.0, "coef_si": 20.0, "coef_se": 20.0}
"""The molecular weight of REINVENT's examples."""


def reinvent4_double_sigmoid(
    x: float, low: float, high: float, coef_div: float, coef_si: float, coef_se: float
) -> float:
    """As published: the left sigmoid below the middle of the window, one minus the right one above it."""
    if x < (low + high) / 2:
        return 1 / (1 + 10 ** (-coef_si / coef_div * (x - low)))
    return 1 - 1 / (1 + 10 ** (-coef_se / coef_div * (x - high)))


@given(st.floats(0, 900))
def test_a_double_sigmoid_of_equal_flanks_is_reinvent_4s(x: float) -> None:
    assert made("double_sigmoid", **REINVENT4)(x) == pytest.approx(reinvent4_double_sigmoid(x, **REINVENT4), abs=1e-9)


def test_the_logistic_function_overflows_at_neither_end() -> None:
    assert np.array_equal(logistic10([-1e300, -400.0, 0.0, 1e300]), [0.0, 0.0, 0.5, 1.0])


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("double_sigmoid", {"low": 5, "high": 3}, "found low 5 and high 3, expected low below high"),
        ("sigmoid", {"low": 5, "high": 3}, "use the type reverse_sigmoid"),
        ("reverse_sigmoid", {"low": 3, "high": 3}, "found low 3 and high 3, expected low below high swap them"),
        ("linear", {"low": 3, "high": 3}, "found low and high both 3, expected two values apart"),
        ("step", {"low": 4, "high": 3}, "expected low below high"),
        ("step", {}, "found neither low nor high"),
        ("gaussian", {"mean": 0, "sd": 0}, "greater than 0"),
        ("sigmoid", {"low": 0, "high": 1, "k": -1}, "greater than 0"),
        ("linear", {"low": 0, "high": math.inf}, "finite"),
        ("linear", {"low": "0", "high": 1}, "valid number"),
        ("linear", {"low": 0, "high": 1, "hihg": 2}, "not permitted"),
    ],
)
def test_settings_that_make_no_transform_are_refused(kind: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TRANSFORMS[kind](**settings)


def test_a_contradiction_is_told_beside_other_mistakes() -> None:
    with pytest.raises(ValidationError) as caught:
        TRANSFORMS["double_sigmoid"].model_validate({"low": 5, "high": 3, "coef_si": "x", "other": 1})
    assert [line["loc"] for line in caught.value.errors()] == [("coef_si",), ("other",), ("low",)]


# --- the objective -------------------------------------------------------------------------------------------------


def objective(aggregate: str = "geometric_mean", **weights: float) -> Objective:
    """Properties whose desirabilities are their values."""
    unit = {"type": "linear", "low": 0.0, "high": 1.0}
    properties = [
        {"name": name, "oracle": "qed", "transform": unit, "weight": weight} for name, weight in weights.items()
    ]
    return Objective.model_validate({"aggregate": aggregate, "properties": properties})


ONE_SCORE = sorted(set(AGGREGATES) - {"pareto"})
"""Aggregates of any number of properties; `pareto` takes 2 to 4."""


def evaluation(**results: float | Result) -> Evaluation:
    whole = {name: r if isinstance(r, Result) else Result(r) for name, r in results.items()}
    return Evaluation(Candidate("C", "prior"), whole)


def score(wanted: Objective, **results: float | Result) -> float | None:
    return wanted([evaluation(**results)])[0].score


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("arithmetic_mean", (1 * 0.2 + 3 * 0.9) / 4),
        ("geometric_mean", (0.2 * 0.9**3) ** 0.25),
        ("product", 0.2 * 0.9**3),
    ],
)
def test_aggregates_weigh(aggregate: str, expected: float) -> None:
    assert score(objective(aggregate, a=1, b=3), a=0.2, b=0.9) == pytest.approx(expected, rel=1e-14)


def test_the_minimum_is_that_of_what_counts() -> None:
    assert score(objective("minimum", a=1, b=1, c=0), a=0.4, b=0.3, c=0.1) == 0.3


@pytest.mark.parametrize("aggregate", ONE_SCORE)
def test_a_weight_of_0_shows_a_property_and_leaves_it_out_of_the_score(aggregate: str) -> None:
    row = objective(aggregate, a=1, b=0)([evaluation(a=0.5, b=0.0)])[0]
    assert row.score == pytest.approx(0.5)
    assert row.desirability == {"a": 0.5, "b": 0.0}


@given(
    st.sampled_from(ONE_SCORE),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=1, max_size=6),
)
def test_a_score_lies_between_the_worst_and_the_best_that_counts(
    aggregate: str, drawn: list[tuple[float, float]]
) -> None:
    if not any(weight for _, weight in drawn):
        return
    names = [f"p{index}" for index in range(len(drawn))]
    scored = score(
        objective(aggregate, **dict(zip(names, (w for _, w in drawn), strict=True))),
        **dict(zip(names, (d for d, _ in drawn), strict=True)),
    )
    counted = [d for d, weight in drawn if weight]
    least = math.prod(counted) if aggregate == "product" else min(counted)
    assert scored is not None
    assert least - 1e-12 <= scored <= min(1.0, max(counted) + 1e-12)


@pytest.mark.parametrize("aggregate", ["geometric_mean", "product", "minimum"])
def test_nothing_makes_up_for_a_property_at_0(aggregate: str) -> None:
    assert score(objective(aggregate, a=1, b=1), a=0.0, b=1.0) == 0.0


@pytest.mark.parametrize("status", ["failed", "timeout", "not_run"])
def test_a_failure_is_no_zero(status: Any) -> None:
    rows = objective(a=1, b=1)([evaluation(a=0.5, b=Result(None, status, "why")), evaluation(a=0.5, b=0.5)])
    assert rows[0].score is None
    assert rows[0].desirability == {"a": 0.5, "b": None}
    assert rows[1].score == pytest.approx(0.5)


def test_a_round_without_molecules_has_no_scores() -> None:
    assert objective(a=1)([]) == []


def test_a_round_in_which_everything_failed_has_no_scores() -> None:
    failed = Result(None, "failed", "why")
    rows = objective("minimum", a=1)([evaluation(a=failed), evaluation(a=failed)])
    assert [row.score for row in rows] == [None, None]


def refusal(properties: list[Mapping[str, Any]], **other: Any) -> list[tuple[int | str, ...]]:
    with pytest.raises(ValidationError) as caught:
        Objective.model_validate({"properties": properties, **other})
    return [line["loc"] for line in caught.value.errors()]


def wanted(name: str, **other: Any) -> dict[str, Any]:
    return {"name": name, "oracle": "qed", "transform": {"type": "step", "low": 0.5}, **other}


@pytest.mark.parametrize(
    "name", ["score", "Score", "SMILES", "a_desirability", "A_Desirability", "2d", "a b", "", "a-b"]
)
def test_a_property_that_cannot_be_a_column_is_refused(name: str) -> None:
    assert refusal([wanted(name)]) == [("properties", 0, "name")]


def test_reserved_names_are_the_columns_of_every_table() -> None:
    schema = pytest.importorskip("designloop.tables.schema")
    assert {column.name for column in schema.CANDIDATES} | {"kind"} == RESERVED


def test_names_differ_in_more_than_case() -> None:
    assert refusal([wanted("a"), wanted("b"), wanted("A")]) == [("properties", 2, "name")]


def test_weights_that_mean_nothing_are_refused() -> None:
    assert refusal([wanted("a", weight=0), wanted("b", weight=0)]) == [("properties",)]
    assert refusal([wanted("a", weight=2), wanted("b")], aggregate="minimum") == [("properties", 0, "weight")]
    assert refusal([wanted("a", weight=-1)]) == [("properties", 0, "weight")]
    assert refusal([]) == [("properties",)]


def test_all_mistakes_are_told_at_once() -> None:
    places = refusal(
        [wanted("a", weight="x"), wanted("a", transform={"type": "stepp"}), wanted("b", transform=1)], aggregate="mean"
    )
    assert set(places) == {
        ("aggregate",),
        ("properties", 0, "weight"),
        ("properties", 1, "name"),
        ("properties", 1, "transform", "type"),
        ("properties", 2, "transform"),
    }


def test_a_transform_is_written_down_as_it_was_read() -> None:
    written = {"type": "sigmoid", "low": 1.0, "high": 2.0, "k": 0.5}
    read = Property.model_validate({"name": "a", "oracle": "qed", "transform": written})
    assert read.model_dump(mode="json")["transform"] == written
    assert Property.model_validate(read.model_dump()) == read


# --- trade-offs ----------------------------------------------------------------------------------------------------


def test_goals_are_what_counts_and_their_score_is_the_plain_mean() -> None:
    wanted = objective("pareto", a=1, b=1, c=0).model_copy(update={"reference_point": {"b": 0.25}})
    assert wanted.goals == {"a": 0.0, "b": 0.25}
    assert wanted.known().reference == (0.0, 0.25)
    assert score(wanted, a=0.2, b=0.6, c=1.0) == pytest.approx(0.4)
    assert objective("minimum", a=1, b=1).goals == {}
    assert objective("minimum", a=1, b=1).known().reference is None


@pytest.mark.parametrize(
    ("changes", "place", "words"),
    [
        ({"weights": {"a": 1, "b": 0}}, ("properties",), "1 property of weight above 0"),
        ({"weights": dict.fromkeys("abcdefghi", 1)}, ("properties",), "9 properties of weight above 0"),
        ({"weights": {"a": 1, "b": 3}}, ("properties", 1, "weight"), "no property counts more"),
        ({"reference_point": {"x": 0.5}}, ("reference_point", "x"), "the unknown property 'x'"),
        (
            {"reference_point": {"c": 0.5}, "weights": {"a": 1, "b": 1, "c": 0}},
            ("reference_point", "c"),
            "weight above",
        ),
        ({"reference_point": {"a": 1.0}}, ("reference_point", "a"), "less than 1"),
        ({"reference_point": {"a": 0.5}, "aggregate": "product"}, ("reference_point",), "hypervolume"),
        ({"reference_point": "nadir", "aggregate": "product"}, ("reference_point",), "hypervolume"),
    ],
)
def test_goals_that_mean_nothing_are_told(changes: dict[str, Any], place: tuple[str | int, ...], words: str) -> None:
    given = {"aggregate": "pareto", "weights": {"a": 1, "b": 1}} | changes
    weights = given.pop("weights")
    unit = {"type": "linear", "low": 0.0, "high": 1.0}
    properties = [{"name": n, "oracle": "qed", "transform": unit, "weight": float(w)} for n, w in weights.items()]
    with pytest.raises(ValidationError) as caught:
        Objective.model_validate({**given, "properties": properties})
    # A branch of a union has its label in the place.
    places = [tuple(part for part in line["loc"] if "[" not in str(part)) for line in caught.value.errors()]
    assert place in places
    assert {where[0] for where in places} == {place[0]}
    assert words in str(caught.value)


def test_a_reference_by_rule_moves_for_the_search_and_stays_0_for_what_is_told() -> None:
    wanted = objective("pareto", a=1, b=1).model_copy(update={"reference_point": "nadir"})
    assert wanted.goals == {"a": 0.0, "b": 0.0}
    assert wanted.known().reference_moves
    assert not objective("pareto", a=1, b=1).known().reference_moves
    assert wanted.model_dump()["reference_point"] == "nadir"


def test_an_objective_without_a_reference_point_is_dumped_as_it_always_was() -> None:
    assert list(objective("pareto", a=1, b=1).model_dump()) == ["aggregate", "properties"]
    given = objective("pareto", a=1, b=1).model_copy(update={"reference_point": {"a": 0.5}})
    assert given.model_dump()["reference_point"] == {"a": 0.5}
