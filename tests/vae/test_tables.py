"""Tables of mixed kinds: what is read of them, there and back, what is filled in, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from designloop.testing.draws import generator
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.inference.imputation import sample_missing
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.product import Product
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder
from designloop.vae.tables import MixedTable, unit_of
from designloop.vae.training.batches import Batch
from designloop.vae.training.epochs import fit_epochs
from designloop.vae.training.losses import ELBO

FRAME = pd.DataFrame(
    {
        "colour": ["red", None, "blue", "red", "green"],
        "height": [1.5, 2.5, np.nan, 0.5, 3.5],
        "visits": [0.0, 7.0, 1.0, np.nan, 12.0],
        "smoker": [True, False, False, True, False],
        "year": [2001, 2003, 2002, 2009, 2004],
        "grade": pd.Categorical(["b", "a", "b", None, "a"]),
        "seen": [0, 1, 1, 0, 1],
    }
)


def test_kinds_are_what_the_values_say() -> None:
    table = MixedTable.of(FRAME)
    kinds = {column.name: column.kind for column in table.columns}
    assert kinds == {
        "height": "numbers",
        "year": "numbers",  # whole, and far too regular for counts
        "visits": "counts",
        "smoker": "binary",
        "grade": "binary",
        "seen": "binary",
        "colour": "classes",
    }
    assert {name: block.features for name, block in table.likelihood().blocks.items()} == {
        "numbers": 2,
        "counts": 1,
        "binary": 3,
        "3 classes": 1,
    }
    halves = MixedTable.of({"half": [0.0, 0.5, 8.0, 2.0], "whole": [0.0, 1.0, 8.0, 2.0]})
    assert [column.kind for column in halves.columns] == ["numbers", "counts"]
    assert {c.name: c.kind for c in MixedTable.of(FRAME, {"visits": "numbers"}).columns}["visits"] == "numbers"


def test_rows_are_numbers_with_a_mask_and_come_back_as_they_were() -> None:
    table = MixedTable.of(FRAME)
    x, mask = table.rows(FRAME[FRAME.columns[::-1]])
    assert x.dtype == torch.get_default_dtype()
    assert bool(x.isfinite().all())
    assert int((~mask).sum()) == 4
    numbers = x[:, :2]
    assert float(numbers[:, 1].mean()) == pytest.approx(0, abs=1e-6)
    assert float(numbers[:, 1].std(correction=0)) == pytest.approx(1, rel=1e-6)
    back = table.columns_of(x)
    for name, column in FRAME.items():
        known = column.notna().to_numpy()
        wanted = column.to_numpy()[known].tolist()
        if column.dtype.kind == "f":
            np.testing.assert_allclose(back[name][known], wanted, rtol=1e-6)
        else:
            assert back[name][known].tolist() == pytest.approx(wanted) if name == "year" else wanted


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.5), st.sampled_from([1e-6, 1.0, 1e6]))
def test_any_table_comes_back_where_it_is_observed(seed: int, missing: float, unit: float) -> None:
    rng = np.random.default_rng(seed)
    frame: dict[str, list[Any]] = {
        "number": (unit * rng.standard_normal(12)).tolist(),
        "label": rng.choice(["", "nan", "b c", "ä"], 12).tolist(),
        "count": rng.negative_binomial(0.7, 0.1, 12).tolist(),
    }
    firsts: dict[str, list[Any]] = {"number": [0.0, unit, -unit], "label": ["", "nan", "ä"], "count": [0, 5, 40]}
    for name, values in frame.items():
        frame[name] = [None if place > 2 and rng.random() < missing else value for place, value in enumerate(values)]
        frame[name][:3] = firsts[name]
    table = MixedTable.of(frame, {"count": "counts"})
    x, mask = table.rows(frame)
    back = table.columns_of(x.double())
    for place, column in enumerate(table.columns):
        for row, value in enumerate(frame[column.name]):
            assert bool(mask[row, place]) is (value is not None)
            if value is not None:
                same = pytest.approx(value, rel=1e-5, abs=1e-5 * unit) if column.name == "number" else value
                assert back[column.name][row] == same


def planted(rows: int) -> dict[str, Any]:
    """One latent moves a number, a count, a yes or no, and a class."""
    rng = np.random.default_rng(0)
    z = rng.standard_normal(rows)
    return {
        "number": 40 + 10 * (z + 0.3 * rng.standard_normal(rows)),
        "count": rng.poisson(np.exp(1 + 0.8 * z)),
        "yes": np.where(z + 0.3 * rng.standard_normal(rows) > 0, "yes", "no"),
        "size": np.array(["small", "middle", "large"])[np.digitize(z + 0.3 * rng.standard_normal(rows), [-0.5, 0.5])],
    }


def test_what_is_missing_is_filled_from_the_other_kinds() -> None:
    truth = planted(300)
    hide = np.random.default_rng(1).random((300, 4))
    hide = (hide < 0.3) & (hide > hide.min(1, keepdims=True))  # something is left of every row
    frame = pd.DataFrame(truth)
    for place, name in enumerate(truth):
        frame.loc[hide[:, place], name] = None if frame[name].dtype.kind == "O" else np.nan
    table = MixedTable.of(frame)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = table.vae(1, [16])
    x, mask = table.rows(frame)
    fit_epochs(vae, ELBO(), Batch(x, mask), epochs=20, batch=50, rate=0.03)
    filled = table.fill(vae, frame, k=30, generator=generator())
    gained = {}
    for place, name in enumerate(truth):
        gone, seen = hide[:, place], ~hide[:, place]
        assert (filled[name][seen] == truth[name][seen]).mean() > 0.99 or name == "number"
        if name in ("yes", "size"):
            labels, many = np.unique(truth[name][seen], return_counts=True)
            guess = (truth[name][gone] == labels[many.argmax()]).mean()
            gained[name] = (filled[name][gone] == truth[name][gone]).mean() - guess
        else:
            guesses = filled[name][gone], truth[name][seen].mean()
            error, plain = (((guess - truth[name][gone]) ** 2).mean() for guess in guesses)
            gained[name] = 1 - error / plain
    assert gained["number"] > 0.4
    assert gained["count"] > 0.15
    assert gained["yes"] > 0.2
    assert gained["size"] > 0.15
    drawn = table.columns_of(sample_missing(vae, x, mask, n=2, k=10, generator=generator())[0])
    assert set(drawn["size"]) == {"small", "middle", "large"}
    assert drawn["count"].min() >= 0


def test_a_fresh_model_starts_at_the_margins() -> None:
    table = MixedTable.of(FRAME)
    vae = table.vae(2)
    with torch.no_grad():
        assert isinstance(vae.decoder, MLPDecoder)
        last = vae.decoder.net[-1]
        assert isinstance(last, nn.Linear)
        last.weight.zero_()
        params = vae.decode(torch.zeros(1, 2))
    likelihood = vae.likelihood
    assert isinstance(likelihood, Product)
    mean = {name: block.likelihood.mean(params[:, block.params]) for name, block in likelihood.blocks.items()
            if name != "3 classes"}  # fmt: skip
    assert float(mean["counts"][0, 0]) == pytest.approx(5.0)
    assert float(mean["binary"][0, 0]) == pytest.approx(2.5 / 6)
    classes = likelihood["3 classes"]
    assert isinstance(classes.likelihood, Categorical)
    chances = classes.likelihood.probabilities(params[:, classes.params]).flatten().tolist()
    assert chances == pytest.approx([1.5 / 5.5, 1.5 / 5.5, 2.5 / 5.5])  # blue, green, red


REFUSED = {
    "the table is a list, expected a data frame or name -> column": [1, 2],
    "the table has no columns; give at least one": {},
    r"column 'b' has shape \(1,\), expected \(2,\)": {"a": [1.0, 2.0], "b": [1.0]},
    "column 'a' has fewer than two different values; leave it out": {"a": [1.0, None, 1.0]},
    "column 'a' has infinite values; make them missing": {"a": [1.0, np.inf]},
}
MISTAKEN: dict[str, tuple[dict[str, list[Any]], dict[str, Any]]] = {
    "column 'a' holds labels and is said to be counts": ({"a": ["x", "y"]}, {"a": "counts"}),
    "column 'a' is of counts and holds what is none": ({"a": [0.5, 2.0]}, {"a": "counts"}),
    "column 'a' is binary and has 3 labels; expected two": ({"a": [1.0, 2.0, 3.0]}, {"a": "binary"}),
    "kinds says 'b': 'counts', expected one of the columns a": ({"a": [1.0, 2.0]}, {"b": "counts"}),
    "kinds says 'a': 'text', expected one of the columns a": ({"a": [1.0, 2.0]}, {"a": "text"}),
}
UNREADABLE: dict[str, tuple[str, list[Any]]] = {
    "column 'colour' has the label 'teal', expected one of 'blue', 'green', 'red'": ("colour", ["teal"] * 5),
    "column 'height' is of numbers and holds what is no number": ("height", ["x"] * 5),
    "column 'visits' is of counts and holds what is none": ("visits", [-1.0] * 5),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_table_that_cannot_be_read_is_told(message: str) -> None:
    with pytest.raises(VAEError, match=message):
        MixedTable.of(REFUSED[message])


@pytest.mark.parametrize("message", MISTAKEN)
def test_kinds_that_cannot_be_are_told(message: str) -> None:
    frame, kinds = MISTAKEN[message]
    with pytest.raises(VAEError, match=message):
        MixedTable.of(frame, kinds)


@pytest.mark.parametrize("message", UNREADABLE)
def test_rows_of_another_table_are_told(message: str) -> None:
    name, column = UNREADABLE[message]
    with pytest.raises(VAEError, match=message):
        MixedTable.of(FRAME).rows({**dict(FRAME.items()), name: column})


def test_other_widths_and_models_are_told() -> None:
    table = MixedTable.of(FRAME)
    with pytest.raises(VAEError, match="the table has no column 'year', it has colour, height"):
        table.rows(FRAME.drop(columns="year"))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3\), expected \(rows, 7\)"):
        table.columns_of(torch.zeros(2, 3))
    fitted = table.vae(2)
    other = VAE(fitted.encoder, fitted.decoder, Gaussian(7), fitted.prior)
    with pytest.raises(VAEError, match=r"the model explains other rows than this table's 7 columns; fit table\.vae"):
        table.fill(other, FRAME, k=2)


def test_a_unit_is_exact_where_whole_numbers_end_that_a_computer_counts_in() -> None:
    assert unit_of(np.array([0.0, 6.0, 9.0])) == 3
    assert unit_of(np.array([0.0, 2.0**70, 3 * 2.0**69])) == 2**69
    assert MixedTable.of({"huge": [1e30, 2e30, 0.0, 5e30]}).columns[0].kind == "numbers"
