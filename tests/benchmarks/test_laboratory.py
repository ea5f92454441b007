"""A laboratory's starts: how arms are set side by side, and that what is measured is the true potency."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_rel

from designloop.benchmarks import Options
from designloop.benchmarks import laboratory as benchmark
from designloop.benchmarks.common.trials import Trial

BEST = {
    "suggest": [7.0, 7.1, 6.9, 7.2, 7.0],
    "latent_bo": [7.1, 7.0, 7.0, 7.2, 7.1],
    "random": [6.1, 6.4, 6.1, 6.3, 6.3],
}


def given_results(trials: Sequence[Trial], *_: object) -> dict[str, dict[int, dict[str, Any]]]:
    results: dict[str, dict[int, dict[str, Any]]] = {}
    for trial in trials:
        best = {"best_three": BEST[trial.arm][trial.seed], "of_start": 6.0, "bought": [["C", 5.0, "x"]], "seconds": 2.0}
        results.setdefault(trial.arm, {})[trial.seed] = best
    assert len({trial.key for trial in trials}) == len(trials)
    return results


def test_arms_are_judged_start_by_start(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "run_trials", given_results)
    options = Options(None, model, seeds=5, arms=("suggest", "latent_bo", "random"), work=tmp_path)
    results = benchmark.run(options, lambda line: None)
    of_suggest, of_latent = results["bars"]
    assert [bar["bar"] for bar in results["bars"]] == ["suggest above random", "latent_bo above random"]
    for name, bar in (("suggest", of_suggest), ("latent_bo", of_latent)):
        assert bar["p"] == pytest.approx(ttest_rel(BEST[name], BEST["random"], alternative="greater").pvalue)
    page = benchmark.report(results)
    assert "| suggest | the campaign as it stands | 7.040 ± 0.051 | 6.000 | 5.000 | 2 |" in page
    assert "Not measured yet, of the arms: screen, forest." in page
    assert "| suggest above random | +0.800 |" in page


def test_chance_draws_an_order_of_its_own_for_each_seed() -> None:
    known = {"CCO": 5.0, "c1ccccc1": 6.0, "CCN": 4.0, "Cc1ccccc1": 6.1}
    by_chance = [next(benchmark.by_chance(known, seed)) for seed in range(8)]
    assert len(set(by_chance)) > 4
    assert next(benchmark.by_chance(known, 0)) == by_chance[0]
