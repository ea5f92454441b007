from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.gaussian_process.kernels import Matern

from designloop.records import Candidate
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.surrogates.axes import Axes
from designloop.strategies.surrogates.base import Posterior
from designloop.strategies.surrogates.committee import Committee, CommitteeModel, CommitteePosterior
from designloop.strategies.surrogates.fixed_gp import POOR, FixedGP
from designloop.strategies.surrogates.kernels import KERNELS, MeanOf, features_of_molecule
from designloop.strategies.surrogates.latent_kernels import (
    ALIKE,
    EncodedView,
    LatentMatern,
    kernel_of_model,
    points_of_latents,
)
from designloop.strategies.surrogates.latent_process import LatentProcess, ascended
from designloop.strategies.surrogates.noise import LEAST
from designloop.strategies.surrogates.pending import given_pending
from designloop.strategies.surrogates.views import MoleculeView
from tests.strategies.plain_axes import plain_axes
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

UNITS = 6
RNG = np.random.default_rng(0)
LATENTS, OTHERS = RNG.standard_normal((40, UNITS)), RNG.standard_normal((7, UNITS))
AXES = Axes(torch.from_numpy(RNG.standard_normal(UNITS)), torch.from_numpy(RNG.standard_normal((UNITS, 3))))
KERNEL = LatentMatern(AXES, 1.7)
SCORES = 1 / (1 + np.exp(-LATENTS[:, 0]))


def process(scores: np.ndarray = SCORES, noisy: bool = False) -> LatentProcess:
    gp = FixedGP.fit(KERNEL, points_of_latents(LATENTS), scores, noisy)
    latent = LatentProcess.of(CommitteeModel([gp], np.ones(1), scores, {"latent": gp}, {}))
    assert latent is not None
    return latent


def textbook(latents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation by a general inverse of scikit-learn's kernel."""
    x, new, matern = (
        AXES(torch.from_numpy(LATENTS)).numpy(),
        AXES(torch.from_numpy(latents)).numpy(),
        Matern(1.7, nu=2.5),
    )
    inverse = np.linalg.inv(matern(x) + LEAST * np.eye(len(x)))
    across = matern(new, x)
    poor = np.quantile(SCORES, POOR)
    return poor + across @ inverse @ (SCORES - poor), np.sqrt(1 - np.einsum("ij,jk,ik->i", across, inverse, across))


# ---- kernels


def test_the_kernel_is_scikit_learns_along_the_axes() -> None:
    x, points = (AXES(torch.from_numpy(rows)).numpy() for rows in (OTHERS, LATENTS))
    expected = Matern(1.7, nu=2.5)(x, points)
    assert KERNEL.to(points_of_latents(LATENTS))(points_of_latents(OTHERS)) == pytest.approx(expected, abs=1e-6)


def test_its_length_makes_pairs_as_alike_as_they_are_to_be() -> None:
    kernel = LatentMatern.calibrated(AXES, LATENTS, alike=0.3)
    between = kernel.to(points_of_latents(LATENTS))(points_of_latents(LATENTS))
    assert between[np.triu_indices(len(LATENTS), 1)].mean() == pytest.approx(0.3, abs=1e-5)


def test_the_mean_of_two_kernels_is_their_mean() -> None:
    vae = tiny_vae()
    rows = EncodedView(lambda smiles: smiles, vae).features(small_molecules(12)).tolist()
    kernel, parts = LatentMatern(plain_axes(8), 4.0), KERNELS["ecfp6"]
    both = MeanOf((kernel, parts)).to(rows[:5])(rows)
    assert both == pytest.approx((kernel.to(rows[:5])(rows) + parts.to(rows[:5])(rows)) / 2, abs=1e-6)
    assert both.dtype == np.float32


def test_the_kernel_of_a_model_is_calibrated_on_its_corpus() -> None:
    vae, corpus = tiny_vae(), tiny_corpus()
    kernel = kernel_of_model(vae, corpus, 4, np.random.default_rng(0))
    rows = EncodedView(lambda smiles: smiles, vae).features(small_molecules(48)).tolist()
    assert kernel.axes.directions.shape == (8, 4)
    between = kernel.to(rows)(rows)[np.triu_indices(len(rows), 1)]
    assert between.mean() == pytest.approx(ALIKE, abs=0.02)


def test_more_axes_than_the_model_has_are_all_of_its_own() -> None:
    kernel = kernel_of_model(tiny_vae(), tiny_corpus(), 500, np.random.default_rng(0))
    assert kernel.axes.directions.shape == (8, 8)
    assert np.isfinite(kernel.axes.directions.numpy()).all()


def test_slopes_are_those_of_finite_differences() -> None:
    similarity, weights, step = KERNEL.to(points_of_latents(LATENTS)), RNG.standard_normal((7, 40)), 1e-3

    def value(latents: np.ndarray) -> np.ndarray:
        x, points = AXES(torch.from_numpy(latents)).numpy(), similarity.points
        return np.asarray((weights * Matern(1.7, nu=2.5)(x, points)).sum(1))

    units = step * np.eye(UNITS)
    expected = np.stack([(value(OTHERS + unit) - value(OTHERS - unit)) / (2 * step) for unit in units], 1)
    assert similarity.slopes(OTHERS, weights) == pytest.approx(expected, abs=1e-4)


def test_a_molecule_without_a_latent_is_refused() -> None:
    seen = [replace(features_of_molecule("CCO"), latent=np.zeros(UNITS)), features_of_molecule("CCN")]
    with pytest.raises(
        ValueError, match="found 1 latents of 2 molecules, expected one of each; see them by an Encoded"
    ):
        KERNEL.to(seen)


# ---- the view


def test_the_view_encodes_the_standard_form_and_names_what_the_alphabet_has() -> None:
    vae = tiny_vae()
    view = EncodedView(lambda smiles: [text if text != "?" else None for text in smiles], vae)
    assert view.names([Candidate(text, "") for text in ("CCO", "?", "C" * 200)]) == ["CCO", None, None]
    rows = view.features(["CCO", "c1ccccc1"])
    expected = vae.latents([vae.codec.to_selfies(text) for text in ("CCO", "c1ccccc1")]).numpy()
    assert np.stack([row.latent for row in rows]) == pytest.approx(expected)
    members = [Member("CCO", "[C]"), Member("c1ccccc1", "[C]")]
    assert [row.smiles for row in view.features_of(members)] == ["CCO", "c1ccccc1"]
    assert view.features([]).shape == (0,)


def test_a_committee_takes_further_members_and_judges_them_with_the_others() -> None:
    vae, smiles = tiny_vae(), small_molecules(30)
    kernel = LatentMatern(plain_axes(8), 4.0)
    own = Committee(EncodedView(lambda text: text, vae), SCORE_ALONE, ("ecfp6",), others={"latent": kernel})
    belief = own.fit(Archive(tuple(Member(name, "[C]", k / 30, (k / 30,)) for k, name in enumerate(smiles))), 0)
    assert own.names == ("ecfp6", "latent")
    assert belief is not None
    assert LatentProcess.of(belief) is not None
    rows = own.view.features(smiles)
    alone = FixedGP.fit(kernel, rows.tolist(), np.arange(30) / 30)
    assert belief(rows[:5]).members[1].moments()[0] == pytest.approx(alone(rows[:5].tolist()).moments()[0])


def test_what_is_under_way_takes_the_doubt_of_members_that_see_latents() -> None:
    vae, smiles = tiny_vae(), small_molecules(40)
    kernel = LatentMatern(plain_axes(8), 0.05)
    committee = Committee(EncodedView(lambda text: text, vae), SCORE_ALONE, ("ecfp6",), others={"latent": kernel})
    members = tuple(Member(name, "[C]", k / 30, (k / 30,)) for k, name in enumerate(smiles[:30]))
    belief = committee.fit(Archive(members), 0)
    assert belief is not None
    free = committee.view.features(smiles[30:])
    before, after = belief(free), given_pending(belief, free, free[:1])
    assert isinstance(after, CommitteePosterior)
    doubt, left = (posterior.members[1].moments()[1] for posterior in (before, after))
    assert left[0] < 0.1 * doubt[0]
    assert (left <= doubt + 1e-6).all()
    assert after.members[1].moments()[0] == pytest.approx(before.members[1].moments()[0])


# ---- the process


def test_bounds_are_those_of_the_textbook() -> None:
    mean, doubt = textbook(OTHERS)
    assert process().bounds(OTHERS, 0.0) == pytest.approx(mean, abs=2e-3)
    kappa = np.linspace(0.01, 1, len(OTHERS))
    assert process().bounds(OTHERS, kappa) == pytest.approx(mean + kappa * doubt, abs=5e-3)


@pytest.mark.parametrize("kappa", [0.0, 0.5])
def test_slopes_of_bounds_are_those_of_finite_differences(kappa: float) -> None:
    def value(latents: np.ndarray) -> np.ndarray:
        mean, doubt = textbook(latents)
        return mean + kappa * doubt

    units = 1e-3 * np.eye(UNITS)
    expected = np.stack([(value(OTHERS + unit) - value(OTHERS - unit)) / 2e-3 for unit in units], 1)
    assert process().slopes(OTHERS, np.full(len(OTHERS), kappa)) == pytest.approx(expected, abs=0.02)


def test_slopes_of_a_noisy_process_are_those_of_its_own_bounds() -> None:
    noisy = process(5 + 9 * SCORES + 0.3 * np.random.default_rng(1).standard_normal(40), noisy=True)
    assert noisy.gp.scale.variance > 1.5
    units, kappa = 0.02 * np.eye(UNITS), np.full(len(OTHERS), 0.5)
    expected = np.stack([(noisy.bounds(OTHERS + u, kappa) - noisy.bounds(OTHERS - u, kappa)) / 0.04 for u in units], 1)
    assert noisy.slopes(OTHERS, kappa) == pytest.approx(expected, abs=0.02)


def test_ascending_raises_bounds_and_stays_on_the_spheres() -> None:
    kappa = np.full(len(OTHERS), 0.1)
    before, after = process().bounds(OTHERS, kappa), ascended(process(), OTHERS, kappa, steps=6, length=0.3)
    higher = process().bounds(after, kappa)
    assert (higher >= before).all()
    assert (higher - before).mean() > 0.05
    assert np.linalg.norm(after, axis=1) == pytest.approx(np.linalg.norm(OTHERS, axis=1))


def test_a_belief_without_latents_has_no_such_process() -> None:
    view = MoleculeView(lambda smiles: smiles)
    members = tuple(Member(name, "[C]", k / 12, (k / 12,)) for k, name in enumerate(small_molecules(12)))
    belief = Committee(view, SCORE_ALONE, ("ecfp6",)).fit(Archive(members), 0)
    assert belief is not None
    assert LatentProcess.of(belief) is None

    def constant(features: np.ndarray) -> Posterior:
        return pytest.fail("not asked")

    assert LatentProcess.of(constant) is None
