"""Nonlinear structural priors, of a graph that is given and of one that is learned."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from designloop.testing import check_prior
from designloop.testing.draws import generator
from designloop.vae import causal
from designloop.vae.causal import AdditiveNoise, LearnedGraph
from designloop.vae.errors import VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal

CAUSES = torch.tensor([[0, 0, 1], [1, 0, 1], [0, 0, 0]])
"""2 causes 0 and 1, 0 causes 1: no order of the numbers."""


def model(causes: Tensor = CAUSES, seed: int = 0) -> AdditiveNoise:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        prior = AdditiveNoise(causes, hidden=4)
        for parameter in (prior.mechanisms.outer, prior.mechanisms.straight):
            parameter.data = torch.randn(parameter.shape)
        prior.log_scale.data = 0.3 * torch.randn(prior.latent)
    return prior


def test_additive_noise_keeps_the_contract_with_and_without_interventions() -> None:
    assert "sampling" in check_prior(model()).passed
    small = model(torch.tensor([[0, 1], [0, 0]]))
    assert "normalised" in check_prior(small).passed


def test_a_mean_depends_on_the_unit_s_causes_alone_and_as_they_say() -> None:
    prior = model().double().requires_grad_(False)
    z = torch.randn(3, generator=generator(), dtype=torch.float64)
    slopes = torch.autograd.functional.jacobian(prior.means, z)
    assert torch.equal(slopes != 0, CAUSES.bool())
    parts, two = prior.mechanisms, [0, 2]
    bent = (parts.inner[1][:, two] @ z[two] + parts.inner_offset[1]).tanh() @ parts.outer[1]
    straight = parts.straight[1, two] @ z[two] + parts.offset[1]
    torch.testing.assert_close(prior.means(z)[1], bent + straight)


def test_a_counterfactual_keeps_the_noise_of_all_that_is_not_set() -> None:
    prior = model().double()
    z = prior.sample(7, None, generator()).detach()
    torch.testing.assert_close(prior.counterfactual(z, {}), z)
    value = torch.linspace(-2, 2, 7, dtype=torch.float64)
    moved = prior.counterfactual(z, {0: value})
    assert torch.equal(moved[:, 0], value)
    assert torch.equal(moved[:, 2], z[:, 2])
    torch.testing.assert_close(prior.noise_of(moved)[:, 1], prior.noise_of(z)[:, 1])
    half = value.where(torch.arange(7) < 3, torch.nan)
    torch.testing.assert_close(prior.counterfactual(z, {0: half})[3:], z[3:])
    torch.testing.assert_close(prior.counterfactual(z, {0: half})[:3], moved[:3])


def test_draws_density_and_divergence_under_an_intervention_are_those_of_what_is_left() -> None:
    """do(z_2 = 1): the law of (0, 1) given z_2 = 1, as 2 has no cause; set units have no density of their own."""
    prior = model().double()
    context = {"do": prior.interventions({2: 1.0}, 4)}
    z = prior.sample(4, None, generator()).detach()
    z[:, 2] = 1.0
    alone = -0.5 * (prior.noise_of(z)[:, 2] / prior.log_scale[2].exp()).square() - prior.log_scale[2]
    alone = alone - 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(prior.log_prob(z, context), prior.log_prob(z) - alone)
    assert torch.equal(prior.sample(3, context, generator())[..., 2], torch.ones(3, 4, dtype=torch.float64))
    own = prior.condition(DiagonalNormal(z + 0.1, torch.full_like(z, 0.5)), context)
    drawn = own.at(torch.randn(4, 3, generator=generator(1), dtype=torch.float64))
    torch.testing.assert_close(prior.kl(own, drawn, context), own.log_prob(drawn) - prior.log_prob(drawn, context))


def graph(strengths: Tensor) -> LearnedGraph:
    """A learned graph of given strengths, all of them straight."""
    prior = LearnedGraph(len(strengths), hidden=2)
    prior.mechanisms.outer.data.zero_()
    prior.mechanisms.straight.data = strengths.clone()
    return prior


def test_cycles_are_nothing_without_a_cycle_and_have_a_closed_form_of_two() -> None:
    """tr exp([[0, a²], [b², 0]]) − 2 = 2 cosh(ab) − 2."""
    assert float(graph(CAUSES.float()).cycles().detach()) == pytest.approx(0, abs=1e-5)
    two = graph(torch.tensor([[5.0, 0.8], [1.5, 5.0]]))  # what a unit does to itself is no arrow
    assert float(two.cycles().detach()) == pytest.approx(2 * math.cosh(1.2) - 2, rel=1e-5)
    torch.testing.assert_close(two.strengths().detach(), torch.tensor([[0.0, 0.8], [1.5, 0.0]]))


def test_a_graph_without_a_cycle_is_the_model_that_it_settles_to() -> None:
    prior = graph(CAUSES * 0.7)
    settled = prior.settled()
    assert torch.equal(settled.causes, CAUSES.bool())
    z = torch.randn(6, 3, generator=generator())
    torch.testing.assert_close(settled.log_prob(z), prior.log_prob(z))
    assert torch.equal(prior.sample(5, None, generator()), settled.sample(5, None, generator()))
    assert "sampling" in check_prior(prior).passed
    assert not prior.settled(threshold=0.8).causes.any()
    torch.testing.assert_close(prior.settled(0.8).means(z), torch.zeros(6, 3))


def test_arrows_that_are_too_weak_or_close_a_cycle_are_cut() -> None:
    prior = graph(torch.tensor([[0.0, 0.5, 0.0], [0.9, 0.0, 0.05], [0.0, 0.0, 0.0]]))
    assert prior.settled().causes.nonzero().tolist() == [[1, 0]]
    state = torch.get_rng_state()
    prior.settled()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_graph_of_bent_arrows_is_learned_from_what_it_made() -> None:
    """z_1 = 1.5 cos(2 z_0) + noise, z_2 noise: which way the arrow points is in the data, as its mean is no line."""
    draw = generator(2)
    z = torch.randn(2000, 3, generator=draw)
    z[:, 1] = 1.5 * (2 * z[:, 0]).cos() + 0.5 * z[:, 1]
    z = (z - z.mean(0)) / z.std(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        prior = LearnedGraph(3, hidden=8)
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.02)
    for step in range(400):
        optimizer.zero_grad()
        cycles = 1e3 * max(step - 150, 0) / 250
        loss = cycles * prior.cycles() + 0.05 * prior.strengths().sum() - prior.log_prob(z[step % 4 :: 4]).mean()
        torch.autograd.backward(loss)
        optimizer.step()
    truth = torch.zeros(3, 3)
    truth[1, 0] = 1
    assert causal.structural_distance(prior.settled().causes, truth) == 0


def test_a_graph_that_is_still_learned_refuses_interventions() -> None:
    prior = graph(CAUSES * 0.7)
    context = {"do": prior.settled().interventions({0: 1.0}, 4)}
    z = torch.zeros(4, 3)
    for asked in (lambda: prior.log_prob(z, context), lambda: prior.sample(2, context, generator()),
                  lambda: prior.condition(DiagonalNormal(z, z + 1), context)):  # fmt: skip
        with pytest.raises(VAEError, match=r"a LearnedGraph knows of no interventions; leave it out, or take vae.with"):
            asked()
    assert prior.settled().sample(2, context, generator())[..., 0].unique().tolist() == [1.0]
