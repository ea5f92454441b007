"""Trials, one for each arm and seed, run side by side; results are kept, so an interrupted benchmark goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import active_children, get_context
from pathlib import Path
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from designloop import signals
from designloop.api import InputError
from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.sources import code_alone

P = ParamSpec("P")
T = TypeVar("T")

ROOT = Path(__file__).parents[3]
"""Where the package lies."""

DECIDING = ("designloop/vae", "designloop/molecules", "designloop/strategies", "designloop/loop", "designloop/oracles")
"""The folders of code that decide what a campaign finds, beside the modules of the package itself."""

DATA = "designloop/molecules/data"
"""The folder of data that searches read; model weights lie elsewhere and have digests of their own."""

PACKAGES = ("botorch", "gpytorch", "numpy", "rdkit", "scikit-learn", "scipy", "selfies", "torch")
"""Those whose release may change what a campaign finds."""

_RESULT = "result.json"

TrialResult = dict[str, Any]
"""The result of a trial, as JSON values."""


@dataclass(frozen=True)
class Trial:
    """One arm with one seed."""

    arm: str
    seed: int
    work: Callable[[Path], TrialResult]
    """What is done, in a folder of its own, which holds what an earlier attempt left; it can be pickled."""
    identity: Mapping[str, Any]
    """All that decides what it gives, beside the code and the seed, as JSON values."""
    code: str | None = None
    """Digest of the code that decides what it gives; by default of all that decides what a campaign finds."""

    @property
    def key(self) -> str:
        """The name of the trial's folder: another code, model or campaign has another one."""
        identity = {"identity": self.identity, "code": code_digest() if self.code is None else self.code}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return f"{self.arm}-{self.seed}-{digest[:12]}"


def run_trials(trials: Sequence[Trial], folder: Path, jobs: int, say: Say) -> dict[str, dict[int, TrialResult]]:
    """Runs all trials that have no result yet, and returns arm -> seed -> result, in the order of the trials.

    Args:
        folder: of what is kept from one call to the next.
        jobs: processes at once, each with its share of the cores; 1 is this process.
    """
    folders = {(trial.arm, trial.seed): folder / trial.key for trial in trials}
    results_by_trial = {who: result for who, path in folders.items() if (result := _read_result(path)) is not None}
    left = [
        (trial, folders[trial.arm, trial.seed]) for trial in trials if (trial.arm, trial.seed) not in results_by_trial
    ]
    say(f"{len(left)} of {len(trials)} trials to run; what they give is kept in {folder}")
    for done, (trial, result) in enumerate(_run(left, jobs), 1):
        results_by_trial[trial.arm, trial.seed] = result
        score = f"mean top-10 {result['mean_top_10']:.3f}, " if "mean_top_10" in result else ""
        took = "went on" if (seconds := result["seconds"]) is None else f"{seconds:.0f} s"
        say(f"{trial.arm}, seed {trial.seed}: {score}{took} ({done} of {len(left)})")
    results: dict[str, dict[int, TrialResult]] = {}
    for trial in trials:
        results.setdefault(trial.arm, {})[trial.seed] = results_by_trial[trial.arm, trial.seed]
    return results


def _run(trials: Sequence[tuple[Trial, Path]], jobs: int) -> Iterator[tuple[Trial, TrialResult]]:
    """Yields each trial with its result as it ends; every trial is given with its folder."""
    if jobs == 1:
        for trial, trial_folder in trials:
            yield trial, _run_trial(trial, trial_folder)
        return
    threads = max(1, len(os.sched_getaffinity(0)) // jobs)
    with ThreadPoolExecutor(jobs) as pool:
        under_way = {
            pool.submit(in_fresh_process, _run_trial, trial, trial_folder, threads): trial
            for trial, trial_folder in trials
        }
        try:
            with processes_end_too():
                for done in as_completed(under_way):
                    yield under_way[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def in_fresh_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls a function in a process that inherits no memory, caches or global state, and ends with it."""
    # A pool for each call: one that replaces its processes after so many tasks can hang (CPython's gh-115634).
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool, processes_end_too():
        return pool.submit(_heeding_signals, partial(function, *args, **kwargs)).result()


def _heeding_signals(function: Callable[[], T]) -> T:
    """Calls a function; SIGTERM, of which nothing else hears here, ends it and what it started in its turn."""
    with signals.heeded():
        return function()


@contextmanager
def processes_end_too() -> Iterator[None]:
    """An interruption of the block ends the processes that this one started, which else would be waited for.

    SIGTERM is sent to one process, where Ctrl-C in a terminal reaches all. What they keep survives any end.
    """
    try:
        yield
    except BaseException:
        for process in active_children():
            process.terminate()
        raise


def _run_trial(trial: Trial, folder: Path, threads: int | None = None) -> TrialResult:
    if trial.key != folder.name:
        raise InputError(
            f"the code has changed since the benchmark began ({trial.key} was {folder.name}); begin it anew, in a "
            "clone of its own if the code is being worked on"
        )
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read by torch, which this process has not imported yet
    folder.mkdir(parents=True, exist_ok=True)
    began = perf_counter()
    result = trial.work(folder)
    result.setdefault("seconds", perf_counter() - began)
    temporary = folder / f"{_RESULT}.tmp"
    temporary.write_text(json.dumps(result), encoding="utf-8")
    temporary.replace(folder / _RESULT)
    return result


def _read_result(folder: Path) -> TrialResult | None:
    path = folder / _RESULT
    if not path.is_file():
        return None
    result: TrialResult = json.loads(path.read_text(encoding="utf-8"))
    return result


def code_digest() -> str:
    """Digests the code that decides what a campaign finds; results of other code are not mixed with this one's.

    Comments, docstrings and layout do not count.
    """
    return digest_of(deciding_files())


def digest_of(files: Iterable[Path]) -> str:
    """Digests names and contents of files below ``ROOT``, in the order given; of Python's the code alone."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        if path.suffix == ".py":
            digest.update(code_alone(path.read_bytes()))
        else:
            read = path.stat()
            digest.update(_content_of(path, read.st_mtime_ns, read.st_size, read.st_ino))
    return digest.hexdigest()


@lru_cache(1_000)
def _content_of(path: Path, *_: int) -> bytes:
    """Digest of a file's content, read once as long as it is the same: some are megabytes, and asked for each trial."""
    return hashlib.sha256(path.read_bytes()).digest()


def deciding_files() -> list[Path]:
    """Lists the files of that code, and of the data that it reads, in order."""
    below = [path for folder in DECIDING for path in (ROOT / folder).rglob("*")]
    code = [path for path in [*(ROOT / "designloop").glob("*.py"), *below] if path.suffix in (".py", ".smarts", ".smi")]
    data = [path for path in (ROOT / DATA).rglob("*") if path.is_file() and path.suffix not in (".md", ".pyc")]
    return sorted({*code, *data})


def releases(*further: str) -> dict[str, str | None]:
    """Package -> its release, of those that decide what a campaign finds; None of one that is not installed.

    Args:
        further: packages that a search uses beside them.
    """
    found: dict[str, str | None] = {}
    for name in (*PACKAGES, *further):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found
