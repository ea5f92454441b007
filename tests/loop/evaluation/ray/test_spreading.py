"""Pieces of a strategy's work on Ray: who does them, and that no loss shows in what comes back."""

from __future__ import annotations

import pickle
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from ray import cloudpickle

from designloop.loop.evaluation.ray import cluster as ray_cluster
from designloop.loop.evaluation.ray import spreading
from designloop.loop.evaluation.ray.spreading import MOST_LOST, SILENT_SECONDS, PieceWorker, RaySpread


class RayError(Exception):
    """Stands in for Ray's own."""


@dataclass(eq=False)
class Ref:
    """What comes: whether it has, and what gives it."""

    value: Callable[[], Any]
    ready: bool = True


Act = Callable[[PieceWorker, tuple[Any, ...]], Any]
"""What an actor does when it is asked for a piece."""


def good(worker: PieceWorker, sent: tuple[Any, ...]) -> Any:
    return worker.do(*sent)


def dies(worker: PieceWorker, sent: tuple[Any, ...]) -> Any:
    raise RayError("The actor died")


class Silent(Exception):
    """Never answers."""


def silent(worker: PieceWorker, sent: tuple[Any, ...]) -> Any:
    raise Silent


@dataclass
class FakeRay:
    """What the spread uses of Ray: actors that live in this process, each of which acts in its own way."""

    acts: Sequence[Act] = (good, good)
    """Of the actors in the order in which they are made; those beyond are good."""
    up: bool = True
    """Whether actors are up, and not still starting."""
    versions: tuple[str, ...] | None = None
    """What numbers depend on where the actors are, if not the same as here."""
    full: bool = False
    """Whether its store takes nothing."""
    is_up: bool = True
    """Whether it is up itself: it is its own keeper."""
    now: float = 0.0
    done: list[int] = field(default_factory=list)
    """Number of the actor of each piece that was done elsewhere."""
    made: int = 0
    killed: list[int] = field(default_factory=list)
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(RayError=RayError))
    cloudpickle: Any = cloudpickle

    def actor_on(self, node: str, kind: type[PieceWorker]) -> Any:
        number, worker = self.made, kind()
        self.made += 1
        act = self.acts[number] if number < len(self.acts) else good

        def do(*sent: Any) -> Ref:
            def value() -> Any:
                try:
                    result = act(worker, sent)
                except ValueError as error:
                    raise RayError("ValueError in the actor") from error
                self.done.append(number)
                return result

            return Ref(value, ready=act is not silent)

        here = spreading.what_numbers_depend_on()
        about = Ref(lambda: (f"node-{number}", self.versions or here), self.up)
        return SimpleNamespace(
            number=number, do=SimpleNamespace(remote=do), about=SimpleNamespace(remote=lambda: about)
        )

    def wait(self, refs: Sequence[Ref], num_returns: int, timeout: float) -> tuple[list[Ref], list[Ref]]:
        ready = [ref for ref in refs if ref.ready][:num_returns]
        if len(ready) < num_returns:
            self.now += timeout
        return ready, [ref for ref in refs if ref not in ready]

    def get(self, ref: Ref) -> Any:
        assert ref.ready, "this would block"
        return ref.value()

    def put(self, contents: bytes) -> Ref:
        if self.full:
            raise RayError("The object store is full")
        return Ref(lambda: contents)

    def kill(self, actor: Any) -> None:
        self.killed.append(actor.number)


Make = Callable[..., tuple[FakeRay, RaySpread]]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    def made(*acts: Act, **settings: Any) -> tuple[FakeRay, RaySpread]:
        ray: Any = FakeRay(acts, **settings)
        monkeypatch.setitem(sys.modules, "ray", ray)
        monkeypatch.setattr(spreading, "actor_on", ray.actor_on)
        monkeypatch.setattr(spreading, "spare_nodes", lambda count: [f"node-{k}" for k in range(count - 1)])
        monkeypatch.setattr(spreading, "monotonic", lambda: ray.now)
        return ray, RaySpread(ray, lambda: 3)

    return made


def added(shared: int, piece: int) -> int:
    return shared + piece


WANTED = [10 + piece for piece in range(7)]


def all_of(spread: RaySpread) -> list[int]:
    return spread(added, 10, range(7))


def test_actors_and_this_process_share_the_pieces(make: Make) -> None:
    ray, spread = make()
    assert all_of(spread) == all_of(spread) == WANTED
    assert (ray.made, sorted(set(ray.done))) == (2, [0, 1]), "three processes in all, and the same ones again"
    assert 2 <= len(ray.done) / 2 < 7, "this process did some"
    assert spread(added, 1, [5]) == [6]
    assert (ray.made, ray.killed) == (2, [])
    spread.close()
    assert sorted(ray.killed) == [0, 1]


def test_nothing_is_made_for_one_piece_or_none_or_while_ray_is_not_up(make: Make) -> None:
    ray, spread = make()
    assert (spread(added, 1, [5]), spread(added, 1, [])) == ([6], [])
    ray.is_up = False
    assert all_of(spread) == WANTED
    assert ray.made == 0


def test_no_more_are_made_than_there_are_pieces_for(make: Make) -> None:
    ray, spread = make()
    assert spread(added, 1, [5, 6]) == [6, 7]
    assert ray.made == 1
    assert all_of(spread) == WANTED
    assert ray.made == 2


def test_those_that_are_still_starting_are_not_waited_for(make: Make) -> None:
    ray, spread = make(up=False)
    assert all_of(spread) == WANTED
    assert (ray.made, ray.done) == (2, [])
    assert ray.now == 0
    spread.close()
    assert ray.killed == [0, 1]


OPENED = list[str]()
"""Names of the parcels that were opened."""


@dataclass(frozen=True)
class Counted:
    """What is counted when it is opened; as a work, it gives the piece."""

    name: str

    def __call__(self, shared: object, piece: int) -> int:
        return piece

    def __reduce__(self) -> tuple[Callable[[str], Counted], tuple[str]]:
        return opened, (self.name,)


def opened(name: str) -> Counted:
    OPENED.append(name)
    return Counted(name)


def test_a_work_is_opened_once_an_actor_and_what_is_shared_once_a_call(make: Make) -> None:
    _, spread = make()
    work = Counted("work")
    OPENED.clear()
    for number in range(3):
        assert spread(work, Counted(f"shared {number}"), range(9)) == list(range(9))
    assert Counter(OPENED) == {"work": 2, "shared 0": 2, "shared 1": 2, "shared 2": 2}


@pytest.mark.parametrize("act", [dies, silent])
def test_what_is_lost_is_done_again_and_another_takes_the_place(make: Make, act: Act) -> None:
    ray, spread = make(good, act)
    assert all_of(spread) == WANTED
    assert ray.killed == [1]
    assert ray.now == pytest.approx(SILENT_SECONDS if act is silent else 0)
    assert all_of(spread) == WANTED
    assert ray.made == 3
    assert 2 in ray.done


def test_a_piece_that_takes_long_here_may_take_longer_elsewhere(make: Make) -> None:
    ray, spread = make(silent, silent)

    def slow(shared: int, piece: int) -> int:
        ray.now += 100
        return piece

    assert spread(slow, 0, range(4)) == [0, 1, 2, 3]
    assert 100 * spreading.SLOWER < ray.now < 100 * spreading.SLOWER + 1000
    assert sorted(ray.killed) == [0, 1]


def test_where_they_are_lost_one_after_another_no_more_are_made(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "designloop")
    ray, spread = make(*[dies] * 100)
    for _ in range(10):
        assert all_of(spread) == WANTED
    assert ray.made == len(ray.killed) <= MOST_LOST + 1
    assert "a worker that proposes was lost: The actor died; what it was at is done again" in caplog.text
    assert f"{MOST_LOST} of them were lost" in caplog.text


def test_an_actor_that_would_give_other_numbers_is_not_used(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "designloop")
    here = spreading.what_numbers_depend_on()
    ray, spread = make(versions=("designloop 0.0", *here[1:]))
    assert all_of(spread) == WANTED
    assert ray.done == []
    assert f"node node-0 has designloop 0.0, here {here[0]}" in caplog.text


def test_an_error_of_the_work_is_raised_as_it_would_be_without_actors(make: Make) -> None:
    def fails(shared: int, piece: int) -> int:
        if piece == 3:
            raise ValueError("no third")
        return piece

    ray, spread = make()
    with pytest.raises(ValueError, match=r"^no third$"):
        spread(fails, 0, range(6))
    assert sorted(ray.killed) == list(range(ray.made)), "what still ran would be of no use"


def test_ctrl_c_ends_them(make: Make) -> None:
    def interrupted(shared: object, piece: int) -> int:
        if piece == 2:  # the first that is done here
            raise KeyboardInterrupt
        return piece

    ray, spread = make()
    with pytest.raises(KeyboardInterrupt):
        spread(interrupted, None, range(6))
    assert sorted(ray.killed) == [0, 1]


@pytest.mark.parametrize("which", ["work", "shared", "piece"])
def test_what_cannot_be_sent_is_done_here(make: Make, caplog: pytest.LogCaptureFixture, which: str) -> None:
    ray, spread = make()
    lock = threading.Lock()
    work = {"work": lambda shared, piece: piece if lock else None}.get(which, lambda shared, piece: piece)
    pieces = [lock if which == "piece" else number for number in range(4)]
    assert spread(work, lock if which == "shared" else 0, pieces) == pieces
    assert "pieces of work cannot be sent to workers: cannot pickle" in caplog.text
    assert sorted(ray.killed) == [0, 1]
    assert all_of(spread) == WANTED
    assert (ray.made, ray.done) == (2, [])


def test_a_ray_in_trouble_is_no_error(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    ray, spread = make(full=True)
    assert all_of(spread) == WANTED
    assert "pieces of work cannot be spread: The object store is full" in caplog.text
    assert sorted(ray.killed) == [0, 1]


def test_while_ray_is_lost_nothing_is_waited_for(make: Make) -> None:
    ray, spread = make(silent, silent)

    def last(shared: int, piece: int) -> int:
        ray.is_up = False
        return piece

    assert spread(last, 0, range(4)) == [0, 1, 2, 3]
    assert ray.now <= spreading.MOST_WAIT


@pytest.mark.parametrize(
    ("cpus", "count", "nodes"),
    [
        ({"here": 1}, 1, []),
        ({"here": 4}, 2, ["here"]),
        ({"here": 2}, 8, ["here"]),
        ({"here": 0, "a": 1, "b": 1}, 2, ["a", "b"]),
        ({"here": 1, "a": 2, "b": 1}, 4, ["a", "b", "a"]),
        ({"here": 2, "a": 2}, 2, ["here"]),
        ({"here": 0, "gone": 0}, 2, []),
    ],
)
def test_this_process_is_one_of_as_many_as_there_are_workers(
    monkeypatch: pytest.MonkeyPatch, cpus: dict[str, int], count: int, nodes: list[str]
) -> None:
    listed = [
        {"NodeID": name, "Alive": True, "Resources": {"CPU": float(n)} if n else {"memory": 1.0}}
        for name, n in cpus.items()
    ]
    dead = {"NodeID": "dead", "Alive": False, "Resources": {"CPU": 8.0}}
    ray: Any = SimpleNamespace(
        nodes=lambda: [*listed, dead], get_runtime_context=lambda: SimpleNamespace(get_node_id=lambda: "here")
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert ray_cluster.spare_nodes(count) == nodes


def test_what_goes_to_and_fro_can_be_written_to() -> None:
    """Ray's own way gives arrays that cannot, which torch warns of."""
    import numpy as np

    worker = PieceWorker()
    worker._works[0] = lambda shared, piece: piece + 1
    worker._shared = (1, None)
    work, shared = spreading.Parcel(0, []), spreading.Parcel(1, [])
    result = pickle.loads(worker.do(work, shared, pickle.dumps(np.zeros(3))))
    assert result.flags.writeable
