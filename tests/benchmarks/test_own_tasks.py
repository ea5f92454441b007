"""Tasks of our own: what they give, that their targets are nobody else's, and a small run."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from designloop.benchmarks import Options, own_tasks
from designloop.benchmarks.common.arms import overrides_of
from designloop.benchmarks.pmo import arms as arms_module
from designloop.benchmarks.pmo import benchmark, own
from designloop.benchmarks.pmo.arms import ARMS, run_peer
from designloop.benchmarks.pmo.door import Door
from designloop.benchmarks.pmo.own_door import OwnDoor
from designloop.benchmarks.pmo.tasks import TASKS, write_campaign
from designloop.benchmarks.sequence_vae.drugs import TARGETS
from designloop.loop.campaign.campaign import load_campaign
from designloop.molecules.chemistry import canonical, require, standard_form, without_stereo
from designloop.molecules.corpus import zinc
from designloop.molecules.count_prints import Bank, prints_of
from designloop.oracles.registry import built_ins
from designloop.oracles.substructure import atom_counts


def score(task: str, smiles: str) -> float:
    values: dict[str, float] = getattr(own, task)([smiles])
    return values[smiles]


@pytest.mark.parametrize(
    ("task", "full", "none"),
    [
        ("donepezil_rediscovery", own.DONEPEZIL, "N"),
        ("tamoxifen_similarity", own.TAMOXIFEN, "N"),
        ("isomers_c10h13n5o4", "Nc1ncnc2c1ncn2C1OC(CO)C(O)C1O", None),
        ("isomers_c12h15fn2o3s", "CC(=O)N1CCN(CC1)S(=O)(=O)c1ccc(F)cc1", None),
        ("sulfonylurea_smarts", None, own.APIXABAN),
        ("median_haloperidol_risperidone", None, "N"),
    ],
)
def test_what_a_task_gives(task: str, full: str | None, none: str | None) -> None:
    if full is not None:
        assert score(task, full) == pytest.approx(1)
    if none is not None:
        assert score(task, none) == 0
    assert 0 <= score(task, "CCN1CCN(CC1)C(=O)c1ccccc1") < 1


def test_a_median_lies_between_and_a_gate_opens() -> None:
    for drug in (own.HALOPERIDOL, own.RISPERIDONE):
        assert 0.1 < score("median_haloperidol_risperidone", drug) < 0.8
    gliclazide = "Cc1ccc(cc1)S(=O)(=O)NC(=O)NN1CC2CCCC2C1"
    assert 0 < score("sulfonylurea_smarts", gliclazide) < 1
    assert atom_counts(require("CC(=O)N1CCN(CC1)S(=O)(=O)c1ccc(F)cc1"))["H"] == 15


def test_targets_are_those_of_no_other_task_and_the_tasks_no_oracles_of_the_product() -> None:
    others = {without_stereo(standard_form(target)) for target in TARGETS if target not in own.TARGETS}
    assert not others & {without_stereo(standard_form(target)) for target in own.TARGETS}
    assert set(own.TARGETS) <= set(TARGETS), "no model is chosen by how well it knows them"
    assert not set(own.OWN) & {*TASKS, *built_ins()}
    assert [name for name, _ in inspect.getmembers(own, inspect.isfunction) if name in own.OWN] == sorted(own.OWN)


def test_a_door_of_our_own_differs_by_its_oracle_alone(tmp_path: Path) -> None:
    door = OwnDoor("donepezil_rediscovery", 2, tmp_path / "calls.jsonl")
    assert door([own.DONEPEZIL, "N"]) == [pytest.approx(1), 0.0]
    assert (door.left, len((tmp_path / "calls.jsonl").read_text().splitlines())) == (0, 2)
    assert {name for name in vars(OwnDoor) if callable(vars(OwnDoor)[name])} == {"__init__"}


def test_a_trial_hangs_on_the_task_and_a_peer_sees_our_door(model: str, tmp_path: Path) -> None:
    common = overrides_of(Options(model=model))
    keys = set()
    for task in own.OWN:
        file = write_campaign(task, tmp_path, own.MODULE)
        for arm in ARMS:
            trial = arm.trial(task, 0, 40, file, common)
            keys.add(trial.key)
            if trial.work.func is run_peer:  # type: ignore[attr-defined]
                assert trial.work.args[1] is OwnDoor  # type: ignore[attr-defined]
    assert len(keys) == len(own.OWN) * len(ARMS)
    plain = ARMS[-1].trial("qed", 0, 40, write_campaign("qed", tmp_path), common)
    assert plain.work.args[1] is Door  # type: ignore[attr-defined]


def test_a_small_run(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smiles = tuple(dict.fromkeys(form for text in zinc()[:100] if (form := canonical(text)) is not None))
    bank = Bank(smiles, prints_of(smiles))

    def zinc_bank() -> Bank:
        return bank

    zinc_bank.__module__ = "designloop.molecules.count_prints"
    monkeypatch.setattr(arms_module, "zinc_bank", zinc_bank)
    monkeypatch.setattr(benchmark, "alone", lambda trial: trial)
    task = "tamoxifen_similarity"
    options = Options(model=model, calls=6, tasks=(task,), arms=("random", "zinc_screen"), work=tmp_path)
    results = own_tasks.run(options, lambda line: None)
    assert list(results["tasks"]) == [task]
    (seen,) = load_campaign(tmp_path / "own-tasks" / "campaigns" / f"{task}.yaml").objective.properties
    assert seen.oracle == f"{own.MODULE}:{task}"
    for measured in results["tasks"][task].values():
        assert measured["best"] == [pytest.approx(score(task, measured["best_smiles"][0]), rel=1e-6)]
    page = own_tasks.report(own_tasks.merge(results, results))
    assert f"| {task} | random | 6 |" in page
    assert own_tasks.report({"tasks": {}, "arms": {}}).endswith("*pending*\n")
