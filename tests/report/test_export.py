"""Files of the best molecules, read back by other programs' readers."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from designloop.records import Round
from designloop.report.export import write_csv, write_sdf, write_smi
from designloop.report.top import PropertyScore, TopMolecule, top_molecules
from designloop.tables import open_candidates
from designloop.tables.file_columns import BEST_FILE, name_beside
from designloop.tables.schema import DESIRABILITY
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
    assert {row["pareto_rank"] for row in rows} == {""}, "one score is maximised"
    assert float(rows[1]["logP_desirability"]) == molecules[1].properties["logP"].desirability
    assert rows[0]["campaign"] == "my campaign"
    assert rows[0]["nearest_start"] == ""


def test_ranks_travel_along(molecules, tmp_path: Path):
    ranked = [replace(molecule, pareto_rank=number) for number, molecule in enumerate(molecules, 1)]
    write_csv(ranked, tmp_path / "top.csv")
    with (tmp_path / "top.csv").open(newline="") as file:
        assert [row["pareto_rank"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    write_sdf(ranked, tmp_path / "top.sdf")
    assert [mol.GetProp("pareto_rank") for mol in Chem.SDMolSupplier(str(tmp_path / "top.sdf"))] == ["1", "2", "3"]


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


def clashing(molecules: list[TopMolecule]) -> list[TopMolecule]:
    """The molecules, with properties that are called as the columns of a file."""
    names = ["rank", "hides", "NEAREST_KNOWN", "id", "nearest_start_similarity", "rank_2"]
    properties = {name: PropertyScore(number, number / 10) for number, name in enumerate(names)}
    return [replace(molecule, properties=properties) for molecule in molecules]


def test_a_property_never_overwrites_a_column(molecules, tmp_path: Path):
    write_csv(clashing(molecules), tmp_path / "top.csv")
    with (tmp_path / "top.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    assert len(header) == len({name.lower() for name in header})
    row = dict(zip(header, rows[1], strict=True))
    assert (row["rank"], row["id"], row["hides"]) == ("2", "my_campaign-2", str(molecules[1].hides))
    assert (row["rank_2"], row["rank_3"], row["rank_3_desirability"]) == ("5", "0", "0.0")
    assert (row["hides_2"], row["NEAREST_KNOWN_2"], row["nearest_start_similarity_2"]) == ("1", "2", "4")
    write_sdf(clashing(molecules), tmp_path / "top.sdf")
    record = next(Chem.SDMolSupplier(str(tmp_path / "top.sdf")))
    assert (record.GetProp("rank"), record.GetProp("rank_3"), record.GetProp("hides_2")) == ("1", "0", "1")


def test_the_columns_of_the_files_are_those_of_the_schema(molecules, tmp_path: Path):
    fixed = {column.name for column in BEST_FILE}
    write_csv(molecules, tmp_path / "top.csv")
    header = (tmp_path / "top.csv").read_text().splitlines()[0].split(",")
    properties = {"weight", "weight_desirability", "logP", "logP_desirability"}
    assert set(header) == fixed | properties
    write_sdf(molecules, tmp_path / "top.sdf")
    record = next(Chem.SDMolSupplier(str(tmp_path / "top.sdf")))
    assert set(record.GetPropNames()) <= set(header)


@given(
    st.lists(st.text("rankRANK_2", min_size=1, max_size=6), unique_by=str.lower),
    st.lists(st.text("rankRANK_2", min_size=1, max_size=6)),
)
def test_names_beside_others_are_free_and_distinct(names, taken):
    chosen = name_beside(names, taken)
    assert list(chosen) == names
    columns = [column.lower() for name in chosen.values() for column in (name, name + DESIRABILITY)]
    assert len(set(columns)) == len(columns)
    assert not set(columns) & {name.lower() for name in taken}
    lowered = {name.lower() for name in taken}
    assert all(chosen[name] == name for name in names if name.lower() not in lowered)


@pytest.mark.parametrize("write", [write_csv, write_smi, write_sdf])
def test_no_molecules_make_an_empty_file(write, tmp_path: Path):
    write([], tmp_path / "top")
    assert (tmp_path / "top").read_text() in ("", ",".join(column.name for column in BEST_FILE) + "\n")
