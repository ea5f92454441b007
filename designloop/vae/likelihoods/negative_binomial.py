"""Negative binomial likelihood: counts whose variance is larger than their mean.

    x | λ ~ Poisson(λ),  λ ~ Gamma(shape r, mean μ):   E x = μ,  Var x = μ + μ² / r

Source: Lopez et al. 2018 (scVI); the Fisher information of the dispersion after Fisher 1941, "The negative binomial
distribution".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.checks import log_size, require_counts
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.special import LARGE, LOG_2PI, deviance, log_rising, stirling_rest

NODES = 160
"""Of the integral that the dispersion's information is; 1e-6 of it for 1e-3 ≤ r ≤ 1e4 and μ / r ≤ 1e4."""


MOST = 30.0
"""Of log r either way: beyond, float32 can write neither r nor 1 / r for long, and the law hardly changes."""


class NegativeBinomial(Entrywise):
    """x_i ~ NB(mean size · exp(params_i), dispersion r_i); the decoder gives log means.

    Args:
        features: width of a row.
        dispersion: r to start from; large ones are Poisson.
        decoded: the decoder gives log r too, behind the log means: params (batch, 2 · features).
        size: name of the context's entry, (batch,), that the means of a row are multiplied by; None reads none.

    Raises:
        VAEError: ``dispersion`` is not positive.
    """

    log_dispersion: Tensor

    def __init__(
        self, features: int, dispersion: float = 1.0, decoded: bool = False, size: str | None = "library_size"
    ) -> None:
        super().__init__()
        if dispersion <= 0:
            raise VAEError(f"dispersion is {dispersion}, expected a positive number; 1 is a start for expression data")
        self.features, self.decoded, self.size = features, decoded, size
        start = torch.full((features,), math.log(dispersion))
        if decoded:  # a factor of what is decoded, so that a fresh decoder starts there
            self.register_buffer("log_dispersion", start)
        else:
            self.log_dispersion = nn.Parameter(start)

    def parts(self, params: Tensor, context: Context | None = None, axes: int | None = None) -> tuple[Tensor, Tensor]:
        """(..., batch, features) log mean, and log dispersion: as that where it is decoded, else (features,).

        The latter is between −``MOST`` and ``MOST``.

        Args:
            axes: how many a row has; None for all of ``params`` but the first.
        """
        log_mean, log_r = params, self.log_dispersion
        if self.decoded:
            log_mean, factor = params.chunk(2, -1)
            log_r = log_r + factor
        return log_mean + log_size(self.size, self, context, params, axes), log_r.clamp(-MOST, MOST)

    @property
    def params_per_entry(self) -> int:
        """A log mean, and a log dispersion where it is decoded."""
        return 2 if self.decoded else 1

    def require_values(self, x: Tensor) -> None:
        """Counts."""
        require_counts(x)

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log pmf of log means, and log dispersions where they are decoded, in nats."""
        x = x if x.is_floating_point() else x.to(params.dtype)
        log_mean, log_r = self.parts(params, context, x.ndim - 1)
        return log_pmf(log_mean, log_r, x)

    def view(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """log(1 + x), and the mask."""
        x, mask = super().view(x, mask)
        return x.log1p(), mask

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) counts."""
        log_mean, log_r = (part.detach() for part in self.parts(params, context))
        rate = torch._standard_gamma(log_r.exp().expand_as(log_mean), generator=generator) * (log_mean - log_r).exp()
        return torch.poisson(rate, generator=generator)

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) expected counts."""
        return self.parts(params, context)[0].exp()

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) μ + μ² / r."""
        log_mean, log_r = self.parts(params, context)
        return log_mean.exp() + (2 * log_mean - log_r).exp()

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """Quadratic form on tangents of log mean, and log dispersion where it is decoded; the two are orthogonal.

        r / (μ (μ + r)) in the mean is μ r / (μ + r) in its logarithm.

        Args:
            params: (batch, width).
            tangents: (batch, k, width).

        Returns:
            (batch, k, k)
        """
        log_mean, log_r = self.parts(params, context)
        of_mean = (log_mean + log_r - torch.logaddexp(log_mean, log_r)).exp()
        information = (
            torch.cat([of_mean, information_of_log_dispersion(log_mean, log_r)], -1) if self.decoded else of_mean
        )
        scaled = tangents * information.sqrt().unsqueeze(-2)
        return scaled @ scaled.transpose(-1, -2)


def log_pmf(log_mean: Tensor, log_r: Tensor, x: Tensor) -> Tensor:
    """(..., features) log pmf in nats, by terms that are not much larger than what they add up to.

    Where x and r are large that is the saddle-point form: with n = x + r it is r / n times a binomial's pmf of r in n.

    Args:
        log_mean: (..., features). log_r: as that, or (features,). x: counts, as ``log_mean``.
    """
    r, many = log_r.exp(), x.clamp_min(LARGE)
    high = r.clamp_min(LARGE)
    # log μ / (μ + r) and log r / (μ + r), for r so large that 1 + μ / r is 1, and for μ / r that cannot be written.
    log_q = -functional.softplus(log_r - log_mean, threshold=40)
    log_p = -functional.softplus(log_mean - log_r, threshold=40)
    few, low = x.clamp_max(LARGE), r.clamp_max(LARGE)
    of_few = log_rising(r, few) - torch.lgamma(few + 1)
    of_many = log_rising(many + 1, low - 1) - torch.lgamma(low)
    by_terms = torch.where(x > LARGE, of_many, of_few) + x * log_q + r * log_p
    rest = stirling_rest(many + high) - stirling_rest(many) - stirling_rest(high)
    scale = 0.5 * (high.log() - (many + high).log() - many.log() - LOG_2PI)
    costs = deviance(many, (high / many).log1p() + log_q) + deviance(high, (many / high).log1p() + log_p)
    return torch.where((x > LARGE) & (r > LARGE), scale + rest - costs, by_terms)


def information_of_log_dispersion(log_mean: Tensor, log_r: Tensor) -> Tensor:
    """Fisher information of log r, elementwise.

    The series r² Σ_{i ≥ 2} qⁱ B(r, i) / i with q = μ / (μ + r), whose terms fall slowly where μ ≫ r, is summed as the
    integral r² ∫₀^∞ e^{−rs} (−log(1 − qt) / t − q) ds, t = 1 − e^{−s}, by the trapezoidal rule in log s, which
    converges geometrically.

    Args:
        log_mean: log μ. log_r: log r, of the same shape.
    """
    r, log_sum = log_r.exp(), torch.logaddexp(log_mean, log_r)
    p, q = (log_r - log_sum).exp(), (log_mean - log_sum).exp()
    # Below the first node the integrand is as good as zero (it rises as s²), behind the last one too (e^{−40}).
    first = -9.0 - log_r.clamp_min(0.0)
    step = (math.log(40.0) - log_r - first) / NODES
    total = torch.zeros_like(r)
    for node in range(NODES):
        log_s = first + (node + 0.5) * step
        s = log_s.exp()
        total = total + (log_s - r * s).exp() * _excess(-q * torch.expm1(-s), p + q * (-s).exp())
    return r.square() * q * total * step


def _excess(a: Tensor, rest: Tensor) -> Tensor:
    """−log(1 − a) / a − 1 for 0 ≤ a < 1 and rest = 1 − a; its series where a is small, in which the formula cancels."""
    series = torch.zeros_like(a)
    for power in range(9, 1, -1):
        series = a * (1 / power + series)
    return torch.where(a < 0.03, series, -rest.log() / a.clamp_min(0.03) - 1)
