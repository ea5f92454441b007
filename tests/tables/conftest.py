"""What tests of stored things share."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop.tables import durable
from tests.tables.disks import StoppingOs
from tests.tables.fakes import FakeCampaign


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests need no fsync: they are about what is written, not about what a power cut leaves."""
    monkeypatch.setattr(durable, "os", StoppingOs())


@pytest.fixture
def campaign(tmp_path: Path) -> FakeCampaign:
    return FakeCampaign(tmp_path)
