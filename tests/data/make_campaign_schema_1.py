"""Writes tests/data/campaign_schema_1: a small real campaign as schema version 1 stores it, and what is in it.

Run once, by ``python -m tests.data.make_campaign_schema_1`` under schema version 1. Never run it again: what it wrote
stands for the campaigns that people have, which later versions must be able to read.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np

from designloop.molecules.chemistry import DESCRIPTORS, parse
from designloop.records import Candidate, Evaluation, Result, Round, Scored, State
from designloop.tables import open_candidates
from designloop.tables.ledger_records import Finished
from tests.tables.fakes import FakeCampaign, FakeOracle, open_table

FOLDER = Path(__file__).parent / "campaign_schema_1"

CAMPAIGN = FakeCampaign(
    FOLDER,
    "aspirin",
    {"seed": 7, "budget": {"oracle_calls": 10}},
    {"qed": FakeOracle("qed-fingerprint"), "logP": FakeOracle("logp-fingerprint")},
)


def scored(candidate: Candidate, failure: Result | None = None) -> Scored:
    """The candidate with its real QED, and its real logP unless that is to fail."""
    molecule = parse(candidate.smiles)
    assert molecule is not None
    results = {
        "qed": Result(DESCRIPTORS["qed"](molecule), seconds=0.002),
        "logP": failure or Result(DESCRIPTORS["logp"](molecule), seconds=0.001),
    }
    logp = results["logP"].value
    desirability = {"qed": results["qed"].value, "logP": None if logp is None else 1 / (1 + math.exp(-logp))}
    values = [value for value in desirability.values() if value is not None]
    return Scored(Evaluation(candidate, results), desirability, math.prod(values) ** 0.5 if len(values) == 2 else None)


def main() -> None:
    """Writes the folder anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    aspirin = "CC(=O)Oc1ccccc1C(=O)O"
    rounds = [
        Round(0, [
            scored(Candidate(aspirin, "start", "[C][C][=Branch1][C][=O][O]", written="CC(=O)Oc1ccccc1C(=O)[O-].[Na+]")),
            scored(Candidate("C[C@H](N)C(=O)O", "start", None, written="C[C@H](N)C(O)=O")),
        ], {"best": 0.5, "refused_starting": "C1=C=C1: unstable"}, kind="start"),
        Round(1, [
            scored(Candidate("CCOC(=O)c1ccccc1", "mutation", "[C]", (aspirin,), 0)),
            scored(Candidate("OB(O)c1ccccc1", "prior", "[O]"), Result(None, "failed", "no parameters for B", 0.1, 2)),
            scored(Candidate("CCCCCCCC", "crossover", "[C]", (aspirin, "C[C@H](N)C(=O)O"), 0),
                   Result(None, "timeout", "no answer in 60 s", 60.0, 2)),
        ], {"best": 0.6, "learned": math.nan}),
        Round(2, [scored(Candidate("CCCCCCCC", "crossover", "[C]"))], {"best": 0.6}, kind="amendment"),
        Round(3, [], {"best": 0.6}, State({"weights": np.arange(4, dtype=np.float32)}, {"best": 0.1 + 0.2})),
    ]  # fmt: skip
    environment = {"torch": "2.13.0", "precision": "float32", "threads": 2, "cpu_capability": "AVX2"}
    with open_table(CAMPAIGN, environment=environment) as table:
        for done in rounds:
            intents = table.ledger.record_intents(
                {"qed-fingerprint": [row.smiles for row in done.scored]}, {"qed-fingerprint": "qed"}
            )
            table.ledger.record(Finished(intent, "ok", 0.5, None, 0.002, 1) for intent in intents)
            table.commit(done)
        table.finish("exhausted: the strategy has no more molecules")
        expected = {
            "digest": table.digest(),
            "id": table.campaign_id,
            "reason": "exhausted: the strategy has no more molecules",
        }
    candidates = open_candidates(CAMPAIGN.output_folder)
    expected |= {
        "candidates": candidates.query("FROM candidates ORDER BY call").to_pylist(),
        "rounds": candidates.query("SELECT round, kind, rows, calls, best FROM rounds ORDER BY round").to_pylist(),
        "runs": candidates.query("FROM runs").num_rows,
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
    for path in (CAMPAIGN.output_folder / ".lock", *FOLDER.glob("*.ledger.sqlite-*"), *FOLDER.glob("*.lock")):
        path.unlink()


if __name__ == "__main__":
    main()
