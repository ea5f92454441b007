"""What the search is compared with: chance, and BoTorch's own loops, qLogEI over the cube, and TuRBO.

Models are BoTorch's at its defaults. How hard a batch is looked for is what thirty rounds on one core allow.

Sources: Ament et al. 2023 (qLogEI); Eriksson et al. 2019 (TuRBO), with the rules of BoTorch's tutorial: one trust
region, Thompson sampling, Matérn 5/2 with lengthscales of 0.005 to 4, restarts from new even points.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from botorch.acquisition import qLogExpectedImprovement
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler

from designloop.benchmarks.common.process import fitted
from designloop.benchmarks.common.turbo import Rules, Turbo
from designloop.benchmarks.synthetic.cases import Case, Problem, Seen
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
            before = model = fitted(SingleTaskGP(x, y), before)
            gain = qLogExpectedImprovement(model, y.max(), SobolQMCNormalSampler(torch.Size([_DRAWS])))
            chosen, _ = optimize_acqf(
                gain, cube, q=case.batch, num_restarts=_RESTARTS, raw_samples=_RAW, options={"maxiter": _STEPS}
            )
        seen = problem.ask(chosen.numpy())
        yield seen
        x, y = torch.cat([x, torch.from_numpy(seen.points)]), torch.cat([y, torch.from_numpy(seen.values)[:, None]])


_DRAWS, _RESTARTS, _RAW, _STEPS = 128, 4, 128, 50
"""Of qLogEI's search of a batch, all of whose points are moved at once."""


def by_turbo(problem: Problem, case: Case, seed: int) -> Course:
    """TuRBO-1; what was seen before a restart is forgotten."""
    seen = problem.ask(problem.draw(case.start, seed))
    yield seen
    rules = Rules(batch=case.batch, successes=10, restart=case.start, lengths="bounds", steps=None)
    turbo = Turbo(torch.from_numpy(seen.points), torch.from_numpy(seen.values), rules, seed_of(seed, "turbo"))
    while True:
        seen = problem.ask(turbo.ask().numpy())
        yield seen
        turbo.tell(torch.from_numpy(seen.points), torch.from_numpy(seen.values))
