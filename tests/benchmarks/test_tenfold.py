"""The benchmark of a pool ten times as large: a batch's worth, the looks, and the bars."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import t

from designloop.benchmarks import Options, tenfold
from designloop.benchmarks.common.arms import overrides_of
from designloop.benchmarks.common.records import RecordError
from designloop.benchmarks.pmo.arms import Ours
from designloop.benchmarks.pmo.tasks import write_campaign
from designloop.benchmarks.tenfold import NORMAL, TASKS, TENFOLD, add_look, batch_worth, read_looks, report, run_with
from designloop.strategies.acquisition.votes import Voter, Votes
from designloop.strategies.search.voting import BreedByVote
from designloop.strategies.surrogates.base import Posterior


def bred(means: np.ndarray, covariance: np.ndarray, voters: list[Voter], chances: np.ndarray | None = None) -> Any:
    """A block of molecules of which a belief has these moments."""
    rows = range(len(means))
    pool = SimpleNamespace(candidates=list(rows), features=lambda considered: np.array(considered))
    posterior = Posterior([means], lambda: [np.diag(covariance)], lambda: [covariance], [0.01], 0.0)
    return SimpleNamespace(
        pool=pool, considered=rows, acquisition=Votes(voters), belief=lambda features: posterior, chances=chances
    )


def everything(candidates: list[object]) -> list[object]:
    return candidates


def test_a_batch_is_worth_the_mean_of_its_voters_bounds() -> None:
    rng = np.random.default_rng(0)
    means, sds = rng.random(6), 0.1 + rng.random(6)
    apart = np.diag(sds**2)  # what is chosen says nothing of the others
    voters = [Voter(0, 0.5), Voter(0, 2.0)]
    first = means + 0.5 * sds
    second = np.where(np.arange(6) == first.argmax(), -np.inf, means + 2 * sds)
    belief: Any = None
    assert batch_worth(bred(means, apart, voters), belief, 2, everything) == pytest.approx(
        (first.max() + second.max()) / 2
    )
    chances = np.linspace(0.1, 1, 6)
    assert batch_worth(bred(means, apart, voters[:1], chances), belief, 1, everything) == pytest.approx(
        (first * chances).max()
    )
    best = int(first.argmax())
    refused = batch_worth(bred(means, apart, voters[:1]), belief, 1, lambda rows: [row for row in rows if row != best])
    assert refused == pytest.approx(np.sort(first)[-2])


def test_what_was_chosen_before_counts_as_known() -> None:
    together = np.array([[1.0, 0.9], [0.9, 1.0]])
    value = batch_worth(bred(np.array([1.0, 0.9]), together, [Voter(0, 1.0)] * 2), None, 2, everything)  # type: ignore[arg-type]
    left = 1.0 - 0.9**2 / (1.0 + 0.01)
    assert value == pytest.approx((2.0 + 0.9 + np.sqrt(left)) / 2)


def test_a_look_changes_nothing_and_a_larger_pool_is_larger(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = {"name": "property_loss", "effort": "low", "proposers": ["mutation", "graph_mutation"]}
    common = {**overrides_of(Options(model=model)), "strategy": quick, "batch_size": 5}
    trial = Ours("plain", "").trial("qed", 0, 20, write_campaign("qed", tmp_path), common)
    pools: list[int] = []
    own: Any = BreedByVote.__call__

    def counted(*given: Any) -> Any:
        block = own(*given)
        pools.append(len(block.pool))
        return block

    monkeypatch.setattr(tenfold, "TIMES", 3)
    monkeypatch.setattr(BreedByVote, "__call__", counted)
    for name in ("plain", "looked", "larger"):
        (tmp_path / name).mkdir()
    plain = trial.work(tmp_path / "plain")
    without = pools.copy()
    looked = run_with(1, (15,), trial.work, tmp_path / "looked")
    assert looked["paid"] == plain["paid"]
    assert [pool for pool in pools[len(without) :] if pool in without] == without
    (calls, look), = looked["further"]["looks"].items()  # fmt: skip
    assert (calls, look["calls"]) == ("15", 15)
    assert look["own"] != look["tenfold"]
    pools.clear()
    larger = run_with(3, (), trial.work, tmp_path / "larger")
    assert larger["further"]["looks"] == {}
    assert sum(pools) > 1.5 * sum(without)
    assert BreedByVote.__call__ is counted, "nothing stays changed"


def test_a_trial_hangs_on_the_pool_and_on_the_looks(model: str, tmp_path: Path) -> None:
    file, common = write_campaign("zaleplon_mpo", tmp_path), overrides_of(Options(model=model))
    arms = (NORMAL, TENFOLD, replace(NORMAL, run_by=partial(run_with, 1, (100,))), Ours("plain", ""))
    assert len({arm.trial("zaleplon_mpo", 0, 600, file, common).key.rpartition("-")[2] for arm in arms}) == len(arms)


def test_of_looks_that_an_interruption_doubled_the_later_counts(tmp_path: Path) -> None:
    file = tmp_path / "looks.jsonl"
    assert read_looks(file) == {}
    file.write_text("".join(json.dumps({"calls": 100, "own": own, "tenfold": 1}) + "\n" for own in (1, 2)))
    assert read_looks(file)["100"]["own"] == 2


def test_a_look_that_a_kill_cut_off_makes_way_for_the_next(tmp_path: Path) -> None:
    file = tmp_path / "looks.jsonl"
    looks = [{"calls": calls, "own": 0.25, "tenfold": 0.5} for calls in (100, 300, 500)]
    add_look(file, looks[0])
    add_look(file, looks[1])
    whole = file.read_text()
    for kept in range(len(whole) + 1):
        file.write_text(whole[:kept])
        ended = [look for look in looks[:2] if json.dumps(look) + "\n" in whole[:kept]]
        assert list(read_looks(file).values()) == ended
        add_look(file, looks[2])
        assert list(read_looks(file).values()) == [*ended, looks[2]]


@pytest.mark.parametrize("line", ['{"calls": 1', "[1]", "7", '{"own": 1}'])
def test_another_line_that_is_no_look_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "looks.jsonl"
    file.write_text('{"calls": 100}\n' + line + "\n")
    with pytest.raises(RecordError, match=r"looks\.jsonl, line 2: found .* delete the trial's folder"):
        read_looks(file)


def record(gap: np.ndarray, rise: float) -> dict[str, Any]:
    """Of (tasks, seeds) differences of the areas."""
    rng = np.random.default_rng(1)
    base = rng.random(gap.shape)
    noise = rng.normal(0, 0.001, gap.shape)
    tasks: dict[str, Any] = {}
    for row, task in enumerate(TASKS):
        for arm, values in ((NORMAL.name, base[row]), (TENFOLD.name, base[row] + gap[row])):
            tasks.setdefault(task, {})[arm] = {
                str(seed): {
                    **dict.fromkeys(("auc_top10", "top10", "auc_top10_early", "top10_early"), value),
                    "looks": {str(100): {"calls": 100, "own": 0.5, "tenfold": 0.5 + rise + noise[row, seed]}},
                }
                for seed, value in enumerate(values)
            }
    return {"of": {"calls": 600, "code": "c", "model": "m"}, "tasks": tasks}


@pytest.mark.parametrize(
    ("mean", "sd", "above", "excludes"),
    [(0.01, 0.02, "yes", "yes"), (-0.02, 0.02, "**no**", "yes"), (-0.001, 0.3, "yes", "**no**"),
     (-0.06, 0.02, "**no**", "**no**")],
)  # fmt: skip
def test_the_bars_of_the_search(mean: float, sd: float, above: str, excludes: str) -> None:
    gap = np.random.default_rng(0).normal(0, 1, (5, 5))
    gap = mean + sd * (gap - gap.mean()) / gap.mean(0).std(ddof=1)
    half = t.ppf(0.975, 4) * sd / np.sqrt(5)
    span = f"{mean - half:+.3f} to {mean + half:+.3f}"
    row = f"| area after 600 calls | 5 | {mean:+.3f} ± {sd / np.sqrt(5):.3f} | {span} |"
    page = report(record(gap, 0.1))
    assert f"{row} {above} | {excludes} |" in page
    assert page.count(f"| 5 | {mean:+.3f} ±") == 4
    few = report(record(gap[:, :4], 0.1))
    assert few.count("| *pending* | *pending* |") >= 4, "twenty pairs of four seeds say nothing yet"


def test_a_batch_that_is_worth_more_is_seen_and_what_was_not_looked_at_is_pending() -> None:
    page = report(record(np.zeros((5, 5)), 0.1))
    (row,) = [line for line in page.splitlines() if line.startswith("| 100 | 25 |")]
    assert row.startswith("| 100 | 25 | 0.500 | 0.600 | +0.100 |")
    assert row.endswith("| yes |")
    assert report(record(np.zeros((5, 5)), -0.1)).count("| **no** |") == 1
    single = record(np.zeros((5, 5)), 0.1)
    single["tasks"] = {TASKS[0]: {NORMAL.name: {"0": single["tasks"][TASKS[0]][NORMAL.name]["0"]}}}
    (row,) = [line for line in report(single).splitlines() if line.startswith("| 100 | 1 | 0.500 |")]
    assert row.endswith("|  | *pending* |"), "one pair proves nothing"
    assert "| 300 | 0 | *pending* | *pending* | *pending* |  | *pending* |" in page
    assert "| area after 300 calls | 5 | +0.000 ± 0.000 |  | *pending* | *pending* |" in page, (
        "equal ones prove nothing"
    )
