"""The Pareto benchmark: what it measures, how it judges, and that its arms differ in nothing but how they choose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from scipy.stats import ttest_rel

from designloop.api import InputError
from designloop.benchmarks import Options
from designloop.benchmarks.common.arms import overrides_of
from designloop.benchmarks.common.trials import Trial
from designloop.benchmarks.pareto.arms import ARMS, OURS, measure
from designloop.benchmarks.pareto.assay import STRONGEST, WEAKEST, potency, site
from designloop.benchmarks.pareto.benchmark import KEPT, judge, merge, report, run
from designloop.benchmarks.pareto.cases import CASES, write_campaign
from designloop.loop.campaign.campaign import load_campaign
from designloop.molecules.corpus import zinc
from designloop.pareto import hypervolume


def test_a_search_is_measured_by_its_front_and_not_by_its_best_molecule() -> None:
    rng = np.random.default_rng(0)
    points = [tuple(point) for point in rng.random((230, 2)).tolist()]
    found = measure([*points, (None, 0.4)])
    assert found["hypervolume"] == pytest.approx(hypervolume(np.array(points), (0, 0)))
    assert found["curve"] == pytest.approx([hypervolume(np.array(points[:end]), (0, 0)) for end in (100, 200, 230)])
    assert found["one_point"] == pytest.approx(max(a * b for a, b in points))
    assert found["one_point"] < found["hypervolume"]
    assert (found["calls"], found["best"]) == (231, [max(column) for column in zip(*points, strict=True)])
    assert measure([(None, None)])["hypervolume"] == measure([])["hypervolume"] == 0.0


def entry(values: list[float], one_point: float = 0.1) -> dict[str, list[float]]:
    return {"hypervolume": values, "one_point": [one_point] * len(values)}


def test_the_bars_are_paired_and_one_sided_against_the_best_of_the_fixed_weights() -> None:
    own, good = [0.5, 0.6, 0.7, 0.6, 0.6], [0.4, 0.5, 0.62, 0.5, 0.5]
    bad, random = [0.5, 0.4, 0.4, 0.4, 0.5], [0.52, 0.58, 0.71, 0.6, 0.61]
    bars = judge(
        {
            OURS.name: entry(own),
            "weights_25": entry(bad),
            "weights_50": entry(good, one_point=0.45),
            "chebyshev": entry(random),
        }
    )
    fixed, chebyshev, one_point, below = bars
    assert fixed["p"] == pytest.approx(ttest_rel(own, good, alternative="greater").pvalue)
    assert fixed["differences"] == pytest.approx([0.1, 0.1, 0.08, 0.1, 0.1])
    assert (fixed["holds"], chebyshev["holds"]) == (True, False)
    assert one_point["differences"] == pytest.approx([0.05, 0.15, 0.25, 0.15, 0.15])
    assert below == {"bar": "every arm below 0.9", "value": pytest.approx(3.02 / 5), "holds": True}
    assert judge({"chebyshev": entry(random)}) == []


def test_latent_bo_is_set_against_its_own_trade_offs() -> None:
    own, random = [0.5, 0.6, 0.7], [0.4, 0.55, 0.62]
    arms = {OURS.name: entry([0.6] * 3), "latent_bo": entry(own), "latent_chebyshev": entry(random)}
    bar = judge(arms)[-2]
    assert bar["bar"] == "latent_bo above random Chebyshev weights of its own"
    assert bar["p"] == pytest.approx(ttest_rel(own, random, alternative="greater").pvalue)
    assert len(judge({**arms, "latent_chebyshev": {**entry(random), "of": "other"}})) == 2


def test_a_front_of_one_point_loses() -> None:
    alone = judge({OURS.name: {"hypervolume": [0.3, 0.4] * 3, "one_point": [0.3, 0.4] * 3}})
    assert [bar["holds"] for bar in alone] == [False, True]


def test_a_single_seed_proves_nothing() -> None:
    arms: dict[str, dict[str, Any]] = {
        OURS.name: {name: [0.5] for name in KEPT} | {"one_point": [0.4], "curve": [[0.2, 0.5]]}
    }
    bars = judge(arms)
    assert [bar["holds"] for bar in bars] == [None, None]
    arms[OURS.name]["of"] = {"seeds": [0], "calls": 5, "code": "d"}
    page = report({"arms": {OURS.name: "x"}, "cases": {"c": {"what": "x", "arms": arms}}, "bars": {"c": bars}})
    assert "| hypervolume | x | 0.500 | 0.500 | 0.350 | 0.400 | 0 | 0 | 5 | d |" in page, "0.350 on the way"
    assert "| hypervolume above a front of one point, the best of all arms | 0.100 | +0.100 |  | *pending* |" in page


def test_a_case_that_is_saturated_is_told() -> None:
    assert judge({OURS.name: entry([0.95, 0.97] * 3)})[-1]["holds"] is False


def test_arms_have_one_surrogate_one_budget_and_the_same_properties(model: str, tmp_path: Path) -> None:
    for case in CASES:
        file = write_campaign(case, tmp_path)
        common = overrides_of(Options(model=model))
        campaigns = [load_campaign(file, {**common, **arm.settings(case)}) for arm in ARMS]
        assert {campaign.budget.oracle_calls for campaign in campaigns} == {500}
        assert len({tuple(campaign.oracles) for campaign in campaigns}) == 1
        bred = [campaign.strategy.settings.model_dump() for campaign in campaigns[:-2]]
        assert len({str(settings | {"trade_offs": "", "surrogate": ""}) for settings in bred}) == 1
        # Where a front is sought, `auto` is committees.
        assert [settings["surrogate"] for settings in bred] == ["auto"] * 2 + ["committees"] * 3
        assert [bool(campaign.objective.goals) for campaign in campaigns] == [
            True,
            True,
            False,
            False,
            False,
            True,
            True,
        ]
        assert [campaign.strategy.name for campaign in campaigns[-2:]] == ["latent_bo"] * 2


def test_the_assay_is_fixed_and_what_binds_it_tightly_is_large() -> None:
    assert len(site()) == 12
    values = potency(zinc()[::2500])
    assert all(WEAKEST <= value <= STRONGEST for value in values.values())
    atoms = [Chem.MolFromSmiles(smiles).GetNumHeavyAtoms() for smiles in values]
    assert np.corrcoef(atoms, list(values.values()))[0, 1] > 0.1
    assert potency(["C"]) == {"C": WEAKEST}
    assert potency(["Fc1ccccc1CCc1ccc(F)cc1"])["Fc1ccccc1CCc1ccc(F)cc1"] > WEAKEST


def test_a_run_plans_each_trial_once_and_its_report_shows_what_they_gave(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("designloop.benchmarks.pareto.benchmark.run_trials", given_results)
    options = Options(None, model, seeds=2, arms=("hypervolume", "weights_50"), tasks=("logp_tpsa",), work=tmp_path)
    results = run(options, lambda line: None)
    assert (results["seeds"], results["calls"]) == ([0, 1], 500)
    page = report(results)
    assert "**logp_tpsa**: greasiness against polar surface." in page
    assert "Not measured yet, of the cases: qed_similarity, potency_solubility." in page
    assert "Not measured yet, of the arms: chebyshev, weights_25, weights_75, latent_bo, latent_chebyshev." in page
    assert "| weights_50 | one score, both weights equal | 0.275 | 0.250 0.300 | 0.275 | 0.275 | 1 | 3 | 500 |" in page
    assert "| hypervolume above the best of the fixed weights | 0.085 | +0.070 +0.100 |" in page
    assert "random Chebyshev weights" not in page


def test_a_case_or_an_arm_that_is_measured_by_itself_leaves_the_others(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("designloop.benchmarks.pareto.benchmark.run_trials", given_results)

    def measured(case: str, arm: str, seeds: int = 2) -> dict[str, Any]:
        return dict(run(Options(None, model, seeds=seeds, arms=(arm,), tasks=(case,), work=tmp_path), print))

    first = measured("logp_tpsa", "weights_50")
    both = merge(first, measured("qed_similarity", "hypervolume"))
    assert list(both["cases"]) == ["qed_similarity", "logp_tpsa"]
    assert both["cases"]["logp_tpsa"] == first["cases"]["logp_tpsa"]
    joined = merge(both, measured("logp_tpsa", "hypervolume"))
    assert list(joined["cases"]["logp_tpsa"]["arms"]) == ["hypervolume", "weights_50"]
    assert joined["bars"]["logp_tpsa"][0]["bar"] == "hypervolume above the best of the fixed weights"
    other_seeds = merge(joined, measured("logp_tpsa", "chebyshev", seeds=1))
    assert set(other_seeds["cases"]["logp_tpsa"]["arms"]) == {"weights_50", "hypervolume", "chebyshev"}
    assert not any("Chebyshev" in bar["bar"] for bar in other_seeds["bars"]["logp_tpsa"])
    assert merge(joined, measured("logp_tpsa", "hypervolume", seeds=1))["cases"] == joined["cases"]


def test_an_arm_that_leaves_the_same_tables_again_is_of_the_code_of_now() -> None:
    def record(code: str, case: str, **tables: list[str]) -> dict[str, Any]:
        arms = {
            name: {
                **entry([0.5] * len(digests)), "digest": digests,
                "of": {"seeds": list(range(len(digests))), "calls": 500, "code": code, "model": "m"},
            }
            for name, digests in tables.items()
        }  # fmt: skip
        return {"arms": dict.fromkeys(arms, "x"), "cases": {case: {"what": "x", "arms": arms}}}

    def codes(merged: Mapping[str, Any], case: str) -> dict[str, str]:
        return {name: arm["of"]["code"] for name, arm in merged["cases"][case]["arms"].items()}

    earlier = record("c", "logp_tpsa", hypervolume=["a", "b"], chebyshev=["d", "e"], latent_bo=["f", "g"])
    earlier["cases"] |= record("c", "qed_similarity", hypervolume=["h", "i"])["cases"]
    again = merge(earlier, record("n", "logp_tpsa", hypervolume=["a"], chebyshev=["x"]))
    assert codes(again, "logp_tpsa") == {"hypervolume": "n", "chebyshev": "c", "latent_bo": "c"}
    assert again["cases"]["logp_tpsa"]["arms"]["hypervolume"]["digest"] == ["a", "b"], "with both seeds"
    assert codes(again, "qed_similarity") == {"hypervolume": "c"}, "it was not run there again"


def given_results(trials: Sequence[Trial], *_: object) -> dict[str, dict[int, dict[str, Any]]]:
    """What trials might give: a front of two points, or one molecule."""
    results: dict[str, dict[int, dict[str, Any]]] = {}
    for trial in trials:
        n = trial.seed + 1
        points = [(0.8, 0.2 * n), (0.4, 0.6)] if trial.arm.endswith("hypervolume") else [(0.5, 0.4 + 0.1 * n)]
        results.setdefault(trial.arm, {})[trial.seed] = {**measure(points), "digest": "", "seconds": 3.0}
    assert len({trial.key for trial in trials}) == len(trials)
    return results


def test_an_unknown_case_is_told() -> None:
    with pytest.raises(InputError, match="no task 'nope'; give some of qed_similarity,"):
        run(Options(tasks=("nope",)), lambda line: None)
