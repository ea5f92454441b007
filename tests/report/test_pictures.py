"""Pictures: what is drawn, on one scale, and the same bytes for the same molecules."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from math import hypot
from pathlib import Path

import pytest

from designloop.records import Round
from designloop.report import drawing
from designloop.report.drawing import Drawing
from designloop.report.pictures import CELL, calls_of, draw_best, draw_sheet, write_pictures
from designloop.report.references import Reference, write_references
from designloop.report.top import StartingMolecule, top_molecules
from designloop.tables import Candidates, open_candidates
from designloop.tables.errors import DiskError
from tests.tables.fakes import FakeCampaign, a_round, open_table, scored, unscored

SVG = "{http://www.w3.org/2000/svg}"
ROOT = Path(__file__).parents[2]

UNITS = {"weight": "g/mol"}
ETHANOL = Reference.of("ethanol", scored("CCO", 0.25), UNITS)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Candidates:
    campaign = FakeCampaign(tmp_path_factory.mktemp("pictures"), "a & b")
    with open_table(campaign) as table:
        for number in range(3):
            table.commit(a_round(number, rows=5))
        table.commit(Round(3, [unscored("CCBr")]))
    write_references([ETHANOL], campaign.output_folder, UNITS)
    return open_candidates(campaign.output_folder)


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text")]


def test_each_molecule_is_drawn_with_its_score_and_its_parts(candidates):
    molecules = top_molecules(
        candidates, 7, nearest_known=lambda smiles: [StartingMolecule("CC", 0.25)] * len(smiles), units=UNITS
    )
    picture = draw_best(molecules)
    drawings = list(ET.fromstring(picture).iter(f"{SVG}svg"))[1:]
    assert len(drawings) == 7
    assert all(len(list(drawing)) > 1 for drawing in drawings)
    lines = texts(picture)
    assert lines[:4] == [
        f"1.   {molecules[0].id}   score 0.024",
        "weight 0.024 g/mol → 0.02",
        "logP -0.024 → 0.01",
        "nearest known 0.25",
    ]
    titles = [element.text for element in ET.fromstring(picture).iter(f"{SVG}title")]
    assert titles == [molecule.smiles for molecule in molecules]


def test_references_stand_before_the_best(candidates):
    failed = Reference.of("", unscored("CCN"))
    picture = draw_best(top_molecules(candidates, 1), [ETHANOL, failed])
    bold = [element.text or "" for element in ET.fromstring(picture).iter(f"{SVG}text") if element.get("font-weight")]
    assert bold[:2] == ["reference   ethanol   score 0.250", "reference   CCN   no score"]
    assert bold[2].startswith("1.   ")
    assert texts(picture)[1] == f"weight {ETHANOL.properties['weight']}"
    assert "g/mol" in texts(picture)[1]


@pytest.mark.parametrize("largest", ["CC", "CCc1ccc(cc1)C(=O)NCC1CCOCC1", "C" * 40])
def test_all_molecules_have_one_scale_and_stay_in_their_cells(largest):
    sheet = ET.fromstring(draw_sheet([("CCC", []), (largest, []), ("C" * 9, [])], 5))
    lengths = set()
    for picture in list(sheet.iter(f"{SVG}svg"))[1:]:
        lines = {path.get("class") or "": path.get("d") or "" for path in picture.iter(f"{SVG}path")}
        (bond,) = [line for name, line in lines.items() if name.startswith("bond-0 ")]
        (x, y), (to_x, to_y) = [tuple(map(float, point)) for point in re.findall(r"([\d.]+),([\d.]+)", bond)]
        lengths.add(round(hypot(x - to_x, y - to_y)))
        across = [float(x) for x in re.findall(r"[ML] ([\d.-]+),", " ".join(lines.values()))]
        assert 0 < min(across) <= max(across) < CELL[0]
    assert len(lengths) == 1


def test_no_molecule_is_said_in_words():
    assert texts(draw_best([])) == ["No molecule has a score."]


def test_what_has_no_score_is_a_call_all_the_same(candidates):
    calls = calls_of(candidates.to_arrow())
    assert [len(answer) for answer in calls.values()] == [16]
    assert calls["a & b"][-1] == ("CCBr", None)


def test_the_same_molecules_give_the_same_bytes_in_another_process(candidates, tmp_path):
    paths = write_pictures(candidates, tmp_path)
    assert [path.name for path in paths] == ["best.svg", "progress.svg"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert texts(paths[0].read_text())[0] == "reference   ethanol   score 0.250"
    assert "ethanol 0.250" in texts(paths[1].read_text())
    (tmp_path / "again").mkdir()
    folder = candidates.campaigns()[0].folder
    code = (
        "import sys; from pathlib import Path; from designloop.report.pictures import write_pictures\n"
        "from designloop.tables import open_candidates; write_pictures(open_candidates(sys.argv[1]), Path(sys.argv[2]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "5", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-W", "error", "-c", code, str(folder), str(tmp_path / "again")]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    for path in paths:
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_pictures_are_drawn_while_a_campaign_runs_but_take_little_of_its_time(tmp_path, monkeypatch):
    campaign = FakeCampaign(tmp_path)
    clock = [100.0]
    monkeypatch.setattr(drawing, "perf_counter", lambda: clock[0])
    drawn: list[float] = []

    def draw(*_: object) -> list[Path]:
        drawn.append(clock[0])
        clock[0] += 1.0  # what drawing takes
        return []

    monkeypatch.setattr(drawing, "write_pictures", draw)
    with open_table(campaign):
        pictures = Drawing(campaign.output_folder)
        for _ in range(50):
            pictures.after_round()
            clock[0] += 300.0
    assert drawn[0] == 100.0
    assert len(drawn) > 5
    assert all(drawing.MOST * (later - earlier) >= 1.0 for earlier, later in pairwise(drawn))


def test_pictures_show_each_round_as_it_is_committed(tmp_path):
    campaign = FakeCampaign(tmp_path)
    with open_table(campaign) as table:
        pictures = Drawing(campaign.output_folder)
        shown = []
        for number in range(2):
            table.commit(a_round(number, rows=3))
            best, progress = pictures.draw()
            assert texts(best.read_text())
            molecules = next(path for path in ET.parse(progress).iter(f"{SVG}path") if path.get("class") == "molecules")
            shown.append((molecules.get("d") or "").count("M"))
    assert shown == [3, 6]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_is_told(tmp_path):
    campaign = FakeCampaign(tmp_path)
    with open_table(campaign) as table:
        table.commit(a_round(0, rows=3))
        (campaign.output_folder / "best.svg.tmp").symlink_to("/dev/full")
        with pytest.raises(DiskError, match=r"the pictures in .* could not be written .*No space left"):
            Drawing(campaign.output_folder).draw()
