"""Scoring on Ray: actors that each keep one oracle child, on this machine or on the nodes of a running cluster.

A dead actor or node is infrastructure: its requests are sent again to others and count as no attempt, and another
actor takes its place. Only the driver knows Ray; an actor is a post box before an ``OracleProcess``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import designloop
from designloop.loop.evaluation_errors import NoWorkers
from designloop.loop.oracle_process import OracleProcess, PortableOracle, Reply, Request, Surroundings
from designloop.loop.ray_keeper import RayKeeper, last_line

if TYPE_CHECKING:
    from ray import ObjectRef

MOST_RESENT = 20
"""How often a request is sent again, or a worker started again in vain, before there are no workers."""

START_SECONDS = 300.0
"""How long to wait for a first worker while nothing else is under way."""

ALL_SECONDS = 30.0
"""How long ``load`` waits for workers on further nodes once there is one."""

PULSE_SECONDS = 5.0
"""No wait for replies is longer, because Ray's head may be lost meanwhile."""

SHORT_SECONDS = 0.25
"""A worker gets a second request ahead while both together should take no longer: it never waits for the driver, and
at a round's end no other worker waits long for it."""

_ADVICE = "See that the nodes are up and have CPUs and memory left, then run the same command again to resume."


class OracleWorker:
    """What runs in an actor: it hands requests to the child of its ``OracleProcess``, one after the other."""

    def __init__(self, oracles: Sequence[PortableOracle], surroundings: Surroundings) -> None:
        self._process = OracleProcess(oracles, surroundings)
        self._process.start()

    def about(self) -> tuple[str, str]:
        """(node's address and id, version of designloop) where this worker is."""
        import ray

        return (
            f"{ray.util.get_node_ip_address()} ({ray.get_runtime_context().get_node_id()[:8]})",
            designloop.__version__,
        )

    def score(self, request: Request) -> Reply:
        """The oracle's reply; its failures are in it, so whatever is raised here is none of its."""
        return self._process.score(request)

    def load(self, fingerprint: str) -> Reply:
        """A reply without answers, whose ``error`` says why the oracle cannot be loaded here, if so."""
        return self._process.load(fingerprint)


@dataclass(eq=False, slots=True)
class _Worker:
    """An actor as the driver sees it."""

    actor: Any
    node: str = ""
    """Empty until it has said that it is there."""
    requests: dict[ObjectRef[Reply], int] = field(default_factory=dict)
    """What it is at: reply to come -> key."""


class RayBackend:
    """Workers on Ray, which begins to start at once, in the background; the first ``wait`` waits for it."""

    def __init__(
        self,
        oracles: Sequence[PortableOracle],
        surroundings: Surroundings,
        workers: int | None,
        address: str | None = None,
    ) -> None:
        """Begin to start Ray.

        Args:
            oracles: all that will be asked for.
            surroundings: what oracles see of the world.
            workers: how many requests are scored at once; None for one a CPU of the cluster.
            address: a running cluster (``auto`` finds one on this machine); None starts Ray here.
        """
        self.resent = 0
        self._setup: tuple[Sequence[PortableOracle], Surroundings] = (tuple(oracles), surroundings)
        self._count = workers
        self._make_worker: Any = None
        self._workers: list[_Worker] = []
        self._starting: dict[ObjectRef[tuple[str, str]], _Worker] = {}
        self._replies: dict[ObjectRef[Reply], _Worker] = {}
        self._requests: dict[int, Request] = {}
        self._lost: list[int] = []
        self._times_sent: Counter[int] = Counter()
        self._failed_starts = 0
        # The keeper makes the first workers; once Ray is up, only the thread that scores touches them.
        self._keeper = RayKeeper(workers or 1, address, first=self._fill)

    def takes(self, request: Request) -> bool:
        """Whether a worker is idle, or so quickly through with what it has that it may have this too."""
        return not self._lost and self._worker_for(request) is not None

    def submit(self, key: int, request: Request) -> None:
        """Send a request to the worker that has least to do."""
        worker = self._worker_for(request)
        assert worker is not None, "submit() is for what takes() had room for"
        self._requests[key] = request
        self._times_sent[key] += 1
        reply = worker.actor.score.remote(request)
        worker.requests[reply] = key
        self._replies[reply] = worker

    def wait(self) -> list[tuple[int, Reply]]:
        """The replies that have come; none when only a worker has become free, or a lost request was sent again.

        Raises:
            NoWorkers: Ray or its workers do not start, or a request's workers died 21 times.
        """
        self._keeper.wait_until_up()
        self._fill()
        import ray

        waiting: list[Any] = [*self._replies, *self._starting]
        ready, others = ray.wait(waiting, num_returns=1, timeout=PULSE_SECONDS if self._replies else START_SECONDS)
        if not ready and not self._replies:
            raise NoWorkers(self._why_none_starts())
        ready += ray.wait(others, num_returns=len(others), timeout=0)[0] if others else []
        replies = []
        for ref in ready:
            if ref in self._starting:
                self._welcome(ref)
            elif ref in self._replies:  # not one of a worker that has just been given up
                replies += self._open(ref)
        self._send_lost()
        return replies

    def load(self, fingerprint: str) -> dict[str, str]:
        """Node -> why the oracle cannot be loaded there; asks one worker on each node. For use while none is busy."""
        self._keeper.wait_until_up()
        self._fill()
        import ray

        for ref in ray.wait([*self._starting], num_returns=len(self._starting), timeout=ALL_SECONDS)[0]:
            self._welcome(ref)
        while not any(worker.node for worker in self._workers):
            self.wait()
        on_node = {worker.node: worker.actor.load.remote(fingerprint) for worker in self._workers if worker.node}
        errors: dict[str, str] = {}
        for node, reply in on_node.items():
            try:
                error = ray.get(reply).error
            except ray.exceptions.RayError as died:
                error = last_line(died)
            errors |= {node: error} if error else {}
        return errors

    def close(self) -> None:
        """End the workers, and Ray if it was started here."""
        workers, self._workers = self._workers, []
        self._starting.clear()
        self._replies.clear()
        for worker in workers:
            import ray

            ray.kill(worker.actor)
        self._keeper.close()

    def _worker_for(self, request: Request) -> _Worker | None:
        ready = [worker for worker in self._workers if worker.node]
        worker = min(ready, key=lambda one: len(one.requests), default=None)
        if worker is None or not worker.requests:
            return worker
        ahead = [self._requests[key] for key in worker.requests.values()]
        short = sum(one.expected for one in [*ahead, request]) <= SHORT_SECONDS
        return worker if len(ahead) == 1 and short else None

    def _fill(self) -> None:
        """As many workers as there are to be, each replaced that was lost; they may take a while to be there."""
        import ray

        if self._make_worker is None:
            # No restart by Ray: it would send no requests again. Spread: not all on one node.
            options = {"num_cpus": 1, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
            actor = ray.remote(OracleWorker).options(**options)
            oracles, surroundings = self._setup
            shared = ray.put(oracles)  # once for all workers: oracles may bring files along
            self._make_worker = lambda: actor.remote(shared, surroundings)
        if self._count is None:
            self._count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        while len(self._workers) < self._count:
            worker = _Worker(self._make_worker())
            self._workers.append(worker)
            self._starting[worker.actor.about.remote()] = worker

    def _welcome(self, ref: ObjectRef[tuple[str, str]]) -> None:
        """Count in a worker that has said that it is there."""
        import ray

        worker = self._starting.pop(ref)
        try:
            worker.node, version = ray.get(ref)
        except ray.exceptions.RayError as error:
            self._workers.remove(worker)
            self._failed_starts += 1
            if self._failed_starts > MOST_RESENT:
                raise NoWorkers(f"Workers do not start; the last one: {last_line(error)}. {_ADVICE}") from error
            return
        self._failed_starts = 0
        if version != designloop.__version__:
            raise NoWorkers(
                f"Node {worker.node} has designloop {version}, this machine {designloop.__version__}. Install the "
                "same version on every node, then run the same command again to resume."
            )

    def _open(self, ref: ObjectRef[Reply]) -> list[tuple[int, Reply]]:
        """The reply with its key; none from a worker that is dead or cannot run a child, whose requests are lost."""
        import ray

        try:
            reply = ray.get(ref)
        except ray.exceptions.RayError as error:
            self._give_up(self._replies[ref], error)
            return []
        key = self._replies.pop(ref).requests.pop(ref)
        del self._requests[key], self._times_sent[key]
        return [(key, reply)]

    def _give_up(self, worker: _Worker, error: Exception) -> None:
        """Take a worker's requests from it, to be sent again."""
        import ray

        self._workers.remove(worker)
        ray.kill(worker.actor)  # it may only be out of reach, and is not to go on beside its successor
        for ref, key in worker.requests.items():
            del self._replies[ref]
            self._lost.append(key)
            if (times := self._times_sent[key]) > MOST_RESENT:
                text = f"{times} workers in a row died under the same molecules; the last one: {last_line(error)}."
                raise NoWorkers(f"{text} {_ADVICE}") from error

    def _send_lost(self) -> None:
        """Send again what was lost, as far as there is room; before anything new is taken."""
        self._fill()
        while self._lost and self._worker_for(self._requests[self._lost[0]]):
            key = self._lost.pop(0)
            self.resent += 1
            self.submit(key, self._requests[key])

    def _why_none_starts(self) -> str:
        import ray

        total, free = ray.cluster_resources().get("CPU", 0), ray.available_resources().get("CPU", 0)
        return (
            f"No worker started within {START_SECONDS:g} s. Ray has {total:g} CPUs, {free:g} of them free, and a "
            f"worker needs one. {_ADVICE}"
        )
