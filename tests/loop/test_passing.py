"""What a campaign's filters let pass of ZINC, of the model's draws and of the user's own molecules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from designloop import api
from designloop.loop import passing
from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.passing import (
    WrongFilter,
    describe_own,
    filter_shares,
    find_hard_core,
    judge_own,
    refuse_wrong_filters,
)
from tests.campaigns import write_campaign
from tests.commands import ASPIRIN, fails, succeeds

PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"
HEXANE = "CCCCCC"


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shares of filters from a few molecules will do."""
    monkeypatch.setattr(passing, "SAMPLE", 50)


def of(folder: Path, model: Path, changes: dict[str, Any]) -> Campaign:
    return load_campaign(write_campaign(folder, model, changes))


def test_each_filter_has_its_share_of_zinc_of_the_models_draws_and_of_the_users_own(
    tmp_path: Path, tiny_model: Path
) -> None:
    changes = {"filters": {"heavy_atoms": [30, 50]}, "starting_molecules": [ASPIRIN, "C" * 31 + "O"]}
    campaign = of(tmp_path, tiny_model, changes)
    shares = {share.name: share for share in filter_shares(campaign, judge_own(campaign))}
    assert shares["heavy_atoms"].setting == (30, 50)
    assert 0 < shares["heavy_atoms"].zinc < 0.5
    assert all(0 <= share.prior <= 1 for share in shares.values())
    assert shares["all"].zinc <= min(share.zinc for share in shares.values())
    assert shares["heavy_atoms"].own == 0.5
    assert shares["elements"].own == 1.0
    assert shares["all"].own == 0.0, "the one is too small, the other has an alert"


def test_without_molecules_of_the_users_there_is_no_share_of_them_and_no_complaint(
    tmp_path: Path, tiny_model: Path
) -> None:
    verdicts = judge_own(of(tmp_path, tiny_model, {}))
    assert verdicts == []
    assert describe_own(verdicts) == []
    refuse_wrong_filters(verdicts)


def test_what_refuses_the_users_own_is_named_with_what_it_found(tmp_path: Path, tiny_model: Path) -> None:
    changes = {
        "starting_molecules": [ASPIRIN, HEXANE, "CC", "CCC", "CCCC"],
        "reference": {"paracetamol": PARACETAMOL, "hexanol": "OCCCCCC"},
        "filters": {"require_smarts": ["c"]},
    }
    first, *others = describe_own(judge_own(of(tmp_path, tiny_model, changes)))
    assert first == "the filters let 1 of 5 starting molecules and 1 of 2 references pass"
    assert others == [
        "  heavy_atoms refuses 5: CCCCCC (6 heavy atoms, allowed are 10 to 50), "
        "CC (2 heavy atoms, allowed are 10 to 50), CCC (3 heavy atoms, allowed are 10 to 50), …",
        "  require_smarts refuses 5: CCCCCC (no c), CC (no c), CCC (no c), …",
    ]


@pytest.mark.parametrize("kind", ["starting_molecules", "reference"])
def test_filters_that_refuse_all_stop_a_run_before_anything_is_begun(
    tmp_path: Path, tiny_model: Path, kind: str
) -> None:
    path = write_campaign(tmp_path, tiny_model, {kind: [HEXANE], "budget.oracle_calls": 3})
    for words in ([], ["--dry-run"]):
        printed = fails(2, "run", path, *words)
        assert "heavy_atoms refuses 1: CCCCCC (6 heavy atoms" in printed
        assert "--anyway" in printed
        assert not (tmp_path / "small").exists(), "so that the filters can be mended"
    assert "of yours" in succeeds("run", path, "--dry-run", "--anyway")
    printed = succeeds("run", path, "--anyway")
    assert "heavy_atoms refuses 1" in printed
    assert "heavy_atoms refuses 1" in (tmp_path / "small" / "campaign.log").read_text()
    assert "refuses" not in succeeds("run", path), "a campaign that has begun goes on"


def test_a_smarts_that_is_the_reason_is_explained_with_the_refusal(tmp_path: Path, tiny_model: Path) -> None:
    changes = {"starting_molecules": [ASPIRIN], "filters": {"require_smarts": ["C1=CC=CC=C1"]}}
    for verb in (api.run, api.dry_run):
        with pytest.raises(WrongFilter, match=r"note: filters\.require_smarts: .* write 'c1ccccc1'"):
            verb(of(tmp_path, tiny_model, changes))


def test_what_was_made_already_may_all_be_excluded(tmp_path: Path, tiny_model: Path) -> None:
    filters: dict[str, object] = {"exclude": "made.smi"}
    changes = {"starting_molecules": [ASPIRIN], "filters": filters}
    (tmp_path / "made.smi").write_text(f"{ASPIRIN}\n")
    verdicts = judge_own(of(tmp_path, tiny_model, changes))
    assert describe_own(verdicts)[1:] == [f"  exclude refuses 1: {ASPIRIN} (listed in made.smi)"]
    refuse_wrong_filters(verdicts)
    filters["require_smarts"] = ["Br"]
    with pytest.raises(WrongFilter, match="require_smarts refuses 1"):
        refuse_wrong_filters(judge_own(of(tmp_path, tiny_model, changes)))


@pytest.mark.parametrize(
    ("changes", "remarks"),
    [
        ({"starting_molecules": [PARACETAMOL]}, []),
        ({"starting_molecules": [HEXANE, PARACETAMOL]}, []),
        ({"starting_molecules": [HEXANE]}, ["no starting molecule holds what it asks for"]),
        ({"reference": [PARACETAMOL]}, ["no starting molecule holds what it asks for"]),
        ({"strategy": {"name": "random", "source": "zinc"}}, []),
        (
            {"starting_molecules": [PARACETAMOL], "diversity": {"per_scaffold": 2}},
            ["have one scaffold, of which no more"],
        ),
        ({"starting_molecules": [PARACETAMOL], "filters.require_smarts": "NC=O", "diversity": {"per_scaffold": 2}}, []),
    ],
)
def test_a_core_that_nothing_begins_with_or_that_fills_its_scaffold_is_remarked_on(
    tmp_path: Path, tiny_model: Path, changes: dict[str, Any], remarks: list[str]
) -> None:
    core = {"strategy": {"name": "property_loss"}, "filters.require_smarts": "c1ccc(O)cc1"}
    campaign = of(tmp_path, tiny_model, {**core, **changes})
    found = find_hard_core(campaign, judge_own(campaign))
    assert len(found) == len(remarks)
    assert all(remark in sentence for remark, sentence in zip(remarks, found, strict=True))


def test_one_molecule_that_passes_is_enough(tmp_path: Path, tiny_model: Path) -> None:
    refuse_wrong_filters(judge_own(of(tmp_path, tiny_model, {"starting_molecules": [HEXANE], "reference": [ASPIRIN]})))
    with pytest.raises(WrongFilter, match=r"(?s)0 of 1 starting molecules pass.*Nothing was charged"):
        api.run(of(tmp_path, tiny_model, {"starting_molecules": [HEXANE]}))


def test_what_a_laboratory_measured_is_learned_from_whatever_filters_say_so_nothing_stands_in_the_way(
    tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "assay.csv").write_text(f"smiles,pIC50\n{HEXANE},5\n")
    potency = {"name": "potency", "oracle": "measured", "transform": {"type": "linear", "low": 4, "high": 8}}
    given = {"starting_molecules": {"file": "assay.csv", "values": {"potency": "pIC50"}}}
    planned = api.validate(of(tmp_path, tiny_model, {**given, "objective": {"properties": [potency]}}))
    assert planned.ready
    (remark,) = (text for text in planned.remarks if "passes the filters" in text)
    assert remark.endswith("go on all the same with `designloop suggest`")
