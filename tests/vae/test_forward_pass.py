"""What a pass knows: densities at its draws, entries, several draws a row, and posteriors of any family."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae.disentanglement.hsic import HSIC
from designloop.vae.disentanglement.total_correlation import TotalCorrelation
from designloop.vae.errors import CapabilityError, VAEError
from designloop.vae.forward_pass import ForwardPass
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MarkovEncoder, MLPDecoder, MLPEncoder
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.posteriors.mixture import Mixture
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.priors.conditional import ConditionalNormal
from designloop.vae.priors.mixture import GaussianMixture
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.priors.structural.linear import StructuralCausal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import ELBO, IWELBO, Term


def small_vae(seed: int = 0) -> VAE:
    torch.manual_seed(seed)
    return VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), ConditionalNormal(2, nn.Linear(1, 4), "dose")).double()


X = torch.randn(4, 3, generator=generator(1), dtype=torch.float64)
MASK = torch.rand(4, 3, generator=generator(2)) < 0.8
DOSE = {"dose": torch.randn(4, 1, generator=generator(3), dtype=torch.float64)}


def test_a_pass_knows_the_densities_at_its_draws_and_of_each_entry() -> None:
    vae = small_vae()
    noise = torch.randn(4, 2, generator=generator(), dtype=torch.float64)
    out = vae(X, MASK, DOSE, noise)
    assert out.noise is noise
    assert (out.prior, out.likelihood) == (vae.prior, vae.likelihood)
    torch.testing.assert_close(out.log_posterior, vae.encode(X, MASK, DOSE).log_prob(out.z))
    torch.testing.assert_close(out.log_prior, vae.prior.log_prob(out.z, DOSE))
    torch.testing.assert_close(out.log_weight, out.log_prob + out.log_prior - out.log_posterior)
    assert out.entry_log_prob.shape == X.shape
    assert bool((out.entry_log_prob[~MASK] == 0).all())
    torch.testing.assert_close(out.entry_log_prob.sum(-1), out.log_prob)
    bare = ForwardPass(X, None, out.posterior, out.z, out.params, out.log_prob, out.kl)
    with pytest.raises(VAEError, match="the pass does not say whose it is; make passes by calling the VAE"):
        _ = bare.log_prior


def test_the_generator_draws_the_noise_that_draw_noise_gives() -> None:
    vae = small_vae()
    drawn = vae(X, MASK, DOSE, generator=(own := generator(5)))
    assert drawn.generator is own
    torch.testing.assert_close(drawn.z, vae(X, MASK, DOSE, vae.draw_noise(4, generator(5))).z, rtol=0, atol=0)
    assert torch.equal(vae(X, MASK, DOSE).z, vae.encode(X, MASK, DOSE).mean)


def test_several_draws_are_passes_one_behind_the_other() -> None:
    vae, targets, weights = small_vae(), {"t": torch.arange(4.0).double()}, torch.arange(1.0, 5.0).double()
    noise = torch.randn(3, 4, 2, generator=generator(), dtype=torch.float64)
    out = vae(X, MASK, DOSE, noise, targets, weights)
    assert (out.draws, len(out.x)) == (3, 12)
    for draw in range(3):
        alone = vae(X, MASK, DOSE, noise[draw], targets, weights)
        for name in ("x", "mask", "z", "params", "log_prob", "kl", "log_prior", "log_posterior", "noise", "weights"):
            torch.testing.assert_close(out.by_draw(getattr(out, name))[draw], getattr(alone, name))
        torch.testing.assert_close(out.by_draw(out.posterior.mean)[draw], alone.posterior.mean)
        torch.testing.assert_close(out.by_draw(out.targets["t"])[draw], targets["t"])
        torch.testing.assert_close(out.by_draw(out.context["dose"])[draw], DOSE["dose"])
    assert vae(X, MASK, DOSE, generator=generator(), draws=5).draws == 5


def test_the_importance_weighted_bound_is_that_of_the_evidence() -> None:
    vae = small_vae()
    source = generator(4)
    noise = torch.stack([torch.randn(4, 2, generator=source, dtype=torch.float64) for _ in range(6)])
    bound = -IWELBO()(vae(X, MASK, DOSE, noise))
    # The same numbers, in the same order.
    wanted = importance_evidence(vae, X, MASK, DOSE, k=6, generator=generator(4)).log_evidence
    torch.testing.assert_close(bound.view(6, 4), wanted.expand(6, 4))
    single = vae(X, MASK, DOSE, noise[0])
    torch.testing.assert_close(-IWELBO()(single), single.log_weight)


def test_fit_averages_over_draws_or_weighs_them() -> None:
    """k draws of SGD are the mean of k gradients; and IWELBO's gradient is that of log mean w (finite differences)."""

    def learned(term: Term, draws: int | None, seed: int = 0) -> tuple[dict[str, Tensor], Step]:
        vae = small_vae()
        steps: list[Step] = []
        optimizer = torch.optim.SGD(vae.parameters(), lr=1e-6)
        batch = Batch(X, MASK, DOSE)
        fit(vae, term, [batch], optimizer, generator=generator(seed), draws=draws, on_step=steps.append)
        return vae.state_dict(), steps[0]

    plain, single = learned(ELBO(), None), learned(ELBO(), 1)
    assert all(torch.equal(plain[0][name], single[0][name]) for name in plain[0])
    vae = small_vae()
    noise = vae.draw_noise(4, generator(), 8)
    wanted = -torch.stack([vae.elbo(X, MASK, DOSE, noise=draw) for draw in noise]).mean()
    assert learned(ELBO(), 8)[1].loss == pytest.approx(float(wanted.detach()))
    assert learned(IWELBO(), 8)[1].loss < float(wanted.detach())
    out = vae(X, MASK, DOSE, noise)
    weights = out.by_draw(out.log_weight)
    total = weights.logsumexp(0).mean() - math.log(8)
    offset = vae.decoder.net[0].bias  # type: ignore[attr-defined]
    (slope,) = torch.autograd.grad(-total, offset)
    (ours,) = torch.autograd.grad(IWELBO()(vae(X, MASK, DOSE, noise)).mean(), offset)
    torch.testing.assert_close(ours, slope)


@pytest.mark.parametrize("family", ["full", "markov", "experts"])
def test_every_family_of_posteriors_is_fitted_by_the_one_loop(family: str) -> None:
    class Experts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.each = nn.ModuleList([MLPEncoder(6, 4), MLPEncoder(6, 4)])

        def forward(self, x: Tensor, mask: Tensor | None = None, context: object = None) -> Mixture:
            return Mixture([each(x, mask, None) for each in self.each], x.new_zeros(len(x), 2))

    torch.manual_seed(0)
    encoder = {"full": FullEncoder(6, 4), "markov": MarkovEncoder(6, 4), "experts": Experts()}[family]
    prior = AutoregressiveNormal(4) if family == "markov" else StandardNormal(4)
    vae = VAE(encoder, MLPDecoder(4, 6), Gaussian(6), prior)
    x = torch.randn(64, 2, generator=generator()) @ torch.randn(2, 6, generator=generator(1))
    steps: list[Step] = []
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.02)
    fit(vae, ELBO(), [Batch(x)] * 150, optimizer, generator=generator(), draws=2, on_step=steps.append)
    assert steps[-1].loss < steps[0].loss - 1
    bound = torch.stack(
        [vae.elbo(x, noise=noise) for noise in vae.draw_noise(64, generator(), 32, vae.encode(x).noise_width)]
    )
    evidence = importance_evidence(vae, x, k=200, generator=generator()).log_evidence
    assert float(bound.detach().mean()) < float(evidence.mean())


def test_terms_of_a_batch_look_at_one_draw_of_each_row_and_say_what_they_cannot_do() -> None:
    torch.manual_seed(0)
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2)).double()
    x, context = torch.randn(8, 3, generator=generator(1), dtype=torch.float64), {"age": torch.arange(8.0).double()}
    noise = torch.randn(3, 8, 2, generator=generator(), dtype=torch.float64)
    for term in (TotalCorrelation(100), TotalCorrelation(100, most=5), HSIC("age"), HSIC("age", draws=True)):
        torch.testing.assert_close(term(vae(x, None, context, noise)), term(vae(x, None, context, noise[0])))
    full = VAE(FullEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StandardNormal(2)).double()
    with pytest.raises(VAEError, match=r"TotalCorrelation asks for the scale of each unit by itself, .* is FullNormal"):
        TotalCorrelation(100)(full(x))


def test_a_prior_without_a_density_has_no_weight() -> None:
    vae = VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Poisson(), GaussianMixture(2, 2, generator()))
    out = vae(torch.ones(2, 3), generator=generator())
    torch.testing.assert_close(out.kl, out.log_posterior - out.log_prior)

    class Samples(type(vae.prior).__mro__[1]):  # type: ignore[misc]
        latent = 2

        def sample(self, n: int, context: object = None, generator: object = None) -> Tensor:
            return torch.zeros(n, 2)

        def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: object = None) -> Tensor:
            return z.sum(-1)

    with pytest.raises(CapabilityError, match="Samples offers no log_prob"):
        _ = vae.with_prior(Samples())(torch.ones(2, 3)).log_weight


# ---- interventions that the context knows of

CAUSES = torch.tensor([[0, 0], [1, 0]])


def causal_vae() -> VAE:
    torch.manual_seed(0)
    prior = StructuralCausal(CAUSES)
    prior.effects.data.fill_(1.5)
    prior.offset.data.copy_(torch.tensor([0.3, -0.2]))
    return VAE(MLPEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3, 0.5), prior).double()


def exact(vae: VAE, x: Tensor, do: float | None) -> Tensor:
    """(batch,) log p(x), or log p(x | do(z_0 = do)): a normal, as all is linear."""
    weight, bias = (part.detach() for part in vae.decoder.net[0].parameters())  # type: ignore[attr-defined]
    assert isinstance(vae.prior, StructuralCausal)
    effect = float(vae.prior.effects[1, 0].detach())
    first, second = vae.prior.offset.tolist()
    mean = torch.tensor([first, second + effect * first] if do is None else [do, second + effect * do]).double()
    covariance = torch.tensor([[1, effect], [effect, 1 + effect**2]] if do is None else [[0, 0], [0, 1]]).double()
    noise = 0.5 * torch.eye(3).double()
    normal = torch.distributions.MultivariateNormal(weight @ mean + bias, weight @ covariance @ weight.T + noise)
    value: Tensor = normal.log_prob(x)
    return value


@pytest.mark.parametrize("do", [None, 2.0])
def test_evidence_bound_and_draws_are_those_of_the_world_that_the_context_tells(do: float | None) -> None:
    vae = causal_vae()
    x = torch.randn(5, 3, generator=generator(), dtype=torch.float64)
    prior = vae.prior
    assert isinstance(prior, StructuralCausal)
    context = {"do": prior.interventions({} if do is None else {0: do}, 5)}
    estimate = importance_evidence(vae, x, None, context, k=20_000, generator=generator()).log_evidence
    torch.testing.assert_close(estimate, exact(vae, x, do), atol=0.05, rtol=0)
    out = vae(x, None, context, vae.draw_noise(5, generator(), 4000))
    closed = out.by_draw(out.kl)
    drawn = out.by_draw(out.log_posterior - out.log_prior)
    torch.testing.assert_close(closed.std(0), torch.zeros(5).double(), atol=1e-9, rtol=0)
    assert bool(((drawn.mean(0) - closed[0]).abs() < 5 * drawn.std(0) / 4000**0.5).all())
    assert bool((out.by_draw(out.log_prob - out.kl).mean(0) < exact(vae, x, do)).all())
    samples = vae.sample(20_000, {"do": prior.interventions({} if do is None else {0: do}, 1)}, generator())
    expected = vae.decode(prior.sample(20_000, None, generator(), do=None if do is None else {0: do})).mean(0)
    assert bool(((samples.mean(0) - expected).abs() < 0.06).all())


def test_rows_under_interventions_and_observations_stand_side_by_side_and_teach_the_mechanism() -> None:
    """Rows in which the cause was set say nothing of the cause, and all of its effect, 1.5."""
    truth, n = causal_vae(), 4000
    assert isinstance(truth.prior, StructuralCausal)
    do = truth.prior.interventions({0: torch.linspace(-3, 3, n).double()}, n)
    do[: n // 2] = torch.nan
    z = truth.prior.sample(1, {"do": do}, generator())[0].detach()

    class Same(nn.Module):
        def forward(self, z: Tensor, mask: object = None, context: object = None) -> DiagonalNormal:
            return DiagonalNormal(z, torch.full_like(z, 1e-3))

    class Itself(nn.Module):
        def forward(self, z: Tensor, context: object = None) -> Tensor:
            return z

    vae = VAE(Same(), Itself(), Gaussian(2, 1e-2, learned=False), StructuralCausal(CAUSES)).double()
    optimizer = torch.optim.Adam(vae.prior.parameters(), lr=0.05)
    fit(vae, ELBO(), [Batch(z, context={"do": do})] * 200, optimizer, generator=generator())
    prior = vae.prior
    assert isinstance(prior, StructuralCausal)
    assert float(prior.effects[1, 0].detach()) == pytest.approx(1.5, abs=0.05)
    torch.testing.assert_close(prior.offset.detach(), torch.tensor([0.3, -0.2]).double(), atol=0.1, rtol=0)
    torch.testing.assert_close(prior.log_scale.detach(), torch.zeros(2).double(), atol=0.05, rtol=0)


def test_interventions_that_cannot_be_are_told() -> None:
    vae = causal_vae()
    prior = vae.prior
    assert isinstance(prior, StructuralCausal)
    with pytest.raises(VAEError, match="do sets unit 2, the units are 0 to 1; give one of them"):
        prior.interventions({2: 0.0}, 3)
    with pytest.raises(
        VAEError, match=r"context\['do'\] has shape \(3, 1\), expected \(batch, 2\); write it with prior"
    ):
        vae.encode(torch.zeros(3, 3), context={"do": torch.zeros(3, 1)})
    with pytest.raises(VAEError, match=r"do is given, and context\['do'\] too; give one of them"):
        prior.sample(1, {"do": prior.interventions({}, 1)}, generator(), do={0: 1.0})
    full = VAE(FullEncoder(3, 2), MLPDecoder(2, 3), Gaussian(3), StructuralCausal(CAUSES))
    with pytest.raises(VAEError, match="an intervention asks for the scale of each unit by itself"):
        full.encode(torch.zeros(1, 3), context={"do": torch.zeros(1, 2)})


# ---- latents that are given, and models without weights


@pytest.mark.parametrize("encoder", [MLPEncoder, FullEncoder])
def test_where_latents_are_given_the_kl_is_still_one(encoder: type[nn.Module]) -> None:
    """Far latents would pull log q there without end: the KL is that at a draw, or closed and without any."""
    torch.manual_seed(0)
    vae = VAE(encoder(3, 2), MLPDecoder(2, 3), Gaussian(3), GaussianMixture(2, 3, generator())).double()
    x, far = X.repeat(2000, 1), torch.full((8000, 2), 7.0).double()
    given = vae(x, z=far, generator=generator(1))
    assert torch.equal(given.z, far)
    drawn = vae(x, generator=generator(2))
    apart = float((given.kl.mean() - drawn.kl.mean()).detach())
    assert abs(apart) < 5 * float(drawn.kl.std().detach()) * (2 / 8000) ** 0.5
    assert bool(vae(x, z=far).kl.isnan().all())
    steps: list[Step] = []
    optimizer = torch.optim.Adam(vae.parameters(), lr=0.05)
    batches = [Batch(X, z=torch.ones(4, 2).double())] * 150
    fit(vae, ELBO(), batches, optimizer, generator=generator(), on_step=steps.append)
    assert min(step.kl for step in steps) > -10


def test_a_closed_kl_takes_nothing_from_the_generator() -> None:
    vae, source = small_vae(), generator(3)
    given = vae(X, MASK, DOSE, z=torch.ones(4, 2), generator=source)
    assert torch.equal(source.get_state(), generator(3).get_state())
    torch.testing.assert_close(given.kl, vae(X, MASK, DOSE).kl)
    with pytest.raises(VAEError, match="expected draws of the posterior; leave Batch\\(z=…\\) out"):
        IWELBO()(given)


def test_a_model_without_weights_is_passed_through_and_scored() -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor, mask: object = None, context: object = None) -> DiagonalNormal:
            return DiagonalNormal(x, torch.full_like(x, 0.5))

    vae = VAE(Fixed(), lambda z, context: z, Gaussian(2, 1.0, learned=False), StandardNormal(2))
    assert not list(vae.parameters())
    noise = vae.draw_noise(3, generator(1))
    assert noise.dtype == torch.get_default_dtype()
    out = vae(torch.zeros(3, 2), generator=generator(1))
    torch.testing.assert_close(out.z, 0.5 * noise)
