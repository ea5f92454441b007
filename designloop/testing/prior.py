"""Whether a prior is a distribution over latents: the one that it draws from, and the one that its KL is taken to."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from designloop.testing.draws import DRAWS, generator, gentle, gradient, in_double, off, stands_still
from designloop.testing.report import Report, run_checks
from designloop.vae.capabilities import offers, require_base
from designloop.vae.likelihoods.base import Context
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from designloop.vae.priors.base import Prior

ROWS = 3
"""Rows that a prior without a context is tried on."""


@dataclass(frozen=True)
class Trial:
    """A prior and the context that it is tried in."""

    prior: Prior
    context: Context | None

    @cached_property
    def exact(self) -> Prior:
        """The prior in float64."""
        return in_double(self.prior)

    @property
    def rows(self) -> int:
        return ROWS if self.context is None else len(next(iter(self.context.values())))

    def sample(self, n: int, seed: int) -> Tensor:
        """(n, rows, latent) draws, with or without a context."""
        if self.context is not None:
            return self.exact.sample(n, self.context, generator(seed)).detach()
        return self.exact.sample(n * ROWS, None, generator(seed)).detach().view(n, ROWS, -1)

    @cached_property
    def draws(self) -> Tensor:
        """(draws, rows, latent) what averages are taken over."""
        return self.sample(DRAWS, 4)

    @cached_property
    def posterior(self) -> DiagonalNormal:
        """One posterior a row, not far from where the prior's draws lie."""
        middle, spread = self.draws.mean(0), self.draws.std(0)
        away = torch.randn(middle.shape, generator=generator(5), dtype=torch.float64)
        width = torch.rand(middle.shape, generator=generator(9), dtype=torch.float64)
        return DiagonalNormal(middle + 0.5 * spread * away, spread * (0.3 + 0.4 * width))

    def log_prob(self, z: Tensor) -> Tensor:
        """(…, rows) log density at z (…, rows, latent)."""
        return self.exact.log_prob(z, self.context).detach()

    @property
    def has_density(self) -> bool:
        return offers(self.prior, "log_prob")


def check_prior(prior: Prior, *, context: Context | None = None, skip: Collection[str] = ()) -> Report:
    """The checks that a prior passes, if it passes all.

    Args:
        prior: As a model would have it, its parameters in float32. ``normalised`` is asked of one or two units only:
            give it small.
        context: What it reads of a row: name -> (batch, …), at least two rows, each another.
        skip: Names of checks to leave out; those of a density are left out for a prior that claims none.

    Raises:
        NonConformance: It fails some; the message has all of them.
        VAEError: It does not derive from ``Prior``.
    """
    require_base(prior, Prior)
    exact = None
    if context is not None:
        exact = {name: value.double() if value.is_floating_point() else value for name, value in context.items()}
    trial = Trial(prior, exact)
    density = {"normalised", "sampling", "density_gradients"}
    left_out = density if not trial.has_density else {"normalised"} if prior.latent > 2 else set()
    return run_checks(f"prior {type(prior).__name__}", trial, CHECKS, sorted({*skip, *left_out}))


def draws(trial: Trial) -> Iterator[str]:
    """Draws of ``latent`` units, (n, latent), or (n, batch, latent) with a context."""
    latent = trial.prior.latent
    shape = (7, latent) if trial.context is None else (7, trial.rows, latent)
    found = trial.exact.sample(7, trial.context, generator())
    if tuple(found.shape) != shape:
        yield f"sample(7) gave shape {tuple(found.shape)}; give {shape}"
    elif not bool(found.isfinite().all()):
        yield "some draws are not finite; check the scale"


def densities(trial: Trial) -> Iterator[str]:
    """A finite KL a row, and a density a row where it claims one, with leading axes kept."""
    q, rows = trial.posterior, trial.rows
    found = trial.exact.kl(q, q.mean, trial.context).detach()
    if found.shape != (rows,) or not bool(found.isfinite().all()):
        yield f"kl gave {found.tolist()} of shape {tuple(found.shape)} for {rows} rows; give finite numbers, (batch,)"
    if trial.has_density:
        some = trial.draws[:5]
        told = trial.log_prob(some)
        if told.shape != some.shape[:-1]:
            yield f"log_prob gave shape {tuple(told.shape)} for z of {tuple(some.shape)}; give (..., batch)"
        elif not torch.allclose(told[2], trial.log_prob(some[2]), rtol=1e-9, atol=1e-9):
            yield "log_prob of a slice is another than the slice of log_prob; sum over the last axis only"


def normalised(trial: Trial) -> Iterator[str]:
    """Its density integrates to one (asked of one or two units)."""
    axes = [_axis(trial.draws[..., unit].flatten(), trial.prior.latent) for unit in range(trial.prior.latent)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)
    # The trapezoidal rule on each axis.
    widths = [functional.pad(axis.diff(), (1, 0)) / 2 + functional.pad(axis.diff(), (0, 1)) / 2 for axis in axes]
    cells = torch.stack(torch.meshgrid(*widths, indexing="ij"), -1).flatten(0, -2).prod(-1, keepdim=True)
    total = (trial.log_prob(grid.unsqueeze(1).expand(-1, trial.rows, -1)).exp() * cells).sum(0)
    for row, value in enumerate(total.tolist()):
        if not abs(value - 1) < 0.01:
            yield f"row {row}: the density integrates to {value:.4f}, not to 1; find the constant that is missing"
            return


def sampling(trial: Trial) -> Iterator[str]:
    """Draws lie where the density says."""
    # The mean under p of p(z + d) / p(z) is one for any shift d, and that of p(s z) s^k / p(z) for any factor s.
    start = trial.log_prob(trial.draws)
    away = trial.draws.std(0) * torch.randn(trial.draws.shape[1:], generator=generator(6), dtype=torch.float64)
    middle = trial.draws.mean(0)

    def shifted(step: float) -> Tensor:
        return trial.log_prob(trial.draws + step * away) - start

    def narrowed(step: float) -> Tensor:
        factor = 1 + 0.5 * step
        wide = middle + factor * (trial.draws - middle)
        return trial.log_prob(wide) + trial.prior.latent * torch.tensor(factor).log() - start

    for way in (shifted, narrowed):
        for wrong in off(gentle(way).exp(), 1.0):
            yield f"the mean of q(z) / p(z) over its draws is {wrong}; sample and log_prob are not of one distribution"
            return


def divergence(trial: Trial) -> Iterator[str]:
    """The mean of ``kl`` over draws from the posterior is that of log q(z) − log p(z)."""
    q = trial.posterior
    noise = torch.randn(DRAWS, *q.mean.shape, generator=generator(7), dtype=torch.float64)
    if not trial.has_density:
        found = torch.stack([trial.exact.kl(q, z, trial.context).detach() for z in q.at(noise[:50])])
        if bool((found.mean(0) < 0).any()):
            yield f"the mean of kl is {found.mean(0).tolist()}; a divergence is not negative"
        return
    wanted = q.log_prob(q.at(noise)) - trial.log_prob(q.at(noise))
    told = torch.stack([trial.exact.kl(q, z, trial.context).detach() for z in q.at(noise[:500])])
    # A closed form is the same at every z; one that is taken at z is off by what its 500 draws explain.
    slack = 5 * told.std(0) / len(told) ** 0.5
    for wrong in off(wanted - told.mean(0), 0.0, float(slack.max()) + 1e-9):
        yield f"log q(z) − log p(z) − kl is {wrong} in the mean over z; kl and log_prob are not of one distribution"
        return


def gradients(trial: Trial) -> Iterator[str]:
    """The gradient of kl to the posterior is that of finite differences."""
    q = trial.posterior
    noise = torch.randn(q.mean.shape, generator=generator(8), dtype=torch.float64)

    def kl(mean: Tensor, scale: Tensor) -> Tensor:
        here = DiagonalNormal(mean, scale)
        return trial.exact.kl(here, here.at(noise), trial.context)

    yield from gradient(kl, q.mean, q.scale)


def density_gradients(trial: Trial) -> Iterator[str]:
    """The gradient of log_prob to z is that of finite differences."""
    yield from gradient(lambda z: trial.exact.log_prob(z, trial.context), trial.draws[0])


def generators(trial: Trial) -> Iterator[str]:
    """Draws follow the generator that is given, and it alone."""
    yield from stands_still(lambda one: trial.exact.sample(20, trial.context, one).detach())


def mates(trial: Trial) -> Iterator[str]:
    """A row has the same KL and density alone as among others."""
    q = trial.posterior
    together = [trial.exact.kl(q, q.mean, trial.context).detach()]
    if trial.has_density:
        together.append(trial.log_prob(q.mean))
    for row in range(trial.rows):
        here = slice(row, row + 1)
        own = None if trial.context is None else {name: value[here] for name, value in trial.context.items()}
        one = DiagonalNormal(q.mean[here], q.scale[here])
        alone = [trial.exact.kl(one, one.mean, own).detach()]
        if trial.has_density:
            alone.append(trial.exact.log_prob(one.mean, own).detach())
        for name, ours, theirs in zip(("kl", "log_prob"), together, alone, strict=False):
            if not torch.allclose(ours[here], theirs, rtol=1e-9, atol=1e-9):
                said = f"{float(ours[row]):.6g} among others, {float(theirs):.6g} alone"
                yield f"row {row}: {name} is {said}; keep rows apart"
                return


def precision(trial: Trial) -> Iterator[str]:
    """It draws and computes in float32 and in float64, as it is asked, and to the same."""
    single = in_double(trial.prior).float()
    context = trial.context
    if context is not None:
        context = {name: value.float() if value.is_floating_point() else value for name, value in context.items()}
    q = trial.posterior
    small = DiagonalNormal(q.mean.float(), q.scale.float())
    found, exact = single.kl(small, small.mean, context).detach(), trial.exact.kl(q, q.mean, trial.context).detach()
    drawn = single.sample(2, context, generator()), trial.exact.sample(2, trial.context, generator())
    if [one.dtype for one in drawn] != [torch.float32, torch.float64]:
        yield f"a float32 prior draws {drawn[0].dtype}, a float64 one {drawn[1].dtype}; take the dtype of a buffer"
    elif (found.dtype, exact.dtype) != (torch.float32, torch.float64):
        yield f"kl of float32 and float64 posteriors is {found.dtype} and {exact.dtype}; set no dtype inside"
    elif not torch.allclose(found.double(), exact, rtol=1e-3, atol=1e-3):
        yield f"kl is {found.tolist()} in float32 and {exact.tolist()} in float64; find a stabler form"


def _axis(drawn: Tensor, latent: int) -> Tensor:
    """(points,) where a density is looked at: evenly far beyond the draws, and close together where they are."""
    low, high = float(drawn.min()), float(drawn.max())
    even = torch.linspace(2 * low - high, 2 * high - low, 4001 if latent == 1 else 301, dtype=torch.float64)
    dense = drawn.quantile(torch.linspace(0, 1, 201, dtype=torch.float64))
    # Where a heap of draws ends, its tail goes on into the gap behind: points at growing distances from its edge.
    gaps = dense.diff()
    into = (gaps[1:] - gaps[:-1]).sign()
    narrow, wide = torch.minimum(gaps[1:], gaps[:-1]), torch.maximum(gaps[1:], gaps[:-1])
    steps = narrow.unsqueeze(1) * torch.tensor([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0], dtype=torch.float64)
    tails = dense[1:-1].unsqueeze(1) + into.unsqueeze(1) * steps
    kept = (wide > 3 * narrow).unsqueeze(1) & (steps < wide.unsqueeze(1))
    points: Tensor = torch.cat([even, dense, tails[kept]]).unique()
    return points


CHECKS = (
    draws,
    densities,
    normalised,
    sampling,
    divergence,
    gradients,
    density_gradients,
    generators,
    mates,
    precision,
)
