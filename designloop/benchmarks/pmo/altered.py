"""Campaigns of ours that run inside a function, where no key of a campaign file says what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from designloop.benchmarks.common.sources import identity_of
from designloop.benchmarks.common.trials import Trial, TrialResult
from designloop.benchmarks.pmo.arms import Ours

Work = Callable[[Path], TrialResult]
"""(folder) -> what a trial gives."""


@dataclass(frozen=True)
class Altered(Ours):
    """A campaign that a function runs with something else in the place of a part."""

    run_by: Callable[[Work, Path], TrialResult] = field(kw_only=True)
    """(work, folder) -> its result; a function of a module, or a partial of one, so that it can be pickled."""

    def trial(self, task: str, seed: int, calls: int, file: Path, common: Mapping[str, Any]) -> Trial:
        """The trial of a task's campaign file with a seed; its key hangs on the function as well."""
        plain = super().trial(task, seed, calls, file, common)
        identity = {**plain.identity, "run by": identity_of(self.run_by)}
        return replace(plain, work=partial(self.run_by, plain.work), identity=identity)
