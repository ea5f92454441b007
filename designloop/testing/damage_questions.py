"""What a damaged campaign is asked: each verb that reads it, and the one that goes on with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import designloop
from designloop import api
from designloop.loop.campaign.campaign import load_campaign
from designloop.report.references import read_references
from designloop.report.top import top_molecules
from designloop.tables import open_candidates
from designloop.tables.views import rounds_view
from designloop.testing.damage import Question, VerbAnswer
from designloop.testing.small_campaign import write_campaign

LEFT = ("small", "small.ledger.sqlite", "small.ledger.sqlite.lock")
"""What a campaign leaves beside its file."""


def run_whole(folder: Path, model: Path) -> None:
    """Runs a campaign of 45 calls to its end, with a reference, starting molecules and failures."""
    changes = {
        "reference": {"aspirin": "CC(=O)Oc1ccccc1C(=O)O"},
        "starting_molecules": ["CCO", "CCc1ccccc1"],
        "objective.properties.0.params": {"fails": "Cl"},
    }
    designloop.run(write_campaign(folder, model, changes))


def status(folder: Path) -> VerbAnswer:
    """How far it is."""
    summary = api.status(folder / "small")
    return VerbAnswer(replace(summary, remarks=()), summary.remarks)


def top(folder: Path) -> VerbAnswer:
    """Its best molecules, and its references."""
    candidates = open_candidates(folder / "small")
    references, damaged = read_references(folder / "small")
    return VerbAnswer((top_molecules(candidates), references), [*candidates.remarks, *damaged])


def compare(folder: Path) -> VerbAnswer:
    """Its line beside others."""
    remarks: list[str] = []
    return VerbAnswer(api.compare([folder / "small"], say=remarks.append), remarks)


def query(folder: Path) -> VerbAnswer:
    """All rows of all views."""
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


READING: Mapping[str, Question] = {"status": status, "top": top, "compare": compare, "query": query}
"""Name -> verb that writes nothing."""
