"""What ``mol_ga`` paid for on PMO's tasks: molecules that no part of ours chose, to judge parts of ours by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from designloop.benchmarks.common.options import Options, Say
from designloop.benchmarks.common.trials import run_trials
from designloop.benchmarks.pmo.arms import ARMS, alone
from designloop.benchmarks.pmo.tasks import write_campaign

PEER = "mol_ga"


def trajectories(
    tasks: Sequence[str], seeds: Sequence[int], calls: int, folder: Path, options: Options, say: Say
) -> dict[str, list[dict[str, float]]]:
    """Task -> of each seed what was paid for in its order, SMILES -> score; a molecule without a score has 0.

    Args:
        folder: where searches are kept and read again.
    """
    peer = next(arm for arm in ARMS if arm.name == PEER)
    files = {task: write_campaign(task, folder / "campaigns") for task in tasks}
    planned = [alone(peer.trial(task, seed, calls, files[task], {})) for seed in seeds for task in tasks]
    kept = run_trials(planned, folder, options.jobs, say)
    return {
        task: [{smiles: score or 0.0 for smiles, score in trial["paid"]} for trial in kept[f"{task}.{PEER}"].values()]
        for task in tasks
    }
