"""Fisher–Rao metrics of token sequences: against all sequences there are, and a geodesic between two molecules."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor

from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.geometry.geodesics import geodesics_by_spline
from designloop.vae.geometry.metric import metric_tensor
from designloop.vae.geometry.sequences import ConditionalFisherRao, SequenceFisherRao, sequences_at
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.tokens import TokenSequence
from designloop.vae.model import VAE
from designloop.vae.networks import MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from tests.tiny import tiny_vae
from tests.vae.geometry.known import Fixed, rng, vae_of

LENGTH, VOCABULARY = 4, 4


def small() -> VAE:
    """Sequences of at most three tokens and an end mark, over two letters: 14 in all."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        likelihood = TokenSequence(VOCABULARY, features=3, hidden=8, embedding=4, lookahead=2)
        plan = torch.randn(2, LENGTH * 3)
        for parameter in likelihood.parameters():
            parameter.data *= 2  # so that tokens depend on the plan
    decode = Fixed(lambda z: (z @ plan.to(z)).unflatten(1, (LENGTH, 3)))
    return VAE(MLPEncoder(1, 2), decode, likelihood, StandardNormal(2)).double().eval()


def every_sequence() -> Tensor:
    rows = [[*word, 1, *[0] * (LENGTH - 1 - n)] for n in (1, 2, 3) for word in product((2, 3), repeat=n)]
    return torch.tensor(rows)


def log_probs(vae: VAE, z: Tensor) -> Tensor:
    """(sequences,) of all of them at one latent (latent,)."""
    x = every_sequence()
    result: Tensor = vae.likelihood.log_prob(vae.decode(z.expand(len(x), -1)), x)
    return result


def chances(vae: VAE, z: Tensor) -> Tensor:
    """(sequences,)."""
    return log_probs(vae, z).exp().detach()


def conditional(vae: VAE, z: Tensor) -> Tensor:
    """(sequences, 2, 2) at one latent (2,), along each of all sequences."""
    return torch.stack([metric_tensor(ConditionalFisherRao(vae, x[None]), z[None])[0] for x in every_sequence()])


def exact(vae: VAE, z: Tensor) -> Tensor:
    """Σₓ p(x | z) ∇log p ∇log pᵀ over every sequence: the definition, by reverse mode."""
    scores = torch.autograd.functional.jacobian(lambda point: log_probs(vae, point), z)
    information: Tensor = (scores.T * chances(vae, z)) @ scores
    return information


def latents(n: int = 3) -> Tensor:
    return torch.randn(n, 2, dtype=torch.float64, generator=rng(1))


def test_the_conditional_metrics_of_all_sequences_add_up_to_fishers() -> None:
    vae = small()
    for z in latents():
        assert float(chances(vae, z).sum()) == pytest.approx(1, abs=1e-12)
        mean = (chances(vae, z)[:, None, None] * conditional(vae, z)).sum(0)
        torch.testing.assert_close(mean, exact(vae, z))


def test_along_several_sequences_it_is_their_mean() -> None:
    vae, z, x = small(), latents(5), every_sequence()[[0, 5, 12]]
    alone = torch.stack([metric_tensor(ConditionalFisherRao(vae, sequence[None]), z) for sequence in x])
    torch.testing.assert_close(metric_tensor(ConditionalFisherRao(vae, x), z), alone.mean(0))
    torch.testing.assert_close(metric_tensor(ConditionalFisherRao(vae, x, chunk=4), z), alone.mean(0))


def test_the_mean_over_drawn_sequences_is_fishers() -> None:
    """Sequences as often as they are probable, so within 5 standard errors of 4,000 draws."""
    vae, n = small(), 4000
    metric = SequenceFisherRao(vae, n, rng())
    for z in latents():
        drawn = sequences_at(vae.likelihood, vae.decode(z.expand(n, -1)), metric.gumbel)
        p, wanted = chances(vae, z), exact(vae, z)
        frequency = (drawn[:, None] == every_sequence()).all(-1).double().mean(0)
        assert bool(((frequency - p).abs() < 5 * (p * (1 - p) / n).sqrt() + 1e-12).all())
        error = ((conditional(vae, z) - wanted).square() * p[:, None, None]).sum(0).div(n).sqrt()
        assert bool(((metric_tensor(metric, z[None])[0] - wanted).abs() < 5 * error).all())


def test_the_metric_is_a_function_of_z() -> None:
    vae, z = small(), latents(4)
    metric = SequenceFisherRao(vae, 8, rng())
    together = metric_tensor(metric, z)
    assert torch.equal(together, metric_tensor(metric, z))
    torch.testing.assert_close(metric_tensor(metric, z[2:3]), together[2:3])
    torch.testing.assert_close(metric_tensor(SequenceFisherRao(vae, 8, rng()), z), together)


def test_its_gradient_is_that_of_the_expectation() -> None:
    """That is, to 1 %, with how chances change; without it 5 % would be missing."""
    vae, z = small(), torch.tensor([0.7846, -0.4471], dtype=torch.float64)
    steps = 1e-4 * torch.eye(2, dtype=torch.float64)
    wanted = torch.stack([(exact(vae, z + h).trace() - exact(vae, z - h).trace()) / 2e-4 for h in steps])
    along = torch.stack([(conditional(vae, z + h) - conditional(vae, z - h)) / 2e-4 for h in steps])
    of_paths = along.diagonal(dim1=-2, dim2=-1).sum(-1) @ chances(vae, z)
    point = z[None].clone().requires_grad_()
    trace = metric_tensor(SequenceFisherRao(vae, 6000, rng(2)), point).diagonal(dim1=1, dim2=2).sum()
    (result,) = torch.autograd.grad(trace, point)
    assert float((result[0] - wanted).norm() / wanted.norm()) < 0.01
    assert float((of_paths - wanted).norm() / wanted.norm()) > 0.05


def test_without_noise_a_sequence_is_the_likelihoods_greedy_one() -> None:
    vae = tiny_vae()
    with torch.no_grad():
        params = vae.decode(vae.prior.sample(8, generator=rng()))
        length = params.shape[1]
        greedy = sequences_at(vae.likelihood, params, torch.zeros(8, length, vae.likelihood.vocabulary))
        assert torch.equal(greedy, vae.likelihood.sample(params, temperature=0))


def test_a_geodesic_between_two_molecules() -> None:
    """Along both their sequences: shorter than the straight line, at constant speed, from one to the other."""
    vae = tiny_vae()
    with torch.no_grad():  # random weights hear little of each other
        for weights in vae.parameters():
            weights.mul_(3)
    x = vae.tokens(["[C][C][O]", "[C][C][C][N][=C]"])
    start, end = vae.encode(x).mean.detach()[:, None]
    metric = ConditionalFisherRao(vae, x, {"noise": torch.zeros(1)})
    straight = geodesics_by_spline(metric, start, end, knots=6, steps=0)
    result = geodesics_by_spline(metric, start, end, knots=6)
    assert float(result.lengths) < 0.99 * float(straight.lengths)
    assert float(result.slack) < 0.1 * float(straight.slack)
    with torch.no_grad():
        expected = SequenceFisherRao(vae, 4, rng(), {"noise": torch.zeros(1)})
        assert float(metric_tensor(expected, start).diagonal(dim1=1, dim2=2).min()) > 0
    written = vae.write(result.curves(torch.linspace(0, 1, 5))[0].detach())
    assert written[0] == vae.write(start)[0]
    assert written[-1] == vae.write(end)[0]


def test_what_cannot_be_is_said() -> None:
    flat = vae_of(lambda z: z, Gaussian(2), 2)
    with pytest.raises(CapabilityError, match="Gaussian offers no logits; it does not work token by token"):
        ConditionalFisherRao(flat, every_sequence())
    with pytest.raises(CapabilityError, match="Gaussian offers no logits"):
        SequenceFisherRao(flat, 4, rng())
    with pytest.raises(ShapeError, match=r"x has shape \(4,\), expected \(at least 1, length\)"):
        ConditionalFisherRao(small(), every_sequence()[0])
    with pytest.raises(VAEError, match="samples is 1, expected at least 2"):
        SequenceFisherRao(small(), 1, rng())
