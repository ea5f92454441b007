"""What the search is compared with: chance, and BoTorch's own loops, qLogEI over the cube, and TuRBO.

Models are BoTorch's at its defaults. How hard a batch is looked for is what thirty rounds on one core allow.

Sources: Ament et al. 2023 (qLogEI); Eriksson et al. 2019 (TuRBO), with the rules of BoTorch's tutorial: one trust
region, Thompson sampling, Matérn 5/2 with lengthscales of 0.005 to 4, restarts from new even points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from botorch.acquisition import qLogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.generation import MaxPosteriorSampling
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.constraints import Interval
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.settings import max_cholesky_size
from torch import Tensor

from designloop.benchmarks.synthetic.cases import Case, Problem, Seen, evenly
from designloop.randomness import seed_of, seeded
from designloop.strategies.surrogates.base import quiet

Course = Iterator[Seen]
"""Batches of calls, one after the other; it goes on for as long as it is asked."""


def by_chance(problem: Problem, case: Case, seed: int) -> Course:
    """Points as chance has them."""
    points = problem.draw(case.calls, seed)
    yield problem.ask(points[: case.start])
    for first in range(case.start, case.calls, case.batch):
        yield problem.ask(points[first : first + case.batch])


def by_log_ei(problem: Problem, case: Case, seed: int) -> Course:
    """Batches of greatest qLogEI under a ``SingleTaskGP`` at its defaults; each fit begins where the last one ended."""
    seen = problem.ask(problem.draw(case.start, seed))
    yield seen
    x, y = torch.from_numpy(seen.points), torch.from_numpy(seen.values).unsqueeze(-1)
    cube = torch.stack([torch.zeros(problem.dims), torch.ones(problem.dims)]).double()
    before: SingleTaskGP | None = None
    while True:
        with seeded(seed_of(seed, "log_ei", len(x))), quiet():
            before = model = _fitted(SingleTaskGP(x, y), before)
            gain = qLogExpectedImprovement(model, y.max(), SobolQMCNormalSampler(torch.Size([_DRAWS])))
            chosen, _ = optimize_acqf(
                gain, cube, q=case.batch, num_restarts=_RESTARTS, raw_samples=_RAW, options={"maxiter": _STEPS}
            )
        seen = problem.ask(chosen.numpy())
        yield seen
        x, y = torch.cat([x, torch.from_numpy(seen.points)]), torch.cat([y, torch.from_numpy(seen.values)[:, None]])


_DRAWS, _RESTARTS, _RAW, _STEPS = 128, 4, 128, 50
"""Of qLogEI's search of a batch, all of whose points are moved at once."""


def _fitted(model: SingleTaskGP, before: SingleTaskGP | None) -> SingleTaskGP:
    """The model after its fit, begun with what an earlier one's ended with."""
    if before is not None:
        for part in ("mean_module", "covar_module", "likelihood"):
            getattr(model, part).load_state_dict(getattr(before, part).state_dict())
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


# ---- TuRBO

_LENGTH, _SHORTEST, _LONGEST = 0.8, 0.5**7, 1.6
_SUCCESSES = 10
_CANDIDATES = 2000
"""Of which draws choose; the tutorial has up to 5,000, whose joint law takes fifteen times as long."""


@dataclass
class _Region:
    """The tutorial's ``TurboState``."""

    best: float
    tolerance: int
    """Failures running after which it shrinks."""
    length: float = _LENGTH
    successes: int = 0
    failures: int = 0

    def update(self, best: float) -> None:
        """After a batch whose best is this."""
        if best > self.best + 1e-3 * abs(self.best):
            self.successes, self.failures = self.successes + 1, 0
        else:
            self.successes, self.failures = 0, self.failures + 1
        if self.successes == _SUCCESSES:
            self.length, self.successes = min(2 * self.length, _LONGEST), 0
        elif self.failures == self.tolerance:
            self.length, self.failures = self.length / 2, 0
        self.best = max(self.best, best)


def by_turbo(problem: Problem, case: Case, seed: int) -> Course:
    """TuRBO-1; what was seen before a restart is forgotten."""
    tolerance = math.ceil(max(4 / case.batch, problem.dims / case.batch))
    for restart in range(case.calls):
        points = problem.draw(case.start, seed) if restart == 0 else evenly(
            case.start, problem.dims, seed_of(seed, "restart", restart)
        )  # fmt: skip
        seen = problem.ask(points)
        yield seen
        x, y = torch.from_numpy(seen.points), torch.from_numpy(seen.values).unsqueeze(-1)
        region, before = _Region(float(y.max()), tolerance), None
        while region.length >= _SHORTEST:
            with seeded(seed_of(seed, "turbo", restart, len(x))), quiet():
                chosen, before = _drawn(x, y, region.length, case.batch, before)
            seen = problem.ask(chosen.numpy())
            yield seen
            region.update(float(seen.values.max()))
            x = torch.cat([x, torch.from_numpy(seen.points)])
            y = torch.cat([y, torch.from_numpy(seen.values)[:, None]])


def _drawn(x: Tensor, y: Tensor, length: float, batch: int, before: SingleTaskGP | None) -> tuple[Tensor, SingleTaskGP]:
    """(batch, dims) points that draws of the posterior prefer among candidates around the best, and its model.

    Args:
        before: the last model, whose fit this one goes on from.
    """
    dims = x.shape[1]
    noise = GaussianLikelihood(noise_constraint=Interval(1e-8, 1e-3))
    kernel = ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=dims, lengthscale_constraint=Interval(0.005, 4.0)))
    scaled = (y - y.mean()) / y.std()
    model = SingleTaskGP(x, scaled, covar_module=kernel, likelihood=noise, outcome_transform=None)
    with max_cholesky_size(float("inf")):
        _fitted(model, before)
        weights = kernel.base_kernel.lengthscale.squeeze().detach()
        weights = weights / weights.mean()
        weights = weights / weights.log().mean().exp()
        centre = x[y.argmax()]
        low, high = (centre - weights * length / 2).clamp(0, 1), (centre + weights * length / 2).clamp(0, 1)
        places = low + (high - low) * torch.from_numpy(evenly(_CANDIDATES, dims, int(torch.randint(2**31, (1,)))))
        moves = torch.rand(_CANDIDATES, dims, dtype=torch.double) <= min(20.0 / dims, 1.0)
        still = torch.where(moves.sum(1) == 0)[0]
        moves[still, torch.randint(dims, (len(still),))] = True
        candidates = torch.where(moves, places, centre)
        with torch.no_grad():
            drawn: Tensor = MaxPosteriorSampling(model=model, replacement=False)(candidates, num_samples=batch)
    return drawn, model
