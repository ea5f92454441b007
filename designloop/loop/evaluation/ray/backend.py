"""Scoring on Ray: actors that each keep one oracle child, on this machine or on the nodes of a running cluster.

A dead actor or node, and one that is alive and silent, is infrastructure: its requests are sent again to others and
count as no attempt, and another actor takes its place. Only the driver knows Ray; an actor is a post box before an
``OracleProcess``.

A worker that is silent beyond its deadline keeps its place while its late answers may still be of use: until others
have given them, or nobody else is up. If it answers first, its answers are taken, and it is used again: it has its
oracles loaded, and may only have waited for a disk. Else it is ended, which frees its CPU for a successor.

An oracle is loaded before the first request for it is sent, so that the time that this may take, which is long, is no
part of a request's deadline.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from textwrap import shorten
from time import monotonic
from typing import TYPE_CHECKING, Any

from designloop._version import __version__
from designloop.loop.evaluation.backends import WorkerLoss
from designloop.loop.evaluation.child.exchange import PortableOracle, Reply, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.incidents import describe_losses
from designloop.loop.evaluation.ray import cluster as ray_cluster
from designloop.loop.evaluation.ray.keeper import RayKeeper, last_line
from designloop.loop.evaluation.ray.spreading import RaySpread
from designloop.loop.evaluation.ray.worker import Sent, Worker

if TYPE_CHECKING:
    from ray import ObjectRef

MOST_RESENT = 20
"""How often a request is sent again, or a worker started again in vain, before there are no workers."""

WORKER_START_SECONDS = 300.0
"""How long a worker may take to say that it is up. Then another is started in its place; if none is up, there are no
workers."""

TELL_SECONDS = 5.0
"""After so many seconds without a worker it is told that all wait for a free CPU, if there was none."""

ALL_SECONDS = 30.0
"""How long ``load`` waits for workers on further nodes once there is one."""

SHORT_SECONDS = 0.25
"""A worker gets a second request ahead while both together should take no longer: it never waits for the driver, and
at a round's end no other worker waits long for it."""

LEAST_WAIT, MOST_WAIT = 0.5, 5.0
"""Seconds of one wait for Ray: past a deadline there is one more look, and none is so long that a loss of Ray itself
goes unnoticed."""

STOPPED_SECONDS = 5.0
"""A wait that takes so much longer than it was to take means that this process was stopped (Ctrl-Z) or the machine
slept; no worker is blamed for that."""

_ADVICE = "See that the nodes are up and have CPUs and memory left, then run the same command again to resume."

_LOGGER = logging.getLogger("designloop")


class RayBackend:
    """Workers on Ray, which begins to start at once, in the background; the first ``wait`` waits for it."""

    def __init__(
        self,
        oracles: Sequence[PortableOracle],
        process_environment: ProcessEnvironment,
        workers: int | None,
        address: str | None = None,
    ) -> None:
        """Begin to start Ray.

        Args:
            oracles: all that will be asked for.
            process_environment: what oracles see of the world.
            workers: how many requests are scored at once; None for one a CPU of the cluster.
            address: a running cluster (``auto`` finds one on this machine); None starts Ray here.
        """
        self.resent = 0
        self._losses: list[WorkerLoss] = []
        self._setup: tuple[Sequence[PortableOracle], ProcessEnvironment] = (tuple(oracles), process_environment)
        self._count = workers
        self._make_actor: Callable[[], Any] | None = None
        self._workers: list[Worker] = []
        self._starting: dict[ObjectRef[tuple[str, str]], Worker] = {}
        self._replies: dict[ObjectRef[Reply], Worker] = {}
        self._requests: dict[int, Request] = {}
        """Those without a reply yet; a key that is not here has had its one reply."""
        self._lost: list[int] = []
        self._times_sent: Counter[int] = Counter()
        self._failed_starts = 0
        self._load_seconds: dict[str, float] = {}
        """Oracle's fingerprint -> what the slowest worker took to load it, twice as much after each silent one."""
        self._lacks_cpus = False
        """Whether no CPU was free when the first workers were made, and that was not told yet."""
        # The keeper makes the first workers; once Ray is up, only the thread that scores touches them.
        self._keeper = RayKeeper(workers or 1, address, first=self._fill)
        self.spread = RaySpread(self._keeper, lambda: self._count)

    def takes(self, request: Request) -> bool:
        """Whether a worker is idle, or so quickly through with what it has that it may have this too."""
        return not self._lost and self._worker_for(request) is not None

    def submit(self, key: int, request: Request) -> None:
        """Send a request to the worker that has least to do."""
        worker = self._worker_for(request)
        assert worker is not None, "submit() is for what takes() had room for"
        self._requests[key] = request
        self._times_sent[key] += 1
        self._send(worker, Sent(key, request, is_load=request.fingerprint not in worker.loaded))

    def wait(self) -> list[tuple[int, Reply]]:
        """Waits for replies; there are none when only a worker has become free, or a lost request was sent again.

        Raises:
            NoWorkers: Ray or its workers do not start, or under a request 21 workers died or fell silent.
        """
        self._keeper.wait_until_up()
        self._fill()
        replies = []
        for ref in self._ready():
            if ref in self._starting:
                self._welcome(ref)
            elif ref in self._replies:  # not one of a worker that has just been given up
                replies += self._open(ref)
        self._notice_silence()
        self._end_silent()
        self._send_lost()
        self._tell_of_waiting()
        return replies

    def load(self, fingerprint: str) -> dict[str, str]:
        """Returns node -> why the oracle cannot be loaded there; asks a worker on each node, while none is busy."""
        self._keeper.wait_until_up()
        self._fill()
        import ray

        for ref in ray.wait([*self._starting], num_returns=len(self._starting), timeout=ALL_SECONDS)[0]:
            self._welcome(ref)
        while not any(worker.is_up for worker in self._workers):
            self.wait()
        return ray_cluster.load_errors([worker for worker in self._workers if worker.is_up], fingerprint)

    def close(self) -> None:
        """End the workers, and Ray if it was started here."""
        workers, self._workers = self._workers, []
        self._starting.clear()
        self._replies.clear()
        for worker in workers:
            import ray

            ray.kill(worker.actor)
        self.spread.close()
        self._keeper.close()

    @property
    def losses(self) -> Sequence[WorkerLoss]:
        """The workers that were lost so far; one whose node is gone by now was lost with it."""
        self._losses = ray_cluster.blame_nodes(self._losses)
        return self._losses

    # --- whom to send to ---

    def _worker_for(self, request: Request) -> Worker | None:
        ready = [worker for worker in self._workers if worker.is_up]
        worker = min(ready, key=lambda worker: len(worker.requests), default=None)
        if worker is None or not worker.requests:
            return worker
        ahead = [sent.request for sent in worker.requests.values()]
        short = sum(queued.expected for queued in [*ahead, request]) <= SHORT_SECONDS and not worker.loads
        return worker if len(ahead) == 1 and short and request.fingerprint in worker.loaded else None

    def _send(self, worker: Worker, sent: Sent) -> None:
        actor, request = worker.actor, sent.request
        reply = actor.load.remote(request.fingerprint) if sent.is_load else actor.score.remote(request)
        worker.send(reply, sent, monotonic())
        self._replies[reply] = worker

    def _fill(self) -> None:
        """Makes as many workers as there are to be, also for those that were lost; they may take a while."""
        if self._make_actor is None:
            self._make_actor = ray_cluster.actor_factory(*self._setup)
            self._lacks_cpus = ray_cluster.count_free_cpus() < 1
        if self._count is None:
            self._count = ray_cluster.count_cpus()
        # Where starting is in vain, those that are up go on alone.
        while len(self._workers) < self._count and (self._failed_starts <= MOST_RESENT or not self._any_up()):
            worker = Worker(self._make_actor(), monotonic())
            self._workers.append(worker)
            self._starting[worker.actor.about.remote()] = worker

    def _any_up(self) -> bool:
        return any(worker.is_up for worker in self._workers)

    # --- hearing from them ---

    def _ready(self) -> list[Any]:
        """What Ray has ready, after waiting for it until the next deadline at most."""
        import ray

        began = monotonic()
        deadlines = [worker.deadline(self._load_seconds) for worker in self._workers]
        deadlines += [worker.since + WORKER_START_SECONDS for worker in self._starting.values()]
        seconds = min(max(LEAST_WAIT, min(deadlines) - began), MOST_WAIT)
        ready, others = ray.wait([*self._replies, *self._starting], num_returns=1, timeout=seconds)
        if (stopped := monotonic() - began - seconds) > STOPPED_SECONDS:
            for worker in self._workers:
                worker.since += stopped
        return [*ready, *(ray.wait(others, num_returns=len(others), timeout=0)[0] if others else [])]

    def _welcome(self, ref: ObjectRef[tuple[str, str]]) -> None:
        """Count in a worker that has said that it is there."""
        import ray

        worker = self._starting.pop(ref)
        try:
            worker.node, version = ray.get(ref)
        except ray.exceptions.RayError as error:
            self._workers.remove(worker)
            self._failed_starts += 1
            if self._failed_starts > MOST_RESENT and not self._any_up():
                raise NoWorkers(f"Workers do not start; the last one: {last_line(error)}. {_ADVICE}") from error
            self._note(WorkerLoss("unstarted", "", 0, last_line(error)))
            return
        self._failed_starts = 0
        if version != __version__:
            raise NoWorkers(
                f"Node {worker.node} has designloop {version}, this machine {__version__}. Install the "
                "same version on every node, then run the same command again to resume."
            )

    def _open(self, ref: ObjectRef[Reply]) -> list[tuple[int, Reply]]:
        """The reply with its key; none from a worker that is dead or cannot run a child, whose requests are lost.

        Of two replies to one request, which a silent worker and another were sent, the first is given.
        """
        import ray

        worker = self._replies[ref]
        try:
            reply = ray.get(ref)
        except ray.exceptions.RayError as error:
            lost_count = self._lose(worker, last_line(error))
            self._end(worker)  # it may only be out of reach, and is not to go on beside its successor
            self._note(WorkerLoss("died", worker.node, lost_count, shorten(last_line(error), 100, placeholder=" …")))
            return []
        del self._replies[ref]
        waited, was_silent = monotonic() - worker.since, worker.silent
        sent = worker.hear(ref, reply, monotonic())
        key, fingerprint = sent.key, sent.request.fingerprint
        if sent.is_load and reply.failure is None:
            self._load_seconds[fingerprint] = max(waited, self._load_seconds.get(fingerprint, 0.0))
            # What was taken from it while it was silent is sent again like all that is lost, perhaps to this worker.
            if key in self._requests and not was_silent:
                self._send(worker, replace(sent, is_load=False))
            return []
        if key not in self._requests:
            return []
        del self._requests[key], self._times_sent[key]
        if key in self._lost:
            self._lost.remove(key)
        return [(key, reply)]

    # --- those that are not heard ---

    def _notice_silence(self) -> None:
        """Take the requests from workers that missed their deadline, and replace those that never were up.

        Raises:
            NoWorkers: no worker is up, and none started in time.
        """
        now = monotonic()
        for worker in [worker for worker in self._workers if worker.deadline(self._load_seconds) < now]:
            why = f"not heard for {now - worker.since:.0f} s"
            for fingerprint in {sent.request.fingerprint for sent in worker.requests.values() if sent.is_load}:
                # Where all but one are slow, they are given more time from one to the next.
                self._load_seconds[fingerprint] = 2 * max(self._load_seconds.get(fingerprint, 0.0), 1.0)
            lost_count = self._lose(worker, why)
            worker.silent = True
            self._note(WorkerLoss("silent", worker.node, lost_count, why))
        late = [ref for ref, worker in self._starting.items() if worker.since + WORKER_START_SECONDS < now]
        if late and len(late) == len(self._workers):
            raise NoWorkers(f"{ray_cluster.why_none_starts(WORKER_START_SECONDS)} {ray_cluster.MORE_CPUS} {_ADVICE}")
        for ref in late if self._any_up() else []:
            self._end(self._starting.pop(ref))
            self._note(WorkerLoss("unstarted", "", 0, f"not up within {WORKER_START_SECONDS:g} s"))

    def _end_silent(self) -> None:
        """End the silent workers whose answers others have given, and all of them when nobody else is up."""
        for worker in [worker for worker in self._workers if worker.silent]:
            awaited = any(sent.key in self._requests for sent in worker.requests.values())
            if not (awaited and self._any_up()):
                self._end(worker)

    def _lose(self, worker: Worker, why: str) -> int:
        """Take a worker's requests from it, to be sent again; how many there are. A silent one has lost them before."""
        keys = [] if worker.silent else [sent.key for sent in worker.requests.values() if sent.key in self._requests]
        self._lost += keys
        for key in keys:
            if (times := self._times_sent[key]) > MOST_RESENT:
                text = f"{times} workers in a row died or fell silent under the same molecules; the last one: {why}."
                raise NoWorkers(f"{text} {_ADVICE}")
        return len(keys)

    def _end(self, worker: Worker) -> None:
        """End a worker, also one that is stopped; what it was at is nobody's any more."""
        import ray

        self._workers.remove(worker)
        for ref in worker.requests:
            del self._replies[ref]
        ray.kill(worker.actor)

    def _send_lost(self) -> None:
        """Send again what was lost, as far as there is room; before anything new is taken."""
        self._fill()
        while self._lost and self._worker_for(self._requests[self._lost[0]]):
            key = self._lost.pop(0)
            self.resent += 1
            self.submit(key, self._requests[key])

    def _tell_of_waiting(self) -> None:
        """Says once what is waited for where a Ray has no CPU for a worker, and what to do: it may never have one."""
        if not self._lacks_cpus or self._keeper.is_own or self._any_up() or not self._starting:
            return
        if (waited := monotonic() - min(worker.since for worker in self._starting.values())) >= TELL_SECONDS:
            self._lacks_cpus = False
            more = f"Waiting for one, {WORKER_START_SECONDS - waited:.0f} s more. {ray_cluster.MORE_CPUS}"
            _LOGGER.warning("%s %s", ray_cluster.why_none_starts(waited), more)

    def _note(self, loss: WorkerLoss) -> None:
        self._losses.append(loss)
        _LOGGER.info("%s", *describe_losses([loss]))
