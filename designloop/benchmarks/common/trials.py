"""Trials, one arm and seed each, side by side; what one gave is kept, so an interrupted benchmark goes on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from designloop.api import InputError
from designloop.benchmarks.common.options import Say

P = ParamSpec("P")
T = TypeVar("T")

ROOT = Path(__file__).parents[3]
"""Where the package lies."""

DECIDING = ("designloop/vae", "designloop/molecules", "designloop/strategies", "designloop/loop", "designloop/oracles")
"""The folders of code that decide what a campaign finds, beside the modules of the package itself."""

_KEPT = "result.json"

Found = dict[str, Any]
"""What a trial gave, as JSON values."""


@dataclass(frozen=True)
class Trial:
    """One arm with one seed."""

    arm: str
    seed: int
    work: Callable[[Path], Found]
    """What is done, in a folder of its own, which holds what an earlier attempt left; it can be pickled."""
    identity: Mapping[str, Any]
    """All that decides what it gives, beside the code and the seed, as JSON values."""

    @property
    def key(self) -> str:
        """Name of its folder: another code, model or campaign has another one."""
        identity = {"identity": self.identity, "code": code_digest()}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return f"{self.arm}-{self.seed}-{digest[:12]}"


def run_trials(trials: Sequence[Trial], folder: Path, jobs: int, say: Say) -> dict[str, dict[int, Found]]:
    """Arm -> seed -> what it gave, in the order of the trials.

    Args:
        folder: of what is kept from one call to the next.
        jobs: processes at once, each with its share of the cores; 1 is this process.
    """
    own = {(trial.arm, trial.seed): folder / trial.key for trial in trials}
    known = {who: found for who, path in own.items() if (found := _kept(path)) is not None}
    left = [(trial, own[trial.arm, trial.seed]) for trial in trials if (trial.arm, trial.seed) not in known]
    say(f"{len(left)} of {len(trials)} trials to run; what they give is kept in {folder}")
    for done, (trial, found) in enumerate(_run(left, jobs), 1):
        known[trial.arm, trial.seed] = found
        score = f"mean top-10 {found['mean_top_10']:.3f}, "
        say(f"{trial.arm}, seed {trial.seed}: {score}{found['seconds']:.0f} s ({done} of {len(left)})")
    results: dict[str, dict[int, Found]] = {}
    for trial in trials:
        results.setdefault(trial.arm, {})[trial.seed] = known[trial.arm, trial.seed]
    return results


def _run(trials: Sequence[tuple[Trial, Path]], jobs: int) -> Iterator[tuple[Trial, Found]]:
    """Each trial and what it gave, as it comes; every trial comes with its folder."""
    if jobs == 1:
        for trial, own in trials:
            yield trial, _run_one(trial, own)
        return
    threads = max(1, len(os.sched_getaffinity(0)) // jobs)
    with ThreadPoolExecutor(jobs) as pool:
        under_way = {pool.submit(in_fresh_process, _run_one, trial, own, threads): trial for trial, own in trials}
        try:
            for done in as_completed(under_way):
                yield under_way[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def in_fresh_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a function gives in a process that inherits no memory, caches or global state, and ends with it."""
    # A pool for each call: one that replaces its processes after so many tasks can hang (CPython's gh-115634).
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def _run_one(trial: Trial, own: Path, threads: int | None = None) -> Found:
    if trial.key != own.name:
        raise InputError(
            f"the code has changed since the benchmark began ({trial.key} was {own.name}); begin it anew, in a clone "
            "of its own if the code is being worked on"
        )
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # read by torch, which this process has not imported yet
    own.mkdir(parents=True, exist_ok=True)
    began = perf_counter()
    found = trial.work(own)
    found.setdefault("seconds", perf_counter() - began)
    aside = own / f"{_KEPT}.tmp"
    aside.write_text(json.dumps(found), encoding="utf-8")
    aside.replace(own / _KEPT)
    return found


def _kept(own: Path) -> Found | None:
    path = own / _KEPT
    if not path.is_file():
        return None
    found: Found = json.loads(path.read_text(encoding="utf-8"))
    return found


def code_digest() -> str:
    """Digest of the code that decides what a campaign finds; results of other code are not mixed with this one's."""
    digest = hashlib.sha256()
    for path in deciding_files():
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def deciding_files() -> list[Path]:
    """The files of that code, in order."""
    below = [path for folder in DECIDING for path in (ROOT / folder).rglob("*")]
    return sorted(
        path for path in [*(ROOT / "designloop").glob("*.py"), *below] if path.suffix in (".py", ".smarts", ".smi")
    )
