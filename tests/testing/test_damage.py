"""Whatever is done to a file that a campaign left: the answers are the same, told, or refused with the file's name.

``DESIGNLOOP_DAMAGES=20 pytest tests/testing/test_damage.py`` tries each kind at twenty places of each file.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import designloop
from designloop import api
from designloop.loop.campaign.campaign import load_campaign
from designloop.report.references import read_references
from designloop.report.top import top_molecules
from designloop.tables import open_candidates
from designloop.tables.views import rounds_view
from designloop.testing.damage import Damage, Question, VerbAnswer, damages, try_damages
from tests.campaigns import write_campaign

EACH = int(os.environ.get("DESIGNLOOP_DAMAGES", "0"))
"""Places of each file and kind of damage that are tried; 0 for a sample that takes seconds."""

LEFT = ("small", "small.ledger.sqlite", "small.ledger.sqlite.lock")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """The folder of a campaign of 45 calls that has ended, with a reference, starting molecules and failures."""
    folder = tmp_path_factory.mktemp("whole") / "campaign"
    folder.mkdir()
    changes = {
        "reference": {"aspirin": "CC(=O)Oc1ccccc1C(=O)O"},
        "starting_molecules": ["CCO", "CCc1ccccc1"],
        "objective.properties.0.params": {"fails": "Cl"},
    }
    designloop.run(write_campaign(folder, tiny_model, changes))
    return folder


def status(folder: Path) -> VerbAnswer:
    summary = api.status(folder / "small")
    return VerbAnswer(replace(summary, remarks=()), summary.remarks)


def top(folder: Path) -> VerbAnswer:
    candidates = open_candidates(folder / "small")
    references, damaged = read_references(folder / "small")
    return VerbAnswer((top_molecules(candidates), references), [*candidates.remarks, *damaged])


def compare(folder: Path) -> VerbAnswer:
    remarks: list[str] = []
    return VerbAnswer(api.compare([folder / "small"], say=remarks.append), remarks)


def query(folder: Path) -> VerbAnswer:
    candidates = open_candidates(folder / "small")
    views = (candidates.to_arrow(), rounds_view(candidates.campaigns()), candidates.query("FROM runs"))
    return VerbAnswer([sorted(map(str, view.to_pylist())) for view in views], candidates.remarks)


def resume(folder: Path) -> VerbAnswer:
    """Twenty calls more."""
    remarks: list[str] = []
    more = load_campaign(folder / "small.yaml", {"budget.oracle_calls": 65})
    outcome = designloop.run(more, say=remarks.append)
    summary = outcome.summary
    state = (summary.digest, summary.calls, summary.end, [info.digest for info in summary.rounds], outcome.references)
    return VerbAnswer((state, outcome.best), [*remarks, *summary.remarks])


READING: dict[str, Question] = {"status": status, "top": top, "compare": compare, "query": query}


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
