"""What is remembered of what was paid for: bounded, the best, in the model's own writing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.molecules.chemistry import scaffold
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.surrogates import fingerprint_gp
from designloop.strategies.surrogates.views import FingerprintView
from tests.tiny import small_molecules, tiny_vae

VAE = tiny_vae()
TRANSCRIBER = Transcriber(VAE.codec)


def scored(smiles: Sequence[str], scores: Sequence[float | None] | None = None) -> list[Scored]:
    """Falling scores, unless they are given."""
    scores = scores or [1 / (1 + row) for row in range(len(smiles))]
    return [
        Scored(Evaluation(Candidate(text, "start"), {}), {}, score) for text, score in zip(smiles, scores, strict=True)
    ]


def archive_of(
    rows: Sequence[Scored], archive: Archive | None = None, transcriber: Transcriber = TRANSCRIBER
) -> Archive:
    archive = archive or Archive()
    return archive.add(transcriber.read(rows, archive)[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40, unique=True), st.integers(2, 12))
def test_it_is_bounded_to_the_best_half_and_the_latest_of_the_others(scores: list[float], limit: int) -> None:
    members = [Member("C" * (row + 1), "", score) for row, score in enumerate(scores)]
    kept = Archive(limit=limit).add(members).members
    assert len(kept) == min(limit, len(scores))
    assert list(kept) == [member for member in members if member in kept], "the order of the calls"
    best = sorted(members, key=lambda member: -member.score)[: limit - limit // 2]
    others = [member for member in members if member not in best]
    assert set(kept) == {*best, *others[len(others) - min(limit // 2, len(others)) :]}


def test_one_told_again_takes_the_place_of_what_was_said_before() -> None:
    archive = archive_of(scored(["CCO", "CCN", "CCC"]))
    again = archive_of(scored(["CCO", "CCN"], [0.1, 0.5]), archive)
    assert again.smiles == ["CCN", "CCC", "CCO"], "the score of CCN is what it was"
    assert again.scores.tolist() == [0.5, pytest.approx(1 / 3), 0.1]


def test_of_two_scores_in_a_round_the_last_one_counts() -> None:
    rows, members = TRANSCRIBER.read(scored(["CCO", "CCO"], [0.1, 0.9]), Archive())
    assert [row.score for row in rows] == [member.score for member in members] == [0.9]


def test_failures_and_what_the_alphabet_lacks_are_not_remembered() -> None:
    assert archive_of(scored(["CCC", "CCO", "C" * 40], [None, 0.5, 1.0])).smiles == ["CCO"]


def test_the_models_own_writing_is_kept_where_it_wrote_the_molecule() -> None:
    """A protonated amine that the model wrote is remembered so, though its standard form is neutral."""
    written = VAE.codec.to_selfies("C[NH3+]")
    member = TRANSCRIBER.member(Candidate("CN", "prior", written), 0.5)
    assert member == Member("CN", written, 0.5)


def test_the_best_are_of_many_scaffolds() -> None:
    rings = [f"{'C' * n}c1ccccc1" for n in range(1, 9)]
    archive = archive_of(scored([*rings, "CCC1CCCCC1", "CCCO"]))
    best = [member.smiles for member in archive.best(10, 2)]
    assert best[:2] == rings[:2]
    assert [scaffold(text) for text in best].count("c1ccccc1") == 2
    assert len(archive.best(3, 8)) == 3


@pytest.mark.parametrize(("n", "share", "most"), [(100, 0.29, 29), (200, 0.1, 20), (8, 0.3, 2), (3, 0.1, 1)])
def test_a_scaffold_may_hold_its_share_of_the_elites_and_one_at_least(n: int, share: float, most: int) -> None:
    rings = [Member(f"{'C' * length}c1ccccc1", "", 1 / length) for length in range(1, 31)]
    elites = Archive().add(rings).elites(n, share)
    assert len(elites) == most


def test_the_values_that_a_surrogate_learns_from_are_kept_in_the_order_asked_for() -> None:
    results = {"a": Result(3.5), "shown": Result(7.0), "b": Result(-1.0)}
    rows = [Scored(Evaluation(Candidate("CCO", "start"), results), {}, 0.25)]
    archive = archive_of(rows, transcriber=Transcriber(VAE.codec, ("b", "score", "a")))
    assert archive.values.tolist() == [[-1.0, 0.25, 3.5]]


def test_a_value_that_changes_where_the_score_does_not_is_news() -> None:
    transcriber = Transcriber(VAE.codec, ("a",))

    def row(value: float) -> Scored:
        return Scored(Evaluation(Candidate("CCO", "start"), {"a": Result(value)}), {"a": 1.0}, 1.0)

    archive = archive_of([row(9.0)], transcriber=transcriber)
    assert transcriber.read([row(9.0)], archive) == ([], [])
    assert archive_of([row(12.0)], archive, transcriber).values.tolist() == [[12.0]]


def test_features_are_those_of_the_surrogate_and_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    molecules, asked = small_molecules(6), list[str]()
    view = FingerprintView(lambda smiles: smiles)
    wanted = fingerprint_gp.count_features(molecules)

    def noted(smiles: Sequence[str]) -> np.ndarray:
        asked.extend(smiles)
        return fingerprint_gp.count_features(smiles)

    monkeypatch.setattr("designloop.strategies.surrogates.views.count_features", noted)
    np.testing.assert_array_equal(view.features(molecules), wanted)
    np.testing.assert_array_equal(view.features(molecules[::-1]), wanted[::-1])
    assert asked == molecules
    view.forget_all_but(molecules[:3])
    view.features(molecules)
    assert asked == [*molecules, *molecules[3:]]
