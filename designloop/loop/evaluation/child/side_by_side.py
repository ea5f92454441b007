"""Whether two processes of an oracle get into each other's way, as the workers of a campaign might.

Each has a working folder and a folder for temporary files of its own. What an oracle keeps elsewhere (a fixed path in
``/tmp`` or in the home folder, a port, a service) cannot be separated, so it has to be found: an oracle is run twice at
once, on different molecules, and must say what it says alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from designloop.loop.evaluation.child.exchange import PortableOracle, Reply, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.oracles import Oracle

PAUSE_SECONDS = 0.002
"""How long either process waits before each step that the other could disturb."""

ROUNDS = 2
"""How often both run at once with the molecules one way round, and as often the other way."""

PROBES = ("C1CC", "[H][H]", "[Na+].[Cl-]")
"""What many programs fail on, the first no molecule at all: an oracle may have no value for them, and may raise, but
may not give the value of the molecule before."""

ENOUGH_SECONDS = 30.0
"""After so many seconds nothing more is tried than one round of both."""

_PROBE_SECONDS = 5.0
"""What a probe may take, and ten times as long as the other molecules took."""

_MOLECULE_ALONE = (
    "a value may depend on the molecule and the parameters only: remember nothing of other molecules, fix the seed of "
    "a program, or declare @oracle(stochastic=True) and draw from the seeds given"
)
_SEPARATE = (
    "what it writes by a relative name, or by tempfile, is each process's own; a fixed path elsewhere (in /tmp, in the "
    "home folder), a port or a service is shared by all workers: use the working folder or tempfile instead, or "
    "evaluation: {workers: 1}"
)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far values of one molecule may differ; those of two molecules differ by more, as a rule."""

    relative: float = 1e-3
    absolute: float = 0.0


_ROUGH = Tolerance()


@dataclass(frozen=True, slots=True)
class Asked:
    """What one process was asked, and what it said."""

    smiles: tuple[str, ...]
    reply: Reply

    @property
    def values(self) -> dict[str, tuple[Any, str | None]]:
        """Molecule -> (value, error)."""
        answers = self.reply.answers or ((None, self.reply.error),) * len(self.smiles)
        return dict(zip(self.smiles, answers, strict=True))


class SideBySide:
    """Two processes that oracles are run in, one oracle after the other; a context manager, which ends them."""

    def __init__(self, oracles: Iterable[Oracle], process_environment: ProcessEnvironment, deadline: float) -> None:
        """Processes that start when they are first needed.

        Args:
            oracles: all that will be asked for.
            process_environment: what the processes see of the world.
            deadline: seconds for one request.
        """
        portable = [PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes)) for oracle in oracles]
        slowed = replace(process_environment, pause=PAUSE_SECONDS)
        self._processes = OracleProcess(portable, slowed), OracleProcess(portable, slowed)
        self._deadline = deadline

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.close()

    def disturbance(
        self, oracle: Oracle, smiles: Sequence[str], seeds: Sequence[int], tolerance: Tolerance = _ROUGH
    ) -> str | None:
        """A sentence on a molecule whose answer is another when two processes run at once; None if all is well.

        An oracle that cannot be loaded, or has no value for any of the molecules, is none of this check's business.

        Args:
            oracle: what is checked.
            smiles: (n,) at least two different molecules, of which each process gets one half.
            seeds: (n,) one for each.
            tolerance: how far values may differ; the default lets pass what threads and GPUs differ by.
        """
        with ThreadPoolExecutor(2) as pool:
            if any(
                reply.failure for reply in pool.map(lambda process: process.load(oracle.fingerprint), self._processes)
            ):
                return None
            trial = _Trial(oracle, dict(zip(smiles, seeds, strict=True)), tolerance, self._processes, self._deadline)
            if all(value is None for value, _ in trial.alone.values()):
                return None
            return trial.at_once(pool) or trial.again() or trial.behind()


class _Trial:
    """One oracle in two processes, and what it says of each molecule when nobody else runs."""

    def __init__(
        self,
        oracle: Oracle,
        seeds: Mapping[str, int],
        tolerance: Tolerance,
        processes: tuple[OracleProcess, OracleProcess],
        deadline: float,
    ) -> None:
        self._oracle, self._seeds, self._tolerance, self._processes = oracle, seeds, tolerance, processes
        self._halves = tuple(seeds)[::2], tuple(seeds)[1::2]
        self._deadline = deadline
        self._start = time.monotonic()
        first = [self._ask(processes[0], half) for half in self._halves]
        self.alone = first[0].values | first[1].values
        self._seconds = sum(asked.reply.seconds for asked in first)

    def at_once(self, pool: ThreadPoolExecutor) -> str | None:
        """A sentence on the first difference while both processes run."""
        for number, ways in enumerate((self._halves, self._halves[::-1]) * ROUNDS):
            if number and self._is_late():
                break
            replies = list(pool.map(self._ask, self._processes, ways))
            places = set(replies[0].reply.shared) & set(replies[1].reply.shared)
            for asked in replies:
                if sentence := self._difference(asked, "while another process scores others"):
                    return self.again() or f"{sentence}{_name_places(places)}; {_SEPARATE}"
        return None

    def again(self) -> str | None:
        """A sentence on the first difference while one process runs alone: what two do at once then says nothing."""
        for process, way in zip(
            self._processes, ("when asked again in another order", "in another process"), strict=True
        ):
            for half in self._halves:
                if self._is_late():
                    return None
                if sentence := self._difference(self._ask(process, half[::-1]), way):
                    return f"{sentence}; {_MOLECULE_ALONE}"
        return None

    def behind(self) -> str | None:
        """A sentence on what has the value of the molecule before it, in a call in which it should have none."""
        ahead = self._halves[0][0]
        limit = min(self._deadline, _PROBE_SECONDS + 10 * self._seconds)
        for probe in PROBES:
            if self._is_late():
                return None
            lone = self._ask(self._processes[0], (probe,), limit).values[probe]
            value, error = self._ask(self._processes[0], (ahead, probe), limit).values[probe]
            if value is not None and lone[0] is None:
                return (
                    f"{probe!r} has {_show(*lone)} when scored alone, and {_show(value, error)} behind {ahead} in one "
                    "call; remove what a program wrote for a molecule before it runs on the next, and see how it exited"
                )
        return None

    def _ask(self, process: OracleProcess, smiles: tuple[str, ...], deadline: float | None = None) -> Asked:
        seeds = tuple(self._seeds.get(molecule, 0) for molecule in smiles) if self._oracle.stochastic else None
        return Asked(
            smiles, process.score(Request(self._oracle.fingerprint, smiles, seeds, deadline or self._deadline))
        )

    def _is_late(self) -> bool:
        return time.monotonic() - self._start > ENOUGH_SECONDS

    def _difference(self, asked: Asked, when: str) -> str | None:
        for molecule, (value, error) in asked.values.items():
            expected = self.alone[molecule]
            if not same(expected[0], value, self._tolerance):
                return f"{molecule} has {_show(*expected)} when scored alone, and {_show(value, error)} {when}"
        return None


def same(value: Any, other: Any, tolerance: Tolerance) -> bool:
    """Whether two values are the same: numbers, mappings of output to number, or none at all."""
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return value.keys() == other.keys() and all(same(value[name], other[name], tolerance) for name in value)
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)
    if isinstance(value, str) and isinstance(other, str):  # why an output has no number, in whatever words
        return True
    return value is None and other is None


def _show(value: Any, error: str | None) -> str:
    return f"no value ({error})" if value is None else repr(value)


def _name_places(places: Iterable[str]) -> str:
    """The places that both processes wrote to, as far as that was seen."""
    names = sorted(places)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f" (both write to {', '.join(names[:3])}{more})" if names else ""
