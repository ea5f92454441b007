"""Planning: an arm among obstacles, by a VAE's roadmap, beside straight latent paths and a sampling planner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row
from designloop.vae.geometry.curves import length, straight
from designloop.vae.geometry.geodesics import geodesics_by_graph
from designloop.vae.geometry.graph import points_graph
from designloop.vae.geometry.metric import ExpectedEuclidean
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.planning import Chart, Cost, angle_chart, cosines_and_sines, grow_roadmap, plan, roadmap, shortcut
from designloop.vae.planning import straight_motions as straight_latent_motions
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.arm import (
    Arm,
    Array,
    Scene,
    clearance,
    collision_free,
    problems,
    sampling_plan,
    sampling_roadmap,
    scene,
    task_length,
)
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

TITLE = "Robotics: Trajectory Planning"
FILE = "designloop/vae/planning/"
PAGE = "planning.md"

OBSTACLES = 8
"""In a scene."""

SCENES, PAIRS = 2, 20
"""Of each seed, and of each scene."""

ROWS, STEPS, RATE, BATCH, HIDDEN, NOISE = 20_000, 2000, 3e-3, 256, 128, 0.05
"""Of the VAE: rows, and Adam's steps, rate before the cosine and rows a step; width of its two hidden layers; standard
deviation of a cosine, by which a configuration is to be told."""

NODES = 4000
"""Latents of the roadmap before it grows, as many as the sampling planner's samples."""

MARGIN, DEAR = 0.1, 0.5
"""Metres from an obstacle within which a motion costs more, and how much more where it touches."""

ROUNDS = 150
"""Of shortcutting, for both."""

FINE = 0.005
"""Radians between two configurations at which paths are judged, half the planners' own step."""

KNOTS = 8
"""Of the geodesics without obstacles."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """The rows of planning's bars."""
    free: dict[str, list[bool]] = {"plan": [], "first": [], "line": [], "again": []}
    lengths: dict[str, list[float]] = {"plan": [], "raw": [], "planner": []}
    growth: list[float] = []
    shares: list[float] = []
    for seed in seeds:
        # What the planner draws does not move the pairs that come after it.
        rng, own_rng = np.random.default_rng(seed), np.random.default_rng([seed, 1])
        arm = Arm()
        vae = fit_arm(arm, seed)
        chart = angle_chart(vae, ExpectedEuclidean(vae))
        for number in range(SCENES):
            say(f"  seed {seed}, scene {number}")
            some = scene(OBSTACLES, rng, arm)
            start, end, theirs = problems(sampling_roadmap(arm, some, rng, NODES), PAIRS, rng, ROUNDS)
            first, raw, paths, times = planned(chart, arm, some, start, end, own_rng)
            growth.append(times)
            lines = straight_latent_motions(chart, start, end)
            again = sampling_roadmap(arm, some, own_rng, NODES)
            others = [sampling_plan(again, *pair, own_rng, rounds=0) for pair in zip(start, end, strict=True)]
            for name, found in (("plan", paths), ("first", first), ("line", lines), ("again", others)):
                free[name] += [one is not None and collision_free(arm, some, one, FINE) for one in found]
            for one, own, other in zip(raw, paths, theirs, strict=True):
                if own is not None and one is not None and collision_free(arm, some, own, FINE):
                    for name, path in (("raw", one), ("plan", own), ("planner", other)):
                        lengths[name].append(task_length(arm, path))
        shares += unobstructed(chart, arm, own_rng)
    return list(_rows(free, lengths, growth, shares))


def _rows(
    free: dict[str, list[bool]], lengths: dict[str, list[float]], growth: list[float], shares: list[float]
) -> Iterator[Row]:
    share, line, pairs = float(np.mean(free["plan"])), float(np.mean(free["line"])), len(free["plan"])
    what = "pairs that no straight joint motion joins: share of paths free of collision (floor: straight latent paths)"
    error = float(np.sqrt(share * (1 - share) / pairs))
    yield Row(what, "≥ 0.95", share, error, pairs, share >= 0.95, floor=line)
    for name, of in (
        ("first", "the same before the roadmap grows"),
        ("again", "the same by another sampling roadmap, of as many samples as the one that the pairs were drawn with"),
    ):
        yield Row(of, "", float(np.mean(free[name])), None, pairs, None)
    yield Row("nodes of the roadmap over those before it grows, mean of the scenes", "", float(np.mean(growth)), None,
              len(growth), None)  # fmt: skip
    yield Row("nodes of the roadmap over those before it grows, greatest of the scenes", "", max(growth), None,
              len(growth), None)  # fmt: skip
    own, raw, other = (np.array(lengths[name]) for name in ("plan", "raw", "planner"))
    if n := len(own):
        ratio = float(own.mean() / other.mean())
        error = float((own - ratio * other).std() / other.mean() / np.sqrt(n))  # the delta method
        what = "the tip's way over the sampling planner's, both shortcut"
        yield Row(f"{what}: ratio of means", "≤ 1.15", ratio, error, n, ratio <= 1.15)
        yield Row(f"{what}: median of the pairs' ratios", "", float(np.median(own / other)), None, n, None)
        yield Row(f"{what}: share of pairs at most 1.15", "", float((own <= 1.15 * other).mean()), None, n, None)
        yield Row("the same, only the planner's shortcut: ratio of means", "", float(raw.mean() / other.mean()), None,
                  n, None)  # fmt: skip
    what, worst = "without obstacles: metric length over the straight latent path's", max(shares)
    yield Row(f"{what}, greatest", "< 1", worst, None, len(shares), worst < 1)
    yield Row(f"{what}, mean", "", float(np.mean(shares)), None, len(shares), None)


def fit_arm(arm: Arm, seed: int, steps: int = STEPS) -> VAE:
    """A VAE of the arm's configurations, as cosines and sines of its joints; it knows no obstacle."""
    joints, generator = len(arm.limits), torch.Generator().manual_seed(seed)
    x = torch.from_numpy(cosines_and_sines(arm.sample(ROWS, np.random.default_rng(seed)))).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = VAE(
            MLPEncoder(2 * joints, joints, [HIDDEN, HIDDEN]),
            MLPDecoder(joints, 2 * joints, [HIDDEN, HIDDEN]),
            Gaussian(2 * joints, NOISE**2, learned=False),
            StandardNormal(joints),
        )
    batches = (Batch(x[torch.randint(len(x), (BATCH,), generator=generator)]) for _ in range(steps))
    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches, optimizer, generator=generator, schedule=cosine(steps))
    return vae


def obstacle_cost(arm: Arm, some: Scene) -> Cost:
    """Infinite in collision, or where one may lie between two checks; falls from ``DEAR`` to 0 over ``MARGIN``."""

    def cost(q: Array) -> Array:
        clear = clearance(arm, some, q)
        return np.where(clear > arm.margin(), DEAR * np.clip(1 - clear / MARGIN, 0, 1), np.inf)

    return cost


def planned(
    chart: Chart, arm: Arm, some: Scene, start: Array, end: Array, rng: np.random.Generator
) -> tuple[list[Array | None], list[Array | None], list[Array | None], float]:
    """Paths between pairs (pairs, joints) in a scene: over the first roadmap, over the grown one, and these shortcut.

    Last, how many times the first roadmap's nodes the grown one has.
    """
    cost = obstacle_cost(arm, some)
    small = roadmap(chart, chart.encode(arm.sample(NODES, rng)), cost)
    road = grow_roadmap(small, start, end, rng)
    raw = plan(road, start, end)
    shortened = iter(shortcut([one for one in raw if one is not None], cost, rng, rounds=ROUNDS))
    paths = [None if one is None else next(shortened) for one in raw]
    return plan(small, start, end), raw, paths, len(road.configurations) / len(small.configurations)


def unobstructed(chart: Chart, arm: Arm, rng: np.random.Generator) -> list[float]:
    """Of pairs drawn anew: the planned geodesic's length over the straight latent path's, under the metric."""
    start, end = (chart.encode(arm.sample(SCENES * PAIRS, rng)) for _ in range(2))
    graph = points_graph(chart.metric, chart.encode(arm.sample(NODES // 4, rng)))
    found = geodesics_by_graph(graph, start, end, knots=KNOTS)
    line = length(chart.metric, straight(start, end, KNOTS))
    return [float(one) for one in (found.lengths / line).detach()]
