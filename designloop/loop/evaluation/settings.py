"""How oracles are run, as a campaign file says it, and what else evaluation has to know of a campaign."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field

from designloop.loop.config.settings import StrictSettings
from designloop.oracles import Oracle

CHUNK = 25
"""Molecules of one oracle that are sent to a worker together; one that is costly gets them one at a time."""


class EvaluationSettings(StrictSettings):
    """How oracles are run. None of it changes a result, so all of it may change on resume."""

    backend: Literal["ray", "inline"] = "ray"
    """Ray's workers, on this machine or a cluster; or one child process of this one."""
    workers: int | None = Field(default=None, ge=1)
    """How many molecules' chunks are scored at once; by default one a core."""
    address: str | None = None
    """A running Ray cluster (`auto` finds one); by default one is started on this machine."""
    chunk: int | None = Field(default=None, ge=1)
    """Molecules of one oracle sent to a worker together; by default 25, and 1 for an oracle that is costly."""
    timeout: float = Field(default=60.0, gt=0)
    """Seconds that one molecule may take alone."""
    retries: int = Field(default=1, ge=0)
    """How often a molecule that failed alone is tried again."""

    @property
    def worker_count(self) -> int:
        """How many workers there are to be; the one child process of ``inline``."""
        if self.backend == "inline":
            return 1
        return self.workers or len(os.sched_getaffinity(0))

    def idle(self) -> dict[str, str]:
        """Returns the settings that do nothing beside the others -> why."""
        why = "it is for `backend: ray`, and here it is inline"
        return dict.fromkeys(("workers", "address"), why) if self.backend == "inline" else {}

    def chunk_of(self, oracle: Oracle) -> int:
        """Molecules that a worker gets at once for this oracle."""
        return self.chunk or (1 if oracle.costly else CHUNK)


class WantedProperty(Protocol):
    """One property of an objective: its name, and which output of its oracle it is."""

    @property
    def name(self) -> str: ...

    @property
    def output(self) -> str | None: ...


class WantedProperties(Protocol):
    """An objective, as far as evaluation needs one."""

    @property
    def properties(self) -> Sequence[WantedProperty]: ...


class EvaluatedCampaign(Protocol):
    """A campaign, as far as evaluation needs one."""

    @property
    def folder(self) -> Path: ...

    @property
    def evaluation(self) -> EvaluationSettings: ...

    @property
    def objective(self) -> WantedProperties: ...

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """Property name -> its oracle."""
        ...
