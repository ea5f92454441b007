"""The best molecules: ranks, the score's parts, and what they are close to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from designloop.molecules.chemistry import fingerprints, tanimoto
from designloop.records import Round
from designloop.report.top import PropertyScore, StartingMolecule, nearest_start, top_molecules
from designloop.tables import Candidates, open_candidates
from tests.tables.fakes import FakeCampaign, open_table, scored, unscored

LEFT, RIGHT = "C[C@H](O)c1ccccc1", "C[C@@H](O)c1ccccc1"


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> Candidates:
    campaign = FakeCampaign(tmp_path_factory.mktemp("top"))
    with open_table(campaign) as table:
        table.commit(
            Round(0, [scored("CCO", 0.2, proposer="start"), scored("c1ccccc1", 0.1, proposer="start")], kind="start")
        )
        table.commit(Round(1, [scored(LEFT, 0.8), scored(RIGHT, 0.9), unscored("CCCBr"), scored("CCCO", 0.3)]))
    return open_candidates(campaign.output_folder)


def test_the_best_come_first_with_the_parts_of_their_score(candidates):
    molecules = top_molecules(candidates, 3)
    assert [
        (molecule.rank, molecule.smiles, molecule.score, molecule.call, molecule.hides) for molecule in molecules
    ] == [
        (1, RIGHT, 0.9, 4, 1),
        (2, "CCCO", 0.3, 6, 0),
        (3, "CCO", 0.2, 1, 0),
    ]
    assert molecules[0].properties == {"weight": PropertyScore(0.9, 0.9), "logP": PropertyScore(-0.9, 0.9 / 3)}
    assert (molecules[0].scaffold, molecules[0].proposer, molecules[0].campaign) == ("c1ccccc1", "prior", "small")
    assert top_molecules(candidates.to_arrow(), 3) == molecules


def test_each_is_set_beside_the_nearest_starting_molecule(candidates):
    first, second, third, fourth = top_molecules(candidates, 10)
    assert first.start is not None
    assert first.start.smiles == "c1ccccc1"
    expected = tanimoto(fingerprints([RIGHT]), fingerprints(["c1ccccc1"]))[0, 0]
    assert first.start.similarity == expected
    assert second.start is not None
    assert second.start.smiles == "CCO"
    assert third.start == StartingMolecule("CCO", 1.0)
    assert fourth.start == StartingMolecule("c1ccccc1", 1.0)
    assert nearest_start(["CCO"], []) == [None]


def test_known_neighbours_are_asked_for_once_and_only_on_demand(candidates):
    asked: list[Sequence[str]] = []

    def library(smiles: Sequence[str]) -> list[StartingMolecule]:
        asked.append(smiles)
        return [StartingMolecule("CC", 0.5) for _ in smiles]

    assert [molecule.known for molecule in top_molecules(candidates, 2, nearest_known=library)] == [
        StartingMolecule("CC", 0.5)
    ] * 2
    assert asked == [[RIGHT, "CCCO"]]
    assert all(molecule.known is None for molecule in top_molecules(candidates, 2))


def test_near_duplicates_are_collapsed_on_demand(candidates):
    assert [molecule.smiles for molecule in top_molecules(candidates, 10, diverse=True)] == [RIGHT, "CCCO", "CCO"]


def test_without_scores_there_is_no_best(tmp_path: Path):
    campaign = FakeCampaign(tmp_path)
    with open_table(campaign) as table:
        table.commit(Round(0, [unscored("CCO")]))

    def library(smiles: Sequence[str]) -> list[StartingMolecule]:
        raise AssertionError(f"asked about {smiles}")

    assert top_molecules(open_candidates(campaign.output_folder), nearest_known=library) == []
