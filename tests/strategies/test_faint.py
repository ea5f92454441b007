"""Scores that are all but 0: told by rank, judged in these terms, and shown as scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import KnownObjective, unchanged
from designloop.strategies.surrogates.faint import FAINT, told_apart, translated
from designloop.strategies.surrogates.kernels import features_of_molecule
from designloop.strategies.surrogates.views import FingerprintView
from tests.strategies.test_committee import FEATURES, SCORES, SMILES, archive_of, committee, told

SMALL_SCORES = arrays(float, st.integers(2, 30), elements=st.floats(0, 1, allow_subnormal=False))


@given(SMALL_SCORES)
def test_scores_are_told_apart_by_rank_where_all_are_faint_and_left_as_they_are_elsewhere(scores: np.ndarray) -> None:
    told = told_apart(scores)
    if scores.max() >= FAINT or len(set(scores.tolist())) == 1:
        assert told is scores
        return
    assert told_apart(scores / 2) == pytest.approx(told), "their order is all that counts"
    assert (told.min(), told.max()) == (0, pytest.approx(FAINT))
    assert (np.argsort(told, kind="stable") == np.argsort(scores, kind="stable")).all()


@given(SMALL_SCORES)
def test_what_was_told_by_rank_goes_back_to_the_scores(scores: np.ndarray) -> None:
    told = told_apart(scores)
    assert translated(told, told, scores) == pytest.approx(scores, rel=1e-9, abs=0)
    assert translated(scores, scores, told) == pytest.approx(told)
    between = translated(np.array([-1.0, 0.03, 2.0]), told, scores)
    if told is not scores:
        assert (between >= scores.min()).all()
        assert (between <= scores.max()).all()


def test_a_committee_sees_the_path_that_leads_up_from_next_to_nothing() -> None:
    """The kin of the best of all, whose score is 1e-40, is believed to be better than molecules like those of 0."""
    known = Archive().add(archive_of(SMILES[:40], [*np.zeros(38), 1e-80, 1e-40]).members)
    belief = committee().fit(known, 0)
    assert belief is not None
    assert SMILES[39].startswith("Cc1cc")
    kin = belief(np.array([features_of_molecule("C" + SMILES[39])], dtype=object)).means[0]
    others = belief(np.array(FEATURES[40:], dtype=object)).means[0]
    assert kin[0] > others.max() + 0.01
    shown = belief.shown(np.array([features_of_molecule("C" + SMILES[39])], dtype=object)).means[0]
    assert 0 < shown[0] <= 1e-40, "what is shown is a score"


def test_members_are_judged_in_the_terms_in_which_they_were_told() -> None:
    """Faint scores beside ranks would be errors of all, and least of the one that sees least of the path."""
    faint, plain = committee(), committee(sees_faint=False)
    for of in (faint, plain):
        before = archive_of(SMILES[:40], [*np.zeros(37), 1e-80, 1e-60, 1e-40])
        belief = of.fit(before, 0)
        of.learn(replace(told(belief, SMILES[40:], [0.0] * 20), before=before))
    assert faint.shares == pytest.approx(plain.shares, abs=0.1)


def test_beside_a_composite_scores_are_told_as_they_are() -> None:
    objective = KnownObjective(("a", "b"), (unchanged, unchanged), lambda desirable: desirable.prod(1))
    members = [
        Member(name, "[C]", float(a * b), (a, b)) for name, a, b in zip(SMILES, SCORES, SCORES[::-1] / 50, strict=True)
    ]
    belief = committee(objective, bits=FingerprintView(lambda smiles: smiles)).fit(Archive().add(members), 0)
    assert belief is not None
    assert max(belief.scores) < FAINT
    assert belief.targets is belief.scores
