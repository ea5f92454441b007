"""The benchmark of learning: its arms differ in how the model learns, and bars are judged of whole seeds alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from scipy.stats import ttest_rel

from designloop.benchmarks import Options
from designloop.benchmarks.common.arms import overrides_of
from designloop.benchmarks.common.trials import Trial
from designloop.benchmarks.learning.arms import STUDY, TASKS
from designloop.benchmarks.learning.bars import judge
from designloop.benchmarks.learning.benchmark import merge, run
from designloop.benchmarks.learning.report import report
from designloop.benchmarks.pmo import studies
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.loop.campaign.campaign import load_campaign

MARKS = [str(100 * part) for part in range(11)]


def drawn(means: Sequence[float], scaffolds: float = 90, new: float = 0.9) -> dict[str, Any]:
    return {
        mark: {"distinct": 200, "mean": mean, "scaffolds": scaffolds, "new": new}
        for mark, mean in zip(MARKS, means, strict=True)
    }


def rising(top: float) -> list[float]:
    return [top * (1 + part) / 11 for part in range(11)]


def entry(area: float, seed: int = 0, **draws: Any) -> dict[str, Any]:
    kept = {"draws": drawn(rising(area)), "permuted": drawn([0.1 + 0.001 * seed] * 11), **draws}
    return {"auc_top10": area, "top10": area + 0.1, "calls": 1000, "seconds": 5.0, **kept}


def tasks_of(areas: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Entries of arms with one area a seed, a little more from task to task."""
    return {
        task: {
            arm: {str(seed): entry(area + place / 100, seed) for seed, area in enumerate(values)}
            for arm, values in areas.items()
        }
        for place, task in enumerate(TASKS)
    }


OWN, NONE, LIKELIHOOD = [0.5, 0.52, 0.51, 0.55, 0.5], [0.4, 0.45, 0.5, 0.41, 0.4], [0.5, 0.5, 0.53, 0.5, 0.52]


def test_arms_differ_in_the_loss_alone_and_half_of_them_leave_all_to_the_model(model: str, tmp_path: Path) -> None:
    file = write_campaign(TASKS[0], tmp_path)
    campaigns = {
        arm.name: load_campaign(file, {**overrides_of(Options(model=model)), **arm.overrides}) for arm in STUDY.arms
    }
    settings = {name: campaign.strategy.settings.model_dump() for name, campaign in campaigns.items()}
    losses = {name: of["learning"].pop("loss") for name, of in settings.items()}
    assert losses == {
        "property": "property", "likelihood": "likelihood", "none": "none",
        "full_property": "property", "full_likelihood": "likelihood", "full_none": "none",
    }  # fmt: skip
    assert settings["property"] == settings["likelihood"] == settings["none"]
    assert settings["full_property"] == settings["full_likelihood"] == settings["full_none"]
    default = load_campaign(file).strategy.settings.model_dump()
    default["learning"].pop("loss")
    assert settings["full_property"] == default
    assert {key: value for key, value in settings["property"].items() if default[key] != value} == {
        "proposers": ("prior", "posterior"),
        "surrogate": "none",
        "restart_after": 0,
    }


def test_bars_are_paired_over_seeds_of_the_mean_of_the_tasks() -> None:
    bars = {bar["bar"]: bar for bar in judge(tasks_of({"property": OWN, "none": NONE, "likelihood": LIKELIHOOD}))}
    above = bars["property above none"]
    assert above["p"] == pytest.approx(ttest_rel(OWN, NONE, alternative="greater").pvalue)
    assert above["differences"] == pytest.approx([a - b for a, b in zip(OWN, NONE, strict=True)])
    assert (above["holds"], bars["property above likelihood"]["holds"]) == (True, False)
    climbs = bars["draws after the budget above those after its first tenth, mean score"]
    tops = [value + 0.02 for value in OWN]
    assert climbs["differences"] == pytest.approx([top * (1 - 2 / 11) for top in tops])
    permuted = bars["draws after the budget above those of scores permuted, mean score"]
    assert permuted["differences"] == pytest.approx([top - 0.1 - 0.001 * seed for seed, top in enumerate(tops)])
    assert climbs["holds"]
    assert permuted["holds"]
    assert bars["full_property at most 0.01 below full_none, in the mean"]["holds"] is None


@pytest.mark.parametrize(("below", "holds"), [(0.009, True), (0.011, False)])
def test_a_whole_strategy_may_lose_a_hundredth(below: float, holds: bool) -> None:
    ours = [value - below for value in OWN]
    bars = judge(tasks_of({"full_property": ours, "full_none": OWN}))
    (bar,) = [bar for bar in bars if bar["bar"].endswith("full_none, in the mean")]
    assert (bar["holds"], bar["p"], bar["value"]) == (holds, None, pytest.approx(-below))


def test_a_bar_is_pending_of_few_seeds_and_a_seed_counts_once_every_task_has_it() -> None:
    tasks = tasks_of({"property": OWN, "none": NONE})
    del tasks[TASKS[2]]["none"]["1"]
    bar = judge(tasks)[0]
    assert (len(bar["differences"]), bar["holds"]) == (4, None)
    assert judge({})[0] == {
        "bar": "property above none", "value": None, "differences": [], "won": 0, "p": None, "holds": None,
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "words"), [("scaffolds", 39, "scaffolds"), ("new", 0.49, "not paid for")])
def test_draws_that_are_all_alike_or_known_are_told_at_once(kind: str, value: float, words: str) -> None:
    tasks = tasks_of({"property": OWN[:1]})
    pending = {bar["bar"]: bar["holds"] for bar in judge(tasks) if words in bar["bar"]}
    assert set(pending.values()) == {None}
    tasks[TASKS[0]]["property"]["0"]["draws"]["300"][kind] = value
    (bar,) = [bar for bar in judge(tasks) if words in bar["bar"]]
    assert (bar["value"], bar["holds"]) == (value, False)


def test_draws_of_the_pretrained_model_are_not_judged() -> None:
    tasks = tasks_of({"property": OWN})
    tasks[TASKS[0]]["property"]["0"]["draws"]["0"] |= {"scaffolds": 1, "new": 0.0}
    assert [bar["holds"] for bar in judge(tasks)][-2:] == [True, True]


def given_results(trials: Sequence[Trial], *_: object) -> dict[str, dict[int, dict[str, Any]]]:
    """What trials might give: a score that is the seed's and the arm's."""
    results: dict[str, dict[int, dict[str, Any]]] = {}
    for trial in trials:
        further = (
            {"draws": drawn(rising(0.5)), "permuted": drawn([0.1] * 11)} if trial.arm.endswith(".property") else {}
        )
        score = 0.5 + 0.01 * trial.seed + (0.02 if "property" in trial.arm else 0.0)
        result = {"paid": [["C", score]] * 1000, "seconds": 2.0, "further": further}
        results.setdefault(trial.arm, {})[trial.seed] = result
    assert len({trial.key for trial in trials}) == len(trials)
    return results


def test_a_record_is_made_in_parts_and_its_page_says_what_is_pending(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "run_trials", given_results)

    def part(**options: Any) -> dict[str, Any]:
        return dict(run(Options(model=model, work=tmp_path, **options), lambda line: None))

    first = part(seeds=2, arms=("property", "none"), tasks=TASKS[:4])
    assert first["seeds"] == [0, 1]
    assert first["of"]["calls"] == 1000
    page = report(first)
    assert "| property above none | *pending* |  |  |  | *pending* |" in page
    assert "| none | the same; the pretrained model as it is | 0.480 ± 0.005 |" in page
    both = merge(first, part(seeds=5, arms=("none",)))
    assert list(both["tasks"][TASKS[0]]["none"]) == list("01234")
    assert list(both["tasks"][TASKS[4]]) == ["none"]
    both = merge(both, part(seeds=2, arms=("property",), tasks=TASKS[4:]))
    assert list(both["arms"]) == ["property", "none"]
    assert both["seeds"] == [0, 1, 2, 3, 4]
    assert both["bars"][0]["differences"] == pytest.approx([0.019, 0.019])
    page = report(both)
    assert "| property above none | +0.019 | +0.019 +0.019 | 2 of 2 |" in page
    assert "| 100 | 0.091 | 0.100 | 200 | 90 | 0.900 |" in page
    assert fmean(both["bars"][0]["differences"]) == pytest.approx(both["bars"][0]["value"])


def test_records_of_other_code_or_another_budget_are_not_mixed(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies, "run_trials", given_results)
    options = Options(model=model, work=tmp_path, tasks=TASKS[:1], arms=("none",), seeds=1)

    def merged(later: Options) -> Any:
        return merge(earlier, run(later, lambda line: None))["seeds"]

    earlier = run(replace(options, seeds=3), lambda line: None)
    assert merged(replace(options, calls=500)) == [0]
    assert merged(options) == [0, 1, 2]
    monkeypatch.setattr(studies, "code_digest", lambda: "another one")
    assert merged(options) == [0]
