"""An encoder without a network: for paths, the normal chain nearest to p(z | x), found by Newton's method row by row.

    q(z | x) = N(m, Λ⁻¹),   E_q ∇ log p(x, z) = 0,   Λ = Λ_prior − E_q ∇² log p(x | z)

These are the conditions of the least KL(q || p(z | x)) among normals (Opper & Archambeau 2009). The search begins at
the posterior's peak, where slope and curvature stand for their means (Laplace's method), and goes on with means over q,
by Gauss–Hermite quadrature. The prior is a chain, and what a decoder makes of a path near a step leans on that step and
the next, so Λ is tridiagonal and q a ``MarkovNormal``: each step of the search costs O(T). Neighbours move together in
the quadrature: exact where an entry leans on one step of the path alone, and near where neighbours go together.

Where decoder and likelihood are linear and Gaussian q is the posterior itself, and any bound is the evidence. Elsewhere
importance weights mend what is left. It follows decoder, likelihood and prior wherever they go, needs no training, and
takes masks as they come: steps without data have their prior. No gradient goes through it.

Sources: Shephard & Pitt 1997; Durbin & Koopman 1997 (the peak); Richard & Zhang 2007, "Efficient high-dimensional
importance sampling"; Koopman, Lucas & Scharth 2015, "Numerically accelerated importance sampling" (the quadrature).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg.lapack import dpttrf, dpttrs
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import log_likelihood
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.model import VAE
from designloop.vae.posteriors.markov_normal import MarkovNormal, chain_of_precision
from designloop.vae.priors.autoregressive import NormalChain

Array = NDArray[np.float64]

PROBE = 1e-3
"""How far steps are moved to see the gradient change, in units of the prior's own scale of each."""

NODES = 5
"""Of the quadrature."""


class NewtonEncoder(nn.Module):
    """q(z | x) of paths of one channel, the normal chain nearest to the posterior.

    Its parts are those of the VAE that it encodes for, which ``with_newton`` sees to; parameters are shared.

    Args:
        prior: of one channel.
        decoder: where step t of the params may lean on steps t and t + 1 of the path only.
        likelihood: of entries that lean on params of their own step only.
        most: Newton steps towards the peak at the most.
        averaged: further steps, with slope and curvature averaged over q; 0 stops at the peak.
        tolerance: nats that the last step towards the peak still gains.

    Raises:
        VAEError: the prior has several channels.
    """

    def __init__(
        self,
        prior: NormalChain,
        decoder: nn.Module,
        likelihood: Likelihood,
        most: int = 100,
        averaged: int = 2,
        tolerance: float = 1e-6,
    ) -> None:
        super().__init__()
        if prior.channels != 1:
            raise VAEError(f"the prior has {prior.channels} channels, expected 1; take a MarkovEncoder for several")
        self.prior, self.decoder, self.likelihood = prior, decoder, likelihood
        self.most, self.averaged, self.tolerance = most, averaged, tolerance

    def with_prior(self, prior: NormalChain) -> NewtonEncoder:
        """The same encoder, its parts shared, of another prior."""
        return NewtonEncoder(prior, self.decoder, self.likelihood, self.most, self.averaged, self.tolerance)

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> MarkovNormal:
        """(batch, …) -> (batch, steps) posterior.

        Raises:
            VAEError: a row's peak was not found, or something on the way is no finite number.
        """
        with torch.no_grad():
            own, off = (part.squeeze(-1) for part in self.prior.precision())
            widths = PROBE * self.prior.scales.squeeze(-1)
        search = _Search(VAE(self, self.decoder, self.likelihood, self.prior), x, mask, context, widths)
        z, diagonal, beside = self._peak(search, own, off)
        q = chain_of_precision(z, diagonal, beside)
        for _ in range(self.averaged):
            _, slope, bend, bend_beside = search.look(q.mean, q.variance.sqrt())
            beside = off - bend_beside
            step, diagonal = _newton_steps(own - bend, beside, slope, own)
            q = chain_of_precision(q.mean + step, diagonal, beside)
        return q

    def _peak(self, search: _Search, own: Tensor, off: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Where the posterior is highest, and its precision there, on the diagonal and beside it."""
        z = own.new_zeros(len(search.x), self.prior.steps)
        if not bool((own.isfinite() & (own > 0)).all()):
            raise VAEError(
                f"the prior's precision goes from {float(own.min()):.2g} to {float(own.max()):.2g}, expected positive "
                "numbers; its parameters have left what can be written: begin elsewhere, or learn more slowly"
            )
        gain = z.new_full((len(z),), torch.inf)
        for _ in range(self.most):
            value, slope, bend, bend_beside = search.look(z)
            if not bool((value.isfinite() & slope.isfinite().all(-1) & bend.isfinite().all(-1)).all()):
                raise VAEError(
                    "log p(x, z) or its slope is no finite number on the way to the peak; check decoder and likelihood "
                    "for parameters that are, and x for values far outside the model's reach"
                )
            beside = off - bend_beside
            step, diagonal = _newton_steps(own - bend, beside, slope, own)
            gain = (step * slope).sum(-1)
            if bool((gain <= self.tolerance * value.abs().clamp_min(1)).all()):
                return z + step, diagonal, beside
            z = search.climb(z, step, value)
        row = int(gain.argmax())
        raise VAEError(
            f"the peak of row {row} was not found in {self.most} Newton steps, the last gained {float(gain[row]):.2g} "
            "nats; check the row for values far outside the model's reach, or raise NewtonEncoder(most=…)"
        )


def with_newton(vae: VAE) -> VAE:
    """The same VAE, its parts shared, with a ``NewtonEncoder`` in its encoder's place.

    Raises:
        VAEError: its prior is no chain of one channel.
    """
    if not isinstance(vae.prior, NormalChain):
        raise VAEError(f"the prior is {type(vae.prior).__name__}, expected a chain: AutoregressiveNormal or RandomWalk")
    encoder = NewtonEncoder(vae.prior, vae.decoder, vae.likelihood)  # type: ignore[arg-type]
    return VAE(encoder, vae.decoder, vae.likelihood, vae.prior)


@dataclass(frozen=True)
class _Search:
    """What all steps towards the peaks share."""

    vae: VAE
    x: Tensor
    mask: Tensor | None
    context: Context | None
    widths: Tensor
    """(steps,) how far to probe."""

    def value(self, z: Tensor) -> Tensor:
        """(draws, batch) log p(x, z) at z (draws, batch, steps)."""
        return log_likelihood(self.vae, z, self.x, self.mask, self.context) + self.vae.prior.log_prob(z)

    def look(self, z: Tensor, spread: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log p(x, z) and its slope, and the curvature of log p(x | z) on the diagonal and beside it.

        Every third step is moved at once: a step's slope feels its neighbours and itself, each in a probe of its own.

        Args:
            z: (batch, steps). spread: (batch, steps) standard deviations to average over about z; None for none.
        """
        steps = z.shape[-1]
        comb = (
            torch.eye(3, dtype=z.dtype, device=z.device).repeat(1, steps // 3 + 1)[:, :steps] * self.widths
        )  # (3, steps)
        moves = torch.cat([torch.zeros_like(comb[:1]), comb, -comb]).unsqueeze(1)  # (7, 1, steps)
        nodes, shares = np.polynomial.hermite_e.hermegauss(1 if spread is None else NODES)
        points = torch.cat([z + moves + (0 if spread is None else float(node) * spread) for node in nodes])
        with torch.enable_grad():
            points = points.detach().requires_grad_()
            likelihoods = log_likelihood(self.vae, points, self.x, self.mask, self.context)
            (slopes,) = torch.autograd.grad(likelihoods.sum(), points)
            here = z.detach().requires_grad_()
            prior = self.vae.prior.log_prob(here)
            (pull,) = torch.autograd.grad(prior.sum(), here)  # linear in z: its mean is that at the mean
        weights = torch.as_tensor(shares / shares.sum()).to(z)
        slopes = torch.einsum("n,npbs->pbs", weights, slopes.unflatten(0, (len(nodes), 7)))
        change = (slopes[1:4] - slopes[4:]) / 2  # (3, batch, steps)
        position = torch.arange(steps)
        diagonal = change[position % 3, :, position].T / self.widths
        before = change[position[:-1] % 3, :, position[1:]].T / self.widths[:-1]
        after = change[position[1:] % 3, :, position[:-1]].T / self.widths[1:]
        value = likelihoods[0].detach() + prior.detach()
        return value, slopes[0] + pull, diagonal, (before + after) / 2

    def climb(self, z: Tensor, step: Tensor, value: Tensor) -> Tensor:
        """z after a step, which is halved for the rows that it leads down until it leads up."""
        share = torch.ones_like(value).unsqueeze(-1)
        for _ in range(30):
            with torch.no_grad():
                reached = self.value((z + share * step).unsqueeze(0))[0]
            worse = ~(reached >= value - 1e-9 * value.abs())
            if not bool(worse.any()):
                break
            share = torch.where(worse.unsqueeze(-1), share / 2, share)
        return z + share * step


def _newton_steps(diagonal: Tensor, beside: Tensor, slope: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Newton's step of each row, and the precision's diagonal that it was made with.

    Where the posterior is not concave, as much of the prior's own precision is added to the diagonal as makes it so:
    still a way up, and a proposal like another, as its weights know its density.
    """
    rows, off, right = (part.numpy(force=True).astype(float) for part in (diagonal, beside, slope))
    steps, extra = np.empty_like(right), own.numpy(force=True).astype(float)
    for row in range(len(rows)):
        added = 0.0
        while True:
            pivots, factors, failed = dpttrf(rows[row] + added * extra, off[row])
            if not failed:
                break
            added = max(2 * added, 1e-3)
        rows[row] += added * extra
        steps[row] = dpttrs(pivots, factors, right[row])[0]
    return torch.from_numpy(steps).to(slope), torch.from_numpy(rows).to(slope)
