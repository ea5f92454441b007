"""Whatever is done to a file that a campaign left: the answers are the same, told, or refused with the file's name.

``DESIGNLOOP_DAMAGES=20 pytest tests/testing/test_damage.py`` tries each kind at twenty places of each file.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from designloop.testing.damage import Damage, damages, try_damages
from designloop.testing.damage_questions import LEFT, READING, resume, run_whole

EACH = int(os.environ.get("DESIGNLOOP_DAMAGES", "0"))
"""Places of each file and kind of damage that are tried; 0 for a sample that takes seconds."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The folder of a campaign of 45 calls that has ended, with a reference, starting molecules and failures."""
    folder = tmp_path_factory.mktemp("whole") / "campaign"
    folder.mkdir()
    run_whole(folder, tiny_model)
    return folder


def sample(whole: Path, count: int, seed: int) -> list[Damage]:
    """Some damages, of which a third are the ledger's; all where ``DESIGNLOOP_DAMAGES`` says how many places."""
    rng = random.Random(seed)
    every = damages(whole, LEFT, repeats=EACH or 8)
    if EACH:
        return every
    ledger = [damage for damage in every if damage.file == "small.ledger.sqlite"]
    return [*rng.sample(ledger, count // 3), *rng.sample(every, count - count // 3)]


def test_no_question_to_a_damaged_campaign_is_answered_wrongly(whole: Path, tmp_path: Path) -> None:
    tried = list(try_damages(whole, sample(whole, 30, seed=1), READING, tmp_path))
    assert [trial for trial in tried if trial.is_wrong] == []
    outcomes = Counter(trial.outcome for trial in tried)
    assert {"same", "told", "refused"} <= outcomes.keys(), outcomes


def test_no_damaged_campaign_goes_on_wrongly(whole: Path, tmp_path: Path) -> None:
    tried = list(try_damages(whole, sample(whole, 4, seed=2), {"resume": resume}, tmp_path))
    assert [trial for trial in tried if trial.is_wrong] == []
