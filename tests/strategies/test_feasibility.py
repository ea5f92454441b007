"""Learned feasibility: what failed molecules have in common, when it counts, and what it saves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
from rdkit import Chem
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct

from designloop.molecules.chemistry import count_fingerprints, parse
from designloop.molecules.corpus import held_out_smiles
from designloop.records import Candidate, Evaluation, Result, Scored, Status
from designloop.strategies.acquisition.votes import Votes, draw_voters
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.learning.feasibility import LIMIT, TRUSTED, Feasibility, failed_rows
from designloop.strategies.search.pool import Pool
from designloop.strategies.search.voting import Stock
from designloop.strategies.surrogates.committee import Committee
from designloop.strategies.surrogates.success import AMPLITUDES, SuccessModel, rate_of
from designloop.strategies.surrogates.views import MoleculeView

ZINC = held_out_smiles()[:600]
VIEW = MoleculeView(lambda smiles: smiles)


@cache
def holds(smiles: str, smarts: str) -> bool:
    mol = parse(smiles)
    return mol is not None and mol.HasSubstructMatch(Chem.MolFromSmarts(smarts))


def row(smiles: str, score: float | None, status: Status | None = None) -> Scored:
    status = status or ("failed" if score is None else "ok")
    result = Result(score, status, None if status == "ok" else "no")
    return Scored(Evaluation(Candidate(smiles, "test"), {"score": result}), {"score": score}, score)


def told(rows: Sequence[Scored], number: int = 1) -> ToldRound:
    good = [own for own in rows if own.score is not None]
    return ToldRound(number, good, good, Archive(), Archive(), None, failed_rows(rows))


# ---- the classifier


def test_chances_and_evidence_are_those_of_scikit_learns_process_under_each_amplitude(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    smiles, rng = ZINC[:60], np.random.default_rng(0)
    succeeded = np.arange(60) % 2 == 0  # as many of both: the offset is 0, as theirs
    new = rng.choice(ZINC[100:], 20, replace=False).tolist()
    parts = (count_fingerprints(smiles, "ecfp4", 2048) > 0).astype(float)
    theirs_of = (count_fingerprints(new, "ecfp4", 2048) > 0).astype(float)
    assert rate_of(succeeded) == 0.5
    for amplitude in AMPLITUDES:
        monkeypatch.setattr("designloop.strategies.surrogates.success.AMPLITUDES", (amplitude,))
        model = SuccessModel.fit(smiles, succeeded)
        kernel = ConstantKernel(amplitude / model.size, "fixed") * DotProduct(1e-9, "fixed")
        theirs = GaussianProcessClassifier(kernel, optimizer=None, max_iter_predict=200).fit(parts, succeeded)
        assert model.fits[0].log_evidence == pytest.approx(theirs.log_marginal_likelihood_value_, abs=1e-4)
        assert model(new) == pytest.approx(theirs.predict_proba(theirs_of)[:, 1], abs=0.01)


def test_a_part_that_failures_share_is_foreseen_in_molecules_that_share_nothing_else() -> None:
    known, new = ZINC[:150], ZINC[150:600]
    model = SuccessModel.fit(known, np.array([not holds(smiles, "F") for smiles in known]))
    chances, fails = model(new), np.array([holds(smiles, "F") for smiles in new])
    assert ((chances > 0) & (chances < 1)).all()
    ranked = np.argsort(np.argsort(chances))
    worse = ranked[fails].mean() / len(new)
    assert worse < 0.15, "those that will fail have the least chances"


def test_the_classifier_needs_both_outcomes() -> None:
    for outcome in (True, False):
        with pytest.raises(ValueError, match=f"found {3 * outcome} successes of 3, expected some of both"):
            SuccessModel.fit(ZINC[:3], np.full(3, outcome))


def test_the_rate_is_smoothed() -> None:
    assert rate_of(np.zeros(0, bool)) == 0.5
    assert rate_of(np.array([True] * 8)) == 0.9


# ---- when it counts


def test_without_a_failure_it_does_nothing_and_shows_nothing() -> None:
    learner = Feasibility()
    for number in range(3):
        rows = [row(smiles, 0.5) for smiles in ZINC[20 * number : 20 * number + 20]]
        assert learner.learn(told(rows, number)) == {}
    assert learner.chances() is None


def test_failures_that_can_be_foreseen_come_to_count_and_a_restart_goes_on_alike() -> None:
    learner, trusted = Feasibility(), []
    for number in range(8):
        rows = [row(smiles, None if holds(smiles, "F") else 0.5) for smiles in ZINC[20 * number : 20 * number + 20]]
        metrics = learner.learn(told(rows, number))
        trusted.append(metrics["failures_foreseen"])
        assert (learner.chances() is not None) == bool(trusted[-1]) == (metrics["failures_evidence"] >= TRUSTED)
        learner = Feasibility(learner.state())
    assert trusted[0] == 0.0
    assert trusted[-1] == 1.0
    chances = learner.chances()
    assert chances is not None
    assert np.array_equal(chances(ZINC[300:320]), Feasibility(learner.state()).chances()(ZINC[300:320]))  # type: ignore[misc]


def test_failures_at_random_count_in_hardly_any_campaign() -> None:
    trusted = 0
    for seed in range(12):
        rng, learner = np.random.default_rng(seed), Feasibility()
        order = rng.permutation(len(ZINC))
        for number in range(4):
            drawn = [ZINC[place] for place in order[20 * number : 20 * number + 20]]
            learner.learn(told([row(smiles, None if rng.random() < 0.2 else 0.5) for smiles in drawn], number))
        trusted += learner.chances() is not None
    assert trusted <= 1


def test_what_was_not_run_is_no_failure_and_a_correction_is_the_last_word() -> None:
    rows = [row(ZINC[0], None, "not_run"), row(ZINC[1], None, "timeout"), row(ZINC[2], None), row(ZINC[3], 0.5)]
    assert [own.smiles for own in failed_rows(rows)] == ZINC[1:3]
    learner = Feasibility()
    learner.learn(told(rows))
    assert learner.state().data["outcomes"] == [[ZINC[1], False], [ZINC[2], False], [ZINC[3], True]]
    evidence = learner.state().data["evidence"]
    assert learner.learn(told([row(ZINC[1], 0.7), row(ZINC[2], 0.7)])) == {}, "nothing has failed any more"
    assert learner.state().data["evidence"] == evidence, "what is told again was not foreseen"


def test_the_latest_outcomes_are_remembered() -> None:
    learner = Feasibility()
    names = [f"C{'C' * number}" for number in range(LIMIT + 20)]
    learner.learn(told([row(name, 0.5) for name in names]))
    assert [name for name, _ in learner.state().data["outcomes"]] == names[20:]


# ---- what is made of it


def search(fails: Callable[[str, np.random.Generator], bool], seed: int, heeded: bool) -> tuple[int, float]:
    """Failed calls of a hundred, and the mean of the best ten, of a search among some ZINC molecules by vote."""
    rng, learner, known = np.random.default_rng(seed), Feasibility(), dict[str, float | None]()
    members: list[Member] = []
    drawn = [ZINC[place] for place in rng.permutation(len(ZINC))[:20]]
    for number in range(5):
        rows = [row(smiles, None if fails(smiles, rng) else value(smiles)) for smiles in drawn]
        known |= {own.smiles: own.score for own in rows}
        members += [Member(own.smiles, "[C]", own.score, (own.score,)) for own in rows if own.score is not None]
        learner.learn(told(rows, number))
        archive = Archive().add(members)
        belief = Committee(VIEW, SCORE_ALONE, ("features",)).fit(archive, 0)
        assert belief is not None
        stock = Stock(Pool(VIEW), archive, belief, learner.chances() if heeded else None)
        stock.add([Candidate(smiles, "zinc") for smiles in ZINC if smiles not in known])
        voters = draw_voters(rng, belief.shares, 20)
        considered = stock.favourites(voters, 100)
        posterior = belief(stock.pool.features(considered))
        chosen = Votes(voters).select(posterior, 20, 0, chances=stock.chances(considered))
        drawn = [stock.pool.names[considered[place]] for place, _ in zip(chosen, range(20), strict=False)]
    scores = sorted(score for score in known.values() if score is not None)
    return sum(score is None for score in known.values()), float(np.mean(scores[-10:]))


def value(smiles: str) -> float:
    """A score that chlorine raises, from which the surrogate's fingerprint does not tell fluorine."""
    return 0.5 * holds(smiles, "Cl") + len(smiles) / 200


def test_fewer_calls_fail_where_a_part_is_what_fails() -> None:
    pairs = [
        [search(lambda smiles, _: holds(smiles, "F"), seed, heeded)[0] for heeded in (True, False)] for seed in (0, 1)
    ]
    assert all(with_it < without for with_it, without in pairs), pairs


def test_failures_at_random_do_no_harm() -> None:
    for seed in (0, 1):
        with_it, without = (search(lambda _, rng: rng.random() < 0.2, seed, heeded) for heeded in (True, False))
        assert with_it == without
