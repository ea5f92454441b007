"""Terms of a causal VAE's loss."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae import ELBO, VAE, Batch, Gaussian, MLPDecoder, MLPEncoder, StandardNormal, fit
from designloop.vae.causal import Arrows, Concepts, Consistency, Cycles, LearnedGraph, consistency_score, counterfactual
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors import StructuralCausal
from designloop.vae.priors.base import Prior

CHAIN = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0]])


def vae_with(prior: Prior) -> VAE:
    torch.manual_seed(0)
    return VAE(MLPEncoder(4, 3), MLPDecoder(3, 4), Gaussian(4), prior).double()


def test_a_label_counts_as_a_second_thing_that_is_seen_and_its_absence_as_nothing() -> None:
    """The mean over q of a normal's log density, by many draws; rows and units without a label have no slope either."""
    vae, x = vae_with(StandardNormal(3)), torch.randn(3, 4, generator=generator(), dtype=torch.float64)
    labels = torch.tensor([[0.5, -1.0, torch.nan], [torch.nan] * 3, [0.0, 1.0, 2.0]], dtype=torch.float64)
    out = vae(x, targets={"concepts": labels})
    value = Concepts(noise=0.3)(out)
    z = out.posterior.at(torch.randn(40_000, 3, 3, generator=generator(), dtype=torch.float64))
    each = torch.distributions.Normal(z, 0.3).log_prob(labels.nan_to_num()).masked_fill(labels.isnan(), 0).sum(-1)
    assert float(value[1].detach()) == 0
    assert bool(((value + each.mean(0)).abs() <= 5 * each.std(0) / 200).all())
    (slope,) = torch.autograd.grad(value.sum(), out.posterior.mean)
    assert torch.equal(slope == 0, labels.isnan())


def test_labels_that_cannot_be_are_told() -> None:
    vae, x = vae_with(StandardNormal(3)), torch.zeros(2, 4)
    with pytest.raises(VAEError, match=r"no target 'concepts' \(dose\); give Batch\(targets=\{'concepts': …\}\)"):
        Concepts()(vae(x, targets={"dose": torch.zeros(2)}))
    with pytest.raises(ShapeError, match=r"targets\['concepts'\] has shape \(2, 1\), expected \(2, 3\), one a unit"):
        Concepts()(vae(x, targets={"concepts": torch.zeros(2, 1)}))
    with pytest.raises(VAEError, match="has infinite labels; write NaN where there is none"):
        Concepts()(vae(x, targets={"concepts": torch.full((2, 3), torch.inf)}))
    with pytest.raises(VAEError, match="noise is 0, expected a positive number"):
        Concepts(noise=0)
    for term in (Cycles(), Arrows()):
        with pytest.raises(VAEError, match=r"reads the arrows of a LearnedGraph, the prior is StandardNormal"):
            term(vae(x))
    with pytest.raises(VAEError, match="Consistency asks for a structural causal model, the prior is StandardNormal"):
        Consistency(vae)


def test_terms_of_a_graph_are_its_own_numbers() -> None:
    vae = vae_with(LearnedGraph(3, hidden=2))
    assert isinstance(vae.prior, LearnedGraph)
    out = vae(torch.zeros(2, 4))
    torch.testing.assert_close(Cycles()(out), vae.prior.cycles())
    torch.testing.assert_close(Arrows()(out), vae.prior.strengths().sum())


class Turns(nn.Module):
    """A linear map as decoder, or, as encoder, a posterior of its means."""

    def __init__(self, matrix: Tensor, is_encoder: bool = False) -> None:
        super().__init__()
        self.matrix, self.is_encoder = nn.Parameter(matrix), is_encoder

    def forward(self, rows: Tensor, *_: Any) -> Any:
        mean = rows @ self.matrix
        return DiagonalNormal(mean, torch.full_like(mean, 0.1)) if self.is_encoder else mean


def chain_vae(encoder: Tensor, decoder: Tensor) -> VAE:
    prior = StructuralCausal(CHAIN, effect=1.0)
    return VAE(Turns(encoder, True), Turns(decoder), Gaussian(3, 0.01, learned=False), prior).double()


def test_a_model_that_reads_what_it_wrote_is_consistent_and_one_that_does_nothing_is_not() -> None:
    matrix = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, -0.5], [0.3, 0.0, 1.0]])
    x = torch.randn(40, 3, generator=generator(), dtype=torch.float64)
    exact = chain_vae(torch.linalg.inv(matrix), matrix)
    value = Consistency(exact)(exact(x, generator=generator()))
    torch.testing.assert_close(value, torch.zeros(40, dtype=torch.float64), atol=1e-10, rtol=0)
    still = chain_vae(torch.linalg.inv(matrix), torch.zeros(3, 3))
    assert float(Consistency(still)(still(x, generator=generator())).detach().mean()) > 0.3
    leaking = chain_vae(torch.eye(3), matrix)
    out = leaking(x, generator=generator())
    out.generator.manual_seed(7)
    once = Consistency(leaking)(out).detach()
    out.generator.manual_seed(7)
    more = Consistency(leaking, outside=3.0)(out).detach()
    assert bool((more >= once).all())
    assert float(more.mean()) > float(once.mean()) > 0.05


def test_the_penalty_lowers_the_score() -> None:
    """A decoder that leaks, beside an encoder that is right: what comes back settles where it should."""
    generator_ = generator(3)
    x = torch.randn(400, 3, generator=generator_, dtype=torch.float64)
    vae = chain_vae(torch.eye(3), torch.eye(3) + 0.4 * torch.rand(3, 3, generator=generator_))

    def score() -> float:
        changes = []
        for unit in range(3):
            said = counterfactual(vae, x, do={unit: x[:, unit].roll(1)})
            changes.append(said.changed - said.factual)
        return float(consistency_score(torch.stack(changes), CHAIN))

    before = score()
    optimizer = torch.optim.Adam(vae.decoder.parameters(), lr=0.02)  # type: ignore[attr-defined]
    fit(vae, 1e-3 * ELBO() + 1.0 * Consistency(vae), [Batch(x)] * 100, optimizer, generator=generator_)
    assert before > 0.1
    assert score() < before / 5


def test_nothing_is_amiss_under_an_intervention_where_decoder_and_encoder_are_each_others_inverse() -> None:
    """Of any unit, also one that the row's context sets: each row is a row of its own world."""
    matrix = torch.tensor([[1.0, 0.4, 0.0], [0.0, 1.0, -0.3], [0.2, 0.0, 1.0]])
    vae = chain_vae(torch.linalg.inv(matrix.double()), matrix.double())
    prior = vae.prior
    assert isinstance(prior, StructuralCausal)
    x = torch.randn(64, 3, generator=generator(), dtype=torch.float64)
    for do in ({}, {0: 1.5}, {1: x[:, 0]}, {0: 0.3, 1: -2.0}):
        out = vae(x, None, {"do": prior.interventions(do, 64)}, generator=generator(1))
        torch.testing.assert_close(Consistency(vae)(out), torch.zeros(64).double(), atol=1e-12, rtol=0)
    half = chain_vae(0.5 * torch.linalg.inv(matrix.double()), matrix.double())
    out = half(x, None, {"do": prior.interventions({1: 2.0}, 64)}, generator=generator(1))
    assert float(Consistency(half)(out).detach().mean()) > 0.1
