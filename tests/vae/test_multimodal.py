"""Several modalities: exact where all is linear and normal, under any mask of blocks and entries; and part by part."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from designloop.testing.draws import generator
from designloop.vae import multimodal
from designloop.vae.errors import CapabilityError, VAEError
from designloop.vae.geometry import pullback_metric
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.inference.imputation import impute
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.likelihoods.product import Product
from designloop.vae.likelihoods.self_masking import SelfMasking
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence, posterior
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder
from designloop.vae.posteriors.experts import Expert
from designloop.vae.posteriors.full_normal import FullNormal
from designloop.vae.posteriors.mixture import Mixture
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO

WIDTHS = {"a": 3, "b": 2, "c": 4}
FEATURES, LATENT, ROWS = 9, 2, 5


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


MODEL = LinearGaussian(numbers(FEATURES, LATENT), numbers(FEATURES, seed=1), numbers(FEATURES, seed=2).exp())


def part(columns: slice) -> LinearGaussian:
    return LinearGaussian(MODEL.weights[columns], MODEL.offset[columns], MODEL.variance[columns])


def linear_vae(encoder: type[multimodal.ProductOfExperts] = multimodal.ProductOfExperts) -> VAE:
    """The linear-Gaussian model as one of three modalities."""
    likelihood = Product({name: (Gaussian(wide, per_feature=True), wide) for name, wide in WIDTHS.items()}).double()
    decoders, experts = {}, {}
    for name, block in likelihood.blocks.items():
        own = part(block.columns)
        block.likelihood.load_state_dict({"log_variance": own.variance.log()})
        decoders[name] = MLPDecoder(LATENT, block.features).double()
        decoders[name].load_state_dict({"net.0.weight": own.weights, "net.0.bias": own.offset})
        experts[name] = multimodal.LinearExpert(own)
    decoder = multimodal.BlockDecoder(likelihood, decoders)
    return VAE(encoder(likelihood, experts), decoder, likelihood, StandardNormal(LATENT).double())


def blocks_of(vae: VAE) -> Product:
    assert isinstance(vae.likelihood, Product)
    return vae.likelihood


def decoders_of(vae: VAE) -> nn.ModuleList:
    assert isinstance(vae.decoder, multimodal.BlockDecoder)
    return vae.decoder.decoders


X = numbers(ROWS, FEATURES, seed=3)


def masks() -> list[Tensor]:
    """All subsets of the blocks, whole and with entries missing."""
    entries = torch.rand(ROWS, FEATURES, generator=generator(4)) < 0.7
    result = []
    for has in product([True, False], repeat=3):
        if any(has):
            blocks = torch.tensor(
                [there for there, wide in zip(has, WIDTHS.values(), strict=True) for _ in range(wide)]
            )
            result += [blocks.expand(ROWS, -1), blocks & (entries | ~(blocks & entries).any(1, keepdim=True))]
    return result


@pytest.mark.parametrize("mask", masks())
def test_products_of_linear_experts_are_the_posterior_and_the_bound_the_evidence(mask: Tensor) -> None:
    vae, exact = linear_vae(), posterior(MODEL, X, mask)
    q = vae.encode(X.masked_fill(~mask, torch.nan), mask)
    assert isinstance(q, FullNormal)
    torch.testing.assert_close(q.mean, exact.mean)
    torch.testing.assert_close(q.covariance, exact.covariance)
    evidence = log_evidence(MODEL, X, mask)
    noise = vae.draw_noise(ROWS, generator(5))
    torch.testing.assert_close(vae.elbo(X, mask, noise=noise).detach(), evidence)
    weighted = importance_evidence(vae, X, mask, k=2, generator=generator(6))
    torch.testing.assert_close(weighted.log_evidence, evidence)


def test_translation_is_the_conditional_mean() -> None:
    vae = linear_vae()
    likelihood, covariance = blocks_of(vae), MODEL.covariance
    for name, block in likelihood.blocks.items():
        mask = multimodal.observe_only(likelihood, X, [other for other in WIDTHS if other != name])
        own, others = ~mask[0], mask[0]
        gain = covariance[own][:, others] @ torch.linalg.inv(covariance[others][:, others])
        wanted = MODEL.offset[own] + (X[:, others] - MODEL.offset[others]) @ gain.T
        left = (covariance[own][:, own] - gain @ covariance[others][:, own]).diagonal()
        k = 2000
        translated = multimodal.translate(vae, X, to=name, k=k, generator=generator(7))
        assert translated.shape == (ROWS, block.features)
        assert bool(((translated - wanted).abs() < 5 * (left / k).sqrt()).all())
        filled = impute(vae, X, mask, k=50, generator=generator(8)).mean[:, block.columns]
        same = multimodal.translate(vae, X.masked_fill(~mask, 1e3), to=name, k=50, generator=generator(8))
        torch.testing.assert_close(same, filled)  # what stands in the block itself is not looked at


def test_both_are_narrower_than_either() -> None:
    vae = linear_vae()
    covariances = {}
    for names in (("a",), ("b",), ("a", "b"), ("a", "b", "c")):
        q = vae.encode(X, multimodal.observe_only(blocks_of(vae), X, names))
        assert isinstance(q, FullNormal)
        covariances[names] = q.covariance
    for fewer, more in ((("a",), ("a", "b")), (("b",), ("a", "b")), (("a", "b"), ("a", "b", "c"))):
        assert bool((torch.linalg.eigvalsh(covariances[fewer] - covariances[more]) > 0).all())


def test_mixtures_are_of_what_subsets_of_the_observed_blocks_say() -> None:
    mask = torch.ones(ROWS, FEATURES, dtype=torch.bool)
    mask[1, 3:5] = False  # b
    mask[2, :5] = False  # a and b
    z = numbers(7, ROWS, LATENT, seed=9)

    def mean_density(subsets: list[tuple[str, ...]], row: int) -> Tensor:
        each = [
            posterior(MODEL, X, multimodal.observe_only(likelihood, X, names, mask)).log_prob(z)[:, row].exp()
            for names in subsets
        ]
        return torch.stack(each).mean(0)

    likelihood = blocks_of(linear_vae())
    cases: list[tuple[type[multimodal.ProductOfExperts], list[list[tuple[str, ...]]]]] = [
        (multimodal.MixtureOfExperts, [[("a",), ("b",), ("c",)], [("a",), ("c",)], [("c",)]]),
        (
            multimodal.MixtureOfProducts,
            [
                [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "b", "c")],
                [("a",), ("c",), ("a", "c")],
                [("c",)],
            ],
        ),
    ]
    for encoder, subsets in cases:
        vae = linear_vae(encoder)
        assert isinstance(vae.encoder, multimodal.MixtureOfExperts)
        q = vae.encode(X, mask)
        assert isinstance(q, Mixture)
        for row, own in enumerate(subsets):
            torch.testing.assert_close(q.log_prob(z)[:, row].exp(), mean_density(own, row))
        out = vae(X, mask, generator=generator(10), draws=4)
        slopes = torch.autograd.grad(out.log_weight.sum(), list(vae.encoder.parameters()))
        assert all(bool(slope.isfinite().all()) for slope in slopes)
        many = importance_evidence(vae, X, mask, k=500, generator=generator(11))
        torch.testing.assert_close(many.log_evidence, log_evidence(MODEL, X, mask), atol=0.3, rtol=0)


def mixed() -> Product:
    return Product({"n": (Gaussian(2), 2), "x": (NegativeBinomial(3, size=None), 3), "c": (Categorical(3), 1)})


ROWS_OF_MIXED = torch.tensor([[0.1, -2.0, 0, 3, 7, 2], [1.0, 0.4, 1, 0, 0, 0], [0.0, 0.0, 2, 1, 5, 1]])


@pytest.mark.parametrize("posterior_name", ["product", "mixture", "mixture of products"])
@pytest.mark.parametrize("full", [True, False])
def test_a_model_of_any_likelihoods_is_fitted_and_translates(posterior_name: str, full: bool) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = multimodal.multimodal_vae(mixed(), 2, [8], posterior=posterior_name, full=full)  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in vae.named_parameters()}
    source = generator()
    mask = multimodal.hide_blocks(blocks_of(vae), ROWS_OF_MIXED, generator=source)
    batch = Batch(ROWS_OF_MIXED.masked_fill(~mask, torch.nan), mask)
    fit(vae, ELBO(), [batch, Batch(ROWS_OF_MIXED)], torch.optim.Adam(vae.parameters()), generator=source)
    assert all(bool((value != before[name]).any()) for name, value in vae.named_parameters())
    counts = multimodal.translate(vae, ROWS_OF_MIXED, to="x", k=20, generator=source)
    classes = multimodal.translate(vae, ROWS_OF_MIXED, to="c", k=20, generator=source)
    assert bool((counts > 0).all())
    assert classes.shape == (3, 1, 3)
    torch.testing.assert_close(classes.sum(-1), torch.ones(3, 1))


def test_the_metric_is_the_sum_of_the_modalities() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = multimodal.multimodal_vae(mixed(), 2, [8])
    z = torch.randn(3, 2, generator=generator())
    each = [
        pullback_metric(VAE(vae.encoder, decoder, block.likelihood, vae.prior), z)
        for decoder, block in zip(decoders_of(vae), blocks_of(vae).blocks.values(), strict=True)
    ]
    torch.testing.assert_close(pullback_metric(vae, z), torch.stack(each).sum(0))


def test_an_expert_does_not_see_what_is_masked() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        expert = multimodal.MLPExpert(NegativeBinomial(3, size=None), 3, 2, [4], full=True)
    x, mask = torch.tensor([[1.0, 4.0, 2.0]]), torch.tensor([[True, False, True]])
    said, again = expert(x, mask), expert(x.masked_fill(~mask, torch.nan), mask)
    assert torch.equal(said.precision, again.precision)
    assert torch.equal(said.pull, again.pull)
    assert not torch.equal(said.pull, expert(x).pull)
    zero = expert(torch.tensor([[1.0, 0.0, 2.0]]))
    assert not torch.equal(said.pull, zero.pull)  # missing is not 0


def test_hidden_blocks_are_all_subsets_alike_of_what_there_is() -> None:
    likelihood = Product({"a": (Bernoulli(), 1), "b": (Bernoulli(), 2), "c": (Bernoulli(), 1)})
    n = 14_000
    mask = torch.tensor([True, True, False, True]).repeat(n, 1)
    mask[:, 3] = torch.arange(n) % 2 == 0  # every second row has no c
    hidden = multimodal.hide_blocks(likelihood, torch.zeros(n, 4), mask, generator=generator())
    assert not bool((hidden & ~mask).any())
    assert bool(hidden.any(1).all())
    kinds, many = torch.unique(hidden[::2], dim=0, return_counts=True)
    assert len(kinds) == 7
    assert bool(((many - n / 14).abs() < 5 * (n / 14) ** 0.5).all())
    assert {tuple(row) for row in hidden[1::2].tolist()} == {(True, True, False, False), (True, False, False, False),
                                                             (False, True, False, False)}  # fmt: skip
    few = multimodal.hide_blocks(likelihood, torch.zeros(n, 4), share=0.25, generator=generator(1))
    untouched = float(few.all(1).double().mean())
    assert untouched == pytest.approx(0.75 + 0.25 / 7, abs=5 * 0.5 / n**0.5)
    assert bool(multimodal.hide_blocks(likelihood, torch.zeros(n, 4), share=0.0, generator=generator(1)).all())
    with pytest.raises(VAEError, match=r"share is 2\.0, expected 0 to 1; 0 hides nothing"):
        multimodal.hide_blocks(likelihood, torch.zeros(n, 4), share=2.0, generator=generator(1))


def test_what_cannot_be_is_told() -> None:
    likelihood = mixed()
    with pytest.raises(VAEError, match="experts are of n, the blocks are n, x, c; give one each"):
        multimodal.ProductOfExperts(likelihood, {"n": nn.Identity()})
    with pytest.raises(VAEError, match="decoders are of n, the blocks are n, x, c; give one each"):
        multimodal.BlockDecoder(likelihood, {"n": nn.Identity()})
    seven = Product({str(number): (Bernoulli(), 1) for number in range(7)})
    with pytest.raises(VAEError, match=r"there are 7 blocks, whose subsets are 2\^7 − 1; expected at most 6"):
        multimodal.MixtureOfProducts(seven, {name: nn.Identity() for name in seven.blocks})
    vae = multimodal.multimodal_vae(likelihood, 2)
    with pytest.raises(VAEError, match="there is no block 'y', there are n, x, c; give one of them"):
        multimodal.translate(vae, ROWS_OF_MIXED, to="y", k=5)
    only = multimodal.observe_only(likelihood, ROWS_OF_MIXED, ["c"])
    with pytest.raises(VAEError, match="mask observes nothing of 3 rows of 3"):
        multimodal.translate(vae, ROWS_OF_MIXED, only, to="c", k=5)
    plain = VAE(vae.encoder, vae.decoder, Gaussian(6), StandardNormal(2))
    with pytest.raises(VAEError, match="the likelihood is Gaussian, expected a Product of blocks to translate"):
        multimodal.translate(plain, ROWS_OF_MIXED, to="c", k=5)
    assert Expert(torch.zeros(1, 2), torch.zeros(1, 2)).is_full is False

    hiding = SelfMasking(Gaussian(1), torch.ones(1))
    apart = Product({"a": (hiding, 1), "b": (Bernoulli(), 1)})
    for leave_out in (
        lambda: multimodal.observe_only(apart, torch.ones(1, 2), ["b"]),
        lambda: multimodal.hide_blocks(apart, torch.ones(1, 2), generator=generator()),
        lambda: multimodal.translate(multimodal.multimodal_vae(apart, 2), torch.ones(1, 2), to="a", k=2),
    ):
        with pytest.raises(VAEError, match="block 'a' is SelfMasking, to which a mask is data"):
            leave_out()
    assert bool(multimodal.observe_only(apart, torch.ones(1, 2), ["a"])[0, 0])

    class Meanless(Bernoulli):
        mean = Categorical.mean

    odd = multimodal.multimodal_vae(Product({"a": (Meanless(), 1), "b": (Bernoulli(), 1)}), 2)
    with pytest.raises(CapabilityError, match="Meanless offers no mean"):
        multimodal.translate(odd, torch.ones(1, 2), to="a", k=5)
