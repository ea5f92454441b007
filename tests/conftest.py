"""What holds for every test: few threads, no windows, no telemetry, and a cache folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Set before torch, matplotlib and Ray are first imported, and inherited by every process that a test starts.
os.environ["OMP_NUM_THREADS"] = "2"
os.environ["MPLBACKEND"] = "Agg"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["COLUMNS"] = "200"  # rich would break lines, and tests would look for words that stand apart
os.environ["NO_COLOR"] = "1"


@pytest.fixture(autouse=True, scope="session")
def cache_folder_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty cache folder: what a user cached must not decide whether a test passes."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder
