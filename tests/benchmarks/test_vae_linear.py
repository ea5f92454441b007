"""The rows of the linear VAE's benchmark, made once from little: names, bars, and what is exact at any size."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from designloop.benchmarks import vae_methods
from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae_methods import _fields, linear
from designloop.vae.simulators.lattice import free_field, phi4


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "PHASES", ((3, 0.1), (2, 0.03)))
    monkeypatch.setattr(linear, "ENCODER_STEPS", 5)
    monkeypatch.setattr(linear, "TRAINED", (("iris", 2),))
    monkeypatch.setattr(linear, "REFERENCES", {("iris", 2): linear.REFERENCES["iris", 2]})
    monkeypatch.setattr(linear, "WIDENED", (2,))
    monkeypatch.setattr(linear, "MANY", 50)
    monkeypatch.setattr(_fields, "FREE", {(6,): 3})
    monkeypatch.setattr(_fields, "FREE_FIELDS", 3000)
    monkeypatch.setattr(_fields, "INTERACTING", {(4,): (-1.0, 6.0, 3)})
    monkeypatch.setattr(_fields, "CHAINS", 100)
    monkeypatch.setattr(_fields, "SNAPSHOTS", 4)
    said: list[str] = []
    rows = vae_methods.load("linear").run([0], said.append)
    assert len({row.measure for row in rows}) == len(rows)
    exact = [row for row in rows if row.bar == "< 0.000001"]
    assert len(exact) == 4
    assert all(row.holds for row in exact)
    assert said
    assert json.loads(json.dumps([as_json("linear", row) for row in rows]))  # a record takes no number of numpy's


def test_a_chains_numbers_are_found_by_both_ways() -> None:
    """From Monte Carlo's fields by Fourier transform, from PPCA's kept modes, and from the transfer matrix."""
    fields = phi4((8,), -1.5, 6.0, 1500, 6, np.random.default_rng(0))
    found, error = _fields.of_fields(fields)
    exact = _fields.of_chain(8, -1.5, 6.0)
    assert np.abs((found - exact) / error).max() < 4
    kept, _ = _fields._jackknifed(torch.from_numpy(fields.reshape(-1, 8)), (8,), 3)
    np.testing.assert_allclose(kept, found, rtol=0.02)  # the same fields: only the turned directions differ


def test_free_fields_have_the_bare_mass_and_no_coupling() -> None:
    fields = free_field((6, 6), 0.5, 20_000, np.random.default_rng(1)).reshape(500, 40, 6, 6)
    (mass, normalisation, cumulant, coupling), error = _fields.of_fields(fields)
    for value, wanted, one in zip(
        (mass, normalisation, cumulant, coupling), (0.5**0.5, 1.0, 0.0, 0.0), error, strict=True
    ):
        assert value == pytest.approx(wanted, abs=4 * one)
