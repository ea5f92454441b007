"""A latent of subspaces, each with a prior of its own cause, and what a row would be under another cause.

    z = (z_1, …, z_B),     p(z | c) = Π_b p(z_b | c_b),     x | z ~ likelihood(decoder(z)),     q(z | x, c)

A cell line's mutation and the drug that it is given, say: z_m ~ p(z_m | mutation), z_d ~ p(z_d | drug), and a decoder
of both, which can say that a drug does one thing in one cell and another in the next. The counterfactual, the same cell
under another drug, keeps z_m and moves z_d from the one drug's prior to the other's, its noise the same (abduction,
action, prediction).

It is true as far as z_m holds nothing of the drug. Where drugs were given by mutation the two subspaces depend on each
other through that, and what can be asked is that z_m is independent of the drug *given the mutation*: ``HSIC("drug",
units, given="mutation")``, and ``TotalCorrelation(rows, groups, given="mutation")`` between the subspaces. A plain
conditional VAE, whose latent is to have one law under all drugs, is wrong there: it takes what the mutations share out
unevenly among the drugs for an effect of the drugs.

Sources: Ilse et al. 2020, "DIVA: domain invariant variational autoencoders" (a prior for each subspace); Lopez et al.
2018, "Information constraints on auto-encoding variational Bayes" (HSIC); Pearl 2009, section 7.1 (counterfactuals).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import require
from designloop.vae.doors import take_context
from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE
from designloop.vae.posteriors.base import Posterior
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal, require_diagonal
from designloop.vae.posteriors.partly_set import PartlySet
from designloop.vae.priors.base import Prior
from designloop.vae.priors.conditional import ConditionalNormal


class Subspaces(Prior):
    """p(z | c) = Π_b p(z_b | c): priors side by side, the first units of z the first prior's.

    Args:
        priors: of each subspace, in order.
    """

    def __init__(self, priors: Sequence[Prior]) -> None:
        super().__init__()
        self.priors = nn.ModuleList(priors)
        self.widths = [prior.latent for prior in priors]
        self.latent = sum(self.widths)

    @property
    def units(self) -> list[list[int]]:
        """Units of each subspace, as ``TotalCorrelation(groups=…)`` and ``HSIC(units=…)`` take them."""
        starts = [sum(self.widths[:index]) for index in range(len(self.widths))]
        return [list(range(start, start + width)) for start, width in zip(starts, self.widths, strict=True)]

    def sample(self, n: int, context: Context | None = None, generator: torch.Generator | None = None) -> Tensor:
        """(n, latent) draws; with a context (n, batch, latent)."""
        drawn = [prior.sample(n, context, generator) for prior in self._parts()]
        return torch.cat(drawn, -1)

    def log_prob(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch) log p(z | c) in nats at z (..., batch, latent)."""
        parts = z.split(self.widths, -1)
        own = [prior.log_prob(part, context) for prior, part in zip(self._parts(), parts, strict=True)]
        return torch.stack(own).sum(0)

    def settle(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., batch, latent) z with the units that the context sets, of some subspace, at what they are set to."""
        parts = zip(self._parts(), z.split(self.widths, -1), strict=True)
        return torch.cat([prior.settle(part, context) for prior, part in parts], -1)

    def condition(self, posterior: Posterior, context: Context | None = None) -> Posterior:
        """The posterior where the context sets units of some subspace; else as it is.

        Raises:
            VAEError: units are set and the posterior is not diagonal.
        """
        means = posterior.mean.split(self.widths, -1)  # which units are set, and to what, does not hang on the spread
        asked = zip(self._parts(), means, strict=True)
        own = [prior.condition(DiagonalNormal(mean, torch.ones_like(mean)), context) for prior, mean in asked]
        if not any(isinstance(part, PartlySet) for part in own):
            return posterior
        free = torch.full_like(posterior.mean, torch.nan).split(self.widths, -1)
        values = [part.values if isinstance(part, PartlySet) else nan for part, nan in zip(own, free, strict=True)]
        return PartlySet(require_diagonal(posterior, "an intervention"), torch.cat(values, -1))

    def diagonal_kl(self, posterior: DiagonalNormal, z: Tensor, context: Context | None = None) -> Tensor:
        """(batch,) KL(posterior || prior) in nats, the subspaces' own, added: each closed where it can be."""
        means, scales, drawn = (rows.split(self.widths, -1) for rows in (posterior.mean, posterior.scale, z))
        own = [
            prior.kl(DiagonalNormal(mean, scale), part, context)
            for prior, mean, scale, part in zip(self._parts(), means, scales, drawn, strict=True)
        ]
        return torch.stack(own).sum(0)

    def _parts(self) -> list[Prior]:
        return list(self.priors)  # type: ignore[arg-type]  # a list of modules, which are all priors


def move(prior: Subspaces, z: Tensor, context: Context, to: Context) -> Tensor:
    """(batch, latent) the same noise under other causes: μ' + σ' ε in each subspace that reads one of ``to``.

    Args:
        prior: whose moved subspaces are ``ConditionalNormal``.
        z: (batch, latent) under ``context``, which gives ε = (z_b − μ)/σ.
        to: entries that replace the context's: name -> (batch, …).

    Raises:
        VAEError: no subspace reads any of ``to``.
    """
    other = {**context, **to}
    parts = list(z.split(prior.widths, -1))
    any_moved = False
    for index, subspace in enumerate(prior.priors):
        if isinstance(subspace, ConditionalNormal) and subspace.key in to:
            own, new, any_moved = subspace.given(context), subspace.given(other), True
            parts[index] = new.mean + new.scale / own.scale * (parts[index] - own.mean)
    if not any_moved:
        raise VAEError(f"no subspace reads any of {sorted(to)}; give one that a ConditionalNormal of the prior reads")
    return torch.cat(parts, -1)


@torch.no_grad()
def counterfactual(
    vae: VAE, x: Tensor, mask: Tensor | None = None, context: Context | None = None, *, to: Context
) -> tuple[Tensor, Tensor]:
    """(batch, …) what a row is expected to be, and what it would have been under other causes, all else the same.

    Their difference is the effect. The latent is the posterior's mean given the row as it was.

    Args:
        context: what is known of the rows and read by the encoder and by the subspaces that ``to`` moves.
        to: entries that replace the context's: name -> (batch, …).

    Raises:
        CapabilityError: the likelihood has no ``mean``.
        VAEError: the prior is not of ``Subspaces``.
        ShapeError: an entry of ``to`` has not one value a row.
    """
    if not isinstance(vae.prior, Subspaces):
        raise VAEError(f"the prior is {type(vae.prior).__name__}, expected Subspaces; build the VAE with one")
    require(vae.likelihood, "mean")
    x, mask, context = vae.take_rows(x, mask, context)
    to = take_context(vae._like(), to, len(x), "to")
    z = vae.encode(x, mask, context).mean
    other = {**context, **to}
    mean, moved_z = vae.likelihood.mean, move(vae.prior, z, context, to)
    return mean(vae.decode(z, context), context), mean(vae.decode(moved_z, other), other)
