"""The property loss against its closed form, where all strings can be listed, and against finite differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from designloop.vae import ELBO, VAE, Batch, PropertyLoss, PropertyRegression, StandardNormal, TokenSequence, fit
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.training.fit import Step
from designloop.vae.training.losses import Loss

LONGEST, VOCABULARY = 4, 4
SCALE = 3.0


class OneHotEncoder(nn.Module):
    """(batch, length) tokens to a posterior of two units."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(LONGEST * VOCABULARY, 4)

    def forward(self, x: Tensor, mask: Tensor | None = None, context: object = None) -> DiagonalNormal:
        padded = nn.functional.pad(x, (0, LONGEST - x.shape[1]))
        mean, scale = self.net(nn.functional.one_hot(padded, VOCABULARY).double().flatten(1)).chunk(2, -1)
        return DiagonalNormal(mean, scale.exp())


class NoisePlan(nn.Module):
    """z and the noise level to a plan."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 24), nn.Tanh(), nn.Linear(24, LONGEST * 6))

    def forward(self, z: Tensor, context: dict[str, Tensor]) -> Tensor:
        plan: Tensor = self.net(torch.cat([z, context["noise"].unsqueeze(-1)], -1))
        by_position: Tensor = plan.unflatten(-1, (LONGEST, 6))
        return by_position


def toy(seed: int) -> VAE:
    """Strings of the tokens 2 and 3 and the end mark, at most three long: 14 of them."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        plan, likelihood = NoisePlan(), TokenSequence(VOCABULARY, 6, 24, 4, 2)
        with torch.no_grad():
            for weights in [*plan.parameters(), *likelihood.head.parameters()]:  # so that the latent decides
                weights.mul_(3)
        return VAE(OneHotEncoder(), plan, likelihood, StandardNormal(2)).double()


def strings() -> Tensor:
    """(14, 4) all strings that there are."""
    rows = [
        [*body, 1, *[0] * (LONGEST - 1 - n)] for n in range(1, LONGEST) for body in itertools.product((2, 3), repeat=n)
    ]
    return torch.tensor(rows)


X = strings()
SCORES = torch.linspace(0, 1, len(X), dtype=torch.float64)[
    torch.randperm(len(X), generator=torch.Generator().manual_seed(5))
]
LATENTS = torch.tensor([[0.5, -1.0], [-1.5, 0.3]], dtype=torch.float64)
NOISE = torch.tensor([0.2, 2.0], dtype=torch.float64)


def trained(vae: VAE) -> list[nn.Parameter]:
    """Of decoder and likelihood."""
    return [weight for name, weight in vae.named_parameters() if name.startswith(("decoder.", "likelihood."))]


def log_probs(vae: VAE, place: int) -> Tensor:
    """(14,) log p of every string at one of the two latents."""
    z, context = LATENTS[place].expand(len(X), 2), {"noise": NOISE[place].expand(len(X))}
    return vae.decode_and_score(X, z, None, context)[2]


def batch(rows: Tensor, place: int | Tensor, scores: Tensor | None = None) -> Batch:
    """Some strings at one latent, or each at its own."""
    where = torch.full((len(rows),), place) if isinstance(place, int) else place
    score = SCORES[rows] if scores is None else scores
    return Batch(X[rows], context={"noise": NOISE[where]}, targets={"score": score}, z=LATENTS[where])


class ConstantByNoise(nn.Module):
    """log Z as a small network of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(3, 1).double()

    def forward(self, z: Tensor, context: dict[str, Tensor]) -> Tensor:
        value: Tensor = self.net(torch.cat([z, context["noise"].unsqueeze(-1)], -1)).squeeze(-1)
        return value


@pytest.mark.parametrize("log_z", [lambda: None, ConstantByNoise])
def test_its_optimum_is_the_tilted_pretrained_model(log_z: Callable[[], nn.Module | None]) -> None:
    """p₀(x | z, σ) e^{scale · score} / Z(z, σ) at each latent, each with a Z of its own."""
    vae, reference = toy(0), toy(0)
    term = PropertyLoss(reference, scale=SCALE, log_z=log_z())
    optimizer = torch.optim.Adam([*trained(vae), *term.parameters()], lr=2e-2, betas=(0.9, 0.98))
    every = batch(torch.arange(len(X)).repeat(2), torch.arange(2).repeat_interleave(len(X)))
    decay = lambda step: 0.97 ** max(step - 100, 0)  # noqa: E731
    fit(vae, 1.0 * term, [every] * 220, optimizer, generator=torch.Generator(), schedule=decay)
    constants = []
    with torch.no_grad():
        for place in range(2):
            tilted = log_probs(reference, place) + SCALE * SCORES
            constants.append(float(tilted.logsumexp(0)))
            torch.testing.assert_close(log_probs(vae, place), tilted - tilted.logsumexp(0), atol=0.02, rtol=0)
            assert float((log_probs(vae, place) - log_probs(reference, place)).abs().max()) > 0.5
    assert abs(constants[0] - constants[1]) > 0.02, "each latent has a Z of its own"
    if isinstance(term.log_z, nn.Module):
        with torch.no_grad():
            learned = term.log_z(LATENTS, {"noise": NOISE})
        torch.testing.assert_close(learned, torch.tensor(constants, dtype=torch.float64), atol=0.02, rtol=0)


def test_it_is_the_variance_over_the_rows_of_a_latent() -> None:
    vae, reference = toy(0), toy(1)
    rows, where = torch.arange(6), torch.tensor([0, 1, 0, 1, 0, 1])
    with torch.no_grad():
        data = batch(rows, where)
        value = PropertyLoss(reference, scale=SCALE)(vae(data.x, None, data.context, targets=data.targets, z=data.z))
        for place in range(2):
            here = where == place
            gap = (log_probs(vae, place) - log_probs(reference, place) - SCALE * SCORES)[rows][here]
            torch.testing.assert_close(value[here], (gap - gap.mean()).square())


def gradient(vae: VAE, term: PropertyLoss, data: Batch) -> list[Tensor]:
    out = vae(data.x, None, data.context, targets=data.targets, z=data.z)
    loss = term(out).mean()
    return list(torch.autograd.grad(loss, trained(vae)))


def test_its_gradient_is_that_of_finite_differences_and_reaches_the_decoder() -> None:
    vae, reference = toy(0), toy(1)
    term, data = PropertyLoss(reference, scale=SCALE), batch(torch.arange(8), torch.arange(8) % 2)
    parameters = trained(vae)
    slopes = gradient(vae, term, data)
    assert all(float(slope.abs().max()) > 0 for slope in slopes[:2]), "the decoder's own"
    rng = torch.Generator().manual_seed(0)
    for _ in range(3):
        direction = [torch.randn(p.shape, generator=rng, dtype=p.dtype) for p in parameters]
        values, step = [], 1e-5
        for sign in (1, -1):
            moved = deepcopy(vae)
            with torch.no_grad():
                for p, d in zip(trained(moved), direction, strict=True):
                    p.add_(sign * step * d)
                out = moved(data.x, None, data.context, targets=data.targets, z=data.z)
                values.append(float(term(out).mean()))
        along = sum(float((slope * d).sum()) for slope, d in zip(slopes, direction, strict=True))
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(along, rel=1e-5)


@pytest.mark.parametrize("row", range(6))
def test_every_score_counts_good_or_bad(row: int) -> None:
    vae, reference = toy(0), toy(1)
    term, rows = PropertyLoss(reference, scale=SCALE), torch.arange(6)
    scores = SCORES[rows].clone()
    before = gradient(vae, term, batch(rows, 0, scores))
    scores[row] += 0.1
    after = gradient(vae, term, batch(rows, 0, scores))
    assert max(float((a - b).abs().max()) for a, b in zip(before, after, strict=True)) > 1e-3


def test_a_bad_molecule_is_pushed_away_and_a_good_one_pulled() -> None:
    vae, reference = toy(0), toy(0)
    rows = torch.tensor([int(SCORES.argmin()), int(SCORES.argmax())])
    loss = ELBO(beta=0.0) * 0.0 + 0.5 * PropertyLoss(reference, scale=SCALE)
    optimizer = torch.optim.SGD(trained(vae), lr=0.01)
    reports: list[Step] = []
    fit(vae, loss, [batch(rows, 0)], optimizer, generator=torch.Generator(), on_step=reports.append)
    assert set(reports[0].terms) == {"elbo", "propertyloss"}
    change = (log_probs(vae, 0) - log_probs(reference, 0))[rows]
    assert float(change[0].detach()) < -1e-3
    assert float(change[1].detach()) > 1e-3


def test_a_row_that_is_alone_with_its_latent_teaches_nothing() -> None:
    vae, reference = toy(0), toy(1)
    data = batch(torch.tensor([2, 9]), torch.tensor([0, 1]))
    assert all(float(slope.abs().max()) == 0 for slope in gradient(vae, PropertyLoss(reference, scale=SCALE), data))


def test_the_reference_is_frozen_and_not_the_losss_own() -> None:
    reference = toy(0)
    term = PropertyLoss(reference)
    assert list(term.parameters()) == []
    assert not any(p.requires_grad for p in reference.parameters())
    assert list(PropertyLoss(reference, log_z=ConstantByNoise()).parameters())


def test_what_it_cannot_learn_from_is_told() -> None:
    vae, reference = toy(0), toy(0)
    with pytest.raises(VAEError, match=r"found a Linear as reference, .* is PropertyRegression\(head, target\)"):
        PropertyLoss(nn.Linear(2, 1), "logp")  # type: ignore[arg-type]
    assert PropertyRegression(nn.Linear(2, 1), "logp").target == "logp"
    out = vae(X[:3], None, {"noise": NOISE[:1].expand(3)}, z=LATENTS[:1].expand(3, 2))
    with pytest.raises(VAEError, match=r"the batch has no target 'score' \(none\)"):
        PropertyLoss(reference)(out)
    wide = vae(
        X[:3], None, {"noise": NOISE[:1].expand(3)}, targets={"score": torch.zeros(3, 1)}, z=LATENTS[:1].expand(3, 2)
    )
    with pytest.raises(ShapeError, match=r"targets\['score'\] has shape \(3, 1\), expected \(3,\)"):
        PropertyLoss(reference)(wide)


def test_a_pass_at_given_latents_is_one_there() -> None:
    vae = toy(0)
    context = {"noise": NOISE[:1].expand(3)}
    z = LATENTS[:1].expand(3, 2)
    out = vae(X[:3], None, context, z=z, generator=torch.Generator())
    assert torch.equal(out.z, z)
    assert out.noise is None
    torch.testing.assert_close(out.log_prob, log_probs(vae, 0)[:3])
    with pytest.raises(ShapeError, match=r"z has shape \(2, 2\), expected \(3, 2\); give one latent for each row"):
        vae(X[:3], None, context, z=z[:2])
    for more in ({"noise": torch.zeros(3, 2)}, {"draws": 2}):
        with pytest.raises(VAEError, match="found z as well as noise or draws, expected one of them"):
            vae(X[:3], None, context, z=z, **more)


def steps(loss: Loss | PropertyLoss, batch: Batch) -> tuple[VAE, list[Step], int]:
    """A model after some steps from the same beginning, what they reported, and how often it encoded."""
    vae, noted, encoded = toy(0), list[Step](), list[int]()
    vae.get_submodule("encoder").register_forward_hook(lambda *_: encoded.append(1))
    learned = [weight for name, weight in vae.named_parameters() if not name.startswith("encoder.")]
    fit(
        vae,
        loss,
        [batch] * 5,
        torch.optim.Adam(learned, lr=1e-2),
        generator=torch.Generator().manual_seed(0),
        on_step=noted.append,
    )
    return vae, noted, len(encoded)


def test_rows_are_encoded_only_where_a_term_asks_for_their_posterior() -> None:
    """A term that does, at no weight, changes nothing but what it costs and what is told of the KL."""
    latents = torch.randn(len(X), 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    context = {"noise": torch.ones(len(X), dtype=torch.float64)}
    batch = Batch(X, context=context, targets={"score": SCORES}, z=latents)
    alone, told, none = steps(PropertyLoss(toy(1), scale=SCALE), batch)
    beside, told_beside, all_steps = steps(PropertyLoss(toy(1), scale=SCALE) + 0.0 * ELBO(), batch)
    assert (none, all_steps) == (0, 5)
    assert all(torch.equal(value, beside.state_dict()[name]) for name, value in alone.state_dict().items())
    assert [step.loss for step in told] == [step.loss for step in told_beside]
    assert all(math.isnan(step.kl) for step in told)
    assert not any(math.isnan(step.kl) for step in told_beside)


def test_what_was_not_encoded_has_no_posterior() -> None:
    context = {"noise": torch.ones(len(X), dtype=torch.float64)}
    with pytest.raises(VAEError, match="encode=False without z"):
        toy(0)(X, context=context, encode=False)
    out = toy(0)(X, context=context, z=torch.zeros(len(X), 2, dtype=torch.float64), encode=False)
    for ask in (lambda: out.posterior.mean, lambda: out.log_posterior, lambda: out.posterior.rsample()):
        with pytest.raises(VAEError, match="not encoded"):
            ask()


def test_numbers_of_groups_are_told_apart_whatever_their_size() -> None:
    """2²⁴ and 2²⁴ + 1 are one number in float32."""
    vae, reference = toy(0).float(), toy(0).float()
    term = PropertyLoss(reference, group="family")
    scores, z = torch.tensor([0.0, 1.0, 0.0, 3.0]), torch.zeros(4, 2)
    said = []
    for start in (0, 2**24, 2**62):
        family = torch.tensor([start, start, start + 1, start + 1])
        out = vae(
            X[:4], context={"noise": torch.zeros(4)}, targets={"score": scores, "family": family}, z=z, encode=False
        )
        said.append(term(out).detach())
    torch.testing.assert_close(said[0], torch.tensor([0.25, 0.25, 2.25, 2.25]))
    assert torch.equal(said[1], said[0])
    assert torch.equal(said[2], said[0])
