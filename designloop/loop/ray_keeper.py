"""The thread in which Ray lives: imported, started and ended there.

So Ray starts beside the loading of a model. And the kernel kills Ray's processes when the *thread* that made them
ends, so this one lives as long as the backend: they end with the driver, however that ends. They do not see a Ctrl-C in
the terminal, because Ray blocks that signal in all that it starts.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from typing import Any

from designloop.loop.evaluation_errors import NoWorkers

_OBJECT_STORE_BYTES = 80 * 2**20
"""Requests and replies are small; Ray takes no less than 75 MiB."""

# Read by Ray when it is imported, or by the processes that it starts; what a user has set stays.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # an oracle may use a GPU, though Ray is not asked for one
    "RAY_memory_monitor_refresh_ms": "0",  # out of memory is for the kernel, which takes the oracle's child
}


class RayKeeper:
    """Ray, as long as this lives: started on this machine, or a running cluster joined."""

    def __init__(self, workers: int, address: str | None) -> None:
        """Begin to start Ray with CPUs for so many workers, or to join the cluster at an address."""
        self._workers, self._address = workers, address
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
                "`ray start --head`, or leave the address out."
            )
        raise NoWorkers(text) from self._error

    def close(self) -> None:
        """End Ray, or leave the cluster, unless this process used it before; waits until that is done."""
        self._over.set()
        self._thread.join()

    def _keep(self) -> None:
        try:
            ours = self._start()
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
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        import ray

        if ray.is_initialized():
            return False
        options: Mapping[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self._address is not None:
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


def last_line(error: BaseException) -> str:
    """An error in one line: Ray's span many, of which the last says most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__).rstrip(".")
