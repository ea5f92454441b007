"""Several modalities of the same thing, with one latent: translation between them is imputation of an unobserved block.

    z ~ p(z),    x_m | z ~ likelihood_m(decoder_m(z)),    q(z | x) of the blocks of which something is observed

The modalities are the blocks of a ``Product``, so that a row that lacks one is a row with a mask, whose evidence is
that of what it has. A posterior that takes any subset is a product of experts, one a block, over the prior; a mixture
of them; or a mixture of the products of all subsets. ``translate`` weighs its draws, so that what is said of the other
modality is what the model says, however rough the encoder is.

A model that saw all modalities of every row in training never learnt what one alone says: ``hide_blocks`` hides some.
One that saw them apart from the first step on may give each modality units of its own for what they share, and stay so:
begin with whole rows.

Sources: Wu & Goodman 2018 (product of experts, training on subsets); Shi et al. 2019 (mixture of experts); Sutter et
al. 2021 (mixture of products); Mattei & Frellsen 2019 (weights of the draws).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import require
from designloop.vae.errors import VAEError
from designloop.vae.inference.expectations import expectations
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.product import Product
from designloop.vae.likelihoods.self_masking import SelfMasking
from designloop.vae.linear.linear_gaussian import LinearGaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, mlp
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.experts import Expert, product_of
from designloop.vae.posteriors.mixture import Mixture
from designloop.vae.priors.standard_normal import StandardNormal

MOST_BLOCKS = 6
"""Of a mixture of products, whose components are all 2^blocks − 1 subsets."""


class MLPExpert(nn.Module):
    """What an MLP reads of one block, told what of it is observed, as an expert.

    Args:
        likelihood: of the block, which knows how a network had best see it. features: width of it in x.
        latent: width of z. hidden: widths between.
        full: of full covariance, T = R Rᵀ; else each unit has a precision of its own.
    """

    def __init__(
        self, likelihood: Likelihood, features: int, latent: int, hidden: Sequence[int] = (), full: bool = False
    ) -> None:
        super().__init__()
        self.view, self.latent, self.full = likelihood.view, latent, full
        seen = self.view(torch.zeros(1, features))[0].shape[-1]
        self.net = mlp([2 * seen, *hidden, 2 * latent + (latent * (latent - 1) // 2 if full else 0)])

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Expert:
        """(batch, features) -> (batch, latent) expert."""
        seen, observed = self.view(x, torch.ones_like(x, dtype=torch.bool) if mask is None else mask)
        assert observed is not None
        seen = seen.to(next(self.net.parameters()).dtype)
        said = self.net(torch.cat([seen.masked_fill(~observed, 0.0), observed.to(seen)], -1))
        middle, log_root, below = said.split([self.latent, self.latent, said.shape[-1] - 2 * self.latent], -1)
        root = log_root.clamp(-10, 8).exp()
        if not self.full:
            return Expert(root.square(), root.square() * middle)
        rows, columns = torch.tril_indices(self.latent, self.latent, -1, device=said.device)
        batch = torch.arange(len(said), device=said.device)[:, None]
        factor = torch.diag_embed(root).index_put((batch, rows, columns), below)
        # h = R u, so that h lies where T says something.
        return Expert(factor @ factor.mT, (factor @ (root * middle).unsqueeze(-1)).squeeze(-1))


class LinearExpert(nn.Module):
    """The expert of a block that is linear in z with normal noise: exact, under any mask of its entries.

    T = Σ_i w_i w_iᵀ / ψ_i and h = Σ_i w_i (x_i − b_i) / ψ_i over the observed entries.

    Args:
        model: of the block's features.
    """

    def __init__(self, model: LinearGaussian) -> None:
        super().__init__()
        self.weights, self.offset = nn.Parameter(model.weights.clone()), nn.Parameter(model.offset.clone())
        self.log_variance = nn.Parameter(model.variance.log().expand(len(model.weights)).clone())

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Expert:
        """(batch, features) -> (batch, latent) expert of full covariance."""
        residual, share = x - self.offset, (-self.log_variance).exp().expand_as(x)
        if mask is not None:
            residual, share = (torch.where(mask, each, torch.zeros_like(each)) for each in (residual, share))
        precision = torch.einsum("bf,fi,fj->bij", share, self.weights, self.weights)
        return Expert(precision, (share * residual) @ self.weights)


class ProductOfExperts(nn.Module):
    """q(z | x) as the product of the prior N(0, I) and the experts of the blocks of which something is observed.

    Under another prior it is a posterior all the same, with the KL to that prior; N(0, I) is then where it starts.

    Args:
        likelihood: whose blocks they are.
        experts: name -> (x_m, mask_m, context) -> ``Expert``, one for each block.

    Raises:
        VAEError: the names are not those of the blocks.
    """

    def __init__(self, likelihood: Product, experts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        _require_names(likelihood, experts, "experts")
        self.columns = {name: block.columns for name, block in likelihood.blocks.items()}
        self.experts = nn.ModuleList([experts[name] for name in self.columns])  # a block may be called what a dict is

    def said(
        self, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> tuple[list[Expert], Tensor]:
        """The experts' words of each block, none of one that is not there, and (batch, blocks) True where one is."""
        words, there = [], []
        for columns, expert in zip(self.columns.values(), self.experts, strict=True):
            own = None if mask is None else mask[:, columns]
            there.append(torch.ones_like(x[:, 0], dtype=torch.bool) if own is None else own.any(1))
            words.append(expert(x[:, columns], own, context).where(there[-1]))
        return words, torch.stack(there, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Posterior:
        """(batch, features) -> (batch, latent) posterior."""
        return product_of(self.said(x, mask, context)[0])


class MixtureOfExperts(ProductOfExperts):
    """q(z | x) as the mixture, in equal shares, of what each observed block says alone. Arguments as above."""

    def subsets(self) -> list[tuple[int, ...]]:
        """The blocks of each component."""
        return [(block,) for block in range(len(self.experts))]

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Posterior:
        """(batch, features) -> (batch, latent) posterior."""
        words, there = self.said(x, mask, context)
        components = [product_of([words[block] for block in subset]) for subset in self.subsets()]
        whole = torch.stack([there[:, list(subset)].all(1) for subset in self.subsets()], 1)
        return Mixture(components, torch.zeros_like(whole, dtype=x.dtype).masked_fill(~whole, -torch.inf))


class MixtureOfProducts(MixtureOfExperts):
    """q(z | x) as the mixture, in equal shares, of the products of all subsets of the observed blocks.

    Arguments as above.

    Raises:
        VAEError: there are more than ``MOST_BLOCKS`` blocks.
    """

    def __init__(self, likelihood: Product, experts: Mapping[str, nn.Module]) -> None:
        super().__init__(likelihood, experts)
        if len(self.experts) > MOST_BLOCKS:
            raise VAEError(
                f"there are {len(self.experts)} blocks, whose subsets are 2^{len(self.experts)} − 1; "
                f"expected at most {MOST_BLOCKS}: take ProductOfExperts"
            )

    def subsets(self) -> list[tuple[int, ...]]:
        """The blocks of each component."""
        blocks = range(len(self.experts))
        return [subset for many in range(1, len(blocks) + 1) for subset in combinations(blocks, many)]


class BlockDecoder(nn.Module):
    """A decoder of each block, their params one behind the other.

    Args:
        likelihood: whose blocks they are.
        decoders: name -> (z, context) -> params of the block, one for each.

    Raises:
        VAEError: the names are not those of the blocks.
    """

    def __init__(self, likelihood: Product, decoders: Mapping[str, nn.Module]) -> None:
        super().__init__()
        _require_names(likelihood, decoders, "decoders")
        self.decoders = nn.ModuleList([decoders[name] for name in likelihood.blocks])

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., latent) -> (..., params)."""
        return torch.cat([decoder(z, context) for decoder in self.decoders], -1)


POSTERIORS: Mapping[str, type[ProductOfExperts]] = {
    "product": ProductOfExperts,
    "mixture": MixtureOfExperts,
    "mixture of products": MixtureOfProducts,
}


def multimodal_vae(
    likelihood: Product, latent: int, hidden: Sequence[int] = (64,), *,
    posterior: Literal["product", "mixture", "mixture of products"] = "product", full: bool = True,
) -> VAE:  # fmt: skip
    """A VAE of blocks, an MLP expert and an MLP decoder each.

    Args:
        likelihood: of the blocks.
        latent: width of z. hidden: widths between x and z, and back.
        posterior: how experts are put together.
        full: of full covariance; else the units are independent given the row.
    """
    blocks = likelihood.blocks.items()
    experts = {name: MLPExpert(block.likelihood, block.features, latent, hidden, full) for name, block in blocks}
    back = tuple(reversed(hidden))
    decoders = {name: MLPDecoder(latent, block.params.stop - block.params.start, back) for name, block in blocks}
    encoder = POSTERIORS[posterior](likelihood, experts)
    return VAE(encoder, BlockDecoder(likelihood, decoders), likelihood, StandardNormal(latent))


def observe_only(likelihood: Product, x: Tensor, names: Sequence[str], mask: Tensor | None = None) -> Tensor:
    """(batch, features) the mask of rows of which nothing but some blocks is observed.

    Args:
        x: (batch, features). names: of the blocks. mask: of what is observed of them; None for all.

    Raises:
        VAEError: a name is none of a block, or another block hides itself, so that its absence would tell of it.
    """
    _require_silent(likelihood, [name for name in likelihood.blocks if name not in names])
    only = torch.zeros_like(x, dtype=torch.bool)
    for name in names:
        only[:, likelihood[name].columns] = True
    return only if mask is None else only & mask


def hide_blocks(
    likelihood: Product, x: Tensor, mask: Tensor | None = None, *, share: float = 1.0, generator: torch.Generator
) -> Tensor:
    """(batch, features) a mask that observes a subset of each row's blocks, drawn from all that are not empty.

    Args:
        x: (batch, features). mask: of what is observed; None for all.
        share: of the rows that this happens to; the others stay as they are.

    Raises:
        VAEError: ``share`` is none, or a block hides itself, so that its absence would tell of it.
    """
    _require_silent(likelihood, likelihood.blocks)
    if not 0 <= share <= 1:
        raise VAEError(f"share is {share}, expected 0 to 1; 0 hides nothing")
    seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
    parts = list(likelihood.split(seen).values())
    there = torch.stack([part.any(1) for part in parts], 1)
    number = torch.randint(1, 2 ** len(parts), (len(x),), generator=generator, device=x.device)
    chosen = (number.unsqueeze(1) >> torch.arange(len(parts), device=x.device)) & 1 == 1
    hides = torch.rand(len(x), 1, generator=generator, device=x.device) < share
    # A subset none of whose blocks the row has is no subset of it: the row stays as it is.
    kept = torch.where(hides & (chosen & there).any(1, keepdim=True), chosen & there, there)
    return torch.cat([part & kept[:, block, None] for block, part in enumerate(parts)], 1)


@torch.no_grad()
def translate(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, to: str, k: int,
    generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """(batch, columns) what a block is expected to be given all others: its mean under p(z | the others).

    For a block of classes (batch, columns, classes), the probability of each. What is known of the block itself is not
    looked at.

    Args:
        x: (batch, features), as ``likelihood.join`` makes it. mask: True where an entry is observed.
        to: name of the block.
        k: draws of the posterior a row.

    Raises:
        CapabilityError: the block has no mean, or the prior no ``log_prob``.
        VAEError: the likelihood has no blocks, or not this one, or a row has nothing else.
    """
    likelihood = vae.likelihood
    if not isinstance(likelihood, Product):
        raise VAEError(f"the likelihood is {type(likelihood).__name__}, expected a Product of blocks to translate")
    block = likelihood[to]
    x, mask, context = vae.take_rows(x, mask, context)
    others = observe_only(likelihood, x, [name for name in likelihood.blocks if name != to], mask)

    def mean(params: Tensor, wide: Context | None) -> list[Tensor]:
        own = params[..., block.params]
        if isinstance(block.likelihood, Categorical):
            return [block.likelihood.probabilities(own)]
        return [block.likelihood.mean(own, wide)]

    if not isinstance(block.likelihood, Categorical):
        require(block.likelihood, "mean")
    (translated,), _ = expectations(vae, mean, x, others, context, k=k, generator=generator)
    return translated


def _require_silent(likelihood: Product, names: Iterable[str]) -> None:
    for name in names:
        if isinstance(likelihood[name].likelihood, SelfMasking):
            raise VAEError(
                f"block {name!r} is SelfMasking, to which a mask is data: left out, it would be taken for one that hid "
                "itself; leave out blocks whose absence tells nothing"
            )


def _require_names(likelihood: Product, parts: Mapping[str, nn.Module], what: str) -> None:
    if set(parts) != set(likelihood.blocks):
        raise VAEError(
            f"{what} are of {', '.join(parts)}, the blocks are {', '.join(likelihood.blocks)}; give one each"
        )
