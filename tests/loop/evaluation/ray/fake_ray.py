"""A Ray that is made up: its clock is the test's, and so is who answers when."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

import designloop
from designloop.loop.evaluation.child.exchange import Reply, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.ray import backend as ray_backend
from designloop.loop.evaluation.ray.backend import RayBackend
from designloop.loop.evaluation.ray.worker import GRACE_SECONDS

DEADLINE = 60.0
WARM = DEADLINE + GRACE_SECONDS
"""When a worker that has loaded the oracle must be heard at the latest."""

COLD = 300.0 + 120.0 + GRACE_SECONDS
"""When one that has still to start its child and to load the oracle must be, which nobody has loaded."""

SECOND = 60.0 + GRACE_SECONDS
"""The same where another has loaded it in no time."""


class RayError(Exception):
    """Stands in for Ray's own."""


@dataclass(eq=False)
class Ref:
    """A reply to come: when, and what."""

    time: float
    value: Any


Act = Callable[[int, int], tuple[float, Any]]
"""(number of the worker, how many-th request of it) -> (seconds that it takes, its reply, or what is raised)."""


@dataclass
class FakeRay:
    """What the backend uses of Ray. Of workers, the first few are up after a second, and answer as ``act`` says."""

    act: Act
    start: Callable[[int], float] = lambda number: 1.0
    load: Act = lambda number, nth: (0.0, Reply(()))
    """(number of the worker, how many-th loading of it) -> (seconds that it takes, its reply, or what is raised)."""
    cpus: float = 2.0
    now: float = 0.0
    stops: dict[float, float] = field(default_factory=dict)
    """Time at which a wait begins or later -> for how long this process is then stopped."""
    dead_node: int | None = None
    actors: list[Any] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayError=RayError))

    def remote(self, _: type) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._actor))

    def _actor(self, *_: object) -> Any:
        number, busy = len(self.actors), [self.now]
        requests: list[Request] = []
        loadings: list[str] = []

        def load(fingerprint: str) -> Ref:
            seconds, value = self.load(number, len(loadings))
            loadings.append(fingerprint)
            busy[0] = max(busy[0], self.now) + seconds
            return Ref(busy[0], value)

        def score(request: Request) -> Ref:
            seconds, value = self.act(number, len(requests))
            requests.append(request)
            busy[0] = max(busy[0], self.now) + seconds
            return Ref(busy[0], value)

        about = Ref(self.now + self.start(number), (f"node-{number} (00{number:06})", designloop.__version__))
        actor = SimpleNamespace(
            number=number,
            requests=requests,
            score=SimpleNamespace(remote=score),
            about=SimpleNamespace(remote=lambda: about),
            load=SimpleNamespace(remote=load),
        )
        self.actors.append(actor)
        return actor

    def wait(self, refs: Sequence[Ref], num_returns: int, timeout: float) -> tuple[list[Ref], list[Ref]]:
        def ready() -> list[Ref]:
            return [ref for ref in refs if ref.time <= self.now]

        if len(ready()) < num_returns and timeout > 0:
            self.now = min(max(self.now, min(ref.time for ref in refs)), self.now + timeout)
        for time in [time for time in self.stops if time <= self.now]:
            self.now += self.stops.pop(time)
        chosen = ready()[:num_returns]
        return chosen, [ref for ref in refs if ref not in chosen]

    def get(self, ref: Ref) -> Any:
        assert ref.time <= self.now, "this would block"
        if isinstance(ref.value, RayError):
            raise ref.value
        return ref.value

    def put(self, value: object) -> object:
        return value

    def kill(self, actor: Any) -> None:
        self.killed.append(actor.number)

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": f"00{number:06}ff", "Alive": number != self.dead_node} for number in range(len(self.actors))]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cpus}

    available_resources = cluster_resources


class Up:
    """A keeper whose Ray is up, and somebody else's."""

    is_own = False

    def __init__(self, workers: int, address: str | None, first: Callable[[], None]) -> None:
        first()

    def wait_until_up(self) -> None:
        """At once."""

    close = wait_until_up


REQUEST = Request("oracle", ("C",), None, DEADLINE)
GOOD = Reply(((1.0, None),))
LATE = Reply(((2.0, None),))


def patch_ray(ray: FakeRay, patch: pytest.MonkeyPatch) -> None:
    """Makes it the Ray of backends that are made from now on."""
    patch.setitem(sys.modules, "ray", ray)
    patch.setattr(ray_backend, "RayKeeper", Up)
    patch.setattr(ray_backend, "monotonic", lambda: ray.now)


def backend_on(ray: FakeRay, patch: pytest.MonkeyPatch, workers: int = 2) -> RayBackend:
    patch_ray(ray, patch)
    return RayBackend([], ProcessEnvironment(), workers)


def drive(backend: RayBackend, keys: Sequence[int]) -> list[tuple[int, Reply]]:
    """What an evaluator does: hand over as much as is taken, and wait until each key has its reply."""
    waiting = list(keys)
    replies: list[tuple[int, Reply]] = []
    while len(replies) < len(keys):
        while waiting and backend.takes(REQUEST):
            backend.submit(waiting.pop(0), REQUEST)
        replies += backend.wait()
    return replies


def kinds(backend: RayBackend) -> list[tuple[str, str, int]]:
    return [(loss.kind, loss.node.partition(" ")[0], loss.chunks) for loss in backend.losses]
