"""PMO's tasks that RDKit alone can compute, and the campaign that each of them is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from designloop.oracles.declaration import oracle as declare

TASKS = (
    "albuterol_similarity",
    "amlodipine_mpo",
    "celecoxib_rediscovery",
    "deco_hop",
    "fexofenadine_mpo",
    "isomers_c7h8n2o2",
    "isomers_c9h10n2o2pf2cl",
    "median1",
    "median2",
    "mestranol_similarity",
    "osimertinib_mpo",
    "perindopril_mpo",
    "qed",
    "ranolazine_mpo",
    "scaffold_hop",
    "sitagliptin_mpo",
    "thiothixene_rediscovery",
    "troglitazone_rediscovery",
    "valsartan_smarts",
    "zaleplon_mpo",
)
"""Names of tasks, which are names of oracles too; PMO's other three (drd2, gsk3b, jnk3) need models of scikit-learn."""

CALLS = 10_000
"""PMO's budget."""

_CAMPAIGN = """\
# PMO's task {task}: one scalar is seen, every distinct canonical SMILES is a call, and nothing is filtered.
standardize: none
stereo: keep
objective:
  properties:
    - name: task_score
      oracle: {oracle}
      transform: {{type: linear, low: 0, high: 1}} # leaves a score from 0 to 1 as it is
filters:
  elements: null
  heavy_atoms: null
  net_charge: null
  radicals: true
  ring_size: null
  unstable: false
  reactive: false
  known_rings: null
  known_groups: null
  alerts: []
evaluation:
  backend: inline
budget:
  patience: 0 # every arm spends the same
  oracle_calls: 10000
"""


def oracle_module(task: str) -> str:
    """Name of the module that has a task's oracle."""
    is_target = task.startswith(("isomers_", "median")) or task.endswith(("_rediscovery", "_similarity"))
    home = "physchem" if task == "qed" else "guacamol_targets" if is_target else "guacamol"
    return f"{declare.__module__.rpartition('.')[0]}.{home}"


def oracle_of(task: str) -> Callable[[list[str]], Mapping[str, float]]:
    """The oracle itself: molecules -> score of each that has one."""
    oracle: Callable[[list[str]], Mapping[str, float]] = getattr(import_module(oracle_module(task)), task)
    return oracle


def write_campaign(task: str, folder: Path, module: str | None = None) -> Path:
    """The campaign file of a task, written into a folder.

    Args:
        module: that has the task's oracle; None where it is a built-in one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{task}.yaml"
    oracle = task if module is None else f"{module}:{task}"
    path.write_text(_CAMPAIGN.format(task=task, oracle=oracle), encoding="utf-8")
    return path
