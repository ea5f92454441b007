"""The comparison with peers, with stand-ins for peers: no environment is made and nothing is installed."""

from __future__ import annotations

import json
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import softmax
from torch import nn

from designloop.api import InputError
from designloop.benchmarks.common.options import Options, Results
from designloop.benchmarks.peers import benchmark as peers
from designloop.benchmarks.peers import environments, head_to_head
from designloop.benchmarks.peers.environments import InstallError, make_environment
from designloop.benchmarks.peers.head_to_head import HeadToHeadError, Side, run_head_to_head
from designloop.benchmarks.vae import benchmark as vae

SIDE = """
import os, sys, time
def prepare(task):
    print("a library that is chatty")
    print("and complains", file=sys.stderr)
    def run(seed):
        print("more chat")
        return {{"seconds": {seconds}, "value": {value}}}
    return run
"""

WIDTHS = {"rows": 2048, "features": 12, "hidden": 8, "latent": 2, "batch": 64, "epochs": 2}
"""Of a small VAE."""


def silent(line: str) -> None:
    pass


def side(name: str, folder: Path, seconds: str = "1.0", value: str = "2.0", threads: int = 1) -> Side:
    """A side that says how long it took, and does nothing."""
    script, task = folder / f"{name}.py", folder / "task.json"
    script.write_text(SIDE.format(seconds=seconds, value=value))
    task.write_text("{}")
    return Side(name, [sys.executable, str(peers.SCRIPTS / "serve.py"), str(script), str(task)], folder, threads)


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two comparisons: with a peer that takes twice as long, and with one that cannot be installed."""
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "serve.py").write_text((peers.SCRIPTS / "serve.py").read_text())
    (scripts / "ours.py").write_text(SIDE.format(seconds="1.0 + seed", value="2.0"))
    (scripts / "slow.py").write_text(SIDE.format(seconds="2.0 + 2 * seed", value="2.01"))
    slow = replace(
        peers.COMPARISONS[0], name="slow", requirement="slow==1.0", ours="ours.py", theirs="slow.py",
        task={"rows": 4, "latent": 2, "features": 3},
    )  # fmt: skip
    absent = replace(slow, name="absent", requirement="absent==2.0")

    def made(requirement: str, folder: Path, say: Any) -> Path:
        if requirement.startswith("absent"):
            raise InstallError("no matching distribution for absent==2.0")
        return Path(sys.executable)

    monkeypatch.setattr(peers, "SCRIPTS", scripts)
    monkeypatch.setattr(peers, "COMPARISONS", (absent, slow))
    monkeypatch.setattr(peers, "make_environment", made)
    return tmp_path


def test_a_peer_that_cannot_be_installed_is_told_and_the_others_are_compared(stand_ins: Path) -> None:
    lines: list[str] = []
    results = peers.run(Options(seeds=3, work=stand_ins / "work"), lines.append)
    absent, slow = results["rows"]
    assert absent["error"] == "no matching distribution for absent==2.0"
    assert slow["ours_seconds"] == [1.0, 2.0, 3.0]
    assert slow["theirs_seconds"] == [2.0, 4.0, 6.0]
    assert (slow["ratio"], slow["standard_error"], slow["holds"]) == (0.5, 0.0, True)
    assert "slow: 0.500 of slow==1.0's time, ≤ 1" in lines
    json.dumps(results)
    page = peers.report(results)
    assert "**absent==2.0 could not be compared** " in page
    assert re.search(r"\| slow==1.0 \| 2 \| 4 \| 0.500 \| 0.50–0.50 \| ≤ 1 \| yes \| 2 \| 2.01 \|", page)


def test_a_ratio_stands_beside_the_bars_of_its_method(stand_ins: Path) -> None:
    results = peers.run(Options(seeds=2, work=stand_ins / "work"), silent)
    (row,) = peers.ratios_beside(results, "core")
    assert row.measure.endswith(": time over that of slow 1.0")
    assert (row.value, row.bar, row.holds, row.seeds) == (0.5, "≤ 1", True, 2)
    assert not peers.ratios_beside(results, "geometry")
    assert not peers.ratios_beside(None, "core")
    measured = {"method": "core", "measure": "x", "bar": "", "value": 1.0, "spread": None, "seeds": 1, "holds": None}
    ran = {"date": "2026-01-01", "seconds": 1.0, "cpu": "some"}
    vae_results: Results = {"rows": [{**measured, "ceiling": None, "floor": None}], "runs": {"core": ran}}
    (index,) = vae.pages({"vae": vae_results, "peers": results}).values()
    assert "time over that of slow 1.0 | ≤ 1 | 0.5 ± 0 | 2 | yes |" in index.split("## The core\n")[1].split("\n## ")[0]


def test_what_one_run_finds_replaces_that_comparison_only(stand_ins: Path) -> None:
    earlier = peers.run(Options(seeds=2, work=stand_ins / "work"), silent)
    now = peers.run(Options(method="slow", seeds=3, work=stand_ins / "work"), silent)
    rows = peers.merge(earlier, now)["rows"]
    assert [row["name"] for row in rows] == ["absent", "slow"]
    assert len(rows[1]["ours_seconds"]) == 3


def test_an_unknown_peer_is_told_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no peer 'pytae'; give one of pythae, pythae-small, scvi-tools, stochman"):
        peers.run(Options(method="pytae"), silent)


def test_to_be_no_slower_is_less_than_to_be_faster() -> None:
    bars = {
        comparison.name: (comparison.bar, comparison.holds(1.0), comparison.holds(0.99), comparison.holds(1.01))
        for comparison in peers.COMPARISONS
    }
    assert bars["pythae"] == bars["scvi-tools"] == ("≤ 1", True, True, False)
    assert bars["stochman"] == ("< 1", False, True, False)


def test_sides_take_turns_after_one_that_is_not_counted(tmp_path: Path) -> None:
    clock = "__import__('time').perf_counter()"  # the same for all processes of a machine
    with side("ours", tmp_path, clock) as ours, side("theirs", tmp_path, clock) as theirs:
        turns = run_head_to_head(ours, theirs, [5, 6, 7], 0.01)
    when = [turn.seconds for pair in turns for turn in pair]
    assert len(when) == 6
    assert when == sorted(when)


def test_a_side_is_given_its_threads_and_none_of_our_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    counted = "int(os.environ['OMP_NUM_THREADS'])"
    with side("ours", tmp_path, counted, "float('PYTHONPATH' in os.environ)", threads=3) as ours:
        ours.wait_until_ready()
        turn = ours.take_turn(0)
    assert (turn.seconds, turn.value) == (3, 0)


def test_sides_that_do_not_do_the_same_are_not_compared(tmp_path: Path) -> None:
    with (
        side("ours", tmp_path) as ours,
        side("theirs", tmp_path, value="2.3") as theirs,
        pytest.raises(HeadToHeadError, match=r"ours came to 2, theirs to 2\.3, more than 5\.0% apart"),
    ):
        run_head_to_head(ours, theirs, [0], 0.05)


def test_nan_is_not_the_same(tmp_path: Path) -> None:
    with (
        side("ours", tmp_path, value="float('nan')") as ours,
        side("theirs", tmp_path) as theirs,
        pytest.raises(HeadToHeadError, match="ours came to nan"),
    ):
        run_head_to_head(ours, theirs, [0], 0.05)


def test_a_side_that_dies_is_told_with_what_it_wrote(tmp_path: Path) -> None:
    with side("theirs", tmp_path, value="1 / 0") as theirs:
        theirs.wait_until_ready()
        with pytest.raises(
            HeadToHeadError, match=r"(?s)theirs ended, or took longer than 600 s; it wrote: .*ZeroDivision"
        ):
            theirs.take_turn(0)
        with pytest.raises(HeadToHeadError, match="theirs ended"):
            theirs.take_turn(1)


def test_a_side_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with side("theirs", tmp_path, seconds="time.sleep(60)") as theirs:
        theirs.wait_until_ready()
        monkeypatch.setattr(head_to_head, "LIMIT", 0.2)
        with pytest.raises(HeadToHeadError, match=r"took longer than 0.2 s; it wrote: (?s:.*)and complains"):
            theirs.take_turn(0)


def test_an_environment_is_made_once_and_anew_for_another_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []

    def call(command: list[str]) -> None:
        called.append(command)
        if "venv" in command:
            (tmp_path / "bin").mkdir(exist_ok=True)
            (tmp_path / "bin" / "python").touch()

    monkeypatch.setattr(environments, "_call", call)
    monkeypatch.setattr(environments, "version", lambda name: "2.13.0+cpu")
    for requirement, calls in (("one==1.0", 2), ("one==1.0", 2), ("one==1.1", 4)):
        assert make_environment(requirement, tmp_path, silent) == tmp_path / "bin" / "python"
        assert len(called) == calls
    assert called[0][1:] == ["-m", "venv", "--clear", str(tmp_path)]
    assert called[1][-2:] == ["torch==2.13.0+cpu", "one==1.0"]


def test_the_public_torch_is_taken_where_there_is_no_build_like_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requirements: list[str] = []

    def call(command: list[str]) -> None:
        if "pip" in command:
            requirements.append(command[-2])
            if "+" in command[-2]:
                raise InstallError("no such build")

    monkeypatch.setattr(environments, "_call", call)
    monkeypatch.setattr(environments, "version", lambda name: "2.13.0+cpu")
    make_environment("one==1.0", tmp_path, silent)
    assert requirements == ["torch==2.13.0+cpu", "torch==2.13.0"]


def test_a_failed_install_says_what_the_installer_said_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    for _ in range(2):
        with pytest.raises(InstallError, match=r"`false -m venv --clear .*` failed: exit code 1"):
            make_environment("one==1.0", tmp_path / "one", silent)


def test_the_error_of_a_median_is_that_of_many_medians() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(1.0, 0.1, (4000, 51))
    estimate = np.mean([peers.error_of_median(list(sample)) for sample in samples[:500]])
    assert estimate == pytest.approx(np.median(samples, axis=1).std(), rel=0.05)
    assert peers.error_of_median([1.0]) is None


@pytest.mark.parametrize("comparison", peers.COMPARISONS, ids=lambda comparison: comparison.name)
def test_the_scripts_are_there_and_a_peers_knows_nothing_of_ours(comparison: peers.Comparison) -> None:
    ours, theirs = (peers.SCRIPTS / script for script in (comparison.ours, comparison.theirs))
    assert "designloop" in ours.read_text(encoding="utf-8")
    assert not re.search(r"^\s*(from|import) (designloop|oracles)", theirs.read_text(encoding="utf-8"), re.MULTILINE)
    compile(theirs.read_text(encoding="utf-8"), theirs, "exec")
    assert re.fullmatch(r"[a-z-]+==[\d.]+", comparison.requirement)


def ours(name: str, folder: Path, task: dict[str, Any]) -> tuple[float, dict[str, np.ndarray]]:
    """What our script of a comparison comes to on a task of its kind, and the data that it was given."""
    comparison = next(candidate for candidate in peers.COMPARISONS if candidate.name == name)
    data = dict(comparison.data(task))
    np.savez(folder / "data.npz", allow_pickle=False, **data)
    with torch.random.fork_rng(devices=[]):
        run = runpy.run_path(str(peers.SCRIPTS / comparison.ours))["prepare"]
        answer = run({**task, "data": str(folder / "data.npz")})(0)
    assert answer["seconds"] > 0
    return answer["value"], data


def test_our_metric_is_that_of_the_network_given(tmp_path: Path) -> None:
    value, data = ours("stochman", tmp_path, {"points": 50, "widths": [2, 5, 6, 7]})
    a = [data[f"weight_{layer}"].astype(float) for layer in range(3)]
    b = [data[f"bias_{layer}"].astype(float) for layer in range(3)]
    volumes = []
    for z in data["z"].astype(float):
        first = np.tanh(a[0] @ z + b[0])
        second = np.tanh(a[1] @ first + b[1])
        jacobian = a[2] @ np.diag(1 - second**2) @ a[1] @ np.diag(1 - first**2) @ a[0]
        volumes.append(np.sqrt(np.linalg.det(jacobian.T @ jacobian)))
    assert value == pytest.approx(np.mean(volumes), rel=1e-4)


def unlearned(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """(rows, features) decoded draws, and mean KL, of the network that both our fits and their peers start from."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Linear(12, 8), nn.SiLU(), nn.Linear(8, 4))
        decoder = nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 12))
        posterior = encoder(torch.from_numpy(rows))
        z = torch.distributions.Normal(posterior[:, :2], posterior[:, 2:].exp())
        kl = torch.distributions.kl_divergence(z, torch.distributions.Normal(0.0, 1.0)).sum(1)
        return decoder(z.sample()).double().numpy(), float(kl.mean())


def test_our_gaussian_loss_is_pythaes(tmp_path: Path) -> None:
    """Half the squared error and the KL, by a model that learns at a rate of nothing; noise is of another stream."""
    value, data = ours("pythae", tmp_path, {**WIDTHS, "rate": 0.0})
    decoded, kl = unlearned(data["x"])
    expected = 0.5 * ((data["x"] - decoded) ** 2).sum(1).mean() + kl
    assert value == pytest.approx(expected, rel=0.01)


def test_our_loss_of_counts_is_scvis(tmp_path: Path) -> None:
    """Shares of what a cell has in all are decoded from log(1 + counts), under scipy's negative binomial."""
    value, data = ours("scvi-tools", tmp_path, {**WIDTHS, "rate": 0.0})
    decoded, kl = unlearned(np.log1p(data["x"]))
    means = data["x"].sum(1, keepdims=True) * softmax(decoded, axis=1)
    expected = kl - stats.nbinom(1.0, 1 / (1 + means)).logpmf(data["x"].astype(int)).sum(1).mean()
    assert value == pytest.approx(expected, rel=0.01)
