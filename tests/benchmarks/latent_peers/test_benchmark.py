"""The benchmark of peers in latents: what is paired with what, and that arms differ in how they search alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scipy.stats import binomtest

from designloop.api import InputError
from designloop.benchmarks import Options
from designloop.benchmarks.common.measures import signed_rank_p
from designloop.benchmarks.common.trials import Trial, code_digest
from designloop.benchmarks.common.turbo import Rules
from designloop.benchmarks.latent_peers import arms as arms_module
from designloop.benchmarks.latent_peers import benchmark, searches
from designloop.benchmarks.latent_peers.arms import ARMS, LATENT_BO, LOL_BO, TURBO, Peer, run_peer
from designloop.benchmarks.latent_peers.benchmark import entry, judge, merge, report, run
from designloop.benchmarks.latent_peers.searches import TurboL
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.door import Door
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.molecules.chemistry import canonical


def of(best: list[float], seeds: list[int] | None = None) -> dict[str, Any]:
    return {
        "calls": 600,
        "seeds": seeds or list(range(len(best))),
        "best": best,
        "top10": [value - 0.1 for value in best],
        "best_of_start": [0.1] * len(best),
        "calls_made": [600] * len(best),
        "seconds": [1.0] * len(best),
    }


def test_where_all_pairs_are_won_the_signed_rank_test_is_the_sign_test() -> None:
    won = [0.01 * k for k in range(1, 9)]
    assert signed_rank_p(won) == pytest.approx(binomtest(8, 8, alternative="greater").pvalue)
    assert signed_rank_p([-value for value in won]) == pytest.approx(1.0)
    assert signed_rank_p([0.0, 0.0]) is None


def test_bars_are_over_means_of_the_four_tasks_and_no_other_one_a_seed() -> None:
    own, theirs = [0.5, 0.6, 0.7, 0.8, 0.9], [0.4, 0.55, 0.9, 0.6, 0.7]
    tasks = {
        "median2": {"latent_bo": of(own), "turbo_l": of(theirs)},
        "scaffold_hop": {"latent_bo": of([0.6] * 5), "turbo_l": of([0.5] * 4, seeds=[0, 2, 3, 4])},
        "zaleplon_mpo": {"latent_bo": of([0.1]), "turbo_l": of([0.9])},
    }
    best, ten = judge(tasks)
    assert best["differences"] == pytest.approx([0.1, -0.05, 0.15, 0.15])
    assert best["holds"] is None, "eight pairs of four seeds say nothing yet"
    assert (best["bar"], best["won"]) == ("best score: latent_bo above turbo_l", 3)
    assert best["p"] == pytest.approx(signed_rank_p(best["differences"]))
    assert ten["differences"] == pytest.approx(best["differences"])
    assert judge({"median2": {"turbo_l": of([0.4])}}) == []
    assert judge({"median2": {"latent_bo": of([0.5]), "turbo_l": of([0.4]) | {"calls": 250}}}) == []


def test_arms_that_were_not_made_by_the_same_are_not_tested_against_each_other() -> None:
    ours = {"code": "c", "model": "m", "search": "o"}
    theirs = {"code": "t", "model": "m", "search": "p"}

    def judged(other: str, second: dict[str, str], first: dict[str, str] = theirs) -> list[tuple[str, bool | None]]:
        tasks = {
            task: {"latent_bo": of([0.5, 0.6, 0.7, 0.8, 0.9]) | ours, other: of([0.4, 0.48, 0.55, 0.62, 0.69]) | made}
            for task, made in zip(("median2", "scaffold_hop"), (first, second), strict=True)
        }
        bars = judge(tasks)
        page = report({"calls": 600, "arms": {"latent_bo": "ours", other: "theirs"}, "tasks": tasks, "bars": bars})
        assert ("**This mixes codes:**" in page) is (first != second)
        return [(bar["bar"].removeprefix("best score: "), bar["holds"]) for bar in bars[:1]]

    assert judged("turbo_l", theirs) == [("latent_bo above turbo_l", True)], "a peer has code of its own"
    for name in ("code", "search", "model"):
        other = judged("turbo_l", {**theirs, name: "x"})
        assert other == [(f"latent_bo above turbo_l (of other {name})", None)]
    unknown: dict[str, str] = {}
    assert judged("turbo_l", unknown) == [("latent_bo above turbo_l (of other code and model and search)", None)]
    campaign, later = {**ours, "search": "q"}, {**ours, "code": "d"}
    assert judged("property_loss", campaign, campaign) == [("latent_bo above property_loss", True)]
    assert judged("property_loss", later, later) == [("latent_bo above property_loss (of other code)", None)]


def test_a_later_run_adds_to_the_record_and_the_bars_are_judged_anew() -> None:
    earlier = {
        "calls": 600,
        "arms": {"latent_bo": "ours"},
        "tasks": {"median2": {"latent_bo": of([0.5, 0.6])}},
        "bars": [],
    }
    now = {
        "calls": 250,
        "seeds": [0],
        "arms": {"turbo_l": "theirs", "latent_bo": "ours"},
        "tasks": {"median2": {"turbo_l": of([0.4]), "latent_bo": of([0.3])}},
        "bars": [],
    }
    both = merge(earlier, now)
    assert list(both["arms"]) == ["latent_bo", "turbo_l"]
    assert both["bars"][0]["differences"] == pytest.approx([0.1])  # the entry with more seeds is kept
    assert "and 500 calls more" in report(both)
    assert "| median2 | latent_bo | 0.550 | 0.500 0.600 |" in report(both)


def test_an_entry_has_the_best_of_all_and_of_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "START", 2)
    paid = [["C", 0.1], ["CC", None], ["CCC", 0.7], ["CO", 0.2]]
    measured = entry({3: {"paid": paid, "seconds": 2.0}}, 4)
    assert (measured["best"], measured["best_of_start"], measured["best_smiles"]) == ([0.7], [0.1], ["CCC"])
    assert measured["top10"] == pytest.approx([0.25])
    assert (measured["seeds"], measured["calls_made"]) == ([3], [4])


def test_all_arms_of_a_seed_begin_with_the_same_molecules_and_lol_bo_runs_on_one_task(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planned: list[Trial] = []

    def nothing(trials: list[Trial], *rest: object) -> dict[str, dict[int, dict[str, Any]]]:
        planned.extend(trials)
        return {trial.arm: {trial.seed: {"paid": [["C", 0.5]], "seconds": 1.0}} for trial in trials}

    monkeypatch.setattr(benchmark, "run_trials", nothing)
    run(Options(model=model, seeds=1, work=tmp_path), print)
    assert [trial.arm for trial in planned if "lol_bo" in trial.arm] == ["fexofenadine_mpo.lol_bo"]
    assert len(planned) == 4 * 3 + 1
    start = planned[1].identity["start"]
    assert len(set(start)) == 100
    assert [canonical(text) for text in start] == start
    assert all(trial.identity["start"] == start for trial in planned if "turbo" in trial.arm)
    ours = [trial.work.args[1] for trial in planned if trial.arm.endswith("latent_bo")]  # type: ignore[attr-defined]
    assert all(overrides["starting_molecules"] == start for overrides in ours)
    assert {overrides["budget.oracle_calls"] for overrides in ours} == {600}
    with pytest.raises(InputError, match="no task 'qed'"):
        run(Options(model=model, tasks=("qed",), work=tmp_path), print)


def test_a_trial_of_a_peer_hangs_on_its_settings_and_its_start(model: str, tmp_path: Path) -> None:
    file = write_campaign("median2", tmp_path)

    def key(peer: Peer, start: str) -> str:
        return peer.trial("median2", 0, 50, file, {"model": model, "starting_molecules": [start]}).key

    other = Peer(TURBO.name, TURBO.what, TurboL(rules=Rules(candidates=10)))
    keys = [key(TURBO, "CCO"), key(TURBO, "CCN"), key(other, "CCO"), key(LOL_BO, "CCO")]
    assert len({text.rpartition("-")[2] for text in keys}) == 4


@pytest.mark.parametrize("begun", [False, True])
def test_what_a_peer_took_is_not_told_where_it_went_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begun: bool
) -> None:
    monkeypatch.setattr(arms_module, "load", lambda model: None)
    monkeypatch.setattr(arms_module, "Corpus", SimpleNamespace(of_model=lambda model: None))
    if begun:
        Door("qed", 2, tmp_path / "calls.jsonl")(["CCO"])
    result = run_peer(lambda door, start, *rest: door(start), "qed", 2, ["CCO", "CCN"], "model", 0, tmp_path)
    assert [smiles for smiles, _ in result["paid"]] == ["CCO", "CCN"]
    assert (result["seconds"] is None) is begun
    tasks = {"median2": {"turbo_l": of([0.5]) | {"seconds": [result["seconds"]]}}}
    page = report({"calls": 600, "arms": {"turbo_l": "theirs"}, "tasks": tasks, "bars": []})
    assert page.strip().splitlines()[-1].endswith("| *pending* |" if begun else "| 0 |")


def test_a_peer_and_ours_run_from_molecules_to_a_table(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(benchmark, "START", 12)
    monkeypatch.setattr(searches, "MOST_IDLE", 1)  # a model that has learned nothing writes the same again and again
    cheap = Ours(LATENT_BO.name, "random draws in its place", {"strategy": {"name": "random", "source": "zinc"}})
    monkeypatch.setattr(benchmark, "ARMS", (cheap, *ARMS[1:]))
    options = Options(
        model=model, seeds=1, calls=24, tasks=("median2",), arms=(LATENT_BO.name, TURBO.name), work=tmp_path
    )
    results = run(options, print)
    arms = results["tasks"]["median2"]
    assert arms["latent_bo"]["calls_made"] == [24]
    assert arms["latent_bo"]["model"] == arms["turbo_l"]["model"]
    assert (arms["latent_bo"]["code"], arms["turbo_l"]["code"]) == (code_digest()[:12], TURBO.code[:12])
    assert arms["latent_bo"]["search"] != arms["turbo_l"]["search"]
    assert 12 < arms["turbo_l"]["calls_made"][0] <= 24
    assert arms["latent_bo"]["best_of_start"] == arms["turbo_l"]["best_of_start"]
    assert all(arm["best"][0] >= arm["best_of_start"][0] for arm in arms.values())
    assert "best score: latent_bo above turbo_l" in report(results)
    assert [arm.name for arm in ARMS][:2] == list(arms)
