"""What is under way: doubt about its kin shrinks, expectations stay."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import multivariate_normal

from designloop.molecules.corpus import held_out_smiles
from designloop.strategies.acquisition.goal_votes import FrontVotes, GoalVoter
from designloop.strategies.acquisition.hypervolume import Direction, HypervolumeImprovement
from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
from designloop.strategies.acquisition.log_nei import LogNoisyExpectedImprovement
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.acquisition.votes import Voter, Votes
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.surrogates.base import Fantasies, Goals, Posterior
from designloop.strategies.surrogates.committee import Committee, CommitteePosterior
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import KERNELS, features_of_molecule
from designloop.strategies.surrogates.noise import LEAST, LEAST_VARIANCE, SHARES, ProcessScale, likely_scale
from designloop.strategies.surrogates.pending import conditioned, given_pending
from designloop.strategies.surrogates.views import MoleculeView

SMILES = held_out_smiles()[1100:1150]
FEATURES = [features_of_molecule(text) for text in SMILES]
RNG = np.random.default_rng(0)


def normal(n: int, seed: int = 0) -> Posterior:
    """A posterior of one jointly normal value."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    covariance = root @ root.T / n + 0.1 * np.eye(n)
    return Posterior([rng.normal(size=n)], lambda: [np.diagonal(covariance)], lambda: [covariance], [0.05], 1.0)


def test_the_posterior_given_what_is_under_way_is_the_textbooks() -> None:
    whole = normal(9)
    (covariance,) = whole.covariances()
    own, across = covariance[6:, 6:] + 0.05 * np.eye(3), covariance[6:, :6]
    wanted = covariance[:6, :6] - across.T @ np.linalg.solve(own, across)
    given = conditioned(whole, 6)
    mean, joint = given.joint()
    assert mean == pytest.approx(whole.means[0][:6]), "what comes out as expected says nothing of others"
    assert joint == pytest.approx(wanted)
    assert given.moments()[1] == pytest.approx(np.sqrt(np.diagonal(wanted)))


def test_it_is_that_of_a_batch_whose_first_choices_were_told_one_after_another() -> None:
    whole = normal(12, seed=1)
    fantasies = Fantasies(whole)
    for row in (8, 9, 10, 11):
        fantasies.tell(row)
    assert conditioned(whole, 8).moments()[1] == pytest.approx(fantasies.moments(np.arange(8))[1])


def test_a_twin_of_what_is_under_way_is_hardly_doubted_any_more_and_not_chosen_for_its_doubt() -> None:
    # Candidates: the twin of the one under way, and a stranger of a little less hope.
    covariance = np.array([[1.0, 0.0, 0.99], [0.0, 1.0, 0.0], [0.99, 0.0, 1.0]])
    means = np.array([0.55, 0.5, 0.55])
    whole = Posterior([means], lambda: [np.diagonal(covariance)], lambda: [covariance], [1e-4], 1.0)
    blind = Posterior([means[:2]], lambda: [np.ones(2)], lambda: [np.eye(2)], [1e-4], 1.0)
    given = conditioned(whole, 2)
    for acquisition in (UpperBound(1.0), Votes([Voter(0, 1.0)])):
        assert next(acquisition.select(blind, 1, 0)) == 0
        assert next(acquisition.select(given, 1, 0)) == 1


def test_what_improves_has_to_improve_on_what_is_expected_of_what_is_under_way() -> None:
    """Candidates: the kin of the one under way, and a stranger that is expected to be worse, but may be better."""
    covariance = np.array([[0.01, 0.0, 0.0099], [0.0, 0.09, 0.0], [0.0099, 0.0, 0.01]])
    means = np.array([0.88, 0.6, 0.9])
    whole = Posterior([means], lambda: [np.diagonal(covariance)], lambda: [covariance], [1e-6], 0.5)
    gains = np.random.default_rng(0).multivariate_normal(means, covariance, 100_000)
    own, stranger = np.maximum(gains[:, :2] - np.maximum(gains[:, 2:], 0.5), 0).mean(0)
    assert own < stranger, "by joint draws of all three"
    alone = Posterior(
        [means[:2]], lambda: [np.diagonal(covariance)[:2]], lambda: [covariance[:2, :2]], [1e-6], 0.5
    )  # fmt: skip
    acquisition = LogExpectedImprovement()
    assert next(acquisition.select(alone, 1, 0)) == 0
    assert next(acquisition.select(conditioned(whole, 2), 1, 0)) == 1
    noisy = LogNoisyExpectedImprovement()
    assert next(noisy.select(replace(whole, measured=1), 1, 0)) == 1, "what is under way is among what was measured"


def goals_of(means: np.ndarray, paid: np.ndarray) -> CommitteePosterior:
    """Two goals, a member each, of candidates (m, 2)."""
    covariance = 1e-4 * np.eye(len(means))
    of_goals = [
        Posterior([mean], lambda: [np.diagonal(covariance)], lambda: [covariance], [1e-6], 0.0) for mean in means.T
    ]
    return CommitteePosterior(
        list(means.T),
        lambda: [np.diagonal(covariance)] * 2,
        lambda: [covariance] * 2,
        [1e-6] * 2,
        0.0,
        goals=Goals(lambda draws: np.stack(draws, -1), paid),
        members=of_goals,
        shares=np.full(2, 0.5),
    )


@pytest.mark.parametrize("voted", [False, True])
def test_the_front_is_taken_to_reach_what_is_expected_of_what_is_under_way(voted: bool) -> None:
    paid, means = np.array([[0.3, 0.3]]), np.array([[0.89, 0.5], [0.5, 0.8], [0.9, 0.5]])
    front = HypervolumeImprovement((0.0, 0.0), 0.0)
    voter = GoalVoter((0, 1), 0.1, Direction(np.array([0.8, 0.6]), (0.0, 0.0)))
    acquisition = FrontVotes([voter], front) if voted else front
    assert next(acquisition.select(goals_of(means[:2], paid), 1, 0)) == 0
    given = conditioned(goals_of(means, paid), 2)
    assert next(acquisition.select(given, 1, 0)) == 1
    assert given.known_goals.paid == pytest.approx(np.vstack([paid, means[2:]]))


def test_each_member_of_a_committee_takes_what_is_under_way_for_what_it_expects_itself() -> None:
    scores = RNG.random(30)
    members = [Member(name, "[C]", float(s), (float(s),)) for name, s in zip(SMILES, scores, strict=False)]
    belief = Committee(MoleculeView(lambda smiles: smiles), SCORE_ALONE).fit(Archive().add(members), 0)
    assert belief is not None
    features = np.array(FEATURES[30:], dtype=object)
    alone, given = belief(features[:15]), given_pending(belief, features[:15], features[15:])
    assert isinstance(given, CommitteePosterior)
    assert given_pending(belief, features[:15], None).moments()[1] == pytest.approx(alone.moments()[1])
    for before, after in zip(alone.members, given.members, strict=True):
        assert after.moments()[0] == pytest.approx(before.moments()[0], abs=1e-5)
        assert np.all(after.moments()[1] <= before.moments()[1] + 1e-6)
        assert np.any(after.moments()[1] < before.moments()[1] - 1e-3)


def test_the_scale_is_that_of_the_highest_evidence() -> None:
    kernel = KERNELS["ecfp6"].to(FEATURES)(FEATURES).astype(float)
    drawn = multivariate_normal(np.full(50, 0.4), 0.04 * kernel, allow_singular=True).rvs(random_state=1)
    scores = drawn + 0.1 * RNG.normal(size=50)

    def of_share(share: float) -> tuple[float, float, float]:
        """Log evidence, mean and variance."""
        inverse = np.linalg.inv(kernel + share * np.eye(50))
        mean = inverse.sum(0) @ scores / inverse.sum()
        variance = (scores - mean) @ inverse @ (scores - mean) / 50
        density = multivariate_normal(np.full(50, mean), variance * (kernel + share * np.eye(50)))
        return density.logpdf(scores), mean, variance

    best = max(SHARES, key=lambda share: of_share(share)[0])
    scale = likely_scale(kernel, scores)
    _, mean, variance = of_share(best)
    assert (scale.mean, scale.variance) == pytest.approx((mean, variance))
    assert scale.noise == pytest.approx(best * variance + LEAST)


def test_noise_is_found_where_it_is_and_not_where_it_is_not() -> None:
    kernel = KERNELS["ecfp6"].to(FEATURES)(FEATURES).astype(float)
    smooth = np.array([features.numbers[1] for features in FEATURES])  # the number of carbons, standardised
    kernel_of_smooth = 0.5 * kernel + 0.5 * np.exp(-0.5 * np.square(smooth[:, None] - smooth))
    assert likely_scale(kernel_of_smooth, smooth).noise < 0.05 * smooth.var()
    noisy = RNG.normal(size=50)
    assert likely_scale(kernel_of_smooth, noisy).noise > 0.3 * noisy.var()
    flat = likely_scale(kernel, np.full(50, 0.7))
    assert flat == ProcessScale(flat.mean)
    assert flat.mean == pytest.approx(0.7)
    assert likely_scale(kernel[:1, :1], np.ones(1)) == ProcessScale(1.0)


@settings(deadline=None, max_examples=12)
@given(st.floats(-9, 0), st.floats(0, 1), st.integers(0, 99))
def test_however_alike_scores_are_the_process_reaches_as_far_as_it_must(
    log_spread: float, level: float, seed: int
) -> None:
    """Mean, variance and share are the likeliest of those that are allowed, by an optimizer that is held to bounds."""
    kernel = KERNELS["ecfp6"].to(FEATURES[:12])(FEATURES[:12]).astype(float)
    scores = level + 10**log_spread * np.random.default_rng(seed).standard_normal(12)

    def unlikelihood(mean: float, log_variance: float, share: float) -> float:
        covariance = np.exp(log_variance) * (kernel + share * np.eye(12))
        off = scores - mean
        return float(0.5 * off @ np.linalg.solve(covariance, off) + 0.5 * np.linalg.slogdet(covariance)[1])

    def bounded(share: float) -> tuple[float, float]:
        inverse = np.linalg.inv(kernel + share * np.eye(12))
        mean = float(inverse.sum(0) @ scores / inverse.sum())
        bounds = np.log(LEAST_VARIANCE), np.log(1e3)
        fit = minimize_scalar(lambda log: unlikelihood(mean, log, share), bounds=bounds, options={"xatol": 1e-9})
        return float(fit.fun), float(np.exp(fit.x))

    best = min(SHARES, key=lambda share: bounded(share)[0])
    scale = likely_scale(kernel, scores)
    assert scale.variance >= LEAST_VARIANCE
    assert scale.variance == pytest.approx(bounded(best)[1], rel=1e-4)
    assert scale.noise == pytest.approx(best * scale.variance + LEAST, rel=1e-4)


def test_of_a_molecule_unlike_all_others_something_is_hoped_however_alike_these_are() -> None:
    scores = np.where(np.arange(40) == 7, 1e-4, 0.0)
    own = FixedGP.fit(KERNELS["ecfp6"], FEATURES[:40], scores, noisy=True)
    unlike = features_of_molecule("[SiH4]")
    assert own.similarity([unlike]).max() < 0.02
    assert own([unlike]).moments()[1] == pytest.approx([LEAST_VARIANCE**0.5], rel=0.01)


def test_a_noisy_process_is_that_of_its_scale_and_does_not_follow_every_score() -> None:
    known, asked = FEATURES[:40], FEATURES[40:]
    scores = 0.5 + 0.1 * RNG.normal(size=40)
    own = FixedGP.fit(KERNELS["ecfp6"], known, scores, noisy=True)
    similarity = KERNELS["ecfp6"].to(FEATURES)(FEATURES).astype(float)
    covariance = own.scale.variance * similarity
    observed, across = covariance[:40, :40] + own.scale.noise * np.eye(40), covariance[:40, 40:]
    mean = own.scale.mean + across.T @ np.linalg.solve(observed, scores - own.scale.mean)
    posterior = covariance[40:, 40:] - across.T @ np.linalg.solve(observed, across)
    assert own(asked).moments()[0] == pytest.approx(mean, abs=1e-4)
    assert own(asked).joint()[1] == pytest.approx(posterior, abs=1e-4)
    assert np.abs(own(known).means[0] - scores).max() > 0.05
    exact = FixedGP.fit(KERNELS["ecfp6"], known, scores)
    assert exact(known).means[0] == pytest.approx(scores, abs=1e-2)


def test_the_sd_that_is_shown_covers_new_measurements() -> None:
    carbons = np.array([features.numbers[1] for features in FEATURES])
    values = 6 + carbons + 0.3 * RNG.normal(size=50)
    score = np.clip(values / 10, 0, 1)
    members = [Member(name, "[C]", float(s), (float(s),)) for name, s in zip(SMILES[:40], score, strict=False)]
    belief = Committee(MoleculeView(lambda smiles: smiles), SCORE_ALONE).fit(Archive().add(members), 0)
    assert belief is not None
    mean, deviation = belief.property_moments(np.array(FEATURES[40:], dtype=object))["score"]
    assert np.all(deviation > 0.01)
    assert np.mean(np.abs(score[40:] - mean) < 2 * deviation) >= 0.8
    assert np.corrcoef(mean, score[40:])[0, 1] > 0.3
