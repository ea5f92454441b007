from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_rel

from designloop.benchmarks import Options, latent_bo
from designloop.benchmarks.common import gp_bo, trials
from designloop.benchmarks.common.arms import make_trials, open_screening, overrides_of
from designloop.benchmarks.common.earlier import REVISION
from designloop.benchmarks.common.gp_search import Sizes
from designloop.benchmarks.common.measures import average_over_seeds
from designloop.loop.campaign.campaign import load_campaign
from designloop.molecules.chemistry import canonical
from designloop.molecules.corpus import zinc
from designloop.molecules.count_prints import Bank, prints_of
from designloop.records import Candidate

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"


def trial_result(**by_round: float) -> dict[str, object]:
    of_rounds = {name.removeprefix("r"): value for name, value in by_round.items()}
    covered = dict.fromkeys(of_rounds, 0.875)
    counts = {name: float(name) for name in of_rounds}
    judged = {"judged_molecules": counts, "judged_rank_correlation": of_rounds, "judged_coverage": covered}
    return {"rounds": judged}


RECORD: dict[str, Any] = {
    "campaign": "c", "calls": 300, "seeds": [], "arms": {}, "bars": [], "pairs": [],
}  # fmt: skip


def arm(*tens: float) -> dict[str, Any]:
    seeds = {str(seed): {"mean_top_10": ten, "auc_top_10": 0.5, "rounds": {}} for seed, ten in enumerate(tens)}
    return {"what": "x", "seeds": seeds, "mean_top_10": sum(tens) / len(tens), "auc_top_10": 0.5, "best": 1.0,
            "seconds": 1.0, "standard_error": None, "proposers": {}}  # fmt: skip


def test_latent_bo_is_tested_pair_by_pair_and_may_be_a_little_below_property_loss() -> None:
    own, theirs = [0.80, 0.84, 0.77, 0.80, 0.79], [0.79, 0.81, 0.76, 0.75, 0.77]
    arms = {
        "latent_bo": arm(*own),
        "gp_bo_by_fives": arm(*theirs),
        "mol_ga": arm(0.81, 0.85),
        "random_prior": arm(0.81, 0.86, 0.77, 0.81, 0.8),
        "property_loss": arm(0.80, 0.85, 0.77, 0.80, 0.79),
    }
    judged = latent_bo.judge(arms)
    of_prior, of_ga, of_gp = judged["pairs"]
    assert [of_ga["bar"], of_gp["bar"]] == ["latent_bo above mol_ga", "latent_bo above gp_bo_by_fives"]
    assert of_gp["p"] == pytest.approx(ttest_rel(own, theirs, alternative="greater").pvalue)
    assert of_gp["holds"]
    assert of_ga["holds"] is None, "two seeds say nothing yet"
    assert of_prior["holds"] is False
    assert of_ga["differences"] == pytest.approx([-0.01, -0.01]), "of the seeds that both have"
    (bar,) = judged["bars"]
    assert bar["holds"]
    assert list(bar["differences"].values()) == pytest.approx([0, -0.01, 0, 0, 0])
    few = latent_bo.judge({**arms, "property_loss": arm(0.80, 0.85)})["bars"]
    assert few[0]["holds"] is None, "two seeds say nothing yet"
    page = latent_bo.report({**RECORD, "arms": arms, **judged})
    assert "| latent_bo above gp_bo_by_fives | +0.024 | +0.010 +0.030 +0.010 +0.050 +0.020 | 5 of 5 |" in page


def test_of_two_records_each_arm_has_its_fuller_version_and_is_judged_anew() -> None:
    earlier = {**RECORD, "arms": {"latent_bo": arm(0.8, 0.9), "mol_ga": arm(0.7), "random_zinc": arm(0.5, 0.6)}}
    now = {**RECORD, "arms": {"mol_ga": arm(0.71, 0.72), "random_zinc": arm(0.52, 0.62)}}
    both = latent_bo.merge(earlier, now)
    assert list(both["arms"]) == ["latent_bo", "mol_ga", "random_zinc"]
    assert both["arms"]["random_zinc"] == now["arms"]["random_zinc"], "of as many seeds the new one"
    assert latent_bo.merge(now, earlier)["arms"]["mol_ga"] == now["arms"]["mol_ga"], "the fuller one"
    assert both["seeds"] == [0, 1]
    assert [pair["value"] for pair in both["pairs"]] == pytest.approx([0.28, 0.135])
    assert latent_bo.merge({**earlier, "calls": 200}, now) == now


def whole(ten: float, seconds: float) -> dict[str, Any]:
    """What is recorded of a seed."""
    shown = [{"smiles": "C", "score": ten, "proposer": "prior"}]
    return {"calls": 300, "failed": 0, "best": ten, "mean_top_10": ten, "auc_top_10": 0.5, "top_10": shown,
            "proposers": {"prior": 1.0}, "seconds": seconds, "rounds": {}}  # fmt: skip


def test_an_arm_that_finds_the_same_again_keeps_its_other_seeds() -> None:
    def record(code: str, **by_seed: dict[str, Any]) -> dict[str, Any]:
        seeds = {seed.removeprefix("s"): of for seed, of in by_seed.items()}
        of = {"what": "x", "made_by": {"code": code}, **average_over_seeds({int(key): seeds[key] for key in seeds})}
        return {**RECORD, "arms": {"mol_ga": of}}

    earlier = record("c", s0=whole(0.7, 5.0), s1=whole(0.72, 5.0), s2=whole(0.74, 5.0))
    again = latent_bo.merge(earlier, record("d", s1=whole(0.7200000001, 9.0)))["arms"]["mol_ga"]
    assert again["made_by"] == {"code": "d"}
    assert list(again["seeds"]) == ["0", "1", "2"]
    assert again["seeds"]["1"]["seconds"] == 9.0
    assert again["mean_top_10"] == pytest.approx(0.72)
    other = latent_bo.merge(earlier, record("d", s1=whole(0.73, 5.0)))["arms"]["mol_ga"]
    assert other == earlier["arms"]["mol_ga"], "the fuller one, of the code that made it"
    assert latent_bo.merge(earlier, record("d", s7=whole(0.7, 5.0)))["arms"]["mol_ga"] == earlier["arms"]["mol_ga"]


def test_arms_of_other_code_or_another_model_are_not_tested_against_each_other() -> None:
    own = {"code": "c", "model": "m", "search": "s"}
    ours = arm(0.80, 0.84, 0.77, 0.80, 0.79) | {"made_by": own}
    below = {
        "mol_ga": arm(0.70, 0.73, 0.66, 0.71, 0.68) | {"made_by": {**own, "search": "another, as of every arm"}},
        "random_zinc": arm(0.70, 0.73, 0.66, 0.71, 0.68) | {"made_by": {**own, "code": "d"}},
        "random_prior": arm(0.70, 0.73, 0.66, 0.71, 0.68) | {"made_by": {**own, "model": "n"}},
        "zinc_screen": arm(0.70, 0.73, 0.66, 0.71, 0.68),
        "property_loss": arm(0.70, 0.73, 0.66, 0.71, 0.68) | {"made_by": {**own, "code": "d"}},
    }
    both = latent_bo.merge({**RECORD, "arms": below}, {**RECORD, "arms": {"latent_bo": ours}})
    assert {pair["bar"]: pair["holds"] for pair in both["pairs"]} == {
        "latent_bo above random_prior (of other model)": None,
        "latent_bo above random_zinc (of other code)": None,
        "latent_bo above mol_ga": True,
        "latent_bo above zinc_screen (of other code and model)": None,
    }
    (bar,) = both["bars"]
    assert (bar["bar"][-16:], bar["holds"]) == (" (of other code)", None)
    page = latent_bo.report(both)
    assert "| latent_bo above random_zinc (of other code) | +0.1" in page
    assert page.count("| *pending* |") == 4
    mixed = "latent_bo, mol_ga of code c with model m; property_loss, random_zinc of code d with model m;"
    assert f"**This mixes codes:** {mixed}" in page
    assert "By what code zinc_screen was made was not kept." in page


def test_a_record_from_before_codes_were_kept_is_read_and_one_pair_of_it_is_pending() -> None:
    arms = {"latent_bo": arm(0.8), "gp_bo_by_fives": arm(0.7)}
    pair = {"bar": "latent_bo above gp_bo_by_fives", "value": 0.1, "differences": [0.1], "won": 1, "p": None}
    page = latent_bo.report({**RECORD, "arms": arms, "pairs": [{**pair, "holds": False}]})
    assert "| latent_bo above gp_bo_by_fives | +0.100 | +0.100 | 1 of 1 |  | *pending* |" in page
    assert "By what code latent_bo, gp_bo_by_fives was made was not kept." in page


def test_what_stood_before_is_of_other_code_by_design() -> None:
    then = {"made_by": {"code": REVISION[:12], "model": None, "search": "s"}}
    now = {"made_by": {"code": "now", "model": "m", "search": "t"}}
    arms = {"latent_bo": {**arm(0.8, 0.82), **now}, "latent_bo_formerly": {**arm(0.7, 0.71), **then}}
    (pair,) = latent_bo.judge(arms)["pairs"]
    assert pair["bar"] == "latent_bo above latent_bo_formerly"
    assert pair["value"] == pytest.approx(0.105)
    page = latent_bo.report({**RECORD, "arms": arms, "pairs": []})
    assert "mixes codes" not in page
    of_another_then = {**arms["latent_bo_formerly"], "made_by": {**then["made_by"], "code": "another"}}
    other = {**arms, "latent_bo_formerly": of_another_then}
    assert latent_bo.judge(other)["pairs"][0]["holds"] is None
    assert "latent_bo_formerly" not in latent_bo.merge({**RECORD, "arms": other}, RECORD)["arms"]


def test_what_was_last_said_of_foresight_is_averaged_over_seeds() -> None:
    seen = latent_bo.foresight({0: trial_result(r9=-0.9, r10=0.25), 1: trial_result(r9=0.5), 2: {"rounds": {}}})
    assert seen == {"judged_molecules": 9.5, "judged_rank_correlation": 0.375, "judged_coverage": 0.875}
    assert set(latent_bo.foresight({0: {"rounds": {}}}).values()) == {None}


def test_every_arm_has_the_same_objective_and_budget(model: str) -> None:
    made = make_trials(CAMPAIGNS / "latent_bo.yaml", latent_bo.ARMS, [0], overrides_of(Options(model=model)), start=0)
    campaigns = [load_campaign(*trial.work.args[-2:]) for trial in made]  # type: ignore[attr-defined]
    names = ["latent_bo"] * 5 + ["property_loss"] * 2 + ["latent_bo"] * 2 + ["property_loss"] + ["latent_bo"] * 2
    names += ["random"] * 2
    assert [trial.strategy.name for trial in campaigns] == names
    batches = [campaign.batch_size for campaign in campaigns]
    assert {campaign.budget.oracle_calls for campaign in campaigns} == {300}
    assert set(batches) == {20}
    assert not any(campaign.starting() for campaign in campaigns)
    assert len({repr(campaign.objective) for campaign in campaigns}) == 1


def test_a_small_run(model: str, tmp_path: Path) -> None:
    options = Options(CAMPAIGNS / "latent_bo.yaml", model, seeds=1, calls=20, arms=("random_zinc",), work=tmp_path)
    results = latent_bo.run(options, lambda line: None)
    assert results["arms"]["random_zinc"]["seeds"]["0"]["calls"] == 20
    assert results["foresight"] is None
    made = results["arms"]["random_zinc"]["made_by"]
    assert (made["code"], len(made["model"]), len(made["search"])) == (trials.code_digest()[:12], 12, 12)
    assert "| random_zinc | random ZINC molecules |" in latent_bo.report(results)


def test_what_has_no_beginning_starts_from_random_molecules_of_zinc_that_count(model: str, tmp_path: Path) -> None:
    names = ("zinc_screen", "mol_ga")
    options = Options(CAMPAIGNS / "latent_bo.yaml", model, seeds=1, calls=22, arms=names, work=tmp_path)
    arms = latent_bo.run(options, lambda line: None)["arms"]
    assert {name: arms[name]["seeds"]["0"]["calls"] for name in names} == dict.fromkeys(names, 22)
    assert set(arms["zinc_screen"]["proposers"]) == {"start", "screen"}


def test_the_published_process_begins_with_ten_molecules_and_pays_for_five_at_once(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smiles = tuple(dict.fromkeys(form for text in zinc()[:300] if (form := canonical(text)) is not None))
    monkeypatch.setattr(gp_bo, "zinc_bank", lambda: Bank(smiles, prints_of(smiles)))
    sizes = Sizes(drawn=60, generations=1, children=10, batch=5, each=5)
    result = latent_bo.run_from_zinc(
        partial(gp_bo.run_gp_bo, sizes),
        10,
        CAMPAIGNS / "latent_bo.yaml",
        {"model": model, "budget.oracle_calls": 22, "evaluation.backend": "inline", "strategy": {"name": "random"}},
        tmp_path,
    )
    assert result["calls"] == 22
    assert set(result["proposers"]) == {"start", "gp_bo"}
    campaign = load_campaign(CAMPAIGNS / "latent_bo.yaml", {"model": model})
    best = [molecule["smiles"] for molecule in result["top_10"]]
    assert [row.smiles for row in open_screening(campaign).take([Candidate(text, "x") for text in best], 10)] == best


def test_foresight_is_reported_where_it_was_judged() -> None:
    seen = latent_bo.foresight({0: trial_result(r9=0.25)})
    page = latent_bo.report({**RECORD, "foresight": seen})
    assert "| 9.000 | 0.250 | 0.875 |" in page
    assert "foresaw" not in latent_bo.report(RECORD), "a record from before it was judged"
    assert "foresaw" not in latent_bo.report({**RECORD, "foresight": latent_bo.foresight({})})
