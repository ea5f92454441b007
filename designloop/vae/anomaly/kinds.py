"""Kinds of data, and what each asks for: how it is scaled, what the encoder sees, which likelihood explains it.

    binary     zeros and ones         Bernoulli            logits          encoder sees (x − p̄) / sd
    counts     0, 1, 2, …             negative binomial    log means       encoder sees log(1 + x), standardised
    numbers    all else               Gaussian             means           x bent towards a normal, standardised

Classes, and blocks of several kinds side by side, stand in ``blocks``.
Numbers are bent feature by feature (``bends``): 1 leaves a feature as it is, 0 is a logarithm above its mean, 2 one
below. So what is found does not hang on whether somebody wrote down x or log x. Each kind turns a closed-form PPCA of
what the encoder sees into its linear decoder. Source: Lopez et al. 2018 (negative binomial).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from designloop.vae.anomaly.bends import Standard, best_powers, yeo_johnson
from designloop.vae.anomaly.observed import fill, mean_of, variance_of
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.checks import require_counts, require_rows, require_shares
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.linear.linear_gaussian import LinearGaussian
from designloop.vae.tables import LEAST_SPREAD, unit_of


class Kind(nn.Module, ABC):
    """A kind of data with what it has learnt of the rows that are learnt from; a module, so that it is saved.

    What stands in a missing entry is 0; only ``view_mask`` says that it is missing.

    Args:
        features: of a row.
    """

    name: ClassVar[str]
    is_discrete: ClassVar[bool] = False
    """Whether rows are labels alone, of which none can be far from the others."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    @classmethod
    @abstractmethod
    def of(cls, x: Tensor, mask: Tensor | None = None) -> Self:
        """That of rows (rows, features), of which ``mask`` says what is observed.

        Raises:
            VAEError: some observed entries are of another kind.
        """

    @property
    def width(self) -> int:
        """Features of a view."""
        return self.features

    @property
    def about(self) -> dict[str, Any]:
        """JSON values from which ``kind_from`` makes one of the same shape."""
        return {"kind": self.name, "features": self.features}

    @abstractmethod
    def unbent(self, x: Tensor) -> Tensor:
        """(batch, width) what robust closed forms see of raw rows: no bend that is learnt from them.

        Raises:
            VAEError: some entries are of another kind.
        """

    def prepare(self, x: Tensor) -> Tensor:
        """(batch, features) what the likelihood explains: the rows themselves, unless the kind scales them."""
        return x

    @abstractmethod
    def view(self, x: Tensor) -> Tensor:
        """(batch, width) what the encoder sees of prepared rows, each feature centred and of about unit variance."""

    def view_mask(self, mask: Tensor | None) -> Tensor | None:
        """(batch, width) True where a view is observed; None stays None."""
        return mask

    @abstractmethod
    def likelihood(self, start: LinearGaussian) -> Likelihood:
        """The likelihood to start from, its noise that of a PPCA of the views."""

    @abstractmethod
    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """(params, latent) weights and (params,) offset of a linear map to the likelihood's params."""


class Numbers(Kind):
    """Numbers of any unit."""

    name = "numbers"
    power: Tensor

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.first, self.second = Standard(features), Standard(features)
        self.register_buffer("power", torch.ones(features))

    @classmethod
    def of(cls, x: Tensor, mask: Tensor | None = None) -> Self:
        """Standardised, bent, standardised again, as observed entries ask."""
        result = cls(x.shape[1])
        result.first = Standard.of(x, mask)
        plain = result.first(x)
        result.power = best_powers(plain, mask)
        result.second = Standard.of(yeo_johnson(plain, result.power), mask)
        return result

    def prepare(self, x: Tensor) -> Tensor:
        """(batch, features) standardised, bent, standardised again."""
        bent: Tensor = self.second(yeo_johnson(self.first(x), self.power))
        return bent

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


class Counts(Kind):
    """Counts, overdispersed or not."""

    name = "counts"
    mean: Tensor
    dispersion: Tensor

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.standard = Standard(features)
        self.register_buffer("mean", torch.ones(features))
        self.register_buffer("dispersion", torch.ones(()))

    @classmethod
    def of(cls, x: Tensor, mask: Tensor | None = None) -> Self:
        """Their logarithms' moments, their means, and the geometric mean of the dispersions that variances say."""
        require_counts(fill(x, mask))
        result = cls(x.shape[1])
        result.standard = Standard.of(x.log1p(), mask)
        result.mean = mean_of(x, mask).clamp_min(0.5 / len(x))  # a feature never seen may still come
        excess = (variance_of(x, mask, correction=1) - result.mean).clamp_min(1e-3)
        result.dispersion = (result.mean.square() / excess).clamp(0.1, 100).log().mean().exp()
        return result

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, features) their logarithms, log(1 + x)."""
        require_counts(x)
        return x.log1p()

    def view(self, x: Tensor) -> Tensor:
        """(batch, features) their logarithms, standardised."""
        seen: Tensor = self.standard(x.log1p())
        return seen

    def likelihood(self, start: LinearGaussian) -> NegativeBinomial:
        """One dispersion a feature, to start from the geometric mean of what their variances say."""
        return NegativeBinomial(len(start.weights), float(self.dispersion), size=None)

    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """Log means: PPCA's in the unit of the logarithms, about the features' own."""
        weights = self.standard.scale.unsqueeze(1) * start.weights
        return weights, self.mean.log() - 0.5 * weights.square().sum(1)  # E exp(w z) = exp(w² / 2)


class Binary(Kind):
    """Zeros and ones."""

    name = "binary"
    is_discrete = True
    share: Tensor

    def __init__(self, features: int) -> None:
        super().__init__(features)
        self.register_buffer("share", torch.full((features,), 0.5))

    @classmethod
    def of(cls, x: Tensor, mask: Tensor | None = None) -> Self:
        """The share of ones, with one row more of halves."""
        require_shares(fill(x, mask))
        result = cls(x.shape[1])
        ones, often = (x.sum(0), len(x)) if mask is None else ((x * mask).sum(0), mask.sum(0).to(x))
        result.share = (ones + 0.5) / (often + 1)
        return result

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, features) as they are."""
        require_shares(x)
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


KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (Binary, Counts, Numbers)}
"""What all columns of a table of one kind may be."""


def kind_of(x: Tensor, mask: Tensor | None = None) -> str:
    """The kind of data by its observed values: "binary", "counts" or "numbers".

    Whole numbers from 0 are counts, unless all are multiples of a number above 1 (tens, or halves that were doubled),
    or most features vary less about their mean than a Poisson's would (years, ages), which no likelihood of counts
    can say.

    Args:
        x: (rows, features). mask: True where observed.

    Raises:
        ShapeError: x is no table of at least two features and four rows.
        VAEError: x has entries that are NaN or infinite.
    """
    if x.ndim != 2 or x.shape[1] < 2 or len(x) < 4:
        raise ShapeError("x", x.shape, "(at least 4 rows, at least 2 features)", "give a table, one row a datum")
    if not x.is_floating_point():
        raise VAEError(f"x is of {x.dtype}, expected floating point; give x.float()")
    require_rows(x, mask)
    x = fill(x, mask)
    if bool(((x == 0) | (x == 1)).all()):
        return "binary"
    if not bool(((x >= 0) & (x == x.floor())).all()) or unit_of(x.numpy(force=True)) > 1:
        return "numbers"
    spread, mean = variance_of(x.double(), mask, correction=1), mean_of(x.double(), mask)
    varies = spread > 0
    if bool(varies.any()) and float((spread[varies] / mean[varies]).median()) < LEAST_SPREAD:
        return "numbers"
    return "counts"
