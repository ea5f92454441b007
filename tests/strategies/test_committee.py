from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator
from scipy.stats import norm

from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.count_prints import Bank, Prints, prints_of
from designloop.molecules.whole_numbers import numbers_of
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies.acquisition.votes import FITTED, WIDE, Kappas, Voter, Votes, draw_voters
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import SCORE_ALONE, KnownObjective, unchanged
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.screen import ZincScreen
from designloop.strategies.surrogates.base import Posterior
from designloop.strategies.surrogates.committee import Committee, CommitteePosterior
from designloop.strategies.surrogates.fixed_gp import POOR, FixedGP
from designloop.strategies.surrogates.kernels import (
    KERNELS,
    Kernel,
    MinMax,
    MoleculeFeatures,
    Numbers,
    Similarities,
    features_of_molecule,
    standard_numbers,
)
from designloop.strategies.surrogates.noise import LEAST
from designloop.strategies.surrogates.views import FingerprintView, MoleculeView

SMILES = held_out_smiles()[1000:1060]
FEATURES = [features_of_molecule(text) for text in SMILES]
SCORES = np.random.default_rng(0).random(len(SMILES))

GENERATORS = {
    "ecfp6": rdFingerprintGenerator.GetMorganGenerator(radius=3, fpSize=2048),
    "fcfp4": rdFingerprintGenerator.GetMorganGenerator(
        radius=2, fpSize=2048, atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    ),
    "atom_pair": rdFingerprintGenerator.GetAtomPairGenerator(fpSize=2048),
    "feature_pair": rdFingerprintGenerator.GetAtomPairGenerator(
        fpSize=2048, atomInvariantsGenerator=rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    ),
}


def archive_of(smiles: Sequence[str], scores: Sequence[float] | np.ndarray) -> Archive:
    members = [Member(name, "[C]", float(score), (float(score),)) for name, score in zip(smiles, scores, strict=True)]
    return Archive().add(members)


def committee(objective: KnownObjective = SCORE_ALONE, **more: object) -> Committee:
    return Committee(MoleculeView(lambda smiles: smiles), objective, **more)  # type: ignore[arg-type]


@cache
def voted() -> CommitteePosterior:
    belief = committee().fit(archive_of(SMILES[:40], SCORES[:40]), 0)
    assert belief is not None
    return belief(np.array(FEATURES[40:], dtype=object))


def first_of(means: np.ndarray) -> np.ndarray:
    return np.asarray(means[:, 0])


@pytest.mark.parametrize("kind", GENERATORS)
def test_minmax_is_rdkits_similarity_of_counts(kind: str) -> None:
    prints = [GENERATORS[kind].GetCountFingerprint(Chem.MolFromSmiles(text)) for text in SMILES]
    expected = [[DataStructs.TanimotoSimilarity(a, b) for b in prints[:20]] for a in prints]
    assert MinMax(kind).to(FEATURES[:20])(FEATURES) == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("length", [1.0, 3.0])
def test_numbers_are_a_gaussian_of_what_is_standardised_on_zinc(length: float) -> None:
    mean, deviation = standard_numbers()
    rows = np.stack([(numbers_of(Chem.MolFromSmiles(text)) - mean) / deviation for text in SMILES[:20]])
    expected = np.exp(-np.square(rows[:, None] - rows).sum(-1) / (2 * rows.shape[1] * length**2))
    assert Numbers(length).to(FEATURES[:20])(FEATURES[:20]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("kernel", "parts"),
    [
        ("features", [MinMax("fcfp4"), MinMax("feature_pair")]),
        ("pairs", [MinMax("atom_pair"), MinMax("fcfp4"), Numbers(1.0), Numbers(3.0)]),
        ("composition", [*map(MinMax, ("ecfp6", "fcfp4", "feature_pair")), Numbers(1.0), Numbers(3.0)]),
    ],
)
def test_the_others_are_means_of_these(kernel: str, parts: list[Kernel]) -> None:
    expected = np.mean([part.to(FEATURES[:20])(FEATURES) for part in parts], axis=0)
    assert KERNELS[kernel].to(FEATURES[:20])(FEATURES) == pytest.approx(expected, abs=1e-6)


def test_kernels_that_have_parts_in_common_say_together_what_they_say_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = {name: kernel.to(FEATURES[:20]) for name, kernel in KERNELS.items()}
    together = Similarities(KERNELS, FEATURES[:20])
    assert list(together) == list(KERNELS)
    for others in (FEATURES, FEATURES[20:30], FEATURES):
        for name, similarity in alone.items():
            assert together[name](list(others)).tolist() == similarity(others).tolist()
    together.forget()
    asked: list[str] = []
    prints = MinMax._prints

    def counted(self: MinMax, rows: Sequence[MoleculeFeatures]) -> Prints:
        asked.append(self.kind)
        return prints(self, rows)

    monkeypatch.setattr(MinMax, "_prints", counted)
    for name in together:
        together[name](FEATURES)
    assert sorted(asked) == ["atom_pair", "ecfp6", "fcfp4", "feature_pair"], "each part is asked once"


def test_numbers_tell_isomers_by_formula_alone_alike_and_others_apart() -> None:
    propanol, ether, butanol = (numbers_of(Chem.MolFromSmiles(text)) for text in ("CCCO", "CCOC", "CCCCO"))
    assert propanol[:10].tolist() == ether[:10].tolist() == [8, 3, 0, 1, 0, 0, 0, 0, 0, 0]
    assert butanol[:2].tolist() == [10, 4]


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_process_is_the_textbooks(kernel: str) -> None:
    known, asked = FEATURES[:40], FEATURES[40:]
    similarity = KERNELS[kernel].to(FEATURES)(FEATURES).astype(float)
    covariance, across = similarity[:40, :40] + LEAST * np.eye(40), similarity[:40, 40:]
    poor = np.quantile(SCORES[:40], POOR)
    mean = poor + across.T @ np.linalg.solve(covariance, SCORES[:40] - poor)
    posterior = similarity[40:, 40:] - across.T @ np.linalg.solve(covariance, across)
    own = FixedGP.fit(KERNELS[kernel], known, SCORES[:40])(asked)
    assert own.moments()[0] == pytest.approx(mean, abs=1e-4)
    assert own.moments()[1] == pytest.approx(np.sqrt(np.diagonal(posterior)), abs=1e-3)
    assert own.joint()[1] == pytest.approx(posterior, abs=1e-3)


def test_as_one_a_committee_has_the_moments_of_its_mixture() -> None:
    belief = committee().fit(archive_of(SMILES[:40], SCORES[:40]), 0)
    assert belief is not None
    posterior = belief(np.array(FEATURES[40:], dtype=object))
    rng = np.random.default_rng(1)
    moments = [member.moments() for member in posterior.members]
    drawn = rng.choice(len(moments), 200_000, p=posterior.shares)
    values = np.array([moments[k][0][0] for k in range(4)])[drawn] + np.array([moments[k][1][0] for k in range(4)])[
        drawn
    ] * rng.standard_normal(len(drawn))
    mean, doubt = posterior.moments()
    assert mean[0] == pytest.approx(values.mean(), abs=0.01)
    assert doubt[0] == pytest.approx(values.std(), abs=0.01)
    assert np.diagonal(posterior.joint()[1]) == pytest.approx(np.square(doubt), abs=1e-6)


def told(belief: object, smiles: Sequence[str], scores: Sequence[float]) -> ToldRound:
    rows = [
        Scored(Evaluation(Candidate(name, "prior"), {"score": Result(score)}), {"score": score}, score)
        for name, score in zip(smiles, scores, strict=True)
    ]
    return ToldRound(2, rows, rows, Archive(), Archive(), belief)  # type: ignore[arg-type]


def test_who_foresees_better_gets_the_greater_share_and_keeps_it_after_a_restart() -> None:
    own = committee(kernels=("ecfp6", "composition"))
    assert own.shares.tolist() == [0.5, 0.5]
    heavy = np.array([numbers_of(Chem.MolFromSmiles(text))[1] for text in SMILES]) / 40  # the number of carbons
    belief = own.fit(archive_of(SMILES[:40], heavy[:40]), 0)
    own.learn(told(belief, SMILES[40:], heavy[40:].tolist()))
    assert own.shares[1] > 0.8
    assert own.shares.sum() == pytest.approx(1)
    assert own.shares[0] >= 0.05
    assert committee(kernels=("ecfp6", "composition"), state=own.state()).shares == pytest.approx(own.shares)


def test_a_correction_of_what_a_committee_was_fitted_on_says_nothing_of_its_foresight() -> None:
    own, archive = committee(), archive_of(SMILES[:40], SCORES[:40])
    belief, before = own.fit(archive, 0), own.state()
    corrected = replace(told(belief, SMILES[:5], [0.9, 0.1, 0.8, 0.2, 0.7]), before=archive)
    own.learn(corrected)
    assert own.state() == before
    own.learn(replace(told(belief, SMILES[:41], SCORES[:41].tolist()), before=archive))
    alone = committee()
    alone.learn(told(belief, SMILES[40:41], SCORES[40:41].tolist()))
    assert own.state() == alone.state()


def test_the_record_is_the_discounted_log_density_of_rescaled_errors() -> None:
    own = committee(kernels=("ecfp6",))
    own._judge(np.array([[0.2]]), np.array([[0.3]]), np.array([0.7]), np.array([LEAST]))
    variance = 0.3**2 + 1e-4
    scale = 0.98 + 0.02 * 0.5**2 / variance
    wanted = norm.logpdf(0.7, 0.2, np.sqrt(scale * variance)) + 0.5 * np.log(2 * np.pi)
    assert own.state().data["record"]["ecfp6"] == pytest.approx([wanted, scale])


def test_an_objective_of_several_parts_has_the_composite_as_a_member() -> None:
    objective = KnownObjective(("a", "b"), (unchanged, unchanged), lambda desirabilities: desirabilities.mean(1))
    bits = FingerprintView(lambda smiles: smiles)
    own = committee(objective, bits=bits)
    assert own.names[-1] == "composite"
    rows = [
        Member(name, "[C]", float(score), (float(score), 1 - float(score)))
        for name, score in zip(SMILES[:40], SCORES, strict=False)
    ]
    belief = own.fit(Archive().add(rows), 0)
    assert belief is not None
    posterior = belief(np.array(FEATURES[40:45], dtype=object))
    assert len(posterior.members) == len(posterior.shares) == 5
    assert committee(bits=bits).names == tuple(KERNELS), "of one property, the composite would be one GP more"


def test_the_noise_of_a_value_is_in_its_own_unit() -> None:
    """Of what is made of several properties too: of a sum in closed form, of another function by simulation."""
    rng = np.random.default_rng(0)
    means, noises = [rng.random(30), rng.random(30)], [0.04, 0.0009]

    def posterior(value: Callable[[Sequence[np.ndarray]], np.ndarray] | None) -> Posterior:
        return Posterior(means, lambda: [np.ones(30)] * 2, lambda: [np.eye(30)] * 2, noises, 1.0, value)

    assert posterior(None).noise == noises[0]
    assert posterior(lambda drawn: 2 * drawn[0]).noise == pytest.approx(4 * 0.04)
    assert posterior(lambda drawn: 2 * drawn[0] - 9 * drawn[1]).noise == pytest.approx(4 * 0.04 + 81 * 0.0009)
    simulated = [m + np.sqrt(noise) * rng.standard_normal((20_000, 1)) for m, noise in zip(means, noises, strict=True)]
    product = posterior(lambda drawn: drawn[0] * drawn[1]).noise
    assert product == pytest.approx((simulated[0] * simulated[1]).var(0).mean(), rel=0.1)


def test_of_few_molecules_there_is_no_belief() -> None:
    assert committee().fit(archive_of(SMILES[:9], SCORES[:9]), 0) is None


def test_voters_take_turns_and_never_choose_twice() -> None:
    belief = committee().fit(archive_of(SMILES[:40], SCORES[:40]), 0)
    assert belief is not None
    posterior = belief(np.array(FEATURES[40:], dtype=object))
    greedy = Votes([Voter(0, 0.0), Voter(2, 0.0)])
    rows = list(greedy.select(posterior, 2, 0))
    assert sorted(rows) == list(range(20))
    assert rows[0] == int(np.argmax(posterior.members[0].moments()[0]))
    second = posterior.members[2].moments()[0].copy()
    second[rows[0]] = -np.inf
    assert rows[1] == int(np.argmax(second))
    assert rows[0] not in list(greedy.select(posterior, 2, 0, lambda row: row != rows[0]))


@settings(max_examples=20)
@given(st.sets(st.integers(0, 19), min_size=1), st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_the_surrogate_that_is_named_is_the_one_whose_favourite_it_was(kept: set[int], asked: list[int]) -> None:
    """Whoever votes, and whatever may not be admitted: at no doubt, its mean is the highest of what was left."""
    posterior, names = voted(), [f"member {number}" for number in range(4)]
    means = [member.moments()[0] for member in posterior.members]
    votes, left = Votes([Voter(member, 0.0) for member in asked], names=names), set(kept)
    for place, row in enumerate(votes.select(posterior, 3, 0, lambda row: row in kept)):
        named = names.index(votes.reason(place).removeprefix("highest by ").removesuffix(" at 0 sd of doubt"))
        assert means[named][row] == max(means[named][other] for other in left)
        left.remove(row)
    assert not left


def test_a_committee_of_some_members_has_their_names() -> None:
    own = committee()
    belief = own.fit(archive_of(SMILES[:40], SCORES[:40]), 0)
    assert belief is not None
    assert belief.names == own.names == tuple(KERNELS)
    some = belief.only([2, 0])
    assert some.names == [*some.processes] == [own.names[2], own.names[0]]
    expected = some.shares @ np.array([belief.processes[name].expected for name in some.names])
    np.testing.assert_allclose(some.expected, expected, rtol=1e-6)


def test_zinc_is_screened_by_the_kernel_of_its_fingerprint_or_what_lacks_is_said() -> None:
    archive = archive_of(SMILES[:40], SCORES[:40])
    whole, without = committee().fit(archive, 0), committee(kernels=("pairs", "features")).fit(archive, 0)
    assert whole is not None
    assert without is not None
    assert whole.process_of_bank is whole.processes["ecfp6"]
    with pytest.raises(ValueError, match="found the kernels pairs, features, expected ecfp6 among them"):
        _ = without.process_of_bank


def test_where_nothing_is_admissible_all_are_asked_once() -> None:
    belief = committee().fit(archive_of(SMILES[:40], SCORES[:40]), 0)
    assert belief is not None
    asked: list[int] = []

    def refuse(row: int) -> bool:
        asked.append(row)
        return False

    votes = Votes([Voter(0, 0.1), Voter(1, 1.0)])
    assert list(votes.select(belief(np.array(FEATURES[40:], dtype=object)), 5, 0, refuse)) == []
    assert sorted(asked) == list(range(20))


def test_what_was_chosen_leaves_less_doubt_about_its_twin() -> None:
    twins = [features_of_molecule(text) for text in ("C[C@H](N)C(=O)Nc1ccccc1", "C[C@@H](N)C(=O)Nc1ccccc1", "CCCCCCCC")]
    belief = committee(kernels=("ecfp6",)).fit(archive_of(SMILES[:40], np.full(40, 0.5)), 0)
    assert belief is not None
    posterior = belief(np.array(twins, dtype=object))
    rows = list(Votes([Voter(0, 1.0)]).select(posterior, 3, 0))
    assert rows[-1] in (0, 1), "the twin of one that was chosen comes last"


@pytest.mark.parametrize("kappas", [WIDE, FITTED])
def test_voters_are_drawn_by_share_and_their_doubt_evenly_in_the_logarithm(kappas: Kappas) -> None:
    voters = draw_voters(np.random.default_rng(0), [0.8, 0.2], 4000, kappas)
    assert np.mean([voter.member for voter in voters]) == pytest.approx(0.2, abs=0.03)
    logs = np.log10([voter.kappa for voter in voters])
    assert (logs.min(), logs.max()) == pytest.approx(np.log10(kappas), abs=0.01)
    assert logs.mean() == pytest.approx(np.log10(kappas).mean(), abs=0.03)


def test_a_screen_has_the_means_of_the_process_and_proposes_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    smiles = tuple(held_out_smiles()[2000:2300])
    bank = Bank(smiles, prints_of(smiles))
    monkeypatch.setattr("designloop.strategies.search.screen.zinc_bank", lambda size: bank)
    screen = ZincScreen(fresh=5, best=20)
    gp = FixedGP.fit(KERNELS["ecfp6"], FEATURES, SCORES)
    expected = gp([features_of_molecule(text) for text in smiles]).moments()[0]
    assert gp.scale.mean + screen.means(bank, gp) == pytest.approx(expected, abs=0.03)
    again = screen.means(bank, gp)
    assert ZincScreen(fresh=5, best=20).means(bank, gp) == pytest.approx(again, abs=0), "a restart changes nothing"
    proposed = [candidate.smiles for candidate in screen.propose([gp], [first_of], np.random.default_rng(0))]
    assert 20 <= len(proposed) <= 25
    assert [smiles.index(text) for text in proposed[:20]] == np.argsort(-again, kind="stable")[:20].tolist()


def test_the_more_was_paid_for_the_more_is_looked_through() -> None:
    assert [ZincScreen().size(n) for n in (0, 99, 100, 299, 300)] == [10_000, 10_000, 50_000, 50_000, None]
    assert [ZincScreen(20_000).size(n) for n in (0, 100, 300)] == [10_000, 20_000, 20_000]


@pytest.mark.parametrize("common", [0.0, 0.1, 1.0], ids=["all flags", "both", "all lists"])
def test_a_bank_has_the_kernels_similarities_and_lets_its_prints_go(common, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("designloop.molecules.count_prints._COMMON", common)
    smiles = held_out_smiles()[2000:2060]
    bank, others = Bank(smiles, prints_of(smiles)), held_out_smiles()[2055:2065]
    expected = KERNELS["ecfp6"].to([features_of_molecule(text) for text in smiles])
    for other in map(features_of_molecule, others):
        assert bank.similarity(other.units["ecfp6"]) == pytest.approx(expected([other])[0], abs=1e-6)
    assert bank._prints is None


def test_a_bank_of_another_size_is_screened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    banks = {size: Bank(tuple(part), prints_of(part)) for size, part in ((10_000, SMILES[:30]), (50_000, SMILES))}
    monkeypatch.setattr("designloop.strategies.search.screen.zinc_bank", banks.__getitem__)
    screen = ZincScreen(fresh=0, best=5)
    alcohols = [features_of_molecule(f"C{'C' * n}O") for n in range(200)]
    few = FixedGP.fit(KERNELS["ecfp6"], FEATURES[:20], SCORES[:20])
    many = FixedGP.fit(KERNELS["ecfp6"], alcohols, np.ones(200))
    assert len(screen.propose([few], [first_of], np.random.default_rng(0))) == 5
    assert len(screen.means(banks[50_000], many)) == len(SMILES)
    assert len(screen.propose([many], [first_of], np.random.default_rng(0))) == 5


@pytest.mark.parametrize("refused", [0, 5, 6, 20, 55, 60])
def test_what_cannot_be_admitted_takes_no_place_of_what_can(refused, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank(tuple(SMILES), prints_of(SMILES))
    monkeypatch.setattr("designloop.strategies.search.screen.zinc_bank", lambda size: bank)
    gp, screen = FixedGP.fit(KERNELS["ecfp6"], FEATURES[:20], SCORES[:20]), ZincScreen(fresh=0, best=10)
    ranked = [SMILES[row] for row in np.argsort(-screen.means(bank, gp), kind="stable")]
    closed = set(ranked[:refused])

    def admissible(drawn: Sequence[Candidate]) -> list[Candidate]:
        return [candidate for candidate in drawn if candidate.smiles not in closed]

    screened = screen.propose([gp], [first_of], np.random.default_rng(0), admissible)
    found = [candidate.smiles for candidate in screened]
    if refused <= 5:  # half of the ten best are enough, and what is closed harms nobody
        assert found == ranked[:10]
    else:
        assert found == ranked[refused : refused + 10]


def test_a_committees_posterior_serves_whatever_takes_one() -> None:
    belief = committee().fit(archive_of(SMILES[:40], SCORES[:40]), 0)
    assert belief is not None
    posterior = belief(np.array(FEATURES[40:], dtype=object))
    assert isinstance(posterior, CommitteePosterior)
    assert posterior.samples(3, 0).shape == (3, 20)


def test_the_screen_ranks_by_the_members_own_scale_where_scores_are_noisy() -> None:
    smiles = tuple(held_out_smiles()[2000:2100])
    noisy = SCORES + np.random.default_rng(3).normal(0, 0.3, len(SCORES))
    gp = FixedGP.fit(KERNELS["ecfp6"], FEATURES, noisy, noisy=True)
    expected = gp([features_of_molecule(text) for text in smiles]).moments()[0]
    assert ZincScreen().means(Bank(smiles, prints_of(smiles)), gp) + gp.scale.mean == pytest.approx(expected, abs=0.03)
    assert gp.scale.variance != 1
