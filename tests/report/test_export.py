"""Files of the best molecules, read back by other programs' readers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from rdkit import Chem

from designloop.records import Round
from designloop.report.export import write_csv, write_sdf, write_smi
from designloop.report.top import TopMolecule, top_molecules
from designloop.tables import open_candidates
from tests.tables.fakes import FakeCampaign, open_table, scored

SMILES = ["C[C@H](O)c1ccccc1", "CCO", "O=[N+]([O-])c1ccccc1"]


@pytest.fixture(scope="module")
def molecules(tmp_path_factory: pytest.TempPathFactory) -> list[TopMolecule]:
    campaign = FakeCampaign(tmp_path_factory.mktemp("export"), "my campaign")
    with open_table(campaign) as table:
        table.commit(Round(0, [scored(smiles, 0.9 - number / 3) for number, smiles in enumerate(SMILES)]))
    return top_molecules(open_candidates(campaign.output_folder))


def test_csv_holds_all_in_full(molecules, tmp_path: Path):
    write_csv(molecules, tmp_path / "top.csv")
    with (tmp_path / "top.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["smiles"] for row in rows] == SMILES
    assert [float(row["score"]) for row in rows] == [molecule.score for molecule in molecules]
    assert float(rows[1]["logP_desirability"]) == molecules[1].properties["logP"].desirability
    assert rows[0]["campaign"] == "my campaign"
    assert rows[0]["nearest_start"] == ""


def test_smi_is_a_smiles_and_a_name_a_line(molecules, tmp_path: Path):
    write_smi(molecules, tmp_path / "top.smi")
    read = Chem.SmilesMolSupplier(str(tmp_path / "top.smi"), delimiter="\t", titleLine=False)
    assert [Chem.MolToSmiles(mol) for mol in read] == SMILES
    assert (tmp_path / "top.smi").read_text().splitlines()[0] == "C[C@H](O)c1ccccc1\tmy_campaign-1"


def test_sdf_holds_structures_names_and_numbers(molecules, tmp_path: Path):
    write_sdf(molecules, tmp_path / "top.sdf")
    read = list(Chem.SDMolSupplier(str(tmp_path / "top.sdf")))
    assert [Chem.MolToSmiles(mol) for mol in read] == SMILES
    assert read[0].GetProp("_Name") == "my_campaign-1"
    assert float(read[0].GetProp("score")) == molecules[0].score
    assert float(read[2].GetProp("weight")) == molecules[2].properties["weight"].value
    assert read[0].GetConformer().GetAtomPosition(0).Length() > 0
    assert not read[0].HasProp("nearest_start")


@pytest.mark.parametrize("write", [write_csv, write_smi, write_sdf])
def test_no_molecules_make_an_empty_file(write, tmp_path: Path):
    write([], tmp_path / "top")
    assert (tmp_path / "top").read_text() in ("", "smiles\n")
