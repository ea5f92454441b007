"""The benchmark of a core to keep: patterns of R groups, what its arms are, and how it judges."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdRGroupDecomposition import RGroupDecompose

from designloop.benchmarks import Options
from designloop.benchmarks.common.arms import make_trials, overrides_of
from designloop.benchmarks.keep_the_core import benchmark
from designloop.benchmarks.keep_the_core.benchmark import ARMS, judge, measure_around_core, report, run
from designloop.benchmarks.keep_the_core.patterns import RGroups, r_groups
from designloop.loop.campaign.campaign import load_campaign

CAMPAIGNS = Path(__file__).parents[2] / "campaigns"
ANILINOQUINAZOLINE = "c1ccc2c(c1)ncnc2Nc1ccccc1"
QUINAZOLINE = "c1ccc2c(c1)ncnc2N"  # no way of laying it over itself but one
KNOWN = (
    "COc1cc2ncnc(Nc3cccc(Cl)c3)c2cc1OC",
    "COc1cc2ncnc(Nc3cccc(Br)c3)c2cc1OC",
    "COc1cc2ncnc(N)c2cc1OC",
    "Cc1ccc2c(N)ncnc2c1",
    "Cc1ccc2ncnc(N)c2c1",
    "CCc1ccc2c(N)ncnc2c1",
    "CN(C)c1ncnc2ccc(F)cc12",
    "COc1cc2c(Nc3ccc(Br)cc3F)ncnc2cc1OC[C@@H]1CCN(C)C1",
    "COc1cc2c(Nc3ccc(Br)cc3F)ncnc2cc1OC[C@H]1CCN(C)C1",
)


def groups(smiles: str, core: str = ANILINOQUINAZOLINE) -> RGroups:
    decomposed = r_groups(smiles, Chem.MolFromSmarts(core))
    assert decomposed is not None
    return decomposed


def test_a_pattern_is_which_positions_carry_which_substituents() -> None:
    dimethoxy = groups("COc1cc2ncnc(Nc3cccc(Cl)c3)c2cc1OC")
    assert dimethoxy == RGroups("*OC.[1*]OC.[13*]Cl", (0, 1, 13), frozenset({"*OC", "*Cl"}))
    assert groups("c1ccc(Nc2ncnc3ccccc23)cc1") == RGroups("", (), frozenset())
    fused = groups("Clc1ccc(Nc2ncnc3cc4c(cc23)OCCO4)cc1")
    assert fused.positions == (0, 1, 14)
    assert fused.substituents == {"*OCCO*", "*Cl"}


def test_patterns_part_molecules_as_rdkits_own_decomposition_does() -> None:
    core = Chem.MolFromSmarts(QUINAZOLINE)
    mols = [Chem.MolFromSmiles(smiles) for smiles in KNOWN]
    for mol in mols:
        Chem.RemoveStereochemistry(mol)
    rows, unmatched = RGroupDecompose([core], mols, asSmiles=True, asRows=True)
    assert not unmatched
    theirs = [tuple(row.get(f"R{number}", "") for number in range(1, 20)) for row in rows]
    ours = [groups(smiles, QUINAZOLINE).pattern for smiles in KNOWN]
    alike = [[a == b for a in theirs] for b in theirs]
    assert alike == [[a == b for a in ours] for b in ours]
    assert np.sum(alike) == len(KNOWN) + 2  # the two enantiomers alone are alike


@pytest.mark.parametrize("smiles", KNOWN[:2] + KNOWN[-2:])
def test_the_way_in_which_a_molecule_is_written_does_not_matter(smiles: str) -> None:
    mol = Chem.MolFromSmiles(smiles)
    written = {Chem.MolToSmiles(mol, doRandom=True) for _ in range(20)}
    assert len(written) > 5
    assert {groups(other) for other in written} == {groups(smiles)}


def test_a_phenyl_ring_turned_over_is_the_same_and_another_position_is_not() -> None:
    meta = [groups(f"{halogen}c1cccc(Nc2ncnc3ccccc23)c1") for halogen in ("Cl", "Br")]
    para = groups("Clc1ccc(Nc2ncnc3ccccc23)cc1")
    assert meta[0].positions == meta[1].positions != para.positions
    assert len({of_one.pattern for of_one in (*meta, para)}) == 3


def test_a_bond_between_positions_is_seen() -> None:
    biphenyl = "c1ccccc1Cc1ccccc1"
    bound = groups("c1ccc2c(c1)Cc1ccccc1-2", biphenyl)  # fluorene
    assert (bound.pattern, bound.positions) == ("0-8", (0, 8))
    assert groups("c1ccc(Cc2ccccc2)cc1", biphenyl).pattern == ""


def test_what_is_aromatic_only_together_with_the_core_is_a_substituent() -> None:
    found = groups("N#Cc1cccc(Nc2ncnc3cc4ccoc4cc23)c1", ANILINOQUINAZOLINE)
    assert any("o" in part for part in found.substituents)
    assert found == groups("c1(Nc2cccc(C#N)c2)ncnc2cc3ccoc3cc12", ANILINOQUINAZOLINE)


def test_what_does_not_hold_the_core_has_no_pattern() -> None:
    core = Chem.MolFromSmarts(ANILINOQUINAZOLINE)
    assert r_groups("c1ccc(Nc2ncccn2)cc1", core) is None
    assert r_groups("no molecule", core) is None
    counted = measure_around_core(["c1ccc(Nc2ncccn2)cc1", *KNOWN[:2], *KNOWN[-2:]], ANILINOQUINAZOLINE)
    expected = {"proposed": 5, "kept": 4, "patterns": 3, "positions": 2, "substituents": 5, "scaffolds": 2}
    assert counted == expected


def around(calls: int, kept: int, proposed: int, substituents: int, scaffolds: int) -> dict[str, Any]:
    counts = {"patterns": proposed, "substituents": substituents, "scaffolds": scaffolds}
    return {"calls": calls, "kept": kept, "proposed": proposed, **counts}


def test_every_demand_is_made_of_every_seed() -> None:
    good = around(200, 194, 194, 100, 10)
    assert [demand["holds"] for demand in judge("a", {"0": good, "1": good}, 200)] == [True, True, True]
    for bad, place in (
        (around(200, 193, 194, 100, 10), 0),
        (around(189, 183, 183, 100, 10), 1),
        (around(200, 194, 194, 19, 19), 2),
    ):
        holds = [demand["holds"] for demand in judge("a", {"0": good, "1": bad}, 200)]
        assert holds == [number != place for number in range(3)]
    assert judge("a", {"0": good}, 200)[0]["by_seed"] == ["194 of 194"]


def test_arms_differ_in_nothing_but_how_they_search(model: str) -> None:
    common = {"budget.oracle_calls": 200, **overrides_of(Options(model=model))}
    made = make_trials(CAMPAIGNS / "keep_the_core.yaml", ARMS, [0], common, start=0)
    campaigns = [load_campaign(*trial.work.args[-2:]) for trial in made]  # type: ignore[attr-defined]
    assert [campaign.strategy.name for campaign in campaigns] == ["latent_bo", "property_loss", "property_loss"]
    assert {(it.budget.oracle_calls, it.batch_size, len(it.starting())) for it in campaigns} == {(200, 20, 6)}
    assert len({repr(campaign.objective) for campaign in campaigns}) == 1


def test_a_small_run(model: str, tmp_path: Path) -> None:
    file = CAMPAIGNS / "keep_the_core.yaml"
    results = run(Options(file, model, seeds=1, calls=12, arms=("genetic",), work=tmp_path), lambda line: None)
    counted = results["arms"]["genetic"]["seeds"]["0"]
    assert (counted["calls"], counted["proposed"], counted["kept"]) == (12, 6, 6)
    assert 1 <= counted["positions"] <= counted["patterns"] <= 6
    assert results["bars"] == []
    page = report(results)
    assert "| genetic: every molecule keeps the core | 6 of 6 | yes |" in page
    assert f"| genetic | {counted['patterns']} | {counted['positions']} |" in page


def test_bars_are_paired_by_seed(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tens = {
        "latent_bo": [0.9, 0.91, 0.93, 0.9, 0.92],
        "property_loss": [0.88, 0.92, 0.9, 0.91, 0.93],
        "genetic": [0.8, 0.82, 0.81, 0.8, 0.8],
    }

    def given(*_: object) -> dict[str, dict[int, dict[str, Any]]]:
        blank = {"auc_top_10": 0.5, "best": 0.9, "seconds": 1.0, "proposers": {}, "positions": 3, "substituents": 4}
        made = around(200, 194, 194, 100, 10) | blank
        return {name: {seed: made | {"mean_top_10": ten} for seed, ten in enumerate(of)} for name, of in tens.items()}

    monkeypatch.setattr(benchmark, "run_trials", given)
    file = CAMPAIGNS / "keep_the_core.yaml"
    results = run(Options(file, model, seeds=5, work=tmp_path), lambda line: None)
    genetic, own = results["bars"]
    assert genetic["differences"] == pytest.approx([0.1, 0.09, 0.12, 0.1, 0.12])
    assert (genetic["holds"], own["holds"]) == (True, False)
    assert "| latent_bo above genetic | +0.106 | +0.100 +0.090 +0.120 +0.100 +0.120 | 5 of 5 |" in report(results)
