"""Trials of campaigns: what the key of each hangs on."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from designloop.benchmarks import Options, laboratory, latent_bo, wet_lab
from designloop.benchmarks.common import sources
from designloop.benchmarks.common.arms import RANDOM_PRIOR, Arm, make_trials, overrides_of
from designloop.benchmarks.common.gp_bo import run_gp_bo
from designloop.benchmarks.common.gp_search import Sizes
from designloop.benchmarks.common.sources import definitions_of, identity_of
from designloop.benchmarks.common.trials import releases
from designloop.benchmarks.keep_the_core import benchmark as keep_the_core
from designloop.benchmarks.pareto.arms import OURS, run_arm
from designloop.benchmarks.pareto.cases import CASES, write_campaign
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.tasks import write_campaign as write_task

CAMPAIGNS = Path(__file__).parents[3] / "campaigns"
FILE = CAMPAIGNS / "latent_bo.yaml"


def key(model: str, arm: Arm, **common: object) -> str:
    (trial,) = make_trials(FILE, [arm], [0], {**overrides_of(Options(model=model)), **common}, start=0)
    return trial.key


def from_zinc(n: int, **sizes: int) -> Arm:
    return replace(latent_bo.GP_BO, search=partial(latent_bo.run_from_zinc, partial(run_gp_bo, Sizes(**sizes)), n))


def test_a_trial_hangs_on_how_its_arm_searches_and_where_it_starts(model: str) -> None:
    own = key(model, latent_bo.GP_BO)
    assert own == key(model, from_zinc(10, batch=5, each=5)), "no address of a function counts"
    others = {
        key(model, from_zinc(10, batch=5, each=4)),
        key(model, from_zinc(11, batch=5, each=5)),
        key(model, latent_bo.GP_BO, starting_molecules=["CCO"]),
        key(model, latent_bo.GP_BO, starting_molecules=["CCN"]),
    }
    assert len({own, *others}) == 5


def all_keys(model: str, folder: Path) -> list[str]:
    """Of arms of every benchmark whose search is code of its own."""
    common = overrides_of(Options(model=model))
    case = next(iter(CASES))
    planned = [
        *make_trials(FILE, [latent_bo.GP_BO, latent_bo.MOL_GA, RANDOM_PRIOR], [0], common, start=0),
        *make_trials(CAMPAIGNS / "keep_the_core.yaml", keep_the_core.ARMS[:1], [0], common, start=0),
        *make_trials(write_task("qed", folder), [wet_lab.OURS], [0], common, start=0),
        OURS.trial(case, 0, 50, write_campaign(case, folder), common),
        *(laboratory.make_trial(name, CAMPAIGNS / "assay.yaml", common, 0) for name in ("suggest", "random")),
    ]
    return [trial.key for trial in planned]


def test_a_trial_hangs_on_the_code_of_its_search(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = all_keys(model, tmp_path)
    monkeypatch.setattr(sources, "_text", lambda statement: "edited")
    assert not set(before) & set(all_keys(model, tmp_path))


def test_the_code_of_a_search_is_that_of_its_parts_and_of_its_measures() -> None:
    searches = {
        "gp_bo.py: run_gp_bo": ("gp_search.py: gp_bo", "breeding.py: bred", "campaign_door.py: CampaignDoor"),
        "mol_ga.py: run_mol_ga": ("graph_ga.py: children", "campaign_door.py: CampaignDoor"),
        "arms.py: run_campaign_arm": ("measures.py: Call", "arms.py: ROUND_METRICS"),
    }
    for search, parts in searches.items():
        module, _, name = search.partition(".py: ")
        reached = definitions_of(f"designloop.benchmarks.common.{module}:{name}")
        assert {search, "measures.py: measure_calls", *parts} <= set(reached)
    assert "pareto.py: hypervolume" in definitions_of(f"{run_arm.__module__}:{run_arm.__name__}")


def test_a_campaign_of_a_task_hangs_on_where_it_starts_if_it_is_told(model: str, tmp_path: Path) -> None:
    file, common = write_task("qed", tmp_path), overrides_of(Options(model=model))
    plain, *others = (
        Ours("plain", "").trial("qed", 0, 40, file, {**common, **start})
        for start in ({}, {"starting_molecules": ["CCO"]}, {"starting_molecules": ["CCN"]})
    )
    assert set(plain.identity) == {"campaign", "model", "calls", "search", "packages"}
    assert plain.identity["packages"] == releases()
    assert len({trial.key for trial in (plain, *others)}) == 3


def test_a_trial_hangs_on_the_releases_of_packages(model: str) -> None:
    genetic, plain = make_trials(FILE, [latent_bo.MOL_GA, RANDOM_PRIOR], [0], overrides_of(Options(model=model)), 0)
    assert plain.identity["packages"] == releases()
    assert genetic.identity["packages"] == releases("mol_ga")


def test_a_campaign_of_a_task_hangs_on_how_it_is_run() -> None:
    reached = definitions_of("designloop.benchmarks.pmo.arms:run_ours")
    assert {"arms.py: run_ours", "arms.py: _result_of", "pmo_measures.py: is_solved"} <= set(reached)


class Thing:
    """A value that only its address tells from others."""

    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (partial(print, object()), "expected a value whose repr says what it is"),
        (partial(print, file=[run_gp_bo]), "expected a value whose repr says what it is"),
        (Thing(), "expected a function of a module, or a partial of one"),
        (lambda: None, "expected a module or a definition below"),
    ],
)
def test_what_cannot_be_known_again_is_refused(function: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        identity_of(function)  # type: ignore[arg-type]
