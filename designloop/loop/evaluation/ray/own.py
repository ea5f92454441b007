"""A Ray that a campaign starts for itself, on this machine: nobody else can reach it, and it leaves nothing behind.

Whoever may join a Ray can run programs as its user. So all its sockets are bound to loopback, which is looked at once
it is up; each connection shows a token that is made for this Ray; and its files, the token among them, lie in a folder
that no other user can enter.
"""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.processes import birthdays, family, kill_survivors, with_word
from designloop.loop.evaluation.ray.listening import Listener, listeners
from designloop.loop.evaluation.ray.ray_folder import RayFolder

OPEN = "DESIGNLOOP_OPEN_RAY"
"""Environment variable: 1 allows a Ray that strangers may be able to use."""

_OBJECT_STORE_BYTES = 80 * 2**20
"""Requests and replies are small; Ray takes no less than 75 MiB."""

_LOGGER = logging.getLogger("designloop")


class OwnRay:
    """A Ray of this process, from ``start`` to ``close``, both in the thread that keeps Ray."""

    def __init__(self, workers: int) -> None:
        """Prepares a Ray for so many workers; starts nothing yet."""
        self._workers = workers
        self._folder: RayFolder | None = None
        self._processes: dict[int, str] = {}

    def start(self, options: Mapping[str, Any]) -> None:
        """Start Ray, with options of ``ray.init`` for what it prints.

        Raises:
            NoWorkers: there is no folder for its files, or a process of it listens beyond loopback.
        """
        import ray

        before = {listener.inode for listener in listeners([os.getpid()])}
        self._folder = RayFolder()
        path = self._folder.path
        try:
            with _environment(path):
                ray.init(
                    "local",  # also where RAY_ADDRESS names a cluster
                    num_cpus=self._workers,
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(path / "r"),  # Ray opens this folder to all, so it lies in a closed one
                    **options,
                )
            started = with_word(str(path), family(os.getpid()))
            self._processes = birthdays({pid for parent in started for pid in family(parent)})
            refuse_exposed([os.getpid(), *self._processes], before)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End Ray, and remove its files."""
        import ray

        _end_without_waiting()
        self._processes |= birthdays({child for pid in birthdays(self._processes) for child in family(pid)})
        ray.shutdown()
        kill_survivors(self._processes)  # agents and workers, for which Ray looks in vain where it has died itself
        reread_settings()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None


def raylet_has_ended() -> bool:
    """Whether the process is gone by which this process knows Ray, if it started one: Ray would soon end this one."""
    return any(started.process.poll() is not None for started in _started_processes().get("raylet", ()))


def _end_without_waiting() -> None:
    """Makes Ray end what it has started by SIGKILL at once, not a second after a SIGTERM, which its processes block."""
    for processes in _started_processes().values():
        for started in processes:
            started.process.terminate = started.process.kill


def _started_processes() -> Mapping[str, Iterable[Any]]:
    """What Ray has started from this process, by kind."""
    from ray._private import worker

    node: Any = worker._global_node
    return {} if node is None else node.all_processes


def refuse_exposed(pids: Iterable[int], before: Collection[str] = ()) -> None:
    """Looks at the listening sockets of some processes, but for those that they had before.

    Args:
        pids: this process, in which Ray listens as well, and those that Ray started.
        before: the sockets' inodes.
    Raises:
        NoWorkers: one can be reached from outside this machine, and the user has not allowed that.
    """
    new = [listener for listener in listeners(pids) if listener.inode not in before]
    exposed = [listener for listener in new if not listener.is_loopback]
    if not exposed:
        return
    if is_open():
        _LOGGER.warning("Ray can be reached from outside this machine, as %s=1 allows: %s", OPEN, _addresses(exposed))
        return
    raise NoWorkers(
        f"Ray can be reached from outside this machine: {_addresses(exposed)}, expected 127.0.0.1. Run with --backend "
        f"inline; or, if no stranger can reach this machine's ports, set {OPEN}=1 and run the same command again."
    )


def is_open() -> bool:
    """Whether the user has allowed a Ray that strangers may be able to use."""
    return os.environ.get(OPEN) == "1"


def reread_settings() -> None:
    """Makes Ray read its environment again: it does so once a process, which may have had another Ray before."""
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # it is compiled

    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()


def _addresses(exposed: Collection[Listener]) -> str:
    return ", ".join(str(listener) for listener in exposed)


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    """The environment in which a Ray of its own starts, which its processes inherit; afterwards as it was."""
    from ray._private import ray_constants

    token = folder / "token"
    with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    if (mode := os.environ.get("RAY_AUTH_MODE", "token")) != "token":
        _LOGGER.info("RAY_AUTH_MODE=%s does not hold here: a Ray that designloop starts asks for a token", mode)
    wanted = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": None,  # it would be preferred to the file
        "RAY_AUTH_TOKEN_PATH": str(token),
        # Ray turns 127.0.0.1 into the machine's outside address, and binds to all interfaces, unless it is told that
        # there will be no other machines. It asks that on systems where it has no clusters, hence the name.
        ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR: "0",
    }
    before = {name: os.environ.get(name) for name in wanted}
    clusters = ray_constants.ENABLE_RAY_CLUSTER
    _set(wanted)
    ray_constants.ENABLE_RAY_CLUSTER = False  # what that variable says to this process, which has imported Ray
    reread_settings()
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = clusters
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
