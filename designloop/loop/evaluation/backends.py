"""Where requests are scored: what a backend is, and the one that needs nothing but this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from designloop.loop.evaluation.child.exchange import Reply, Request
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.pieces import Spread, one_by_one


@dataclass(frozen=True, slots=True)
class WorkerLoss:
    """A worker that was lost, and what that cost."""

    kind: Literal["died", "node", "silent", "unstarted"]
    """It died; its node did; it was not heard beyond its deadline; it never was up."""
    node: str
    """Address and id of its node; empty for one that never was up."""
    chunks: int
    """Requests that were taken from it, to be sent again."""
    why: str


class Backend(Protocol):
    """A place that scores requests, several at once if it can, and gives each exactly one reply.

    Used by one thread. What befalls the place itself (a dead worker or node) it mends alone, sending requests again;
    what an oracle does is told in the reply.
    """

    def takes(self, request: Request) -> bool:
        """Whether there is room for this request now."""
        ...

    def submit(self, key: int, request: Request) -> None:
        """Start on a request that ``takes`` had room for; its reply comes from ``wait`` under ``key``."""
        ...

    def wait(self) -> list[tuple[int, Reply]]:
        """The replies that have come, and perhaps none when only room has come; blocks until there is either.

        Raises:
            NoWorkers: there will be none.
        """
        ...

    def load(self, fingerprint: str) -> dict[str, str]:
        """Node -> why the oracle cannot be loaded there, for those nodes where it cannot."""
        ...

    @property
    def spread(self) -> Spread:
        """Does a strategy's pieces of work, while no request is under way."""
        ...

    @property
    def resent(self) -> int:
        """How many times a request was sent again so far."""
        ...

    @property
    def losses(self) -> Sequence[WorkerLoss]:
        """The workers that were lost so far."""
        ...

    def close(self) -> None:
        """End everything that was started; twice does no harm."""
        ...


class InlineBackend:
    """One child process of this one; requests are scored one after the other, while the caller waits."""

    spread: Spread = staticmethod(one_by_one)
    resent = 0
    losses: Sequence[WorkerLoss] = ()

    def __init__(self, process: OracleProcess) -> None:
        self._process = process
        self._pending: tuple[int, Request] | None = None

    def takes(self, request: Request) -> bool:
        """Whether the last request has been replied to."""
        return self._pending is None

    def submit(self, key: int, request: Request) -> None:
        """Remember the request; ``wait`` runs it."""
        self._pending = (key, request)

    def wait(self) -> list[tuple[int, Reply]]:
        """The reply to the request that was submitted."""
        if self._pending is None:
            return []
        (key, request), self._pending = self._pending, None
        return [(key, self._process.score(request))]

    def load(self, fingerprint: str) -> dict[str, str]:
        """Why the oracle cannot be loaded on this machine, if it cannot."""
        reply = self._process.load(fingerprint)
        return {"this machine": reply.error} if reply.error else {}

    def close(self) -> None:
        """End the child."""
        self._pending = None
        self._process.close()
