"""State-space VAEs: stochastic volatility, the local level, filters, smoothed paths and forecasts.

``volatility_vae`` and ``local_level_vae`` compose the models; ``with_newton`` gives any VAE of paths the encoder that
needs no training, and ``estimate`` takes it to its likelihood's maximum. Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.vae.timeseries.estimation import Estimate as Estimate
    from designloop.vae.timeseries.estimation import estimate as estimate
    from designloop.vae.timeseries.kalman import StateSpace as StateSpace
    from designloop.vae.timeseries.kalman import kalman_filter as kalman_filter
    from designloop.vae.timeseries.kalman import kalman_smoother as kalman_smoother
    from designloop.vae.timeseries.kalman import local_level as local_level
    from designloop.vae.timeseries.levels import LevelDecoder as LevelDecoder
    from designloop.vae.timeseries.levels import local_level_vae as local_level_vae
    from designloop.vae.timeseries.nile import FIRST_YEAR as FIRST_YEAR
    from designloop.vae.timeseries.nile import NILE as NILE
    from designloop.vae.timeseries.particles import FilteredVolatility as FilteredVolatility
    from designloop.vae.timeseries.particles import particle_filter as particle_filter
    from designloop.vae.timeseries.paths import Smoothed as Smoothed
    from designloop.vae.timeseries.paths import extend as extend
    from designloop.vae.timeseries.paths import forecast as forecast
    from designloop.vae.timeseries.paths import over as over
    from designloop.vae.timeseries.paths import smooth as smooth
    from designloop.vae.timeseries.returns import Returns as Returns
    from designloop.vae.timeseries.volatility import SeriesEncoder as SeriesEncoder
    from designloop.vae.timeseries.volatility import VolatilityDecoder as VolatilityDecoder
    from designloop.vae.timeseries.volatility import log_prior_of_df as log_prior_of_df
    from designloop.vae.timeseries.volatility import parameters_of as parameters_of
    from designloop.vae.timeseries.volatility import volatility_vae as volatility_vae

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "estimation": ["Estimate", "estimate"],
        "kalman": ["StateSpace", "kalman_filter", "kalman_smoother", "local_level"],
        "levels": ["LevelDecoder", "local_level_vae"],
        "nile": ["FIRST_YEAR", "NILE"],
        "particles": ["FilteredVolatility", "particle_filter"],
        "paths": ["Smoothed", "extend", "forecast", "over", "smooth"],
        "returns": ["Returns"],
        "volatility": ["SeriesEncoder", "VolatilityDecoder", "log_prior_of_df", "parameters_of", "volatility_vae"],
    },
)
