"""Entries that hide themselves: a missingness model around a likelihood, for data that are missing not at random.

    x_i | z ~ likelihood(θ_i),    P(missing | x_i) = sigmoid(sign_i · steepness_i · (x_i − threshold_i))
    observed:  log p(x_i | θ_i) + log P(observed | x_i)
    missing:   log ∫ p(x | θ_i) P(missing | x) dx                                        by Gauss–Hermite quadrature

Where large values are missing (a sign of 1; a detector that saturates) or small ones (−1; what lies below a limit of
detection), the bound of the observed entries alone learns from a selection, and is biased. The sign has to be known:
without it, the data and the missingness cannot in general be told apart from what is observed.

Source: Ipsen, Mattei & Frellsen 2021, "not-MIWAE: deep generative modelling with missing not at random data", whose
self-masking model with known signs this is; the integral is by quadrature here, and sampled there.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.entrywise import Entrywise
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.heteroscedastic_gaussian import HeteroscedasticGaussian

CELLS, WIDTH = 128, 8.0
"""Draws of a missing number come from as many cells between ± as many standard deviations about its mean."""


class SelfMasking(Entrywise):
    """A likelihood of the data together with one of what is missing; a mask is now data, and is learnt from.

    Means, variances and draws are those of the wrapped likelihood, of any data; those *of what is missing* weigh in
    that it is (``mean_of_missing``), and are what ``impute`` and ``sample_missing`` give. The encoder should read the
    mask.

    Args:
        data: likelihood of the data: ``Gaussian``, ``HeteroscedasticGaussian`` or ``Bernoulli``.
        sign: (features,) 1 where large entries are missing, −1 where small ones are, 0 where what is missing depends on
            nothing that is hidden, so that it is left out of the bound as ever.
        steepness: of the logistic law to start from, one over the data's unit; positive.
        threshold: where half are missing, to start from; the data's unit.
        nodes: of the quadrature. 32 are off by less than 1e-4 nats where steepness times the decoded standard deviation
            is 3, by up to 0.03 at 7 and 0.5 at 25, of thresholds up to three standard deviations away; give more there.
        learned: False fixes the steepness and the threshold.

    Raises:
        VAEError: the data's likelihood is another one, a sign is none, or the steepness is not positive.
    """

    sign: Tensor
    log_steepness: Tensor
    threshold: Tensor
    points: Tensor
    log_weights: Tensor

    def __init__(
        self, data: Entrywise, sign: Tensor, steepness: float = 1.0, threshold: float = 0.0, *, nodes: int = 32,
        learned: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        if not isinstance(data, Gaussian | HeteroscedasticGaussian | Bernoulli):
            raise VAEError(
                f"the data's likelihood is {type(data).__name__}, whose missing entries cannot be integrated out; "
                "take Gaussian, HeteroscedasticGaussian or Bernoulli"
            )
        sign = torch.as_tensor(sign)
        if not bool(torch.isin(sign, torch.tensor([-1, 0, 1]).to(sign)).all()):
            raise VAEError(f"sign is {sign.tolist()}, expected −1, 0 or 1 a feature; the steepness is another argument")
        if steepness <= 0:
            raise VAEError(f"steepness is {steepness}, expected a positive number; turn the law by its sign")
        self.data = data
        points, weights = np.polynomial.hermite.hermgauss(nodes)
        self.register_buffer("sign", sign.to(torch.get_default_dtype()))
        self.register_buffer("points", torch.from_numpy(points).to(self.sign) * math.sqrt(2))
        self.register_buffer("log_weights", torch.from_numpy(np.log(weights / weights.sum())).to(self.sign))
        for name, value in (("log_steepness", math.log(steepness)), ("threshold", threshold)):
            start = torch.full_like(self.sign, value)
            if learned:
                self.register_parameter(name, nn.Parameter(start))
            else:
                self.register_buffer(name, start)

    @property
    def params_per_entry(self) -> int:
        """As many as the data's."""
        return self.data.params_per_entry

    def mask_of_params(self, mask: Tensor) -> Tensor:
        """As the data's."""
        return self.data.mask_of_params(mask)

    def require_values(self, x: Tensor) -> None:
        """What the data may be."""
        self.data.require_values(x)

    def log_chance_missing(self, x: Tensor) -> Tensor:
        """(..., features) log P(missing | x) of values that are known."""
        return functional.logsigmoid(self._pull(x))

    def log_prob_of_observed(self, params: Tensor, x: Tensor, context: Context | None) -> Tensor:
        """(..., batch, features) log density of each entry, and of its being observed, in nats."""
        return self.data.log_prob_of_observed(params, x, context) + self._log_chance_observed(x)

    def entry_log_prob(
        self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(..., batch, features) log-probability of each entry in nats: where it is masked, that of its being missing.

        Raises:
            ShapeError: x is not as wide as there are signs, or params do not go with it.
            VAEError: some observed entries cannot be.
        """
        if x.shape[-1] != len(self.sign):
            raise ShapeError("x", x.shape, f"(batch, {len(self.sign)})", "give SelfMasking one sign a feature")
        observed = self.data.entry_log_prob(params, x, mask, context)
        if mask is None:
            return observed + self._log_chance_observed(x)
        observed = observed + torch.where(mask, self._log_chance_observed(x.masked_fill(~mask, 0)), 0.0)
        # Params of all other entries are replaced, as those of masked ones are elsewhere: 0 · ∞ is no 0.
        hidden = ~mask & (self.sign != 0)
        params = torch.where(self.mask_of_params(hidden), params, torch.zeros_like(params))
        return torch.where(hidden, self._tilted(params, context)[1].logsumexp(0), observed)

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) one draw a row of the data, hidden or not."""
        return self.data.sample(params, generator, context)

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the expected data, hidden or not."""
        return self.data.mean(params, context)

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the variance of the data, hidden or not."""
        return self.data.variance(params, context)

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, k, k) quadratic form of the data's Fisher information: geometry is that of the data."""
        return self.data.fisher(params, tangents, x, context)

    def mean_of_missing(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) E[x | θ, missing]."""
        values, log_weights = self._tilted(params, context)
        return (log_weights.softmax(0) * values).sum(0)

    def variance_of_missing(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) Var[x | θ, missing]."""
        values, log_weights = self._tilted(params, context)
        weights = log_weights.softmax(0)
        mean = (weights * values).sum(0)
        return (weights * (values - mean).square()).sum(0)

    def sample_missing(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) one draw a row from p(x | θ, missing)."""
        cells, log_weights = self._tilted(params, context, self._cells(params))
        share = torch.rand(log_weights.shape[1:], dtype=cells.dtype, device=cells.device, generator=generator)
        chosen = (log_weights.softmax(0).cumsum(0)[:-1] < share).sum(0, keepdim=True)
        drawn = cells.expand_as(log_weights).gather(0, chosen)[0]
        if isinstance(self.data, Bernoulli):
            return drawn
        spread = 2 * WIDTH / CELLS * self.data.variance(params, context).sqrt()
        within = torch.rand(drawn.shape, dtype=drawn.dtype, device=drawn.device, generator=generator) - 0.5
        return drawn + spread * within

    def _pull(self, x: Tensor) -> Tensor:
        return self.sign * self.log_steepness.exp() * (x - self.threshold)

    def _log_chance_observed(self, x: Tensor) -> Tensor:
        chance = functional.logsigmoid(-self._pull(x))
        return torch.where(self.sign == 0, torch.zeros_like(chance), chance)

    def _cells(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """(cells,) middles of equal cells of a standard normal, and the logarithms of their densities."""
        middles = (torch.arange(CELLS, dtype=params.dtype, device=params.device) + 0.5) / CELLS * 2 * WIDTH - WIDTH
        return middles, -0.5 * middles.square()

    def _tilted(
        self, params: Tensor, context: Context | None, rule: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Values (nodes, ..., features) that an entry may have, and log p(value | θ) P(missing | value) of each.

        Args:
            rule: points of a standard normal and their log weights; None for the quadrature's.
        """
        if isinstance(self.data, Bernoulli):
            values = torch.stack([torch.zeros_like(params), torch.ones_like(params)])
            log_chances = functional.logsigmoid(torch.stack([-params, params]))
        else:
            points, log_weights = (self.points, self.log_weights) if rule is None else rule
            mean, scale = self.data.mean(params, context), self.data.variance(params, context).sqrt()
            shape = (-1, *[1] * mean.ndim)
            values, log_chances = mean + scale * points.view(shape), log_weights.view(shape)
        return values, log_chances + torch.where(self.sign == 0, 0.0, self.log_chance_missing(values))
