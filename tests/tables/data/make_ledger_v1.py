"""Makes ledger_v1.sqlite: a small ledger of schema 1, kept so that every later release can be shown to read it.

Run once, by the release that introduced schema 1; a new schema gets a file and a script of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

from designloop.tables.ledger import Ledger
from designloop.tables.ledger_reading import read_runs
from designloop.tables.ledger_records import Finished, Intent

path = Path(__file__).with_name("ledger_v1.sqlite")
path.unlink(missing_ok=True)
with Ledger(path, "demo-1a2b3c") as ledger:
    wanted = {"aa11": ["CCO", "c1ccccc1"], "bb22": ["CCO", "c1ccccc1"]}
    benign, ring, docked, slow = ledger.record_intents(wanted, {"aa11": "qed", "bb22": "docking"})
    ledger.record([Finished(intent, "ok", 0.25, None, 0.001, attempt=1) for intent in (benign, ring)])
    ledger.record([Finished(docked, "ok", {"affinity": -7.5, "strain": "answered nan"}, None, 12.0, attempt=1)])
    again = Intent("bb22", "c1ccccc1", number=2, attempt=2)
    ledger.record([Finished(slow, "timeout", None, "no answer within 60 s", 60.0, attempt=1, again=again)])
rows = [[run.campaign, run.oracle, run.smiles, run.status, run.value] for run in read_runs(path)]
path.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
for beside in (".lock", "-wal", "-shm"):
    path.with_name(path.name + beside).unlink()
