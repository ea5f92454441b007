"""Stochastic volatility as a VAE: the log-volatility is a path that the encoder reads off the returns.

    z ~ AR(1) of unit variance and correlation φ,   h_t = m + σ / √(1 − φ²) · z_t,   r_t | h ~ Returns(h_t, η_{t+1})

The path has one step more than the returns: tomorrow's. ``volatility_vae`` composes it of the library's ``VAE``, its
encoder a network (``SeriesEncoder``) or Newton's method (``with_newton``); ``fit`` fits it, ``impute`` and
``sample_missing`` fill its gaps, ``particle_filter`` filters it, ``estimate`` takes it to its likelihood's maximum.

Sources: Taylor 1982; Harvey & Shephard 1996; Omori et al. 2007, "Stochastic volatility with leverage".
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.likelihoods.base import Context
from designloop.vae.model import VAE
from designloop.vae.posteriors.markov_normal import MarkovNormal
from designloop.vae.priors.autoregressive import AutoregressiveNormal
from designloop.vae.timeseries.returns import Returns


class VolatilityDecoder(nn.Module):
    """From a standardised path to log-volatilities and tomorrow's news, of any number of steps.

    Args:
        prior: of the path, whose φ is read; shared with it.
        level: m to start from.
        wander: σ to start from.

    Raises:
        VAEError: ``wander`` is not positive.
    """

    def __init__(self, prior: AutoregressiveNormal, level: float = 0.0, wander: float = 0.3) -> None:
        super().__init__()
        if wander <= 0:
            raise VAEError(f"wander is {wander}, expected the positive standard deviation of a log-volatility's news")
        self.prior = prior
        self.level = nn.Parameter(torch.tensor(float(level)))
        self.log_wander = nn.Parameter(torch.tensor(math.log(wander)))

    @property
    def spread(self) -> Tensor:
        """(1,) standard deviation of a log-volatility, σ / √(1 − φ²)."""
        return self.log_wander.exp() * self.prior.raw.cosh()

    def log_volatility(self, z: Tensor) -> Tensor:
        """(...) h of a path's steps z (...)."""
        return self.level + self.spread * z

    def forward(self, z: Tensor, context: Context | None = None) -> Tensor:
        """(..., steps + 1) -> (..., 2 · steps), log-volatilities and, behind them, the next step's news."""
        news = (z[..., 1:] - self.prior.correlation * z[..., :-1]) * self.prior.raw.cosh()
        return torch.cat([self.log_volatility(z[..., :-1]), news], -1)


class SeriesEncoder(nn.Module):
    """q(z | x) of series of any length by dilated convolutions: each step's part of the chain from what is around it.

    Args:
        scale: usual size of an entry, by which they are divided.
        hidden: channels of the layers.
        layers: of width 3, each twice as far apart as the one before; a step sees 2^layers on either side.
        ahead: steps of z beyond the data.

    Raises:
        VAEError: ``scale`` is not positive.
    """

    scale: Tensor

    def __init__(self, scale: float, hidden: int = 16, layers: int = 5, ahead: int = 1) -> None:
        super().__init__()
        if scale <= 0:
            raise VAEError(f"scale is {scale}, expected the usual size of a return; give their standard deviation")
        self.ahead = ahead
        self.register_buffer("scale", torch.tensor(float(scale)))
        widths = [3, *[hidden] * layers]
        parts: list[nn.Module] = []
        for layer in range(layers):
            reach = 2**layer
            parts += [nn.Conv1d(widths[layer], hidden, 3, padding=reach, dilation=reach), nn.SiLU()]
        self.net = nn.Sequential(*parts, nn.Conv1d(hidden, 3, 1))

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> MarkovNormal:
        """(batch, steps) -> (batch, steps + ahead) posterior; a missing entry is one like a step beyond the data."""
        seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        x = torch.where(seen, x, torch.zeros_like(x)) / self.scale
        size = torch.where(seen, (x.square() + 0.01).log(), torch.zeros_like(x))
        inputs = nn.functional.pad(torch.stack([x, size, seen.to(x)], 1), (0, self.ahead))
        mean, log_scale, carry = self.net(inputs).unbind(1)
        scale = (log_scale - 1).clamp(-10, 5).exp()
        return MarkovNormal(mean, scale.unsqueeze(-1), (carry[:, 1:] + 1).tanh().unsqueeze(-1))


def volatility_vae(
    steps: int,
    *,
    scale: float = 1.0,
    persistence: float = 0.9,
    wander: float = 0.3,
    leverage: bool = False,
    heavy_tails: bool = False,
    learned_mean: bool = True,
    skewed: bool = False,
) -> VAE:
    """A VAE of series of returns; its numbers are starting values, far from where they end or not.

    Args:
        steps: of a series; ``over`` gives the same model of another number.
        scale: usual size of a return, their standard deviation.
        persistence: φ. wander: σ.
        leverage: whether a return and the next day's volatility are correlated; ρ starts at −0.3.
        heavy_tails: Student-t returns; ν starts at 10.
        learned_mean: False fixes the returns' mean at 0.
        skewed: whether falls and rises differ in size, of heavy-tailed returns; γ starts at 1.

    Raises:
        VAEError: skewed returns without heavy tails.
    """
    prior = AutoregressiveNormal(steps + 1, 1, persistence)
    decoder = VolatilityDecoder(prior, 2 * math.log(scale), wander)
    likelihood = Returns(
        0.0, -0.3 if leverage else None, 10.0 if heavy_tails else None, learned_mean, 1.0 if skewed else None
    )
    return VAE(SeriesEncoder(scale), decoder, likelihood, prior)


def parts_of(vae: VAE) -> tuple[VolatilityDecoder, Returns]:
    """Decoder and likelihood of a ``volatility_vae``.

    Raises:
        VAEError: the VAE is another.
    """
    decoder, likelihood = vae.decoder, vae.likelihood
    if not isinstance(decoder, VolatilityDecoder) or not isinstance(likelihood, Returns):
        raise VAEError(
            f"found a decoder {type(decoder).__name__} and a likelihood {type(likelihood).__name__}, expected those of "
            "volatility_vae; for linear-Gaussian models take kalman_filter"
        )
    return decoder, likelihood


def parameters_of(vae: VAE) -> dict[str, float]:
    """The numbers of a ``volatility_vae`` by name: level, persistence, wander, mean, and leverage, df and skew if any.

    Raises:
        VAEError: the VAE is another.
    """
    decoder, likelihood = parts_of(vae)
    named = {
        "level": decoder.level,
        "persistence": decoder.prior.correlation,
        "wander": decoder.log_wander.exp(),
        "mean": likelihood.location,
    }
    if likelihood.raw_leverage is not None:
        named["leverage"] = likelihood.leverage
    if likelihood.log_df is not None:
        named["df"] = likelihood.log_df.exp()
    if likelihood.log_skew is not None:
        named["skew"] = likelihood.log_skew.exp()
    return {name: float(value.detach()) for name, value in named.items()}


def log_prior_of_df(vae: VAE) -> float:
    """Log density of log ν, but for a constant, where ν ~ Gamma(2, 0.1): most between 3 and 50, of mean 20.

    Where returns are nearly normal their likelihood is level in ν all the way up, so that it has no maximum, or no
    curvature there. It is a ``log_prior`` of ``estimate``. Source: Juárez & Steel 2010, "Model-based clustering of
    non-Gaussian panel data based on skew-t distributions".

    Raises:
        VAEError: the VAE is no ``volatility_vae`` with heavy tails.
    """
    if "df" not in (named := parameters_of(vae)):
        raise VAEError(
            "the returns have no degrees of freedom; build volatility_vae(heavy_tails=True), or ask no prior"
        )
    return 2 * math.log(named["df"]) - 0.1 * named["df"]
