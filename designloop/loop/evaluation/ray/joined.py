"""Whether a cluster that is joined lets in strangers."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.ray.own import OPEN, is_open

CLIENT = "ray://"
"""Begins the address of a server that stands between this process and a cluster."""

_SECONDS = 60.0
"""How long a cluster may take to let in a stranger, or to refuse one."""

_REFUSED = 3

_STRANGER = f"""
import sys
from ray._raylet import GcsClient
from ray.exceptions import AuthenticationError

try:
    GcsClient(address=sys.argv[1])
except AuthenticationError:
    sys.exit({_REFUSED})
"""

_LOGGER = logging.getLogger("designloop")


def refuse_open(address: str) -> None:
    """Asks the cluster that this process has joined as somebody without a token would.

    Args:
        address: by which it was joined, for messages.
    Raises:
        NoWorkers: it lets in anybody, and the user has not allowed that.
    """
    if is_open():
        return
    import ray

    behind = address.startswith(CLIENT)
    asks = None if behind else asks_for_token(ray.get_runtime_context().gcs_address)
    if asks is None:
        _LOGGER.warning("it cannot be told whether the Ray cluster at %s asks for a token", address)
    elif not asks:
        raise NoWorkers(
            f"The Ray cluster at {address} asks for no token, so that whoever reaches its ports can run programs on "
            "its nodes. Start it with RAY_AUTH_MODE=token on every node, or, if no stranger can reach its ports, set "
            f"{OPEN}=1; then run the same command again."
        )


def asks_for_token(gcs_address: str) -> bool | None:
    """Whether a head refuses who has no token; None if it does not say."""
    kept_out = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    environment = {name: value for name, value in os.environ.items() if name not in kept_out}
    try:
        completed = subprocess.run(
            [sys.executable, "-P", "-c", _STRANGER, gcs_address],
            env={**environment, "RAY_AUTH_MODE": "disabled"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    return {0: False, _REFUSED: True}.get(completed.returncode)
