"""The thread in which Ray lives: imported, started and ended there.

So Ray starts beside the loading of a model. And the kernel kills Ray's processes when the *thread* that made them
ends, so this one lives as long as the backend: they end with the driver, however that ends. They do not see a Ctrl-C in
the terminal, because Ray blocks that signal in all that it starts.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from designloop.loop.evaluation_errors import NoWorkers

_ANSWER_SECONDS = 10.0
"""How long a cluster may take to answer at all."""

_OBJECT_STORE_BYTES = 80 * 2**20
"""Requests and replies are small; Ray takes no less than 75 MiB."""

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # an oracle may use a GPU, though Ray is not asked for one
    "RAY_memory_monitor_refresh_ms": "0",  # out of memory is for the kernel, which takes the oracle's child
    "RAY_worker_niceness": "0",  # a time-out is wall-clock time: beside another busy process an oracle would miss it
}
"""Environment variables that Ray reads when it is imported, or in the processes that it starts; a user's own stay."""

_one_at_a_time = threading.Lock()
"""A process has one Ray, so of two keepers the second has to see whether the first started it."""


class RayKeeper:
    """Ray, as long as this lives: started on this machine, or a running cluster joined."""

    def __init__(self, workers: int, address: str | None, first: Callable[[], None]) -> None:
        """Begin to start Ray with CPUs for so many workers, or to join the cluster at an address; then do ``first``."""
        self._workers, self._address, self._first = workers, address, first
        self._up, self._over = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._keep, name="ray", daemon=True)
        self._thread.start()

    def wait_until_up(self) -> None:
        """Return when Ray is there.

        Raises:
            NoWorkers: it does not start.
        """
        self._up.wait()
        if self._error is None:
            return
        if self._address is None:
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
        try:
            ours = self._start()
            self._first()
        except BaseException as error:  # told to whoever waits for it
            self._error = error
            self._up.set()
            return
        self._up.set()
        self._over.wait()
        if ours:
            import ray

            ray.shutdown()

    def _start(self) -> bool:
        """Start Ray or join the cluster; False where this process had done so before, and is to keep it."""
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        import ray

        options: Mapping[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        with _one_at_a_time:
            if ray.is_initialized():
                return False
            if self._address is not None:
                _knock(self._address)
                ray.init(self._address, **options)
            else:
                ray.init(
                    "local",  # also where RAY_ADDRESS names a cluster
                    num_cpus=self._workers,
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    _node_ip_address="127.0.0.1",
                    **options,
                )
        return True


def _knock(address: str) -> None:
    """Raises OSError where nobody listens: Ray would try for minutes and say on the terminal that it does."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()


def last_line(error: BaseException) -> str:
    """An error in one line: Ray's span many, of which the last says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
