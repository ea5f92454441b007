"""What holds for every test: few threads, no windows, no telemetry, a cache folder of its own; a model of no weight."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A busy machine is no failure.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# Set before torch, matplotlib and Ray are first imported, and inherited by every process that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MPLBACKEND"] = "Agg"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["COLUMNS"] = "200"  # rich would break lines, and tests would look for words that stand apart
os.environ["NO_COLOR"] = "1"

# A shell starts what runs in the background with Ctrl-C ignored, which programs that a test starts would inherit.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


_AS_MADE: dict[str, dict[str, Any]] = {}
"""Module -> the state of its ``RNG`` after it was imported."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Sets a module's ``RNG`` back before each of its tests: what one draws must not hang on which ran before it."""
    module = getattr(item, "module", None)
    bits = getattr(getattr(module, "RNG", None), "bit_generator", None)
    if module is not None and bits is not None:
        bits.state = _AS_MADE.setdefault(module.__name__, bits.state)


@pytest.fixture(autouse=True, scope="session")
def cache_folder_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty cache folder: what a user cached must not decide whether a test passes."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a sequence VAE of random weights."""
    from tests.campaigns import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The file of a campaign that has run: a reference, starting molecules of which one is refused, some failures.

    Tests that change it take a copy of its folder.
    """
    from designloop import api
    from tests.campaigns import write_campaign
    from tests.commands import ASPIRIN

    folder = tmp_path_factory.mktemp("finished")
    changes = {
        "starting_molecules": [ASPIRIN, "OB(O)c1ccccc1CC1CC1"],
        "reference": {"caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O"},
        "objective.properties.0.params": {"fails": "S"},
    }
    path = write_campaign(folder, tiny_model, changes)
    api.run(path)
    return path
