"""Kinds of data, and what each asks for: how it is scaled, what the encoder sees, which likelihood explains it.

    binary     zeros and ones         Bernoulli            logits          encoder sees (x − p̄) / sd
    counts     0, 1, 2, …             negative binomial    log means       encoder sees log(1 + x), standardised
    numbers    all else               Gaussian             means           x bent towards a normal, standardised

Numbers are bent by Yeo and Johnson's transform, feature by feature, with the λ in [0, 2] of greatest likelihood: 1
leaves a feature as it is, 0 is a logarithm above its mean, 2 one below. So what is found does not hang on whether
somebody wrote down x or log x. Each kind turns a closed-form PPCA of what the encoder sees into its linear decoder.

Sources: Yeo & Johnson 2000, "A new family of power transformations"; Lopez et al. 2018 (negative binomial).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.checks import require_counts, require_rows, require_shares
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.linear.linear_gaussian import LinearGaussian

POWERS = tuple(n / 20 for n in range(41))
"""The λ among which that of each feature is chosen."""

LEAST_SPREAD = 0.8
"""Median variance over mean below which whole numbers are no counts: a Poisson's is 1, a negative binomial's more."""


class Kind(Protocol):
    """A kind of data with what it has learnt of the rows that are learnt from."""

    def prepare(self, x: Tensor) -> Tensor:
        """(batch, features) what the likelihood explains."""
        ...

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, features) what robust closed forms see of raw rows: no bend that is learnt from them."""
        ...

    def view(self, x: Tensor) -> Tensor:
        """(batch, features) what the encoder sees of prepared rows, each feature centred and of about unit variance."""
        ...

    def likelihood(self, start: LinearGaussian) -> Likelihood:
        """The likelihood to start from, its noise that of a PPCA of the views."""
        ...

    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """(features, latent) weights and (features,) offset of a linear map to the likelihood's params."""
        ...


class Numbers:
    """Numbers of any unit.

    Args:
        x: (rows, features) that are learnt from.
    """

    def __init__(self, x: Tensor) -> None:
        self._first = _Standard(x)
        plain = self._first(x)
        self.power = best_powers(plain)
        self._second = _Standard(yeo_johnson(plain, self.power))

    def prepare(self, x: Tensor) -> Tensor:
        """(batch, features) standardised, bent, standardised again."""
        return self._second(yeo_johnson(self._first(x), self.power))

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, features) as they are."""
        return x

    def view(self, x: Tensor) -> Tensor:
        """(batch, features) as prepared."""
        return x

    def likelihood(self, start: LinearGaussian) -> Gaussian:
        """One variance a feature, all of them PPCA's at the start."""
        return Gaussian(len(start.weights), float(start.variance.mean()), per_feature=True)

    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """The means are PPCA's."""
        return start.weights, start.offset


class Counts:
    """Counts, overdispersed or not. Arguments as ``Numbers``."""

    def __init__(self, x: Tensor) -> None:
        require_counts(x)
        self._standard = _Standard(x.log1p())
        self.mean = x.mean(0).clamp_min(0.5 / len(x))  # a feature never seen may still come
        excess = (x.var(0) - self.mean).clamp_min(1e-3)
        self.dispersion = (self.mean.square() / excess).clamp(0.1, 100).log().mean().exp()

    def prepare(self, x: Tensor) -> Tensor:
        """(batch, features) the counts themselves."""
        return x

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, features) their logarithms, log(1 + x)."""
        require_counts(x)
        return x.log1p()

    def view(self, x: Tensor) -> Tensor:
        """(batch, features) their logarithms, standardised."""
        return self._standard(x.log1p())

    def likelihood(self, start: LinearGaussian) -> NegativeBinomial:
        """One dispersion a feature, to start from the geometric mean of what their variances say."""
        return NegativeBinomial(len(start.weights), float(self.dispersion), size=None)

    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """Log means: PPCA's in the unit of the logarithms, about the features' own."""
        weights = self._standard.scale.unsqueeze(1) * start.weights
        return weights, self.mean.log() - 0.5 * weights.square().sum(1)  # E exp(w z) = exp(w² / 2)


class Binary:
    """Zeros and ones. Arguments as ``Numbers``."""

    def __init__(self, x: Tensor) -> None:
        require_shares(x)
        self.share = (x.sum(0) + 0.5) / (len(x) + 1)

    def prepare(self, x: Tensor) -> Tensor:
        """(batch, features) zeros and ones."""
        return x

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, features) as they are."""
        return x

    def view(self, x: Tensor) -> Tensor:
        """(batch, features) standardised."""
        return (x - self.share) / (self.share * (1 - self.share)).sqrt()

    def likelihood(self, start: LinearGaussian) -> Bernoulli:
        """It has no parameters."""
        return Bernoulli()

    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """Logits whose slope in z is PPCA's: dp = p (1 − p) d logit."""
        slope = (self.share * (1 - self.share)).sqrt().unsqueeze(1)
        return start.weights / slope, self.share.logit()


KINDS: dict[str, type[Numbers] | type[Counts] | type[Binary]] = {
    "binary": Binary,
    "counts": Counts,
    "numbers": Numbers,
}


def kind_of(x: Tensor) -> str:
    """The kind of data by its values: "binary", "counts" or "numbers".

    Whole numbers from 0 are counts, unless all are multiples of a number above 1 (tens, or halves that were doubled),
    or most features vary less about their mean than a Poisson's would (years, ages), which no likelihood of counts
    can say.

    Args:
        x: (rows, features).

    Raises:
        ShapeError: x is no table of at least two features and four rows.
        VAEError: x has entries that are NaN or infinite.
    """
    if x.ndim != 2 or x.shape[1] < 2 or len(x) < 4:
        raise ShapeError("x", x.shape, "(at least 4 rows, at least 2 features)", "give a table, one row a datum")
    if not x.is_floating_point():
        raise VAEError(f"x is of {x.dtype}, expected floating point; give x.float()")
    require_rows(x)
    if bool(((x == 0) | (x == 1)).all()):
        return "binary"
    if not bool(((x >= 0) & (x == x.floor())).all()) or _unit_of(x) > 1:
        return "numbers"
    spread, mean = x.double().var(0), x.double().mean(0)
    varies = spread > 0
    if bool(varies.any()) and float((spread[varies] / mean[varies]).median()) < LEAST_SPREAD:
        return "numbers"
    return "counts"


def _unit_of(x: Tensor) -> int:
    """The greatest number that all entries are whole multiples of: 2 of measures in halves that were doubled."""
    return int(np.gcd.reduce(x.double().unique().numpy(force=True).astype(np.int64)))


def yeo_johnson(x: Tensor, power: Tensor) -> Tensor:
    """(batch, features) x bent by the power λ of each feature, (features,), 0 ≤ λ ≤ 2; odd in (x, λ − 1)."""
    right = torch.where(x >= 0, power, 2 - power)
    size = x.abs().log1p()
    # ((1 + |x|)^λ − 1) / λ, whose limit at λ = 0 is log(1 + |x|).
    bent = torch.where(right.abs() > 1e-6, torch.expm1(right * size) / right.clamp_min(1e-6), size)
    return torch.where(x >= 0, bent, -bent)


def best_powers(x: Tensor) -> Tensor:
    """(features,) the λ of ``POWERS`` under which each feature of x (rows, features) is likeliest a normal."""
    slope = (x.sign() * x.abs().log1p()).mean(0)  # of the mean log |d bent / dx|, in λ − 1
    spreads = torch.stack([yeo_johnson(x, x.new_full((x.shape[1],), power)).var(0, correction=0) for power in POWERS])
    powers = torch.tensor(POWERS).to(x)
    fit = -0.5 * spreads.clamp_min(torch.finfo(x.dtype).tiny).log() + (powers - 1).unsqueeze(1) * slope
    flat = x.var(0, correction=0) <= 0
    return torch.where(flat, torch.ones_like(slope), powers[fit.argmax(0)])


class _Standard:
    """To mean 0 and standard deviation 1 in the rows that are learnt from; a constant feature is centred alone."""

    def __init__(self, x: Tensor) -> None:
        spread = x.std(0, correction=0)
        constant = spread <= 1e-6 * x.abs().amax(0)
        self.centre, self.scale = x.mean(0), torch.where(constant, torch.ones_like(spread), spread)

    def __call__(self, x: Tensor) -> Tensor:
        return (x - self.centre) / self.scale
