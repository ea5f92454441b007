"""The picture of a campaign's course, read back and compared with what it was made of."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.report.progress import draw_progress
from designloop.report.references import Reference
from designloop.tables.best import course

SVG = "{http://www.w3.org/2000/svg}"

CALLS = [("C", 0.1), ("CC", None), ("CCC", 0.6), ("CCCC", 0.35)]


def paths(picture: str) -> dict[str, list[str]]:
    drawn: dict[str, list[str]] = {}
    for path in ET.fromstring(picture).iter(f"{SVG}path"):
        drawn.setdefault(path.get("class") or "", []).append(path.get("d") or "")
    return drawn


def texts(picture: str) -> dict[str, tuple[float, float]]:
    return {
        element.text or "": (float(element.get("x") or 0), float(element.get("y") or 0))
        for element in ET.fromstring(picture).iter(f"{SVG}text")
    }


def axis(picture: str) -> tuple[float, float]:
    """Heights of the scores 0 and 1, by the marks of the axis."""
    marks = texts(picture)
    return marks["0.0"][1] - 4, marks["1.0"][1] - 4


@given(
    st.lists(st.tuples(st.sampled_from(["C", "CC", "CCC", "CCO", "CCN"]), st.none() | st.floats(0, 1)), max_size=30),
    st.frozensets(st.integers(1, 30), max_size=5),
)
def test_every_score_stands_at_its_height_and_starting_molecules_apart(
    calls: list[tuple[str, float | None]], starting: frozenset[int]
) -> None:
    picture = draw_progress("any", calls, starting)
    bottom, top = axis(picture)
    drawn = paths(picture)
    of_start = [call for number, call in enumerate(calls, 1) if number in starting]
    others = [call for number, call in enumerate(calls, 1) if number not in starting]
    for name, of in (("starting", of_start), ("molecules", others)):
        heights = [float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)h0", "".join(drawn.get(name, [])))]
        expected = [bottom - (bottom - top) * score for _, score in of if score is not None]
        assert heights == pytest.approx(expected, abs=0.051)
    rise = course(calls)
    for name, steps in (("best", rise.best), ("mean", rise.mean)):
        heights = [float(y) for y in re.findall(r"(?:M[\d.]+ |V)([\d.]+)", "".join(drawn.get(name, [])))]
        assert heights == pytest.approx([bottom - (bottom - top) * score for _, score in steps], abs=0.051)


def test_it_has_a_title_and_says_what_each_sign_is() -> None:
    words = texts(draw_progress("a & b", CALLS, {1}))
    assert {
        "a & b: score against oracle calls",
        "oracle calls",
        "score",
        "a molecule",
        "a starting molecule",
    } <= words.keys()
    assert {"best so far", "mean of the 10 best"} <= words.keys()
    assert "a starting molecule" not in texts(draw_progress("a", CALLS))


def test_starting_molecules_lie_on_top_and_names_of_references_can_be_read_on_lines() -> None:
    picture = draw_progress("any", CALLS, {1, 2}, [Reference("a drug", "C", 0.6, {})])
    order = [path.get("class") for path in ET.fromstring(picture).iter(f"{SVG}path") if path.get("class")]
    assert order == ["molecules", "best", "mean", "starting", "reference"]
    (name,) = [text for text in ET.fromstring(picture).iter(f"{SVG}text") if text.text == "a drug 0.600"]
    assert (name.get("paint-order"), name.get("stroke"), name.get("text-anchor")) == ("stroke", "white", "end")


def test_a_front_is_drawn_by_its_volume_in_place_of_best_and_mean() -> None:
    picture = draw_progress("two", CALLS, volumes=[(1, 0.0), (4, 0.5)])
    drawn, (bottom, top) = paths(picture), axis(picture)
    assert "best" not in drawn
    assert "mean" not in drawn
    heights = [float(y) for y in re.findall(r"(?:M[\d.]+ |V)([\d.]+)", drawn["hypervolume"][0])]
    assert heights == pytest.approx([bottom, (bottom + top) / 2], abs=0.051)
    words = texts(picture)
    assert "two: hypervolume against oracle calls" in words
    assert any(text.startswith("hypervolume of the front") for text in words)


def test_each_reference_with_a_score_has_a_line_and_no_two_names_lie_on_each_other() -> None:
    references = [
        Reference(name, "C", score, {})
        for name, score in (("first", 0.5), ("none", None), ("like it", 0.501), ("low", 0.0))
    ]
    picture = draw_progress("any", CALLS, references=references)
    bottom, top = axis(picture)
    heights = sorted(float(d.split()[1].partition("H")[0]) for d in paths(picture)["reference"])
    assert heights == pytest.approx(sorted(bottom - (bottom - top) * score for score in (0.5, 0.501, 0.0)), abs=0.051)
    words = texts(picture)
    assert "none" not in " ".join(words)
    names = sorted(words[name][1] for name in ("first 0.500", "like it 0.501", "low 0.000"))
    assert min(later - earlier for earlier, later in pairwise(names)) >= 14


@pytest.mark.parametrize("calls", [0, 1, 5, 7, 45, 300, 2000, 10_000, 123_456])
def test_the_axis_of_calls_has_a_few_round_marks(calls: int) -> None:
    numbers = [text.replace(",", "") for text in texts(draw_progress("any", [("C", 0.5)] * min(calls, 3000)))]
    marks = [int(number) for number in numbers if number.isdigit()]
    assert marks[0] == 0
    assert 2 <= len(marks) <= 7
    assert all(str(mark).rstrip("0") in ("", "1", "2", "3", "4", "5", "6", "8", "12", "15", "25") for mark in marks)


def test_no_call_is_drawn_too() -> None:
    assert "best" not in paths(draw_progress("none", []))
    assert "best" not in paths(draw_progress("none", [("CCO", None)]))
