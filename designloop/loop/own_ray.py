"""A Ray that a campaign starts for itself, on this machine: nobody else can reach it, and it leaves nothing behind.

Whoever may join a Ray can run programs as its user. So all its sockets are bound to loopback, which is looked at once
it is up; each connection shows a token that is made for this Ray; and its files, the token among them, lie in a folder
that no other user can enter.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from designloop.loop.evaluation_errors import NoWorkers
from designloop.loop.listening import Listener, listeners
from designloop.loop.processes import birthdays, family, kill_survivors

OPEN = "DESIGNLOOP_OPEN_RAY"
"""Environment variable: 1 allows a Ray that strangers may be able to use."""

_OBJECT_STORE_BYTES = 80 * 2**20
"""Requests and replies are small; Ray takes no less than 75 MiB."""

_LONGEST_SOCKET = 107
"""Bytes that the path of a Unix socket may have on Linux."""

_BELOW_FOLDER = "/designloop-12345678/r/session_2026-01-01_00-00-00_123456_1234567/sockets/plasma_store"
"""What Ray's longest socket is called below the folder for temporary files; the last number is a process id."""

_REMOVALS = 20
"""How often it is tried to remove Ray's files."""

_LOGGER = logging.getLogger("designloop")


class OwnRay:
    """A Ray of this process, from ``start`` to ``close``, both in the thread that keeps Ray."""

    def __init__(self, workers: int) -> None:
        """Nothing yet, for so many workers."""
        self._workers = workers
        self._folder: Path | None = None
        self._processes: dict[int, str] = {}

    def start(self, options: Mapping[str, Any]) -> None:
        """Start Ray, with options of ``ray.init`` for what it prints.

        Raises:
            NoWorkers: there is no folder for its files, or a process of it listens beyond loopback.
        """
        import ray

        relatives = family(os.getpid())
        before = {listener.inode for listener in listeners(relatives)}
        self._folder = private_folder()
        try:
            with _environment(self._folder):
                ray.init(
                    "local",  # also where RAY_ADDRESS names a cluster
                    num_cpus=self._workers,
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    _node_ip_address="127.0.0.1",
                    _temp_dir=str(self._folder / "r"),  # Ray opens this folder to all, so it lies in a closed one
                    **options,
                )
            self._processes = birthdays(family(os.getpid()) - relatives)
            refuse_exposed(before)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End Ray, and remove its files."""
        import ray

        ray.shutdown()
        kill_survivors(self._processes)  # agents, for which Ray looks in vain where it has died itself
        reread_settings()
        if self._folder is not None:
            _remove(self._folder)
            self._folder = None


def private_folder() -> Path:
    """A new folder that only this user can enter, with room for the paths of Ray's sockets below it.

    Raises:
        NoWorkers: nowhere can one be made.
    """
    chosen = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    tried = []
    for parent in (chosen, Path("/tmp"), Path("/var/tmp"), Path("/dev/shm")):
        if len(os.fsencode(parent)) + len(_BELOW_FOLDER) > _LONGEST_SOCKET:
            tried.append(f"{parent} is too long")
            continue
        try:
            folder = Path(tempfile.mkdtemp(prefix="designloop-", dir=parent))  # of mode 0700
        except OSError as error:
            tried.append(f"{parent}: {error.strerror}")
            continue
        if tried:
            _LOGGER.info("Ray's files are in %s (%s)", folder, "; ".join(tried))
        return folder
    raise NoWorkers(
        f"There is no folder for Ray's sockets, whose paths may have {_LONGEST_SOCKET} bytes ({'; '.join(tried)}). "
        "Set TMPDIR to a short folder that can be written, or run with --backend inline."
    )


def _remove(folder: Path) -> None:
    """Removes a folder, in which a process of Ray that is about to end may write a last line meanwhile."""
    for _ in range(_REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
    _LOGGER.warning("the folder of Ray's files, %s, could not be removed; remove it by hand", folder)


def refuse_exposed(before: Collection[str] = ()) -> None:
    """Looks at the listening sockets of this process and its descendants, but for those that it had before.

    Args:
        before: the sockets' inodes.
    Raises:
        NoWorkers: one can be reached from outside this machine, and the user has not allowed that.
    """
    new = [listener for listener in listeners(family(os.getpid())) if listener.inode not in before]
    exposed = [listener for listener in new if not listener.is_loopback]
    if not exposed:
        return
    if is_open():
        _LOGGER.warning("Ray can be reached from outside this machine, as %s=1 allows: %s", OPEN, _told(exposed))
        return
    raise NoWorkers(
        f"Ray can be reached from outside this machine: {_told(exposed)}, expected 127.0.0.1. Run with --backend "
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


def _told(exposed: Collection[Listener]) -> str:
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
