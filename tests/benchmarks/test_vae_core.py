"""The rows of the core's benchmark, made once from little: what is exact at any size holds."""

from __future__ import annotations

import json
from functools import partial

import pytest

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae_methods import core
from designloop.testing import NonConformance
from designloop.vae.inference.evidence import annealed_evidence


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_passes", lambda check: True)  # the tests of likelihoods and priors put them to it
    monkeypatch.setattr(core, "STEPS", 5)
    monkeypatch.setattr(core, "annealed_evidence", partial(annealed_evidence, leaps=1))
    monkeypatch.setattr(core, "CHAINS", 3)
    monkeypatch.setattr(core, "DRAWS", 200)
    monkeypatch.setattr(core, "TEMPERATURES", 2)
    rows = core.run([0, 1], lambda line: None)
    assert len({row.measure for row in rows}) == len(rows)
    by_measure = {row.measure: row for row in rows}
    formulas = [row for measure, row in by_measure.items() if measure.startswith("negative binomial")]
    assert len(formulas) == 2
    assert all(row.holds for row in formulas)
    (imputed,) = (row for measure, row in by_measure.items() if "missing" in measure)
    assert imputed.floor is not None
    assert -0.05 < imputed.value < 0.1 < imputed.floor
    assert json.loads(json.dumps([as_json("core", row) for row in rows]))


def test_a_part_that_fails_its_suite_is_counted_out() -> None:
    def fails() -> None:
        raise NonConformance("some", 1, {"check": ["wrong"]})

    assert [core._passes(fails), core._passes(lambda: None)] == [False, True]
