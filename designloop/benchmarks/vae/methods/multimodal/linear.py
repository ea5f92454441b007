"""Experts of linear-Gaussian modalities, whose product is the posterior in closed form, under any mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from designloop.benchmarks.common.rows import Row, worst_row
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.product import Product
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence, posterior
from designloop.vae.model import VAE
from designloop.vae.multimodal import BlockDecoder, LinearExpert, ProductOfExperts
from designloop.vae.networks import MLPDecoder
from designloop.vae.posteriors.full_normal import FullNormal
from designloop.vae.priors.standard_normal import StandardNormal

WIDTHS, LATENT, ROWS = {"a": 6, "b": 4, "c": 5}, 3, 40


def linear_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """Compares posterior, bound and weighted evidence with the closed form, under every subset of three modalities."""
    apart = [apart_from_closed_form(seed) for seed in seeds]
    for place, measure in enumerate(
        (
            "linear, three modalities, any subset, entries missing: product of experts − exact posterior, greatest",
            "linear, the same: ELBO − evidence, greatest of any row, nats",
            "linear, the same: evidence by 2 weighted draws − evidence, greatest of any row, nats",
        )
    ):
        yield worst_row(measure, [of_seed[place] for of_seed in apart], bar="< 1e-9", limit=1e-9)


def build_model(model: LinearGaussian) -> VAE:
    """Builds the model as one of three modalities, an exact expert each."""
    likelihood = Product({name: (Gaussian(wide, per_feature=True), wide) for name, wide in WIDTHS.items()}).double()
    experts: dict[str, nn.Module] = {}
    decoders: dict[str, nn.Module] = {}
    for name, block in likelihood.blocks.items():
        own = LinearGaussian(model.weights[block.columns], model.offset[block.columns], model.variance[block.columns])
        block.likelihood.load_state_dict({"log_variance": own.variance.log()})
        experts[name], decoders[name] = LinearExpert(own), MLPDecoder(LATENT, block.features).double()
        decoders[name].load_state_dict({"net.0.weight": own.weights, "net.0.bias": own.offset})
    decoder = BlockDecoder(likelihood, decoders)
    return VAE(ProductOfExperts(likelihood, experts), decoder, likelihood, StandardNormal(LATENT).double())


def apart_from_closed_form(seed: int) -> tuple[float, float, float]:
    """Measures greatest differences of posterior, bound and weighted evidence."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    features = sum(WIDTHS.values())
    model = LinearGaussian(draw(features, LATENT), draw(features), draw(features).exp())
    x, vae = 2 * draw(ROWS, features), build_model(model)
    entries = torch.rand(ROWS, features, generator=generator) < 0.7
    of_posterior, of_bound, of_weighted = [], [], []
    for has in product([True, False], repeat=len(WIDTHS)):
        blocks = torch.tensor([there for there, wide in zip(has, WIDTHS.values(), strict=True) for _ in range(wide)])
        if not any(has):
            continue
        some = blocks & entries
        for mask in (blocks.expand(ROWS, -1), some | (blocks & ~some.any(1, keepdim=True))):
            q, exact = vae.encode(x, mask), posterior(model, x, mask)
            assert isinstance(q, FullNormal)
            apart = (q.mean - exact.mean).abs().max(), (q.covariance - exact.covariance).abs().max()
            of_posterior.append(float(torch.stack(apart).max().detach()))
            evidence = log_evidence(model, x, mask)
            bound = vae.elbo(x, mask, noise=vae.draw_noise(ROWS, generator)).detach()
            of_bound.append(float((bound - evidence).abs().max()))
            weighted = importance_evidence(vae, x, mask, k=2, generator=generator).log_evidence
            of_weighted.append(float((weighted - evidence).abs().max()))
    return max(of_posterior), max(of_bound), max(of_weighted)
