"""A molecule that cannot be used is named with its file and line at every door, and no door lets RDKit's errors out."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest

import designloop
from designloop import api
from designloop.loop.campaign.campaign import CampaignError
from designloop.loop.molecule_scores import read_own
from designloop.molecules.errors import MoleculeError
from tests.campaigns import write_campaign

BAD = [
    "[Na+].c1cc[cH-]c1",
    "C[Mg]Br",
    "N->[Pt](<-N)(Cl)Cl",
    "C1CC",
    "C(C)(C)(C)(C)C",
    "c1cccc1",
    "[Xx]",
    "CC[",
    "C[Li]",
    "nonsense",
]
"""What a SMILES file can hold on a line of its own and is no molecule here."""

BAD_TEXTS = [*BAD, "", "CCO extra"]
"""What can be said as a text, too."""


def bad_file(folder: Path, bad: str) -> Path:
    """A file whose third line holds what is no molecule."""
    path = folder / "bad.smi"
    path.write_text(f"CCO\n# a remark\n{bad}\nCCCO\n")
    return path


def load(folder: Path, model: Path, key: str, value: Any) -> None:
    designloop.load_campaign(write_campaign(folder, model, {key: value}))


KEYS = ["starting_molecules", "reference"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bad", BAD)
def test_a_file_of_the_campaign_names_its_line(bad: str, key: str, tmp_path: Path, tiny_model: Path) -> None:
    bad_file(tmp_path, bad)
    with pytest.raises(CampaignError) as caught:
        load(tmp_path, tiny_model, key, "bad.smi")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (str(tmp_path / "bad.smi"), 3)
    assert repr(bad) in str(problem)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_a_list_of_the_campaign_names_its_line(bad: str, key: str, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(CampaignError) as caught:
        load(tmp_path, tiny_model, key, ["CCO", bad])
    (problem,) = caught.value.problems
    lines = (tmp_path / "small.yaml").read_text().splitlines()
    assert problem.line == lines.index(f"{key}:") + 3
    assert repr(bad) in str(problem)


@pytest.mark.parametrize("bad", BAD)
def test_an_excluded_file_names_its_line(bad: str, tmp_path: Path, tiny_model: Path) -> None:
    bad_file(tmp_path, bad)
    path = write_campaign(tmp_path, tiny_model, {"filters.exclude": "bad.smi"})
    for door in (designloop.validate, designloop.run, lambda campaign: designloop.score(campaign, ["CCO"])):
        with pytest.raises(MoleculeError, match=re.escape(f"{tmp_path / 'bad.smi'}:3: {bad!r}")):
            door(path)


@pytest.mark.parametrize("bad", BAD)
def test_scoring_a_file_names_its_line(bad: str, tmp_path: Path, tiny_model: Path) -> None:
    path = bad_file(tmp_path, bad)
    with pytest.raises(MoleculeError, match=re.escape(f"{path}:3: {bad!r}")):
        designloop.score(write_campaign(tmp_path, tiny_model), path)


@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_scoring_a_list_names_the_place(bad: str, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(MoleculeError, match=rf"molecule:2: .*{re.escape(repr(bad))}"):
        designloop.score(write_campaign(tmp_path, tiny_model), ["CCO", bad])


@pytest.mark.parametrize("smiles", ["CCO", "C" * 300])  # the latter is longer than a file's name may be
def test_a_molecule_for_a_file_is_told(smiles: str, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(MoleculeError, match=rf"'{smiles}' is a molecule, expected a file or a list; write \['C"):
        designloop.score(write_campaign(tmp_path, tiny_model), smiles)


def test_of_many_bad_lines_the_first_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "bad.smi"
    path.write_text("CCO\n" + "C1CC\n" * 30)
    with pytest.raises(MoleculeError) as caught:
        read_own(path, "parent")
    text = str(caught.value)
    assert "30 lines hold no molecule" in text
    assert f"{path}:11:" in text
    assert f"{path}:12:" not in text
    assert "and 20 more" in text


def test_skipping_bad_ones_lists_them_and_keeps_the_columns(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        "smiles,name,score,assay\nCCO,a,7,x\nC1CC,b,8,y\nC[Mg]Br,c,9,z\nCC(=O)[O-].[Na+],d,10,w\n"
    )
    said: list[str] = []
    scored = designloop.score(
        write_campaign(tmp_path, tiny_model), tmp_path / "mine.csv", skip_bad=True, say=said.append
    )
    assert said[0] == "2 of 4 molecules are left out:"
    assert [line.split(": ")[0].rpartition(":")[2] for line in said[1:]] == ["3", "4"]
    assert [(own.line, own.name, own.columns["assay"]) for own in scored] == [(2, "a", "x"), (5, "d", "w")]
    with api.write_scores(scored, tmp_path / "scored.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["smiles"] for row in rows] == ["CCO", "CC(=O)O"]
    assert [float(row["score"]) for row in rows] == [own.scored.score for own in scored]
    assert [row["score_2"] for row in rows] == ["7", "10"], "the user's own column of that name"
    assert [row["assay"] for row in rows] == ["x", "w"]
    assert rows[0]["refused"].startswith("heavy_atoms")


def test_every_filter_that_refuses_is_named(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(
        tmp_path, tiny_model, {"filters": {"forbid_smarts": ["N=[N+]=[N-]"], "heavy_atoms": [20, 30]}}
    )
    (own,) = designloop.score(path, ["CCN=[N+]=[N-]"])
    assert own.refused is not None
    assert {part.split(":")[0] for part in own.refused.split("; ")} >= {"heavy_atoms", "forbid_smarts"}


def test_a_file_without_one_usable_molecule_is_refused_also_when_skipping(tmp_path: Path) -> None:
    path = tmp_path / "bad.smi"
    path.write_text("C[Mg]Br\n")
    with pytest.raises(MoleculeError, match=r"bad\.smi:1"):
        read_own(path, "parent", skip_bad=True)


def test_a_molecule_where_a_file_or_list_belongs_is_told(tmp_path: Path) -> None:
    with pytest.raises(MoleculeError, match=r"write \['CCO'\]"):
        read_own("CCO", "parent")


def test_scored_failures_are_written(tmp_path: Path, tiny_model: Path) -> None:
    path = write_campaign(tmp_path, tiny_model, {"objective.properties.0.params": {"fails": "O"}})
    with api.write_scores(designloop.score(path, ["CCO"]), tmp_path / "scored.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["score"] == row["carbons"] == ""
    assert row["error"].startswith("carbons failed: ")


def test_a_file_that_the_strategy_draws_from_names_its_line_before_anything_is_begun(
    tmp_path: Path, tiny_model: Path
) -> None:
    bad_file(tmp_path, "C1CC")
    path = write_campaign(tmp_path, tiny_model, {"strategy.source": "bad.smi"})
    for door in (designloop.validate, designloop.run):
        with pytest.raises(MoleculeError, match=re.escape(f"{tmp_path / 'bad.smi'}:3: ")):
            door(path)
    assert not (tmp_path / "small").exists()


def test_what_an_excluded_file_and_a_source_leave_out_is_said(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "bad.smi").write_text("CCC\nnothing\n")
    (tmp_path / "source.smi").write_text("CC(=O)Nc1ccc(O)cc1\nnowhere\n")
    changes = {
        "filters.exclude": {"file": "bad.smi", "skip_bad": True},
        "strategy": {"name": "random", "source": "source.smi", "skip_bad": True},
    }
    said: list[str] = []
    path = write_campaign(tmp_path, tiny_model, changes)
    designloop.run(path, say=said.append)
    for key, line in (("filters.exclude", "nothing"), ("strategy.source", "nowhere")):
        sentence = f"{key}: 1 entry that is no molecule left out (line 2: '{line}', not a SMILES that RDKit can read)"
        assert [sentence in told for told in said].count(True) == 1, key
    assert "bad.smi" in designloop.load_campaign(path).molecules(), "what the file says is part of the campaign"
