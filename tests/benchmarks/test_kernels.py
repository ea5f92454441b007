"""What kernels foresee: measured on processes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from designloop.benchmarks import kernels
from designloop.molecules.corpus import held_out_smiles


def test_a_process_that_knows_the_law_foresees_and_chooses_nearly_all() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((300, 2))
    gram = np.exp(-np.square(x[:, None] - x).sum(-1) / (2 * 0.3**2))
    scores = 0.4 + 0.1 * np.sin(3 * x[:, 0]) + 0.1 * x[:, 1]
    known = kernels.foresight(gram, scores, None)
    assert known["rank_correlation"] > 0.95
    assert known["chosen"] > 0.9
    nothing = kernels.foresight(np.eye(300), scores, 0.1)
    assert abs(nothing["chosen"]) < 0.4


def test_where_no_score_is_near_0_a_prior_mean_of_0_misleads() -> None:
    rng = np.random.default_rng(1)
    x = rng.random((300, 6)) * np.linspace(1, 3, 300)[:, None]  # further out and further out
    gram = np.exp(-np.square(x[:, None] - x).sum(-1) / 2)
    scores = 0.5 + 0.05 * x.mean(1)
    without, with_poor = (kernels.foresight(gram, scores, poor)["rank_correlation"] for poor in (None, 0.1))
    assert with_poor > without


@pytest.mark.parametrize("name", kernels.grams())
def test_every_kernel_is_one_with_itself_and_has_an_inverse(name: str) -> None:
    gram = kernels.grams()[name](held_out_smiles()[:12])
    assert np.diag(gram) == pytest.approx(np.ones(12), abs=1e-5)
    assert np.linalg.eigvalsh(gram).min() > -1e-5


def test_the_page_names_the_kernels_that_were_not_measured() -> None:
    found = {prior: [{"rank_correlation": 0.5, "chosen": 0.4}] for prior in ("0", "poor")}
    record = {"tasks": ["qed"], "calls": 10, "poor": 0.1, "kernels": dict.fromkeys(list(kernels.grams())[2:], found)}
    assert f"Not measured yet, of the kernels: {', '.join(list(kernels.grams())[:2])}." in kernels.report(record)
