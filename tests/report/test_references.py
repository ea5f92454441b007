"""The references of a campaign: kept with their checksum, told where they are damaged or gone."""

from __future__ import annotations

import json
import os
import random
import re
from pathlib import Path

import pytest

from designloop.exit_codes import RESUMABLE, exit_code
from designloop.report.references import FILE, Reference, read_references, write_references
from designloop.tables.errors import DiskError
from designloop.testing.damage import KINDS
from tests.tables.fakes import FakeCampaign, open_table, scored, unscored

GIVEN = [Reference.of("ethanol", scored("CCO", 0.1 + 0.2)), Reference.of("", unscored("CCN"))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    campaign = FakeCampaign(tmp_path, settings={"seed": 1, "budget": {}, "reference": {"ethanol": "OCC"}})
    open_table(campaign).close()
    return campaign.output_folder


def test_references_come_back_bit_for_bit(folder: Path) -> None:
    write_references(GIVEN, folder)
    assert read_references(folder) == (GIVEN, [])
    assert [one.name for one in GIVEN] == ["ethanol", "CCN"]
    assert GIVEN[1].score is None


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_damaged_references_are_told_and_never_shown(folder: Path, kind: str) -> None:
    write_references(GIVEN, folder)
    whole = (folder / FILE).read_bytes()
    for seed in range(30):
        (folder / FILE).write_bytes(KINDS[kind](whole, random.Random(seed)))
        found, told = read_references(folder)
        if found:  # a blank between two values is no part of what is said
            assert (found, told) == (GIVEN, [])
        else:
            assert re.match(rf".*{FILE} .*until `designloop run` has scored them again", told[0])


def test_lost_references_are_told_where_there_should_be_some(folder: Path, tmp_path: Path) -> None:
    assert re.match(rf".*{FILE} is missing: the references are not shown", read_references(folder)[1][0])
    without = FakeCampaign(tmp_path, "without")
    open_table(without).close()
    assert read_references(without.output_folder) == ([], [])


def test_the_list_that_earlier_versions_kept_is_read(folder: Path) -> None:
    properties = {"weight": {"value": 3.0, "desirability": 0.5}}
    bare = [{"name": "ethanol", "smiles": "CCO", "score": 0.5, "properties": properties}]
    (folder / FILE).write_text(json.dumps(bare))
    (found,), told = read_references(folder)
    assert (found.name, found.score, found.properties["weight"].value, told) == ("ethanol", 0.5, 3.0, [])
    for wrong in ([{"name": "ethanol"}], ["CCO"], [{**bare[0], "properties": {"weight": {"height": 1}}}]):
        (folder / FILE).write_text(json.dumps(wrong))
        assert re.match(rf".*{FILE} is damaged", read_references(folder)[1][0])


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_a_full_disk_is_told_and_the_command_can_be_repeated(folder: Path) -> None:
    (folder / (FILE + ".tmp")).symlink_to("/dev/full")
    with pytest.raises(
        DiskError, match=rf"{FILE} could not be written .*No space left.*give the same command"
    ) as error:
        write_references(GIVEN, folder)
    assert exit_code(error.value) == RESUMABLE
