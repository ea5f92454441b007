"""The published Gaussian process with genetic search, on a campaign's own objective, standard form and filters.

It begins with the campaign's starting molecules, which are calls, and spends all of the budget by mean and doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from designloop.benchmarks.common.campaign_door import campaign_door
from designloop.benchmarks.common.gp_search import Sizes, gp_bo
from designloop.benchmarks.common.measures import measure_calls
from designloop.benchmarks.common.trials import TrialResult
from designloop.loop.campaign.campaign import load_campaign
from designloop.molecules.count_prints import zinc_bank
from designloop.randomness import seed_of
from designloop.records import START


def run_gp_bo(sizes: Sizes, file: Path, overrides: Mapping[str, Any], folder: Path) -> TrialResult:
    """Measures one search from the campaign's starting molecules; nothing is left in ``folder``.

    Args:
        sizes: how much it searches, and how many molecules it pays for at once.
    """
    campaign = load_campaign(file, overrides)
    budget = campaign.budget.oracle_calls
    with campaign_door(campaign, budget, "gp_bo") as door:
        door([molecule.smiles for molecule in campaign.starting()], START)
        gp_bo(door, zinc_bank(), seed_of(campaign.seed, "gp_bo"), sizes, list(door.paid), door.admit)
    return measure_calls(door.calls, budget)
