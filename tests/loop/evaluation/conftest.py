"""What tests of evaluation share."""

from __future__ import annotations

import os

import pytest

from designloop.loop.evaluation.processes import family
from designloop.loop.evaluation.ray.listening import listeners


@pytest.fixture
def sockets_before() -> set[str]:
    """Sockets that this process and its descendants have for other reasons."""
    return {listener.inode for listener in listeners(family(os.getpid()))}
