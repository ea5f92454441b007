"""Maximum likelihood of a VAE of paths, and how far its numbers are to be trusted.

    L(θ) = log 1/K Σ_k p_θ(x, z_k) / q_θ(z_k | x),   z_k made of the same noise at every θ

An ELBO's maximiser is not the likelihood's, and q's widths are not those of the parameters. With the same noise
everywhere, and its mirror image, the importance-weighted likelihood is a smooth function of θ that scipy climbs; its
curvature at the top gives intervals, and draws of the parameters for forecasts that know how far they are known. A
prior may be added where the data leaves a parameter open. ``fit`` gives the start.

Sources: Durbin & Koopman 1997, "Monte Carlo maximum likelihood estimation for non-Gaussian state space models";
Burda et al. 2016 (the bound).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import norm
from torch import Tensor, nn

from designloop.vae.errors import VAEError
from designloop.vae.inference.evidence import log_likelihood
from designloop.vae.inference.newton import NewtonEncoder, with_newton
from designloop.vae.model import VAE

Array = NDArray[np.float64]

Likelihood = Callable[[Array], float]
"""Of a vector of parameters, in nats."""

LogPrior = Callable[[VAE], float]
"""Log density in nats, but for a constant, of a VAE's parameters as it has them: logarithms, arc tangents, levels."""

MOVE = 1e-3
"""By which parameters, which are logarithms, arc tangents and levels, are moved for slopes."""

WORST = -1e15
"""Nats of numbers with which no path goes; infinity would leave no slopes."""

ENOUGH = 0.05
"""Nats below the top at which a search may end, by slope and curvature there."""

BEND = 0.05
"""By which they are moved for the curvature, so far that what the noise of the weights does is small beside."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where the likelihood is greatest; the VAE holds the numbers themselves."""

    log_likelihood: float
    """Importance-weighted, nats; the prior's density is not in it."""
    names: tuple[str, ...]
    """Of the parameters that were looked for, as the VAE's ``named_parameters`` has them."""
    values: Array
    """(parameters,) as the VAE has them: logarithms, arc tangents, levels."""
    covariance: Array
    """(parameters, parameters) inverse of the curvature."""
    evaluations: int
    """Of the likelihood."""

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """Where a parameter lies, as the VAE has it: its ends go through exp or tanh like its value.

        Raises:
            VAEError: no parameter that was looked for ends in this name.
        """
        places = [place for place, known in enumerate(self.names) if known == name or known.endswith(f".{name}")]
        if len(places) != 1:
            raise VAEError(f"{name!r} is none of the parameters {', '.join(self.names)}; give one of these")
        half = float(norm.ppf(0.5 + level / 2)) * float(np.sqrt(self.covariance[places[0], places[0]]))
        return float(self.values[places[0]]) - half, float(self.values[places[0]]) + half

    def draw(self, vae: VAE, n: int, rng: np.random.Generator) -> list[VAE]:
        """Copies of a VAE with parameters drawn from the normal about the top, which their posterior comes near to.

        Args:
            vae: the one that was estimated, which stays as it is.
            n: copies.

        Raises:
            VAEError: the VAE has not the parameters that were looked for.
        """
        copies = [deepcopy(vae) for _ in range(n)]
        drawn = rng.multivariate_normal(self.values, self.covariance, n)
        for copy, theta in zip(copies, drawn, strict=True):
            parameters = _free_parameters(copy)
            if tuple(parameters) != self.names:
                raise VAEError(
                    f"the VAE has the parameters {', '.join(parameters)}, expected {', '.join(self.names)}; give the "
                    "one that was estimated"
                )
            _put(parameters, theta)
        return copies


def estimate(
    vae: VAE,
    x: Tensor,
    mask: Tensor | None = None,
    *,
    k: int,
    seed: int = 0,
    most: int = 50,
    tolerance: float = 1e-2,
    log_prior: LogPrior | None = None,
) -> Estimate:
    """Takes the VAE's numbers to the maximum of its importance-weighted likelihood, and tells the curvature there.

    Whatever its encoder is, the draws are those of a ``NewtonEncoder``. The VAE should be in float64.

    Args:
        vae: changed in place: all parameters of decoder, likelihood and prior that ask for a gradient.
        x: (batch, steps). mask: True where observed.
        k: pairs of draws of a path, each with its mirror image; 1 is enough where the model is linear and Gaussian.
        seed: of their noise.
        most: steps of the search (BFGS). tolerance: slope at which it has arrived, nats a unit.
        log_prior: what is added to the likelihood, ``log_prior_of_df`` say; None for nothing.

    Raises:
        VAEError: nothing is to be looked for, x cannot be, or no maximum was found.
    """
    exact = vae if isinstance(vae.encoder, NewtonEncoder) else with_newton(vae)
    x, mask, _ = exact.take_rows(x, mask)
    likelihood = _CommonNoise(exact, x, mask, k, seed, _free_parameters(vae), log_prior=log_prior)
    start = likelihood.start()
    found = minimize(
        lambda theta: -likelihood(theta), start, jac=lambda theta: -_slope(likelihood, theta), method="BFGS",
        options={"gtol": tolerance, "maxiter": most, "hess_inv0": _first_metric(likelihood, start)},
    )  # fmt: skip
    curvature = -_bend(likelihood, found.x)
    likelihood.put(found.x)
    lowest = float(np.linalg.eigvalsh(curvature)[0])
    if lowest <= 0:
        raise VAEError(
            f"the likelihood does not bend down everywhere where the search ended ({found.message}, least curvature "
            f"{lowest:.3g}); begin elsewhere, by fit say, take a larger k, or fix what the data does not tell"
        )
    covariance = np.asarray(np.linalg.inv(curvature), dtype=np.float64)
    left = float(found.jac @ covariance @ found.jac) / 2
    if left > ENOUGH:
        raise VAEError(
            f"the search ended about {left:.2g} nats below the top ({found.message}); begin nearer, by fit say, or "
            "raise most"
        )
    top = -float(found.fun) - (log_prior(vae) if log_prior else 0.0)
    return Estimate(top, tuple(likelihood.parameters), found.x, covariance, likelihood.evaluations)


class _CommonNoise:
    """log p(x) as a function of the parameters, by weights of the same noise at each; and their prior, if any."""

    def __init__(
        self,
        vae: VAE,
        x: Tensor,
        mask: Tensor | None,
        k: int,
        seed: int,
        parameters: Mapping[str, nn.Parameter],
        *,
        log_prior: LogPrior | None,
    ) -> None:
        self.vae, self.x, self.mask, self.parameters, self.log_prior = vae, x, mask, dict(parameters), log_prior
        half = vae.draw_noise(len(x), torch.Generator(x.device).manual_seed(seed), k)
        self.noise = torch.cat([half, -half])
        self.evaluations = 0

    def start(self) -> Array:
        values = [value.detach().flatten().double() for value in self.parameters.values()]
        return torch.cat(values).numpy(force=True)

    def put(self, theta: Array) -> None:
        """Writes a vector into the VAE."""
        _put(self.parameters, theta)

    def __call__(self, theta: Array) -> float:
        self.put(theta)
        self.evaluations += 1
        try:
            q = self.vae.encode(self.x, self.mask)
        except VAEError:
            return WORST  # a step of the search so long that no path goes with it: scipy tries a shorter one
        with torch.no_grad():
            z = q.at(self.noise)
            weights = log_likelihood(self.vae, z, self.x, self.mask) + self.vae.prior.log_prob(z) - q.log_prob(z)
        prior = self.log_prior(self.vae) if self.log_prior else 0.0
        return float((weights.logsumexp(0) - np.log(len(z))).sum()) + prior


def _free_parameters(vae: VAE) -> dict[str, nn.Parameter]:
    parts = nn.ModuleDict({"prior": vae.prior, "decoder": vae.decoder, "likelihood": vae.likelihood})  # type: ignore[dict-item]
    free = {name: value for name, value in parts.named_parameters() if value.requires_grad}
    for name, value in free.items():
        if value.numel() != 1:
            raise VAEError(
                f"{name} holds {value.numel()} numbers, expected one a parameter; fix it, or learn it by fit"
            )
    if not free:
        raise VAEError("no parameter asks for a gradient, so that there is nothing to look for")
    return free


def _put(parameters: Mapping[str, nn.Parameter], theta: Array) -> None:
    with torch.no_grad():
        for value, number in zip(parameters.values(), theta, strict=True):
            value.fill_(float(number))


def _slope(likelihood: Likelihood, theta: Array) -> Array:
    moves = MOVE * np.eye(len(theta))
    return np.array([(likelihood(theta + move) - likelihood(theta - move)) / (2 * MOVE) for move in moves])


def _first_metric(likelihood: Likelihood, theta: Array) -> Array:
    """(parameters, parameters) a first guess at the inverse curvature, from the diagonal's."""
    here = likelihood(theta)
    moves = BEND * np.eye(len(theta))
    bends = [abs(likelihood(theta + move) - 2 * here + likelihood(theta - move)) / BEND**2 for move in moves]
    return np.diag(1 / np.maximum(bends, 1.0))


def _bend(likelihood: Likelihood, theta: Array) -> Array:
    """(parameters, parameters) second derivatives by central differences."""
    n, moves = len(theta), BEND * np.eye(len(theta))
    here = likelihood(theta)
    bend = np.empty((n, n))
    for i in range(n):
        bend[i, i] = (likelihood(theta + moves[i]) - 2 * here + likelihood(theta - moves[i])) / BEND**2
        for j in range(i):
            ends = [likelihood(theta + a * moves[i] + b * moves[j]) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
            bend[i, j] = bend[j, i] = (ends[0] - ends[1] - ends[2] + ends[3]) / (4 * BEND**2)
    return bend
