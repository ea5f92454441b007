"""The rows of cross-modality's benchmark, made from little; the ceiling against quadrature; the record of the peer."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import nbinom

from designloop.benchmarks.common.rows import as_json
from designloop.benchmarks.vae.methods.multimodal import ceiling, multivae, translation
from designloop.benchmarks.vae.methods.multimodal import method as multimodal
from designloop.benchmarks.vae.methods.multimodal.linear import apart_from_closed_form, linear_rows
from designloop.vae.simulators.multiome import Cells, cells, multiome


def test_the_rows_of_a_small_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, little in {"TRAIN": 120, "HELD_OUT": 40, "STEPS": 4, "DRAWS": 3, "NEIGHBOURS": 5}.items():
        monkeypatch.setattr(translation, name, little)
    monkeypatch.setattr(ceiling, "DRAWS", 200)
    monkeypatch.setattr(multimodal, "WEIGHTED", 3)
    held = translation.make_cells(0)[2]
    scores = {name: {"rna": 0.1, "atac": 0.5} for name in multivae.MODELS}
    record = tmp_path / "multivae.json"
    record.write_text(json.dumps({"rows": [{"seed": 0, "cells": multivae.digest(held), "scores": scores}]}))
    monkeypatch.setattr(multivae, "RECORD", record)
    lines: list[str] = []
    rows = multimodal.run([0], lines.append)
    assert len({row.measure for row in rows}) == len(rows)
    assert sum(row.holds is not None for row in rows) == 3 + 2 * 4 + 1 + 2 * len(multivae.MODELS) + 5
    assert json.loads(json.dumps([as_json("multimodal", row) for row in rows]))
    assert len(lines) == 2


def test_linear_experts_are_exact_and_a_wrong_one_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(apart_from_closed_form(0)) < 1e-9
    assert all(row.holds for row in linear_rows([0]))
    from designloop.vae.posteriors.experts import Expert

    told = Expert.where
    monkeypatch.setattr(Expert, "where", lambda self, rows: Expert(1.1 * told(self, rows).precision, self.pull))
    assert min(apart_from_closed_form(0)[:2]) > 1e-3


def test_the_ceiling_is_what_quadrature_says(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    truth = multiome(rng, private=0.4, genes=3, peaks=4, shared=1, own=1)
    held = cells(truth, 5, rng)
    has_gene, has_peak = rng.random((5, 3)) < 0.7, rng.random((5, 4)) < 0.7
    nodes, weights = np.polynomial.hermite_e.hermegauss(16)
    z = np.array(list(product(nodes, repeat=3)))
    prior = np.prod(list(product(weights / weights.sum(), repeat=3)), 1)
    means, chances = np.exp(truth.log_means(z)), 1 / (1 + np.exp(-truth.logits(z)))
    r, counts = truth.dispersions, np.arange(600)[:, None, None]
    log_counts = (nbinom.pmf(counts, r, r / (r + means)) * np.log1p(counts)).sum(0)
    monkeypatch.setattr(ceiling, "DRAWS", 100_000)
    said = ceiling.condition_on(truth, held, has_gene, has_peak, rng)
    for cell in range(5):
        of_rna = nbinom.pmf(held.counts[cell], r, r / (r + means)) ** has_gene[cell]
        of_atac = np.where(held.is_open[cell], chances, 1 - chances) ** has_peak[cell]
        joint = prior * of_rna.prod(1) * of_atac.prod(1)
        assert said.log_evidence[cell] == pytest.approx(np.log(joint.sum()), abs=0.03)
        np.testing.assert_allclose(said.log_counts[cell], joint @ log_counts / joint.sum(), atol=0.02)
        np.testing.assert_allclose(said.chances[cell], joint @ chances / joint.sum(), atol=0.02)
        assert 1000 < said.effective_samples[cell] <= 100_000


def test_measures_of_predictions_that_are_known() -> None:
    rng = np.random.default_rng(1)
    truth = multiome(rng)
    held = cells(truth, 3000, rng)
    chances = 1 / (1 + np.exp(-truth.logits(held.latents)))
    assert translation.calibration_error(chances, held) < 0.005
    assert translation.calibration_error(chances**2, held) > 0.1
    assert translation.auroc(chances, held) == pytest.approx(translation.auroc(chances**2, held))
    shuffled = Cells(rng.permutation(held.counts), rng.permutation(held.is_open), held.latents)
    assert translation.correlation(np.log1p(held.counts), held) == pytest.approx(1.0)
    assert abs(translation.auroc(rng.random(chances.shape), shuffled) - 0.5) < 0.01


def test_what_was_recorded_holds_for_the_cells_that_it_was_recorded_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(translation, "TRAIN", 5)
    monkeypatch.setattr(translation, "HELD_OUT", 5)
    rows = [
        {"seed": 0, "cells": multivae.digest(translation.make_cells(0)[2]), "scores": {"MoPoE": {"rna": 0.5}}},
        {"seed": 1, "cells": "others", "scores": {}},
    ]
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"rows": rows}))
    monkeypatch.setattr(multivae, "RECORD", record)
    assert multivae.read([0, 1, 2]) == {0: {"MoPoE": {"rna": 0.5}}}
    monkeypatch.setattr(multivae, "RECORD", tmp_path / "none.json")
    assert multivae.read([0]) == {}


def test_the_side_of_the_peer_knows_nothing_of_ours() -> None:
    assert "import designloop" not in multivae.SIDE.read_text("utf-8")
    assert "from designloop" not in multivae.SIDE.read_text("utf-8")
