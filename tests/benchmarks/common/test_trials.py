from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pytest

from designloop import signals
from designloop.api import InputError
from designloop.benchmarks.common import trials
from designloop.benchmarks.common.trials import Trial, TrialResult, run_trials


def note(number: int, folder: Path) -> TrialResult:
    """A trial that notes each time it is run."""
    with (folder / "runs").open("a") as file:
        file.write("run\n")
    return {"mean_top_10": number / 10, "process": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS")}


def go_on(folder: Path) -> TrialResult:
    return {"seconds": None}


def test_a_trial_that_does_not_know_what_it_took_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    run_trials([Trial("a", 0, go_on, {})], tmp_path, 1, lines.append)
    assert lines[-1] == "a, seed 0: went on (1 of 1)"


def break_off(folder: Path) -> TrialResult:
    raise KeyboardInterrupt


def three() -> list[Trial]:
    return [Trial(arm, seed, partial(note, seed), {"calls": 5}) for arm, seed in (("a", 0), ("a", 1), ("b", 0))]


def test_each_trial_is_run_once_and_kept(tmp_path: Path) -> None:
    lines: list[str] = []
    first = run_trials(three(), tmp_path, 1, lines.append)
    second = run_trials(three(), tmp_path, 1, lines.append)
    assert first == second
    assert {arm: list(seeds) for arm, seeds in first.items()} == {"a": [0, 1], "b": [0]}
    assert first["a"][1]["mean_top_10"] == 0.1
    assert first["a"][1]["seconds"] >= 0
    assert [(file.read_text()) for file in tmp_path.glob("*/runs")] == ["run\n"] * 3
    assert lines[0] == f"3 of 3 trials to run; what they give is kept in {tmp_path}"
    assert lines[1] == "a, seed 0: mean top-10 0.000, 0 s (1 of 3)"
    assert lines[-1] == f"0 of 3 trials to run; what they give is kept in {tmp_path}"


def test_an_interrupted_benchmark_goes_on(tmp_path: Path) -> None:
    a, b, c = three()
    with pytest.raises(KeyboardInterrupt):
        run_trials([a, Trial("b", 9, break_off, {}), c], tmp_path, 1, lambda line: None)
    run_trials([a, b, c], tmp_path, 1, lambda line: None)
    assert [(file.read_text()) for file in tmp_path.glob("*/runs")] == ["run\n"] * 3


class Steady(Trial):
    """A trial that goes on although someone edits the code while the tests run."""

    @property
    def key(self) -> str:
        return f"{self.arm}-{self.seed}"


def test_trials_run_side_by_side_in_processes_of_their_own(tmp_path: Path) -> None:
    steady = [Steady(trial.arm, trial.seed, trial.work, trial.identity) for trial in three()[1:]]
    results = run_trials(steady, tmp_path, 2, lambda line: None)
    a, b = results["a"][1], results["b"][0]
    assert len({a["process"], b["process"], os.getpid()}) == 3
    assert int(a["threads"]) == int(b["threads"]) == max(1, len(os.sched_getaffinity(0)) // 2)


def take_long(folder: Path) -> TrialResult:
    (folder / "process").write_text(str(os.getpid()))
    time.sleep(600)
    return {}


def in_a_process_of_its_own(folder: Path) -> TrialResult:
    return trials.in_fresh_process(take_long, folder)


def is_running(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_sigterm_ends_all_that_was_started(tmp_path: Path, jobs: int) -> None:
    """Also where only the process that waits hears of it, and what it waits for started one in its turn."""
    long = [Steady("a", seed, in_a_process_of_its_own, {}) for seed in range(jobs)]
    started: list[int] = []

    def terminate() -> None:
        while len(found := [path.read_text() for path in tmp_path.glob("*/process")]) < jobs or not all(found):
            time.sleep(0.05)
        started.extend(map(int, found))
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=terminate, daemon=True).start()
    with pytest.raises(signals.Terminated), signals.heeded():
        run_trials(long, tmp_path, jobs, lambda line: None)
    assert len(started) == jobs
    assert not any(map(is_running, started))


def test_the_code_that_decides_is_all_there() -> None:
    files = {str(path.relative_to(trials.ROOT)) for path in trials.deciding_files()}
    assert files >= {"designloop/records.py", "designloop/oracles/physchem.py", "designloop/molecules/unstable.smarts"}
    data = {path.name for path in (trials.ROOT / trials.DATA).iterdir()} - {"README.md", "__init__.py", "__pycache__"}
    assert data >= {"known_parts.tsv.xz", "held_out.txt", "zinc250k.smi.xz", "zinc250k.codec.json"}
    assert files >= {f"{trials.DATA}/{name}" for name in data}
    assert not any(name.endswith(".safetensors") for name in files), "weights have a digest of their own"
    assert {folder for folder in trials.DECIDING if any(name.startswith(f"{folder}/") for name in files)} == {
        *trials.DECIDING
    }
    assert not any(name.startswith("designloop/benchmarks/") for name in files)


def test_releases_are_of_what_is_installed() -> None:
    found = trials.releases("no_such_package")
    assert {"rdkit", "torch", "scikit-learn"} <= set(found)
    assert (found["rdkit"], found["no_such_package"]) == (version("rdkit"), None)


@pytest.mark.parametrize(
    ("later", "same"),
    [
        ('def f(x: int) -> int:\n    """Says it otherwise."""\n    # why\n    return (x +\n        1)\n', True),
        ("def f(x: int) -> int:\n    return x + 2\n", False),
        ('def f(x: int) -> str:\n    return "Adds one."\n', False),
    ],
)
def test_of_code_comments_docstrings_and_layout_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str, same: bool
) -> None:
    monkeypatch.setattr(trials, "ROOT", tmp_path)
    (file := tmp_path / "module.py").write_text('def f(x: int) -> int:\n    """Adds one."""\n    return x + 1\n')
    (data := tmp_path / "patterns.smarts").write_text("# of what is refused\n[N+]\n")
    before = trials.digest_of([file, data])
    file.write_text(later)
    assert (trials.digest_of([file, data]) == before) is same
    data.write_text("[N+]\n")
    assert trials.digest_of([data]) != before


def test_what_another_code_or_campaign_gave_is_not_mixed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = three()[0]
    assert trial.key == three()[0].key
    assert trial.key != Trial("a", 0, trial.work, {"calls": 6}).key
    before = trial.key
    monkeypatch.setattr(trials, "code_digest", lambda: "another")
    assert trial.key != before
    with pytest.raises(InputError, match="the code has changed since the benchmark began"):
        trials._run_trial(trial, tmp_path / before)
