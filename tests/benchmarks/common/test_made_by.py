"""By what arms were made: what agrees, and what is said where it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop.benchmarks.common.made_by import in_words, made_by, marked, mixed, mixed_arms, search_of, unequal
from designloop.benchmarks.common.measures import paired, paired_row
from designloop.benchmarks.common.page import PENDING
from designloop.benchmarks.common.trials import Trial, TrialResult


def nothing(folder: Path) -> TrialResult:
    return {}


def trial(code: str | None = None, **identity: object) -> Trial:
    return Trial("a", 0, nothing, {"calls": 5, **identity}, code)


def test_what_is_kept_tells_code_model_and_all_else_apart() -> None:
    own = made_by(trial(model="m" * 64, campaign="x"), "c" * 64)
    assert (own["code"], own["model"]) == ("c" * 12, "m" * 12)
    assert made_by(trial(campaign="x"), "c" * 64)["model"] is None
    others = (trial(campaign="x"), trial(campaign="y"), trial(campaign="x", search="s"), trial("code", campaign="x"))
    assert len({search_of(of) for of in others}) == 4
    assert search_of(trial(campaign="x")) == search_of(trial(campaign="x"))


def test_what_is_unknown_is_like_nothing_that_is_known() -> None:
    own = {"code": "c", "model": "m", "search": "s"}
    assert unequal([own, own]) == unequal([{}, {}]) == unequal([]) == []
    assert unequal([own, {}]) == ["code", "model", "search"]
    assert unequal([own, {**own, "search": "t"}]) == ["search"]
    assert unequal([own, {**own, "search": "t"}], ("code", "model")) == []
    assert [in_words(of) for of in (own, {**own, "search": None}, {"code": "c"}, {})] == [
        "c with model m, search s", "c with model m", "c", "",
    ]  # fmt: skip


def test_an_arm_of_several_searches_and_one_of_unknown_ones_are_named() -> None:
    text = mixed({"a": ["c", "c"], "b": ["c", "d", "c"], "e": ["c", ""], "f": ["", ""]})
    assert text == (
        " **This mixes codes:** b is of code c (2), d (1); e is of code c (1), one that was not kept (1)."
        " By what code f was made was not kept."
    )
    assert mixed({"a": ["c", "c"]}) == mixed({"a": []}) == ""


def test_arms_of_other_codes_or_models_are_named_and_other_searches_are_what_arms_are() -> None:
    own = {"code": "c", "model": "m", "search": "s"}
    assert mixed_arms({"a": own, "b": {**own, "search": "t"}}) == ""
    text = mixed_arms({"a": own, "b": {**own, "model": "n"}, "d": own, "e": {}})
    assert text == (
        " **This mixes codes:** a, d of code c with model m; b of code c with model n."
        " By what code e was made was not kept."
    )


@pytest.mark.parametrize("names", [[], ["code"], ["code", "model"]])
def test_a_test_between_what_was_made_otherwise_does_not_count(names: list[str]) -> None:
    bar = paired("a above b", [1.0, 1.1, 1.05, 1.02, 1.07], [0.0] * 5)
    assert bar["holds"] is True
    row = paired_row(marked(bar, names))
    assert row[0] == (f"a above b (of other {' and '.join(names)})" if names else "a above b")
    assert row[-1] == (PENDING if names else True)
