"""The section ``diversity:``: what it promises of a batch and of a campaign holds, and its former keys are read."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from designloop.loop.campaign.campaign import CampaignError, load_campaign
from designloop.loop.campaign.changes import changes
from designloop.loop.screening.crowding import Charged, fingerprint_of
from designloop.loop.screening.diversity import Diversity, with_todays_keys
from designloop.loop.screening.screening import Screening
from designloop.loop.screening.spreading import Admit, mean_distance, spread_batch
from designloop.molecules.chemistry import fingerprints, framework, scaffold, tanimoto
from designloop.molecules.corpus import zinc
from designloop.records import UNIFORM, Candidate
from designloop.testing.small_campaign import write_campaign, write_tiny_model
from tests.loop.screening.test_screening import draw, screening, smiles_of

POOL = zinc()[5_000:5_060]


def distances_of(smiles: list[str]) -> np.ndarray:
    prints = fingerprints(smiles)
    return 1 - tanimoto(prints, prints)


def admissions(cap: int) -> Any:
    """Room for so many rows of each residue modulo 3."""

    def begin() -> Admit:
        taken: list[int] = []

        def admit(row: int) -> bool:
            if sum(other % 3 == row % 3 for other in taken) >= cap:
                return False
            taken.append(row)
            return True

        return admit

    return begin


@st.composite
def pools(draw_from: st.DrawFn) -> np.ndarray:
    n = draw_from(st.integers(1, 14))
    raw = draw_from(npst.arrays(float, (n, n), elements=st.floats(0, 1, width=16)))
    distances = np.triu(raw, 1)
    return np.asarray(distances + distances.T)


@settings(max_examples=150, deadline=None)
@given(pools(), st.integers(1, 8), st.lists(st.floats(0, 50, width=16), min_size=2, max_size=4), st.integers(1, 4))
def test_a_greater_penalty_never_brings_a_batch_together(
    distances: np.ndarray, wanted: int, penalties: list[float], cap: int
) -> None:
    batches = [spread_batch(distances, wanted, penalty, admissions(cap)) for penalty in sorted(penalties)]
    means = [mean_distance(distances, batch) for batch in batches]
    assert (np.diff(means) >= -1e-9).all()
    for batch in batches:
        assert len(set(batch)) == len(batch) <= wanted
        assert max(sum(row % 3 == kind for row in batch) for kind in range(3)) <= cap


@given(pools(), st.integers(1, 8), st.integers(1, 4))
def test_without_a_penalty_the_first_that_fit_are_the_batch(distances: np.ndarray, wanted: int, cap: int) -> None:
    admit = admissions(cap)()
    assert spread_batch(distances, wanted, 0.0, admissions(cap)) == list(
        islice(filter(admit, range(len(distances))), wanted)
    )


def test_a_penalty_takes_the_lonely_one_before_the_second_best() -> None:
    distances = np.array([[0, 0.1, 0.9], [0.1, 0, 0.9], [0.9, 0.9, 0]])
    assert spread_batch(distances, 2, 0.1, admissions(9)) == [0, 1]
    assert spread_batch(distances, 2, 1.0, admissions(9)) == [0, 2]


def test_the_mean_distance_of_real_batches_rises_with_the_penalty() -> None:
    takes = [screening(penalty=penalty).take(draw(*POOL), 10) for penalty in (0.0, 0.5, 2.0, 20.0)]
    plain = screening().take(draw(*POOL), 10)
    assert takes[0] == plain
    means = [mean_distance(distances_of(smiles_of(take)), range(10)) for take in takes]
    assert means == sorted(means)
    assert means[-1] > means[0] + 0.02


def test_what_distance_outweighed_is_counted_and_may_be_drawn_again() -> None:
    allowed = screening(penalty=5.0)
    first = smiles_of(allowed.take(draw(*POOL), 10))
    assert (allowed.last_take.drawn, allowed.last_take.reasons["outweighed"]) == (30, 20)
    assert not allowed.last_take.ended
    left = [smiles for smiles in POOL if smiles not in first]
    again = smiles_of(allowed.take(draw(*left), 60))
    assert len(again) + len(first) == len(POOL)
    assert allowed.last_take.ended


@pytest.mark.parametrize("penalty", [0.0, 3.0])
def test_every_batch_and_the_campaign_keep_their_distances(penalty: float) -> None:
    limits: dict[str, Any] = {"batch": 0.8, "min_distance": 0.6, "per_scaffold": 1, "penalty": penalty}
    allowed = screening(**limits)
    stream = draw(*zinc()[2_000:2_600])
    batches = [smiles_of(allowed.take(stream, 6)) for _ in range(4)]
    assert [len(batch) for batch in batches] == [6] * 4
    for batch in batches:
        assert distances_of(batch)[np.triu_indices(6, 1)].min() >= 0.8
    everything = [smiles for batch in batches for smiles in batch]
    assert distances_of(everything)[np.triu_indices(24, 1)].min() >= 0.6
    cores = [core for core in map(scaffold, everything) if core]
    assert len(set(cores)) == len(cores)
    assert allowed.last_take.reasons["batch_distance"] > 0 or penalty, "some are near"


def test_a_batch_that_has_no_room_for_what_was_gathered_draws_on() -> None:
    near = ["C" * length + "O" for length in range(7, 14)]
    allowed = screening(batch=0.6, penalty=1.0)
    assert smiles_of(allowed.take(draw(*near, "NCCc1ccccc1", "C1CCNCC1"), 2)) == [near[0], "NCCc1ccccc1"]
    assert allowed.last_take.drawn == 9
    assert smiles_of(screening(batch=0.6, penalty=1.0).take(draw(*near), 2)) == [near[0]]


def test_what_was_drawn_uniformly_is_paid_for_whatever_is_near_it() -> None:
    """Two twins of each other: distance alone would never take both."""
    twins = [replace(row, chosen=UNIFORM) for row in draw("CCCCCCCCO", "CCCCCCCCCO")]
    others = list(draw(*POOL[:28]))
    for penalty in (0.0, 1.0, 50.0):
        batch = smiles_of(screening(penalty=penalty).take(iter([*twins, *others]), 10))
        assert {"CCCCCCCCO", "CCCCCCCCCO"} <= {*batch}
        assert len(batch) == 10


def test_the_users_own_molecules_need_not_be_apart_from_each_other() -> None:
    start = [Candidate(smiles, "start") for smiles in ("CCCCCCCCO", "CCCCCCCO")]
    taken = screening(batch=0.5).take(start, 2, keep_refused=True)
    assert [candidate.allowed for candidate in taken] == [True, True]


def test_a_framework_is_the_scaffold_without_its_atoms() -> None:
    assert framework("Cc1ccncc1") == framework("Clc1ccccc1") == framework("O=C1CCCCC1") == "C1CCCCC1"
    assert framework("CCO") == ""
    assert scaffold("Cc1ccncc1") != scaffold("Clc1ccccc1")
    pyridine, benzene = "CCc1ccncc1", "CCc1ccccc1"
    assert len(screening(per_scaffold=1).take(draw(pyridine, benzene), 2)) == 2
    assert len(screening(per_scaffold=1, scaffold="framework").take(draw(pyridine, benzene), 2)) == 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.pt")


def test_former_keys_are_read_and_named(tmp_path: Path, model: Path) -> None:
    former = load_campaign(
        write_campaign(tmp_path, model, {"filters.max_per_scaffold": 3, "filters.min_distance": 0.3})
    )
    assert (former.diversity.per_scaffold, former.diversity.min_distance) == (3, 0.3)
    assert [line for line in former.warnings if "diversity" in line] == [
        "filters.max_per_scaffold is read as diversity.per_scaffold, which is its name now: move it there",
        "filters.min_distance is read as diversity.min_distance, which is its name now: move it there",
    ]
    today = load_campaign(write_campaign(tmp_path, model, {"diversity.per_scaffold": 3, "diversity.min_distance": 0.3}))
    assert not [line for line in today.warnings if "diversity" in line]
    assert today.fingerprint == former.fingerprint


def test_a_campaign_begun_with_former_keys_goes_on(tmp_path: Path, model: Path) -> None:
    campaign = load_campaign(write_campaign(tmp_path, model, {"diversity.per_scaffold": 3}))
    stored = campaign.dump()
    del stored["diversity"]
    stored["filters"] |= {"max_per_scaffold": 3, "min_distance": None}
    assert changes(stored, campaign) == []
    stored["filters"]["max_per_scaffold"] = 4
    (change,) = changes(stored, campaign)
    assert str(change) == "diversity.per_scaffold: found 3, expected 4"
    assert not change.allowed


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"filters.min_distance": 2}, r"filters\.min_distance: found 2 \(a whole number\), expected a number above 0"),
        ({"filters.max_per_scaffold": 2, "diversity.per_scaffold": 2}, "the unknown key 'max_per_scaffold'"),
        ({"diversity.scaffold": "rings"}, r"diversity\.scaffold: found 'rings'"),
        ({"diversity.penalty": -1}, r"diversity\.penalty: found -1"),
        ({"diversity.batch": 1}, r"diversity\.batch: found 1"),
        ({"diversity.per_scaffold": 0}, r"diversity\.per_scaffold: found 0"),
        ({"diversity.nope": 0}, "the unknown key 'nope'"),
    ],
)
def test_what_cannot_be_is_told_where_it_stands(said: dict[str, Any], words: str, tmp_path: Path, model: Path) -> None:
    with pytest.raises(CampaignError, match=words):
        load_campaign(write_campaign(tmp_path, model, said))


def test_settings_that_are_none_are_left_as_they_are() -> None:
    for odd in ({"filters": 5}, {"filters": {"max_per_scaffold": 1}, "diversity": 7}, {}):
        assert with_todays_keys(odd) == odd


def test_all_strategies_pass_through_the_same_choice(tmp_path: Path, model: Path) -> None:
    campaign = load_campaign(write_campaign(tmp_path, model, {"diversity.batch": 0.7}))
    table = type("Table", (), {"charged": lambda self: []})()
    drawn = (Candidate(smiles, "file") for smiles in POOL)
    batch = smiles_of(Screening(campaign, table).take(drawn, 8))
    assert all(distances_of(list(pair))[0, 1] >= 0.7 for pair in combinations(batch, 2))


def test_the_nearest_is_that_of_comparing_with_all_however_often_it_is_asked_and_as_others_join():
    smiles = ["CCO", "CCCO", "CCN", "c1ccccc1O", "CCOC", "c1ccccc1N", "CCCCO"]
    charged, queries = Charged(Diversity(min_distance=0.1)), [*smiles, "CCCl"]
    assert charged.nearest("CCO") == (0.0, "")
    for count, molecule in enumerate(smiles, 1):
        charged.add(molecule, molecule)
        for query in queries[count % 3 :: 3]:
            similar = tanimoto([fingerprint_of(query)], [fingerprint_of(known) for known in smiles[:count]])[0]
            expected = max(zip(similar.tolist(), smiles[:count], strict=True))
            assert charged.nearest(query) == charged.nearest(query) == expected
