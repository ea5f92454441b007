"""One worker on Ray: what runs in its actor, and what the driver knows of it, above all by when it must be heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

from designloop._version import __version__
from designloop.loop.evaluation.child import guarded_child, oracle_process
from designloop.loop.evaluation.child.exchange import PortableOracle, Reply, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess

if TYPE_CHECKING:
    from ray import ObjectRef

GRACE_SECONDS = 30.0
"""What a worker may take beyond the time that its request allows. To end a child that missed its deadline takes it 10 s
at most; the rest is for a busy machine and network. Who is not heard after that is taken as silent."""

LEAST_LOAD_SECONDS = 60.0
"""What a worker may take at least to start its child and to load an oracle that others have loaded."""

SLOWER = 10.0
"""How many times as long as the slowest of the others it may take."""

MOST_LOAD_SECONDS = guarded_child.CHILD_START_SECONDS + oracle_process.LOAD_SECONDS
"""What it may take at most, and as long as nobody has loaded it: its own deadlines end it by then."""


def short_id(node: str) -> str:
    """Shortens a node's id as it is shown behind its address."""
    return f"({node[:8]})"


class OracleWorker:
    """What runs in an actor: it hands requests to the child of its ``OracleProcess``, one after the other."""

    def __init__(self, oracles: Sequence[PortableOracle], process_environment: ProcessEnvironment) -> None:
        self._process = OracleProcess(oracles, process_environment)
        self._process.start()

    def about(self) -> tuple[str, str]:
        """(node's address and id, version of designloop) where this worker is."""
        import ray

        node = f"{ray.util.get_node_ip_address()} {short_id(ray.get_runtime_context().get_node_id())}"
        return node, __version__

    def score(self, request: Request) -> Reply:
        """The oracle's reply; its failures are in it, so whatever is raised here is none of its."""
        return self._process.score(request)

    def load(self, fingerprint: str) -> Reply:
        """A reply without answers, whose ``error`` says why the oracle cannot be loaded here, if so."""
        return self._process.load(fingerprint)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that a worker was sent."""

    key: int
    request: Request
    is_load: bool = False
    """Whether it was asked to load the oracle, before it is sent the request itself."""


@dataclass(eq=False, slots=True)
class Worker:
    """An actor as the driver sees it."""

    actor: Any
    since: float
    """When it was made; later, when it was last heard, or sent something while it had nothing to do."""
    node: str = ""
    """Empty until it has said that it is up."""
    requests: dict[ObjectRef[Reply], Sent] = field(default_factory=dict)
    """What it is at, in the order sent: reply to come -> what was sent."""
    loaded: set[str] = field(default_factory=set)
    """Fingerprints of the oracles that its child has loaded."""
    silent: bool = False
    """Whether it missed its deadline, and has not been heard since."""

    @property
    def is_up(self) -> bool:
        """Whether it can be sent requests."""
        return bool(self.node) and not self.silent

    @property
    def loads(self) -> bool:
        """Whether it is loading an oracle."""
        return any(sent.is_load for sent in self.requests.values())

    def deadline(self, load_seconds: Mapping[str, float]) -> float:
        """When it is taken as silent unless it was heard; never while nothing is asked of it, or once it is silent.

        It keeps a deadline for its child, but no one else keeps one for a worker that is stopped, swapped out, or on a
        file system that hangs.

        Args:
            load_seconds: oracle's fingerprint -> how long the slowest of the workers took to load it.
        """
        if self.silent or not self.requests:
            return inf
        sent = next(iter(self.requests.values()))
        if not sent.is_load:
            return self.since + sent.request.deadline + GRACE_SECONDS
        slowest = load_seconds.get(sent.request.fingerprint, inf)
        return self.since + min(max(LEAST_LOAD_SECONDS, SLOWER * slowest), MOST_LOAD_SECONDS) + GRACE_SECONDS

    def send(self, reply: ObjectRef[Reply], sent: Sent, now: float) -> None:
        """Note a request that was sent to it."""
        if not self.requests:
            self.since = now
        self.requests[reply] = sent

    def hear(self, ref: ObjectRef[Reply], reply: Reply, now: float) -> Sent:
        """Note a reply; gives what it replies to. Who has nothing left to reply to is silent no more."""
        sent = self.requests.pop(ref)
        self.since = now
        self.silent = self.silent and bool(self.requests)
        if reply.failure in (None, "raised"):
            self.loaded.add(sent.request.fingerprint)
        else:  # its child was ended, or could not load it
            self.loaded.clear()
        return sent
