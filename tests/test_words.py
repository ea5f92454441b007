"""Which word was meant, and lists in a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.molecules.shipped import DEFAULT_MODEL, shipped_models
from designloop.words import counted, did_you_mean, listed, meant_or_known, nearest, shorten, silent

OPTIONS = ("latent_bo", "property_loss", "PAINS", "random")


@given(st.sampled_from(OPTIONS), st.booleans(), st.booleans())
def test_a_word_in_another_case_or_with_dashes_is_known(option: str, upper: bool, dashes: bool) -> None:
    word = option.upper() if upper else option.lower()
    assert nearest(word.replace("_", "-") if dashes else word, OPTIONS) == option


@pytest.mark.parametrize(
    ("word", "hint", "else_all"),
    [
        ("latent-b0", "did you mean 'latent_bo'?", "did you mean 'latent_bo'?"),
        ("pain", "did you mean 'PAINS'?", "did you mean 'PAINS'?"),
        ("xyz", "", "known are PAINS, latent_bo, property_loss, random"),
    ],
)
def test_a_hint_names_what_was_meant(word: str, hint: str, else_all: str) -> None:
    assert did_you_mean(word, OPTIONS) == hint
    assert meant_or_known(word, OPTIONS) == else_all


def test_where_nothing_is_known_nothing_is_meant() -> None:
    assert did_you_mean("word", ()) == ""
    assert meant_or_known("word", ()) == "there are none"


@pytest.mark.parametrize(
    ("options", "text"), [([], "nothing"), (["a"], "a"), (["a", "b"], "a or b"), (["a", "b", "c"], "a, b or c")]
)
def test_a_list_reads_as_a_sentence(options: list[str], text: str) -> None:
    assert listed(options) == text


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (1, ("row",), "1 row"),
        (0, ("row",), "0 rows"),
        (2000, ("row",), "2,000 rows"),
        (1, ("row is", "rows are"), "1 row is"),
        (3, ("row is", "rows are"), "3 rows are"),
    ],
)
def test_what_is_counted_is_one_or_several(number: int, words: tuple[str, ...], text: str) -> None:
    assert counted(number, *words) == text


def test_silence_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    silent("anything")
    assert capsys.readouterr() == ("", "")


def test_the_default_model_is_shipped() -> None:
    assert DEFAULT_MODEL in shipped_models()


@given(st.text(max_size=40), st.integers(1, 40))
def test_a_long_text_is_cut_and_says_so(text: str, most: int) -> None:
    short = shorten(text, most)
    assert short == text if len(text) <= most else (len(short) == most and short == text[: most - 1] + "…")
