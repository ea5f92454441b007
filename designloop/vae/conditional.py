"""Conditional VAEs: what is known of a row goes into encoder, decoder and, if wanted, prior.

    z ~ p(z)  or  p(z | c),     x | z, c ~ likelihood(decoder(z, c)),     q(z | x, c) = encoder(x, c)

The bound is that on log p(x | c). Where the prior does not read c, the latent has the same law for every c, and is what
the condition does not say: the nuisance that is shared, the style of an image. A condition is an entry of the context,
labels or numbers, and any encoder or decoder of flat rows becomes a conditional one by a wrapper that sets it beside
the input; nothing else of a VAE knows of it.

Sources: Sohn et al. 2015, "Learning structured output representation using deep conditional generative models"; Ghosh
et al. 2020, "From variational to deterministic autoencoders" (a prior fitted to the latents afterwards); Lopez et al.
2018, "Deep generative modeling for single-cell transcriptomics" (scVI: means as shares of a cell's library size).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.vae.capabilities import require
from designloop.vae.doors import as_tensor
from designloop.vae.errors import MissingContextError, ShapeError, VAEError
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import log_size, require_known, require_labels, values_can_be_read
from designloop.vae.model import VAE
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.by_label import ByLabel
from designloop.vae.priors.learned import LearnedPrior


class OneHot(nn.Module):
    """Labels (batch,) as rows of zeros and a one, (batch, classes).

    Args:
        classes: how many labels there are, numbered from 0.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, labels: Tensor) -> Tensor:
        """(batch,) integers -> (batch, classes), float32.

        Raises:
            VAEError: they are no labels, or not of as many classes.
        """
        require_labels(labels, self.classes, "condition")
        return functional.one_hot(labels.long(), self.classes).float()


class LogSize(nn.Module):
    """Amounts (batch,) as their logarithms, (batch, 1): a condition that acts by its ratios, such as a library size."""

    def forward(self, amounts: Tensor) -> Tensor:
        """(batch,) positive -> (batch, 1).

        Raises:
            VAEError: some are not positive.
        """
        if values_can_be_read(amounts) and not bool((amounts > 0).all()):
            raise VAEError("an amount is not positive, so it has no logarithm; leave that row out")
        return amounts.log().unsqueeze(-1)


def condition_of(
    context: Context | None, key: str, embed: Callable[[Tensor], Tensor] | None, like: Tensor, part: object
) -> Tensor:
    """(..., width) the condition of each row as numbers, of the leading axes, dtype and device of ``like``.

    Args:
        key: name of the context's entry, (batch, …); numbers (batch,) are one column.
        embed: makes rows of numbers of it; None takes numbers (batch, width) as they are.
        like: (..., batch, any) what it is to stand beside.
        part: who asks, for the error.

    Raises:
        MissingContextError: the context has no such entry.
        VAEError: labels without an ``embed``, which would be taken for amounts, or such as are not in its table.
    """
    if context is None or key not in context:
        raise MissingContextError(type(part).__name__, key, list(context or ()))
    value = context[key]
    if embed is not None:
        require_known(embed, value, key)
        value = embed(value)
    elif not value.is_floating_point():
        raise VAEError(
            f"context[{key!r}] is of {value.dtype} and {type(part).__name__} has no embed, expected floating-point "
            "attributes; give embed=OneHot(classes) for labels, or context[…].float() for amounts"
        )
    if value.ndim == 1:
        value = value.unsqueeze(-1)
    if value.ndim != 2 or value.shape[0] not in (1, like.shape[-2]):
        wanted = f"({like.shape[-2]}, width), a row of numbers for each row of the batch"
        raise ShapeError(f"context[{key!r}], embedded,", value.shape, wanted, "flatten it, or give an embed that does")
    return value.to(like).expand(*like.shape[:-1], -1)


class ConditionalEncoder(nn.Module):
    """q(z | x, c): an encoder that sees the condition behind the features, as further ones that are always observed.

    Args:
        encoder: of flat rows that are ``width`` wider than x: ``MLPEncoder(features + width, latent, hidden)``.
        embed: makes (batch, width) of the context's entry: ``OneHot(classes)``, ``nn.Embedding(classes, width)``, an
            MLP; None takes numbers as they are.
        key: name of the entry.
        transform: of the features, before all else, (x, context) -> (batch, features): ``LogExpression()`` for counts.
    """

    def __init__(
        self,
        encoder: nn.Module,
        embed: nn.Module | None = None,
        key: str = "condition",
        transform: Callable[[Tensor, Context | None], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.embed, self.key, self.transform = encoder, embed, key, transform

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> DiagonalNormal:
        """(batch, features) -> (batch, latent) posterior."""
        x = x if self.transform is None else self.transform(x, context)
        condition = condition_of(context, self.key, self.embed, x, self)
        if mask is not None:
            mask = torch.cat([mask, torch.ones_like(condition, dtype=torch.bool)], -1)
        posterior: DiagonalNormal = self.encoder(torch.cat([x, condition], -1), mask, context)
        return posterior


class ConditionalDecoder(nn.Module):
    """A decoder that sees the condition behind the latent.

    Args:
        decoder: of latents that are ``width`` wider than z: ``MLPDecoder(latent + width, params, hidden)``. Without
            hidden layers the condition shifts the params by the same for every z.
        embed, key: as for ``ConditionalEncoder``; one embed may serve both.
    """

    def __init__(self, decoder: nn.Module, embed: nn.Module | None = None, key: str = "condition") -> None:
        super().__init__()
        self.decoder, self.embed, self.key = decoder, embed, key

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch, latent) -> (..., batch, params)."""
        condition = condition_of(context, self.key, self.embed, z, self)
        params: Tensor = self.decoder(torch.cat([z, condition], -1), context)
        return params


class SoftmaxScale(nn.Module):
    """A decoder of counts whose log means are those of shares of a total: they average to 1 over a row's features.

    A library size that is measured as a row's own total, over the features' number, is then what the model means by
    one. Without it, what raises all counts is in the size, and once more in z: the samples of a size vary about it.

    Args:
        decoder: of params whose first ``features`` are log means; what stands behind them stays as it is.
        features: width of a row.

    Source: Lopez et al. 2018, the softmax before the library size.
    """

    def __init__(self, decoder: nn.Module, features: int) -> None:
        super().__init__()
        self.decoder, self.features = decoder, features

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch, latent) -> (..., batch, params).

        Raises:
            ShapeError: the decoder gives fewer params than there are features.
        """
        params: Tensor = self.decoder(z, context)
        if params.shape[-1] < self.features:
            raise ShapeError(
                "the decoder's params", params.shape, f"(…, {self.features} or more)", "give a log mean a feature"
            )
        means, rest = params[..., : self.features], params[..., self.features :]
        return torch.cat([means.log_softmax(-1) + math.log(self.features), rest], -1)


class LogExpression:
    """log(1 + x / size): counts on the scale of an encoder's inputs, whatever the depth of sequencing.

    Args:
        size: name of the context's entry, (batch,) positive, as the likelihood reads it.
    """

    def __init__(self, size: str = "library_size") -> None:
        self.size = size

    def __call__(self, x: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) of counts (batch, features)."""
        log = log_size(self.size, self, context, x if x.is_floating_point() else x.float())
        return torch.log1p(x * (-log).exp())


@torch.no_grad()
def aggregate_prior(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, classes: int,
    components: int = 1, key: str = "condition", draws: int = 1, generator: torch.Generator | None = None,
) -> ByLabel:  # fmt: skip
    """The prior under which a fitted VAE's draws for each label are most like its data: for ``vae.with_prior``.

    The aggregate posterior of a label, the mean of q(z | x, c) over its rows, is what the decoder was trained on; a
    mixture of Gaussians is fitted to draws from it, one a label.

    Args:
        x: (rows, features) the training data, with its mask and context.
        classes: labels are 0 to ``classes`` − 1; each has to be there.
        components: of each label's mixture.
        draws: from each row's posterior.

    Raises:
        MissingContextError: the context has no labels.
        ShapeError: a label has too few rows for as many components.
    """
    if context is None or key not in context:
        raise MissingContextError("aggregate_prior", key, list(context or ()))
    x, mask, context = vae.take_rows(x, mask, context)
    labels = context[key]
    require_labels(labels, classes, key)
    posterior = vae.encode(x, mask, context)
    z = torch.stack([posterior.rsample(generator) for _ in range(draws)])
    return ByLabel([LearnedPrior.fit(z[:, labels == label].flatten(0, 1), components) for label in range(classes)], key)


@torch.no_grad()
def transfer(vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, to: Context) -> Tensor:
    """(batch, …) what a row would be expected to be under another condition, all else of it the same.

    z is the posterior's mean under the row's own context; it is decoded under ``to`` in its place. It is a
    counterfactual as far as the latent holds all else and nothing of the condition.

    Args:
        context: what is known of the rows.
        to: entries that replace the context's: name -> (batch, …).

    Raises:
        CapabilityError: the likelihood has no ``mean``.
    """
    require(vae.likelihood, "mean")
    x, mask, context = vae.take_rows(x, mask, context)
    other = vae.take_rows(x, mask, {**context, **to})[2]
    return vae.likelihood.mean(vae.decode(vae.encode(x, mask, context).mean, other), other)


@torch.no_grad()
def label_log_probs(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, classes: int, k: int,
    key: str = "condition", shares: Tensor | None = None, generator: torch.Generator | None = None,
) -> Tensor:  # fmt: skip
    """(batch, classes) log p(c | x) by Bayes' rule, from the evidence of each row under each label.

    Args:
        context: what is known of the rows besides their labels; labels in it are not looked at.
        classes: labels 0 to ``classes`` − 1 are tried.
        k: importance-weighted draws of each evidence.
        shares: (classes,) positive, how frequent each label is before x is seen; None for all alike.

    Raises:
        CapabilityError: the prior has no ``log_prob``.
        ShapeError: there is not one share a label.
        VAEError: a share is not positive.
    """
    if shares is not None:
        shares = as_tensor(shares, None, "shares").double()
        if shares.shape != (classes,):
            raise ShapeError("shares", shares.shape, f"({classes},)", "give one positive number a label, or None")
        if not bool((shares > 0).all()):
            raise VAEError("shares has entries that are not positive; leave out labels that are never seen")
    x, mask, context = vae.take_rows(x, mask, {name: value for name, value in (context or {}).items() if name != key})
    evidences = []
    for label in range(classes):
        tried = {**context, key: torch.full((len(x),), label, dtype=torch.long, device=x.device)}
        evidences.append(importance_evidence(vae, x, mask, tried, k=k, generator=generator).log_evidence)
    joint = torch.stack(evidences, -1)
    return (joint if shares is None else joint + shares.to(joint).log()).log_softmax(-1)
