"""A strategy's pieces of work on Ray: actors beside those of the oracles, which idle while molecules are proposed.

This process takes part, so that all together are as many as there are workers, and does what nobody else is up for. The
actors are made when there is something to spread, and hold no CPU: the oracles' hold them all, and wait meanwhile.
A piece gives the same wherever it is done, so one that is lost with an actor is simply done again.
"""

from __future__ import annotations

import itertools
import logging
import pickle
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import shorten
from time import monotonic
from typing import TYPE_CHECKING, Any

from designloop._version import __version__
from designloop.loop.evaluation.ray.cluster import actor_on, spare_nodes
from designloop.loop.evaluation.ray.keeper import RayKeeper, last_line
from designloop.loop.evaluation.ray.worker import short_id
from designloop.pieces import P, R, S, one_by_one, one_thread

if TYPE_CHECKING:
    from ray import ObjectRef

SILENT_SECONDS = 300.0
"""After so long without a word, while there is nothing else to do, all that are awaited are taken as lost."""

SLOWER = 10.0
"""Or after so many times what the longest piece has taken so far, where that is more."""

MOST_WAIT = 5.0
"""Seconds of one wait for Ray, after which it is looked whether that is still up."""

MOST_LOST = 5
"""Actors that may be lost before no more are made, and all is done here."""

_LOGGER = logging.getLogger("designloop")


@dataclass(frozen=True)
class Parcel:
    """What is sent once and kept by whoever opens it."""

    number: int
    contents: list[ObjectRef[bytes]]
    """One reference; Ray would put what it stands for in the place of one that stands alone."""


@dataclass(frozen=True)
class _Packed:
    """A call, as it is sent."""

    work: Parcel
    shared: Parcel
    pieces: Sequence[bytes]


class PieceWorker:
    """What runs in an actor: does pieces of the works that it was sent."""

    def __init__(self) -> None:
        self._works: dict[int, Any] = {}
        self._shared: tuple[int, Any] = (-1, None)

    def about(self) -> tuple[str, tuple[str, ...]]:
        """(node's address and id, what numbers depend on there)."""
        import ray

        node = f"{ray.util.get_node_ip_address()} {short_id(ray.get_runtime_context().get_node_id())}"
        return node, what_numbers_depend_on()

    def do(self, work: Parcel, shared: Parcel, piece: bytes) -> bytes:
        """What the work gives for the piece. Both are pickled here, as Ray gives arrays that cannot be written to."""
        if work.number not in self._works:
            self._works[work.number] = _opened(work)
        if self._shared[0] != shared.number:
            self._shared = (-1, None)  # one of them at a time: they may be large
            self._shared = (shared.number, _opened(shared))
        with one_thread():
            return pickle.dumps(self._works[work.number](self._shared[1], pickle.loads(piece)))


def what_numbers_depend_on() -> tuple[str, ...]:
    """Versions, and what the processor can do: where these differ, a piece may give something else."""
    import numpy as np
    import rdkit
    import torch

    versions = {"designloop": __version__, "torch": torch.__version__, "numpy": np.__version__}
    versions |= {"rdkit": rdkit.__version__, "processor": torch.backends.cpu.get_cpu_capability()}
    return tuple(f"{name} {version}" for name, version in versions.items())


def _opened(parcel: Parcel) -> Any:
    import ray

    return pickle.loads(ray.get(parcel.contents[0]))


class RaySpread:
    """Spreads pieces over actors of a Ray that is kept elsewhere; used by one thread."""

    def __init__(self, keeper: RayKeeper, count: Callable[[], int | None]) -> None:
        """Starts nothing yet.

        Args:
            keeper: of the Ray.
            count: gives how many processes there are to be, this one included; asked once Ray is up.
        """
        self._keeper, self._count = keeper, count
        self._nodes: list[str] | None = None
        """Where actors are made, one after another."""
        self._starting: dict[ObjectRef[tuple[str, tuple[str, ...]]], Any] = {}
        self._idle: list[Any] = []
        self._running: dict[ObjectRef[bytes], tuple[int, Any]] = {}
        """Result to come -> (number of the piece, actor)."""
        self._works: dict[int, tuple[Any, Parcel]] = {}
        """Identity of a work -> itself, which keeps that its own, and what of it was sent."""
        self._numbers = itertools.count()
        self._lost_count = 0
        self._longest = 0.0
        """Seconds that a piece has taken."""

    def __call__(self, work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
        """What the work gives for each piece, in their order; no loss of an actor or of Ray is raised."""
        if len(pieces) < 2 or not self._keeper.is_up:
            return one_by_one(work, shared, pieces)
        import ray

        try:
            with one_thread():
                return self._spread(work, shared, pieces)
        except ray.exceptions.RayError as error:  # Ray itself is in trouble, which scoring will tell of
            self._give_up(f"pieces of work cannot be spread: {last_line(error)}")
            return one_by_one(work, shared, pieces)
        except BaseException:
            self.close()  # with whatever is still running, of which nobody wants to hear
            raise

    def close(self) -> None:
        """End the actors."""
        actors = [*self._starting.values(), *self._idle, *(actor for _, actor in self._running.values())]
        self._starting.clear()
        self._idle.clear()
        self._running.clear()
        for actor in actors:
            import ray

            ray.kill(actor)

    def _spread(self, work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
        results: dict[int, R] = {}
        waiting = deque(range(len(pieces)))
        packed: _Packed | None = None
        self._hire(len(pieces) - 1)
        while len(results) < len(pieces):
            self._welcome()
            if waiting and self._idle and packed is None:
                packed = self._packed(work, shared, pieces)
            while waiting and self._idle and packed is not None:
                number, actor = waiting.popleft(), self._idle.pop()
                result = actor.do.remote(packed.work, packed.shared, packed.pieces[number])
                self._running[result] = number, actor
            if waiting:
                number, began = waiting.popleft(), monotonic()
                results[number] = work(shared, pieces[number])
                self._longest = max(self._longest, monotonic() - began)
            for number, answer in self._heard(patient=not waiting):
                if answer is None:
                    waiting.append(number)
                else:
                    results[number] = pickle.loads(answer)
        return [results[number] for number in range(len(pieces))]

    def _hire(self, wanted: int) -> None:
        """Makes as many actors as there are to be, which may take a while."""
        if self._nodes is None:
            self._nodes = spare_nodes(self._count() or 1)
        hired = len(self._starting) + len(self._idle)
        for node in self._nodes[hired:wanted] if self._lost_count < MOST_LOST else []:
            actor = actor_on(node, PieceWorker)
            self._starting[actor.about.remote()] = actor

    def _welcome(self) -> None:
        """Counts in the actors that are up by now; but for those that would give something else than this process."""
        if not self._starting:
            return
        import ray

        here = what_numbers_depend_on()
        for ref in ray.wait([*self._starting], num_returns=len(self._starting), timeout=0)[0]:
            actor = self._starting.pop(ref)
            try:
                node, theirs = ray.get(ref)
            except ray.exceptions.RayError as error:
                self._lose(actor, last_line(error))
                continue
            if theirs == here:
                self._idle.append(actor)
            else:
                differing = [f"{its}, here {ours}" for its, ours in zip(theirs, here, strict=True) if its != ours]
                self._lose(actor, f"node {node} has {'; '.join(differing)}")

    def _packed(self, work: object, shared: object, pieces: Sequence[object]) -> _Packed | None:
        """All of it, as it is handed to Ray; None of what cannot be sent."""
        from ray import cloudpickle

        try:
            if id(work) not in self._works:
                self._works[id(work)] = work, self._put(cloudpickle.dumps(work))
            own, contents = self._works[id(work)][1], cloudpickle.dumps(shared)
            return _Packed(own, self._put(contents), [cloudpickle.dumps(piece) for piece in pieces])
        except (pickle.PicklingError, TypeError) as error:
            self._give_up(f"pieces of work cannot be sent to workers: {last_line(error)}")
            return None

    def _put(self, contents: bytes) -> Parcel:
        import ray

        return Parcel(next(self._numbers), [ray.put(contents)])

    def _heard(self, patient: bool) -> Iterator[tuple[int, bytes | None]]:
        """The results that have come, by the pieces' numbers; None of what is lost.

        Args:
            patient: whether to wait for one.
        """
        import ray

        ready = self._ready(patient) if self._running else []
        for ref in ready:
            number, actor = self._running.pop(ref)
            try:
                result: bytes | None = ray.get(ref)
                self._idle.append(actor)
            except ray.exceptions.RayError as error:
                result = None
                self._lose(actor, last_line(error))
            yield number, result
        if patient and not ready:
            for number, actor in [self._running.pop(ref) for ref in [*self._running]]:
                self._lose(actor, "it was not heard in time")
                yield number, None

    def _ready(self, patient: bool) -> list[Any]:
        """The results that have come; where that is to be waited for, none means that none will."""
        import ray

        began, seconds = monotonic(), max(SILENT_SECONDS, SLOWER * self._longest) if patient else 0.0
        while True:
            left = began + seconds - monotonic()
            ready: list[Any] = ray.wait([*self._running], num_returns=1, timeout=max(min(left, MOST_WAIT), 0))[0]
            if ready or left <= 0 or not self._keeper.is_up:
                break
        if ready:
            self._longest = max(self._longest, monotonic() - began)
        return ready

    def _lose(self, actor: Any, why: str) -> None:
        """Ends an actor that is of no use, or may only be out of reach."""
        import ray

        ray.kill(actor)
        self._lost_count += 1
        why = shorten(why, 150, placeholder=" …")
        _LOGGER.info("a worker that proposes was lost: %s; what it was at is done again", why)
        if self._lost_count == MOST_LOST:
            _LOGGER.info("%d of them were lost; molecules are proposed by this process and those left", MOST_LOST)

    def _give_up(self, why: str) -> None:
        """Ends all of them; no others are made."""
        _LOGGER.warning("%s; this process does them all, which takes longer", why)
        self._lost_count = MOST_LOST
        self.close()
