"""The benchmark that leaves ingredients of latent Bayesian optimization out: what each arm lacks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from designloop.benchmarks import Options
from designloop.benchmarks.common.arms import open_screening, overrides_of
from designloop.benchmarks.kernels import ProductOf
from designloop.benchmarks.latent_ablation import (
    ARMS,
    GENETIC,
    MODEL,
    STUDY,
    as_product,
    merge,
    none_of_them,
    report,
    with_equal_shares,
    with_latent_members,
    without_proposers,
)
from designloop.benchmarks.pmo.altered import Altered
from designloop.benchmarks.pmo.left_out import TASKS
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.runner import build_strategy
from designloop.records import State
from designloop.strategies.archive.archive import LIMIT, Archive
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.latent_bo import Settings
from designloop.strategies.search.pool import Turn
from designloop.strategies.surrogates.committee import Committee
from designloop.strategies.surrogates.kernels import KERNELS, MeanOf


def test_each_arm_differs_by_what_its_name_says(model: str, tmp_path: Path) -> None:
    file, common = write_campaign(TASKS[0], tmp_path), overrides_of(Options(model=model))
    default = Settings().model_dump()
    differs: dict[str, dict[str, Any]] = {}
    for arm in ARMS:
        own = load_campaign(file, {**common, **arm.overrides}).strategy.settings.model_dump()
        differs[arm.name] = {key: value for key, value in own.items() if value != default[key]}
    regions = {name: of.pop("regions") for name, of in differs.items() if "regions" in of}
    assert {name: of for name, of in differs.items() if of} == {
        "no_screen": {"screen": False},
        "low_effort": {"effort": "low"},
        "high_effort": {"effort": "high"},
        "none_at_random": {"judged": 0},
        "chains": {"chains": 15.0},
        **{name: {"acquisition": name} for name in ("uniform", "thompson", "qlogei", "ucb")},
    }
    assert {name: (of["decoded"], of["fitted"], of["metric"], of["typical"]) for name, of in regions.items()} == {
        "regions": (15, False, "posterior", 1),
        "regions_unrefined": (15, False, "posterior", 1),
        "regions_one_decode": (15, False, "posterior", 1),
        "regions_by_value": (15, False, "posterior", 1),
        "fitted_regions": (15, True, "posterior", 1),
        "metric_regions": (15, False, "pullback", 1),
        "typical_regions": (15, False, "posterior", 0.95),
    }
    trials = [arm.trial(TASKS[0], 0, 500, file, common) for arm in ARMS]
    assert len({trial.key.rpartition("-")[2] for trial in trials}) == len(ARMS)
    assert [arm.name for arm in ARMS if isinstance(arm, Altered)] == [
        "no_latent_kernels",
        "latent_product",
        "equal_shares",
        "no_numbers",
        "no_mixing",
        "no_model",
        "no_genetics",
        "regions_unrefined",
        "regions_one_decode",
        "regions_by_value",
    ]


def parts_of(campaign: Campaign) -> dict[str, Any]:
    """Names of a committee's members, of the proposers that earn credit, and of those that wrote candidates."""
    search: Any = build_strategy(campaign, None, open_screening(campaign))
    drawn = search.draw(Archive(limit=LIMIT), 4, Turn(0, 0))
    return {
        "members": search.surrogate.names,
        "shares": tuple(search.surrogate.shares.tolist()),
        "latent_composition": type(search.surrogate._kernels.get("latent_composition")),
        "earning": tuple(search.learners["credit"].credit),
        "drawn": {candidate.proposer for candidate in drawn},
    }


def test_parts_are_left_out_while_a_trial_runs(model: str, tmp_path: Path) -> None:
    own = {**overrides_of(Options(model=model)), "strategy": {"name": "latent_bo"}}
    campaign = load_campaign(write_campaign(TASKS[0], tmp_path), own)

    def work(folder: Path) -> dict[str, Any]:
        return parts_of(campaign)

    whole = work(tmp_path)
    assert set(whole["earning"]) == {*MODEL, *GENETIC}
    assert whole["members"] == (*KERNELS, "latent", "latent_composition")
    assert whole["latent_composition"] is MeanOf
    assert with_latent_members(as_product, work, tmp_path) == {**whole, "latent_composition": ProductOf}
    without = with_latent_members(none_of_them, work, tmp_path)
    assert (without["members"], without["latent_composition"]) == (tuple(KERNELS), type(None))
    for names in (("mixing",), MODEL, GENETIC):
        lacking = without_proposers(names, work, tmp_path)
        assert lacking == {**whole, "earning": tuple(name for name in whole["earning"] if name not in names)}
    assert whole["drawn"] == {"prior"}, "every arm begins with draws of the model"
    assert work(tmp_path) == whole, "nothing stays changed"


def test_shares_are_equal_however_members_foresaw_while_a_trial_runs(tmp_path: Path) -> None:
    record = {"ecfp6": [0.0, 1.0], "features": [-5.0, 1.0]}

    def work(folder: Path) -> dict[str, Any]:
        view: Any = SimpleNamespace()
        committee = Committee(view, SCORE_ALONE, ("ecfp6", "features"), State(data={"record": record}))
        return {"shares": committee.shares.round(2).tolist()}

    assert work(tmp_path)["shares"] == [0.94, 0.06]
    assert with_equal_shares(work, tmp_path)["shares"] == [0.5, 0.5]
    assert work(tmp_path)["shares"] == [0.94, 0.06], "nothing stays changed"


def test_what_regions_do_is_altered_while_a_trial_runs(tmp_path: Path) -> None:
    from designloop.strategies.search import region_search, regions

    altered: Any = {arm.name: arm.run_by for arm in ARMS if isinstance(arm, Altered)}

    def work(folder: Path) -> dict[str, Any]:
        centres = np.zeros((3, 2))
        own: Any = SimpleNamespace(_settings=SimpleNamespace(length=0.5))
        process = SimpleNamespace(bounds=lambda places, kappa: places.sum(1))
        potentials = regions.Regions._potentials(own, process, centres, np.random.default_rng(0))
        refined, decodes = region_search._REFINE, region_search._DECODES
        return {"refined": refined, "decodes": decodes, "by_potential": bool(potentials.any())}

    whole = work(tmp_path)
    assert whole == {"refined": 20, "decodes": 3, "by_potential": True}
    assert altered["regions_unrefined"](work, tmp_path) == {**whole, "refined": 0}
    assert altered["regions_one_decode"](work, tmp_path) == {**whole, "decodes": 1}
    assert altered["regions_by_value"](work, tmp_path) == {**whole, "by_potential": False}
    assert work(tmp_path) == whole, "nothing stays changed"


def test_a_proposer_that_is_left_out_is_not_asked(tmp_path: Path) -> None:
    def work(folder: Path) -> dict[str, Any]:
        from designloop.strategies.proposers import weighted

        asked: list[str] = []

        class Asked:
            def __init__(self, name: str) -> None:
                self.name = name

            def propose(self, *given: object) -> list[object]:
                asked.append(self.name)
                return []

        given: Any = {name: Asked(name) for name in (*MODEL, *GENETIC)}
        together: Any = weighted.Weighted(given, dict.fromkeys(given, 1.0), given["prior"])
        together.propose([SimpleNamespace(smiles=text) for text in ("C", "N")], 20, None)
        return {"asked": asked}

    assert without_proposers(MODEL, work, tmp_path)["asked"] == list(GENETIC)
    assert work(tmp_path)["asked"] == [*MODEL, *GENETIC]


def test_the_report_is_of_pairs_and_what_is_not_measured_is_pending() -> None:
    areas = np.random.default_rng(0).random((2, 3, 3))
    tasks = {
        task: {
            arm: {str(seed): {"auc_top10": value, "top10": value} for seed, value in enumerate(areas[place, row])}
            for place, arm in enumerate(("full", "no_mixing"))
        }
        for row, task in enumerate(TASKS)
    }
    of = {"calls": 500, "code": "c", "model": "m"}
    record = {"seeds": [0, 1, 2], "of": of, "arms": {}, "searches": {}, "tasks": tasks}
    page = report(merge({**record, "tasks": {}}, record))
    gap = areas[0] - areas[1]
    assert f"| {gap.mean():+.3f} ± {gap.std(ddof=1) / 3:.3f} |" in page
    assert f"| {(gap > 0).sum()} of 9 |" in page
    assert "| thompson | batches by joint draws of the committee | *pending* |" in page
    assert STUDY.calls == 500
