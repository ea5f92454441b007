"""The mean of several readings of an assay is less noisy than one of them, and a surrogate knows how many it is of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from designloop.molecules.corpus import held_out_smiles
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import SCORE_ALONE, KnownObjective, unchanged
from designloop.strategies.search.saved import Saved
from designloop.strategies.surrogates.committee import Committee
from designloop.strategies.surrogates.committees import Committees
from designloop.strategies.surrogates.composite import CompositeSurrogate
from designloop.strategies.surrogates.fingerprint_gp import JITTER, FingerprintGP, Kernels, covariances_of
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import KERNELS, features_of_molecule
from designloop.strategies.surrogates.noise import LEAST, SHARES, ProcessScale, likely_scale
from designloop.strategies.surrogates.views import FingerprintView, MoleculeView
from tests.tiny import tiny_codec

SMILES = held_out_smiles()[1200:1230]
FEATURES = [features_of_molecule(text) for text in SMILES]
RNG = np.random.default_rng(0)
READINGS = RNG.integers(1, 6, 20)
KERNEL = KERNELS["ecfp6"].to(FEATURES)(FEATURES).astype(float)
SCORES = 0.5 + 0.2 * RNG.standard_normal(20) / np.sqrt(READINGS)


def test_a_mean_of_readings_says_what_the_readings_say_one_by_one() -> None:
    """What a molecule has of its own, which the kernel cannot tell, no number of readings takes away."""
    own = FixedGP.fit(KERNELS["ecfp6"], FEATURES[:20], SCORES, noisy=True, readings=READINGS)
    scale, rows = own.scale, np.repeat(np.arange(20), READINGS)
    deviations = RNG.standard_normal(len(rows))
    means = np.bincount(rows, deviations) / READINGS
    single = SCORES[rows] + deviations - means[rows]  # readings with these very means
    assert np.bincount(rows, single) / READINGS == pytest.approx(SCORES)
    covariance = scale.variance * KERNEL[np.ix_(rows, rows)] + LEAST * (rows[:, None] == rows)
    covariance += (scale.noise - LEAST) * np.eye(len(rows))
    across = scale.variance * KERNEL[20:][:, rows]
    expected = scale.mean + across @ np.linalg.solve(covariance, single - scale.mean)
    variance = scale.variance - np.einsum("mr,rm->m", across, np.linalg.solve(covariance, across.T))
    mean, doubt = own(FEATURES[20:]).moments()
    assert scale.noise > 2 * LEAST
    assert mean == pytest.approx(expected, abs=1e-4)
    assert doubt == pytest.approx(np.sqrt(variance), abs=1e-4)


def test_the_likeliest_scale_knows_how_many_readings_each_score_is_of() -> None:
    kernel = KERNEL[:20, :20]

    def evidence(share: float) -> tuple[float, float]:
        shape = kernel + np.diag(share / READINGS)
        inverse = np.linalg.inv(shape)
        mean = inverse.sum(0) @ SCORES / inverse.sum()
        variance = (SCORES - mean) @ inverse @ (SCORES - mean) / 20
        return multivariate_normal(np.full(20, mean), variance * shape).logpdf(SCORES), variance

    best = max(SHARES, key=lambda share: evidence(share)[0])
    scale = likely_scale(kernel, SCORES, READINGS)
    assert (scale.variance, scale.noise) == pytest.approx((evidence(best)[1], best * evidence(best)[1] + LEAST))
    assert likely_scale(kernel, SCORES, np.ones(20)) == likely_scale(kernel, SCORES)


def test_more_readings_leave_less_noise_and_one_leaves_it_all() -> None:
    noises = ProcessScale(0.5, 1.0, 0.04).noises(np.array([1, 2, 4, 10**9]))
    assert noises == pytest.approx([0.04, (0.04 - LEAST) / 2 + LEAST, (0.04 - LEAST) / 4 + LEAST, LEAST])


def test_each_target_of_a_fitted_process_has_readings_of_its_own() -> None:
    bits = FingerprintView(lambda smiles: smiles).features(SMILES).astype(np.float32)
    own, across, new = (Kernels.between(a, b, 100.0) for a, b in ((bits[:20], bits[:20]), (bits[20:], bits[:20]),
                                                                 (bits[20:], bits[20:])))  # fmt: skip
    targets = RNG.standard_normal((20, 3))
    counts = np.column_stack([np.ones(20, int), READINGS, np.ones(20, int)])
    together = FingerprintGP.fit(own, targets, counts)
    alone = [FingerprintGP.fit(own, targets[:, [k]], counts[:, [k]])[0] for k in range(3)]
    for gp, single, covariance in zip(together, alone, covariances_of(together, across, new), strict=True):
        assert gp.predict(across) == pytest.approx(single.predict(across), abs=1e-9)
        assert covariance == pytest.approx(single.covariance(across, new), abs=1e-9)
    read = together[1]
    shape = own.weighted(read.linear) + np.diag(read.noise / READINGS + JITTER)
    assert read.cholesky @ read.cholesky.T == pytest.approx(shape)
    density = multivariate_normal(np.full(20, read.mean), read.variance * shape)
    assert read.log_evidence == pytest.approx(density.logpdf(targets[:, 1]))


def scored(name: str, **readings: int) -> Scored:
    results = {key: Result(0.5, readings=count) for key, count in readings.items()}
    return Scored(Evaluation(Candidate(name, "prior"), results), dict.fromkeys(readings, 0.5), 0.5)


@pytest.mark.parametrize(
    ("readings", "kept", "of_each", "of_score"),
    [
        ({"a": 0, "b": 0}, (), [1, 1], 1),
        ({"a": 1, "b": 1}, (), [1, 1], 1),
        ({"a": 5, "b": 0}, (5, 0), [5, 1], 5),
        ({"a": 5, "b": 2}, (5, 2), [5, 2], 2),
        ({"a": 5, "b": 1}, (5, 1), [5, 1], 1),
    ],
    ids=["computed", "read once", "one computed", "both read", "one read once"],
)
def test_readings_are_remembered_where_there_are_several(
    readings: dict[str, int], kept: tuple[int, ...], of_each: list[int], of_score: int
) -> None:
    transcriber = Transcriber(tiny_codec(), ("a", "b"))
    _, (member,) = transcriber.read([scored("CCO", **readings)], Archive())
    archive = Archive().add([member])
    assert member.readings == kept
    assert archive.readings.tolist() == [of_each]
    assert archive.score_readings.tolist() == [of_score]
    _, (alone,) = Transcriber(tiny_codec()).read([scored("CCO", **readings)], Archive())
    assert Archive().add([alone]).readings.tolist() == [[of_score]]
    again = Saved.read(Saved(1, archive).state(), 10)
    assert again.archive.members == archive.members
    assert transcriber.read([scored("CCO", **readings)], archive) == ([], []), "told again, it is no news"


def test_the_same_mean_of_more_readings_is_news() -> None:
    transcriber = Transcriber(tiny_codec(), ("a",))
    _, first = transcriber.read([scored("CCO", a=1)], Archive())
    _, (more,) = transcriber.read([scored("CCO", a=4)], Archive().add(first))
    assert more.readings == (4,)


def surrogate_of(kind: str) -> Any:
    """One of two measured properties."""
    objective = KnownObjective(("a", "b"), (unchanged, unchanged), lambda rows: rows.mean(1), noisy=True)
    view = MoleculeView(lambda smiles: smiles)
    surrogates: dict[str, Any] = {
        "committee": Committee(view, objective, bits=None),
        "committees": Committees(view, objective),
        "composite": CompositeSurrogate(FingerprintView(lambda smiles: smiles), objective),
    }
    return surrogates[kind]


@pytest.mark.parametrize("kind", ["committee", "committees", "composite"])
def test_of_values_that_are_all_alike_nobody_knows_how_far_others_lie(kind: str) -> None:
    """Their standard deviation of 0 is no certainty."""
    surrogate = surrogate_of(kind)
    members = [Member(name, "[C]", 0.3, (0.1, score)) for name, score in zip(SMILES, SCORES.tolist(), strict=False)]
    moments = surrogate.fit(Archive().add(members), 0).property_moments(surrogate.view.features(SMILES[20:]))
    means, deviations = moments["a"]
    assert means == pytest.approx(np.full(10, 0.1))
    assert (deviations > 0.1).all()
    assert (deviations <= 1.01).all()


@pytest.mark.parametrize("kind", ["committee", "committees", "composite"])
def test_every_surrogate_of_an_assay_follows_what_was_read_often(kind: str) -> None:
    """Of the same values, one is believed more where it is the mean of many readings."""
    surrogate = surrogate_of(kind)
    values = np.column_stack([SCORES, SCORES[::-1]])
    often = int(np.argmax(np.abs(SCORES - SCORES.mean())))
    members = [
        Member(name, "[C]", float(row.mean()), tuple(row.tolist())) for name, row in zip(SMILES, values, strict=False)
    ]
    read = [replace(member, readings=(50, 50)) if k == often else member for k, member in enumerate(members)]
    off = []
    for archive in (Archive().add(members), Archive().add(read)):
        belief = surrogate.fit(archive, 0)
        assert belief is not None
        moments = belief.property_moments(surrogate.view.features([SMILES[often]]))
        off.append(abs(float(moments["a"][0][0]) - SCORES[often]))
    assert off[1] < 0.8 * off[0]


def test_exact_scores_are_followed_however_often_they_were_read() -> None:
    members = [Member(name, "[C]", float(score), (float(score),)) for name, score in zip(SMILES, SCORES, strict=False)]
    committee = Committee(MoleculeView(lambda smiles: smiles), SCORE_ALONE)
    before, after = (
        committee.fit(Archive().add(rows), 0)
        for rows in (members, [replace(member, readings=(3,)) for member in members])
    )
    assert before is not None
    assert after is not None
    asked = np.array(FEATURES[20:], dtype=object)
    assert after(asked).moments()[0].tolist() == before(asked).moments()[0].tolist()


def test_a_surrogate_that_writes_standard_forms_is_told_of_none_that_cannot_be_written() -> None:
    candidate = Candidate("C[Sn]C", "mutation", selfies="[C][C]")
    assert Transcriber(tiny_codec()).member(candidate) is not None
    assert Transcriber(tiny_codec(), as_standardised=True).member(candidate) is None
    assert Transcriber(tiny_codec(), as_standardised=True).member(Candidate("CC", "mutation")) is not None
