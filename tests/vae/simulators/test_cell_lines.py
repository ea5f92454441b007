"""Simulated cell lines: what is additive and what is not, the design, and the true posterior."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from designloop.vae.simulators.cell_lines import biology, cells, design, expected_effect


def test_only_without_interaction_is_a_drugs_effect_the_same_in_all_cells() -> None:
    shares = []
    for interaction in (0.0, 0.5, 1.0):
        truth = biology(np.random.default_rng(0), interaction)
        sample = cells(truth, 4000, np.random.default_rng(1))
        left, whole = 0.0, 0.0
        for drug in range(1, 4):
            effect = truth.effect(sample.state, np.zeros(4000, int), np.full(4000, drug))
            assert (effect[:, truth.responses[drug] == 0] == 0).all()
            left += ((effect - effect.mean(0)) ** 2).sum()
            whole += (effect**2).sum()
        shares.append(left / whole)
    assert shares[0] == pytest.approx(0, abs=1e-12)
    assert 0.2 < shares[1] < shares[2]
    assert shares[2] > 0.8  # no shift a drug explains more than the rest


def test_the_interaction_is_not_the_mutations_alone() -> None:
    """A shift for each mutation and drug, the saturated model of both, leaves much of the effect too."""
    truth = biology(np.random.default_rng(0))
    sample = cells(truth, 4000, np.random.default_rng(1))
    effect = truth.effect(sample.state, np.zeros(4000, int), np.full(4000, 2))
    left = sum(
        ((effect[sample.mutation == mutation] - effect[sample.mutation == mutation].mean(0)) ** 2).sum()
        for mutation in range(3)
    )
    assert left > 0.1 * (effect**2).sum()


@pytest.mark.parametrize("confounding", [0.0, 0.6])
def test_drugs_are_given_by_the_design_and_say_nothing_of_the_state_beyond_the_mutation(confounding: float) -> None:
    truth = biology(np.random.default_rng(0))
    sample = cells(truth, 60_000, np.random.default_rng(1), confounding)
    chance = design(3, 4, confounding)
    np.testing.assert_allclose(chance.sum(1), 1)
    for mutation in range(3):
        own = sample.mutation == mutation
        np.testing.assert_allclose(np.bincount(sample.drug[own], minlength=4) / own.sum(), chance[mutation], atol=0.015)
        for drug in range(4):
            both = own & (sample.drug == drug)
            error = 1 / np.sqrt(both.sum())
            np.testing.assert_allclose(sample.state[both].mean(0), truth.centres[mutation], atol=4.5 * error)
    np.testing.assert_allclose((sample.x - truth.expression(sample.state, sample.drug)).std(0), truth.noise, rtol=0.03)


def test_without_interaction_the_ceiling_is_the_drugs_shift() -> None:
    truth = biology(np.random.default_rng(0), 0.0, genes=6)
    sample = cells(truth, 40, np.random.default_rng(1), 0.6)
    other = (sample.drug + 1) % 4
    shift = truth.responses[other] - truth.responses[sample.drug]
    np.testing.assert_allclose(expected_effect(truth, sample, other, 0.6), shift, atol=1e-12)


def test_the_ceiling_is_unbiased_and_better_than_any_shift() -> None:
    truth = biology(np.random.default_rng(3))
    sample = cells(truth, 3000, np.random.default_rng(4))
    other = (sample.drug + np.random.default_rng(5).integers(1, 4, 3000)) % 4
    effect = truth.effect(sample.state, sample.drug, other)
    said = expected_effect(truth, sample, other)
    off = effect - said
    error = off.std(0) / np.sqrt(3000)
    assert (np.abs(off.mean(0)) <= 4.5 * error + 1e-12).all()
    assert np.abs((off * said).sum()) < 0.02 * (said**2).sum()  # what is left does not go with what was said
    assert (off**2).sum() < 0.1 * (effect**2).sum()
    fine = expected_effect(truth, replace(sample, x=sample.x[:50], drug=sample.drug[:50]), other[:50], points=161)
    np.testing.assert_allclose(said[:50], fine, atol=1e-3)  # the grid is fine enough


def test_the_mutation_can_be_told_from_the_state_as_well_as_its_normals_overlap() -> None:
    truth = biology(np.random.default_rng(0))
    sample = cells(truth, 20_000, np.random.default_rng(1))
    density = np.stack([multivariate_normal(centre).pdf(sample.state) for centre in truth.centres], 1)
    assert 0.85 < (density.argmax(1) == sample.mutation).mean() < 0.95
