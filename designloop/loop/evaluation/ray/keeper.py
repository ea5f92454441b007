"""The thread in which Ray lives: imported, started, watched and ended there.

So Ray starts beside the loading of a model. And the kernel kills Ray's processes when the *thread* that made them
ends, so this one lives as long as the backend: they end with the driver, however that ends. They hear neither a Ctrl-C
in the terminal, nor that it hangs up, nor a SIGTERM to the whole job (systemd, Slurm), after which Ray would be gone
first and its core would take the driver along: Ray blocks the first of these signals in all that it starts, this thread
the others. So the driver alone decides when all of it ends.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.ray.joined import CLIENT, refuse_open
from designloop.loop.evaluation.ray.kept_signals import install_ray_handlers, kept, uninstall_ray_handlers
from designloop.loop.evaluation.ray.own import OwnRay, raylet_has_ended, reread_settings

HEAD_SECONDS = 45.0
"""How long a head may be silent. Its nodes give up after 60 s, and what they hold is lost."""

PULSE_SECONDS = 2.0
"""How often the head is asked whether it is alive, and how long it may take to answer."""

_ANSWER_SECONDS = 10.0
"""How long a cluster may take to answer at all."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # an oracle may use a GPU, though Ray is not asked for one
    "RAY_memory_monitor_refresh_ms": "0",  # out of memory is for the kernel, which takes the oracle's child
    "RAY_worker_niceness": "0",  # a time-out is wall-clock time: beside another busy process an oracle would miss it
    "RAY_get_check_signal_interval_milliseconds": "100",  # how soon a wait for Ray hears Ctrl-C and SIGTERM
    "RAY_gcs_rpc_server_reconnect_timeout_s": "604800",  # else Ray ends this process, and it is watched here
}
"""Environment variables that Ray reads when it is imported, or in the processes that it starts; a user's own stay."""

_OPTIONS: Mapping[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}

_one_at_a_time = threading.Lock()
"""A process has one Ray, so of two keepers the second has to see whether the first started it."""


class RayKeeper:
    """Ray, as long as this lives: started on this machine, or a running cluster joined."""

    def __init__(self, workers: int, address: str | None, first: Callable[[], None]) -> None:
        """Begin to start Ray with CPUs for so many workers, or to join the cluster at an address; then do ``first``."""
        self._workers, self._address, self._first = workers, address, first
        self._end: Callable[[], None] = _nothing
        self.is_own = False
        """Whether it was started here, with as many CPUs as there are to be workers."""
        self._up, self._over = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._keep, name="ray", daemon=True)
        self._thread.start()

    @property
    def is_up(self) -> bool:
        """Whether Ray is up, and its head not lost."""
        return self._up.is_set() and self._error is None

    def wait_until_up(self) -> None:
        """Return when Ray is up; to be asked again before each wait for what Ray does, since its head may be lost.

        Raises:
            NoWorkers: Ray does not start, or its head is lost.
        """
        self._up.wait()
        if self._error is None:
            return
        if isinstance(self._error, NoWorkers):
            text = str(self._error)
        elif self._address is None:
            text = f"Ray does not start on this machine: {last_line(self._error)}. Run with --backend inline."
        else:
            text = (
                f"No Ray cluster can be joined at {self._address}: {last_line(self._error)}. Start one with "
                "`ray start --head`, or leave the address out. A cluster that asks for a token is joined by "
                "HOST:PORT only where RAY_AUTH_MODE=token is set, on each node and here."
            )
        raise NoWorkers(text) from self._error

    def close(self) -> None:
        """End Ray, or leave the cluster, unless this process used it before; waits until that is done."""
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        # In this thread, and in all threads and processes that it starts.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM})
        try:
            self._start()
            self._first()
            self._up.set()
            self._watch()
        except BaseException as error:  # told to whoever waits
            self._error = error
            self._up.set()
        self._over.wait()
        if self._end is not _nothing:
            with kept(signal.SIGTERM):
                uninstall_ray_handlers()
                self._end()

    def _start(self) -> None:
        """Start Ray or join the cluster, unless this process has done so before, which then is to keep it."""
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        import ray

        with _one_at_a_time, kept(signal.SIGTERM):
            if ray.is_initialized():
                refuse_open(self._address or ray.get_runtime_context().gcs_address)  # who started it may not have asked
                return
            install_ray_handlers()
            if self._address is None:
                ray_here = OwnRay(self._workers)
                ray_here.start(_OPTIONS)
                self._end, self.is_own = ray_here.close, True
            else:
                _knock(self._address)
                reread_settings()
                ray.init(self._address, **_OPTIONS)
                self._end = ray.shutdown
                refuse_open(self._address)

    def _watch(self) -> None:
        """Ask the head from time to time whether it is alive, until all is over.

        Raises:
            NoWorkers: it was silent for too long.
        """
        if self._address is not None and self._address.startswith(CLIENT):
            return  # what this process is connected to is no head, and that one may be out of its reach
        import ray
        from ray._raylet import GcsClient  # type: ignore[attr-defined]  # it is compiled

        address = ray.get_runtime_context().gcs_address
        head, silent_since = GcsClient(address=address), None
        while not self._over.wait(PULSE_SECONDS):
            if raylet_has_ended():
                raise NoWorkers(
                    "Ray's own process on this machine (raylet) has ended. See that the machine has memory left, then "
                    "run the same command again to resume."
                )
            asked = monotonic()
            try:
                head.check_alive([], timeout=PULSE_SECONDS)
                silent_since = None
            except ray.exceptions.RayError as error:
                silent_since = silent_since or asked  # never since an earlier answer: this process may have slept
                if monotonic() - silent_since > HEAD_SECONDS:
                    raise NoWorkers(
                        f"The head of Ray at {address} has been silent for {HEAD_SECONDS:g} s: {last_line(error)}. "
                        "See that its machine is up and can be reached, start Ray anew if it is a cluster of yours, "
                        "then run the same command again to resume."
                    ) from error


def _nothing() -> None:
    """Ends nothing."""


def _knock(address: str) -> None:
    """Raises OSError where nobody listens: Ray would try for minutes and say on the terminal that it does."""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()


def last_line(error: BaseException) -> str:
    """An error in one line: Ray's span many, of which the last says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
