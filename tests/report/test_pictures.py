"""Pictures: what is drawn, and the same bytes for the same molecules."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from designloop.records import Round
from designloop.report.pictures import calls_of, draw_best, draw_progress, write_pictures
from designloop.report.top import StartingMolecule, top_molecules
from designloop.tables import Candidates, open_candidates
from tests.tables.fakes import FakeCampaign, a_round, open_table, unscored

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Candidates:
    campaign = FakeCampaign(tmp_path_factory.mktemp("pictures"), "a & b")
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number, rows=5))
        table.commit(Round(3, [unscored("CCBr")]))
    return open_candidates(campaign.output_folder)


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_each_molecule_is_drawn_with_its_score_and_its_parts(candidates):
    molecules = top_molecules(candidates, 7, nearest_known=lambda smiles: [StartingMolecule("CC", 0.25)] * len(smiles))
    picture = draw_best(molecules)
    drawings = list(ET.fromstring(picture).iter(f"{SVG}svg"))[1:]
    assert len(drawings) == 7
    assert all(len(list(drawing)) > 1 for drawing in drawings)
    lines = texts(picture)
    assert lines[:4] == [
        f"1.   {molecules[0].id}   score 0.024",
        "weight 0.024 → 0.02",
        "logP -0.024 → 0.01",
        "nearest known 0.25",
    ]
    titles = [element.text for element in ET.fromstring(picture).iter(f"{SVG}title")]
    assert titles == [molecule.smiles for molecule in molecules]


def test_no_molecule_is_said_in_words():
    assert texts(draw_best([])) == ["No molecule has a score."]
    ET.fromstring(draw_progress({}))
    ET.fromstring(draw_progress({"none": [("CCO", None)]}))


def test_several_campaigns_stand_in_one_picture(candidates):
    calls = calls_of(candidates.to_arrow())
    assert [len(answer) for answer in calls.values()] == [16]
    assert calls["a & b"][-1] == ("CCBr", None)
    both = draw_progress({"one": calls["a & b"], "other": calls["a & b"][:8]})
    assert len(both) > len(draw_progress(calls))


def test_the_same_molecules_give_the_same_bytes_in_another_process(candidates, tmp_path):
    paths = write_pictures(candidates, tmp_path)
    assert [path.name for path in paths] == ["best.svg", "progress.svg"]
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nsvg.fonttype: none\n")
    (tmp_path / "again").mkdir()
    folder = candidates.campaigns()[0].folder
    code = (
        "import sys; from pathlib import Path; from designloop.report.pictures import write_pictures\n"
        "from designloop.tables import open_candidates; write_pictures(open_candidates(sys.argv[1]), Path(sys.argv[2]))"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "5",
        "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"),
        "TZ": "Asia/Tokyo",
    }
    command = [sys.executable, "-W", "error", "-c", code, str(folder), str(tmp_path / "again")]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    for path in paths:
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
