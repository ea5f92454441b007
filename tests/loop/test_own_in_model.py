"""Which of the user's own molecules the model writes again."""

from __future__ import annotations

from pathlib import Path

import pytest

from designloop.loop import own_in_model
from designloop.loop.campaign.campaign import load_campaign
from designloop.loop.campaign.user_molecules import UserMolecule
from designloop.loop.own_in_model import describe, describe_own_in_model
from designloop.molecules.reconstruction import Reconstruction, reconstruct
from designloop.molecules.sequence_vae import load
from tests.campaigns import write_campaign
from tests.commands import succeeds


def own(name: str) -> UserMolecule:
    return UserMolecule("C", "C", name=name)


def test_what_comes_back_as_another_molecule_and_what_cannot_be_written_are_told_apart() -> None:
    back = [
        Reconstruction("C", "C", 1.0),
        Reconstruction("CC", "CN", 0.25),
        Reconstruction("CCC", "CN", 0.75),
        Reconstruction("CCCC", None, None, "too long"),
        Reconstruction("CCCCC", None, None),
    ]
    first, another, unwritten, others, never = describe("m", [own(name) for name in "abcde"], back, 5)
    assert first.startswith("1 of 5 come back exactly from m's latent space, 2 as another molecule (mean ECFP4 simila")
    assert "0.50)" in first
    assert another == "  as another: b (0.25), c (0.75)"
    assert unwritten == "  cannot be written, 1: d (too long)"
    assert others.startswith("  What does not come back is scored and learned from")
    assert never == "  What cannot be written is scored, and not learned from"
    assert describe("m", [own("a")], back[3:4], 1)[2:] == [never]
    many = describe("m", [own(str(place)) for place in range(9)], back[1:2] * 9, 9)
    assert many[1].endswith("4 (0.25), …; `designloop reconstruct FILE --no-refine` lists all")
    assert describe("m", [own("a")], back[:1], 1) == ["1 of 1 come back exactly from m's latent space"]


def test_validate_says_which_of_the_users_molecules_come_back(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    molecules = ["CCO", "c1ccccc1", "CC(=O)Nc1ccc(O)cc1", "C[Se]C"]
    path = write_campaign(tmp_path, tiny_model, {"starting_molecules": molecules, "reference": {"drug": "CCO"}})
    said = succeeds("validate", path)
    exact = sum(result.exact for result in reconstruct(load(str(tiny_model)), molecules, refine=0))
    assert f"{exact} of 4 come back exactly" in said, "the drug is one of them"
    assert "cannot be written, 1: C[Se]C" in said
    monkeypatch.setattr(own_in_model, "MOST", 2)
    assert " of the first 2 come back" in describe_own_in_model(load_campaign(path))[0]
    assert describe_own_in_model(load_campaign(write_campaign(tmp_path, tiny_model, name="none"))) == []
