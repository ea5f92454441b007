"""A campaign with a core to keep, from its file to its table."""

from __future__ import annotations

from pathlib import Path

import designloop
from designloop.strategies.search.core import Core

FILE = Path(__file__).parents[3] / "campaigns" / "keep_the_core.yaml"


def test_a_core_is_kept_by_all_that_is_paid_for(tmp_path: Path, tiny_model: Path) -> None:
    """Of a batch that is larger than the budget; a model of random weights writes no core."""
    overrides = {
        "strategy": {"name": "latent_bo", "effort": "low", "screen": False, "start": 5},
        "model": str(tiny_model),
        "batch_size": 50,
        "budget.oracle_calls": 26,
        "evaluation.backend": "inline",
        "output": str(tmp_path / "core"),
        "ledger": str(tmp_path / "ledger.sqlite"),
    }
    campaign = designloop.load_campaign(FILE, overrides)
    designloop.run(campaign)
    rows = designloop.open_candidates(campaign.output_folder).to_arrow()
    core = Core(tuple(campaign.filters.require_smarts))
    assert core.keep
    assert all(map(core.holds, rows["smiles"].to_pylist()))
    assert rows.num_rows == 26
    assert set(rows["proposer"].to_pylist()) > {"start"}
