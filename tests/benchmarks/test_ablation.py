"""The benchmark that leaves ingredients out: what each arm lacks, and differences pair by pair."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pytest

from designloop.benchmarks import Options
from designloop.benchmarks.ablation import ARMS, STUDY, merge, report, run, without_numbers
from designloop.benchmarks.common import sources
from designloop.benchmarks.common.arms import overrides_of
from designloop.benchmarks.common.trials import Trial
from designloop.benchmarks.pmo import studies
from designloop.benchmarks.pmo.altered import Altered
from designloop.benchmarks.pmo.left_out import TASKS
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.loop.campaign.campaign import load_campaign
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.property_loss import PROPOSERS
from designloop.strategies.surrogates import committee
from designloop.strategies.surrogates.kernels import KERNELS, Kernel, MeanOf, Numbers
from designloop.strategies.surrogates.views import MoleculeView


def test_each_arm_lacks_what_its_name_says_and_nothing_else(model: str, tmp_path: Path) -> None:
    file = write_campaign(TASKS[0], tmp_path)
    common = overrides_of(Options(model=model))
    default = load_campaign(file, common).strategy.settings.model_dump()
    differs: dict[str, dict[str, Any]] = {}
    for arm in ARMS:
        own = load_campaign(file, {**common, **arm.overrides}).strategy.settings.model_dump()
        differs[arm.name] = {key: value for key, value in own.items() if value != default[key]}
    taken = {name: of.pop("proposers", PROPOSERS) for name, of in differs.items()}
    lacking = {name: [own for own in PROPOSERS if own not in names] for name, names in taken.items()}
    evidence = {name: of["learning"]["property"]["evidence"] for name, of in differs.items() if "learning" in of}
    assert evidence == {"no_vae": 0, "no_learning": 0, "evidence": 6}
    losses = {name: of.pop("learning")["loss"] for name, of in differs.items() if "learning" in of}
    assert {name: names for name, names in lacking.items() if names} == {
        "no_vae": ["prior", "posterior"],
        "no_genetics": ["mutation", "crossover", "graph_mutation", "graph_crossover"],
        "no_screen": ["screen"],
    }
    assert losses == {"no_vae": "none", "no_learning": "none", "evidence": "property"}
    assert {name: of for name, of in differs.items() if of} == {
        "no_surrogate": {"surrogate": "none"},
        "one_process": {"surrogate": "score"},
        "none_at_random": {"judged": 0},
    }


def test_numbers_of_whole_molecules_are_left_out_while_a_trial_runs(tmp_path: Path) -> None:
    def seen(folder: Path) -> dict[str, Any]:
        members = committee.Committee(MoleculeView(lambda smiles: smiles), SCORE_ALONE)._kernels
        return {name: parts_of(kernel) for name, kernel in members.items()}

    def parts_of(kernel: Kernel) -> list[Kernel]:
        return list(kernel.kernels) if isinstance(kernel, MeanOf) else [kernel]

    whole = seen(tmp_path)
    without = without_numbers(seen, tmp_path)
    assert any(isinstance(part, Numbers) for parts in whole.values() for part in parts)
    assert without == {name: [part for part in parts if not isinstance(part, Numbers)] for name, parts in whole.items()}
    assert all(without.values()), "each member still sees something"
    assert (seen(tmp_path), list(whole)) == (whole, list(KERNELS)), "nothing stays changed"


def test_a_trial_without_numbers_is_not_taken_for_the_whole_one(model: str, tmp_path: Path) -> None:
    file = write_campaign(TASKS[0], tmp_path)
    common = overrides_of(Options(model=model))
    trials = [arm.trial(TASKS[0], 0, 600, file, common) for arm in ARMS]
    assert len({trial.key.rpartition("-")[2] for trial in trials}) == len(ARMS)
    (own,) = [trial for trial, arm in zip(trials, ARMS, strict=True) if isinstance(arm, Altered)]
    assert isinstance(own.work, partial)
    assert own.work.func is without_numbers


def record(areas: dict[str, np.ndarray]) -> dict[str, Any]:
    """Of (task, seed) areas of arms, nan where nothing ran."""
    tasks: dict[str, Any] = {}
    for arm, values in areas.items():
        for task, row in zip(TASKS, values, strict=True):
            entries = {str(s): {"auc_top10": v, "top10": 2 * v} for s, v in enumerate(row) if not np.isnan(v)}
            tasks.setdefault(task, {})[arm] = entries
    what = {arm.name: arm.what for arm in ARMS if arm.name in areas}
    of, searches = {"calls": 600, "code": "c", "model": "m"}, dict.fromkeys(what, "s")
    return {"seeds": [0, 1, 2], "of": of, "arms": what, "searches": searches, "tasks": tasks}


def test_differences_are_of_the_pairs_that_both_have() -> None:
    rng = np.random.default_rng(0)
    whole, own = rng.random((3, 3)) / 2, rng.random((3, 3)) / 2
    own[1, 2] = np.nan
    page = report(record({"full": whole, "no_vae": own}))
    gaps = (whole - own)[~np.isnan(own)].tolist()
    shown = f"{fmean(gaps):+.3f} ± {stdev(gaps) / len(gaps) ** 0.5:.3f}"
    double = f"{2 * fmean(gaps):+.3f} ± {2 * stdev(gaps) / len(gaps) ** 0.5:.3f}"
    assert f"| {shown} | {double} | {sum(gap > 0 for gap in gaps)} of 8 |" in page
    assert f"| full | the default strategy | {fmean(whole.ravel()):.3f} ± " in page
    assert "| evidence | *pending* | *pending* | *pending* |" in page
    assert (
        page.count("| no_screen | without ZINC's screen | *pending* | *pending* | *pending* | *pending* | 0 of 0 |")
        == 1
    )


def test_a_record_is_made_in_parts() -> None:
    nothing = np.full((3, 3), np.nan)
    first, second = nothing.copy(), nothing.copy()
    first[0], second[1:] = 0.25, 0.5
    both = merge(record({"full": first}), record({"full": second, "no_vae": second}))
    assert [list(both["tasks"][task]["full"]) for task in TASKS] == [["0", "1", "2"]] * 3
    assert (both["seeds"], list(both["arms"])) == ([0, 1, 2], ["full", "no_vae"])
    assert STUDY.by_seed(both["tasks"], "full", lambda own: float(own["auc_top10"])) == dict.fromkeys("012", 1.25 / 3)


@pytest.mark.parametrize("before", [{"full": "another", "no_vae": "s"}, {"no_vae": "s"}, None])
def test_an_arm_that_is_another_search_by_now_is_not_put_together_with_what_it_was(before: Any) -> None:
    """Nor with one of which it was not kept what it is; arms that were not run again stay."""
    earlier = record({"full": np.full((3, 3), 0.25), "no_vae": np.full((3, 3), 0.5)})
    if before is None:
        del earlier["searches"]
    else:
        earlier["searches"] = before
    now = record({"full": np.array([[0.75, np.nan, np.nan]] * 3)})
    both = merge(earlier, now)
    assert [list(both["tasks"][task]["full"]) for task in TASKS] == [["0"]] * 3
    assert [list(both["tasks"][task]["no_vae"]) for task in TASKS] == [["0", "1", "2"]] * 3
    assert both["searches"] == {**(before or {}), "full": "s"}
    assert merge(both, now) == both, "of one search both are kept"


def test_a_study_says_what_its_arms_are_whatever_is_run(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(planned: list[Trial], *_: object) -> dict[str, dict[int, Any]]:
        return {trial.arm: {trial.seed: {"paid": [["C", 0.5]], "seconds": 1.0}} for trial in planned}

    monkeypatch.setattr(studies, "run_trials", nothing)
    options = Options(model=model, seeds=1, tasks=TASKS[:1], arms=("full", "no_numbers", "no_screen"), work=tmp_path)
    searches = run(options, lambda line: None)["searches"]
    assert len(set(searches.values())) == 3
    other = run(replace(options, tasks=TASKS[1:], calls=50, arms=("full",)), lambda line: None)
    assert other["searches"] == {"full": searches["full"]}
    monkeypatch.setattr(sources, "_text", lambda statement: "edited")
    later = run(options, lambda line: None)["searches"]
    assert {name for name in searches if later[name] != searches[name]} == {"no_numbers"}, "what it is run by"
