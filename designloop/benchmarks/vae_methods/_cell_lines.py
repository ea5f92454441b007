"""Cell lines under drugs: two subspaces beside plain and conditional VAEs, and what least squares can say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, row_over
from designloop.benchmarks.vae_methods._cell_models import (
    CONFOUNDING,
    HELD_OUT,
    MUTATION_UNITS,
    World,
    build,
    conditional,
    context_of,
    penalised,
    plain,
    subspaces,
    trained,
    world,
    x_of,
)
from designloop.vae.conditional import transfer
from designloop.vae.disentanglement.hsic import Independence, independence
from designloop.vae.disentanglement.subspaces import counterfactual
from designloop.vae.model import VAE
from designloop.vae.simulators.cell_lines import Biology, Integers, expected_effect
from designloop.vae.training.losses import ELBO

Array = NDArray[np.float64]

EFFECT_SEEDS, NULL_SEEDS, PERMUTATIONS = 5, 20, 200
"""Seeds of the counterfactuals and of independence, and shuffles of its null."""


def r_squared(truth: Biology, effect: Array, said: Array) -> float:
    """1 − Σ (effect − said)²/Σ effect², mean over the responding genes: 0 for who says that nothing changes."""
    own = truth.responding
    left, whole = ((effect - said)[:, own] ** 2).sum(0), (effect[:, own] ** 2).sum(0)
    return float((1 - left / whole).mean())


def effects(world: World, models: dict[str, VAE]) -> dict[str, float]:
    """R² of the effect that each says: the models, what knows no cell, and the ceiling."""
    truth, seen, held, other = world.truth, world.seen, world.held, world.other
    effect = truth.effect(held.state, held.drug, other)
    x, context, to = x_of(held), context_of(held), torch.from_numpy(other)
    said = {"no change": np.zeros_like(effect)}
    means = np.stack([seen.x[seen.drug == drug].mean(0) for drug in range(len(truth.responses))])
    said["the drug's mean shift"] = means[other] - means[held.drug]
    one_hot = np.eye(len(truth.centres))[seen.mutation], np.eye(len(truth.responses))[seen.drug][:, 1:]
    found = np.linalg.lstsq(np.concatenate(one_hot, 1), seen.x, rcond=None)[0][len(truth.centres) :]
    shifts = np.concatenate([np.zeros((1, found.shape[1])), found])
    said["additive least squares"] = shifts[other] - shifts[held.drug]
    with torch.no_grad():
        vae = models["plain VAE"]
        own, z = vae.encode(x_of(seen)).mean, vae.encode(x).mean
        centres = torch.stack([own[torch.from_numpy(seen.drug) == drug].mean(0) for drug in range(len(means))])
        moved = z + centres[to] - centres[context["drug"]]
        said["plain VAE"] = (vae.decode(moved) - vae.decode(z)).numpy().astype(float)
    changed = {"drug": to, "both": torch.stack([context["mutation"], to], 1)}
    for name in ("conditional VAE", "conditional VAE told the mutation too"):
        vae = models[name]
        away = transfer(vae, x, context=context, to=changed) - vae.reconstruct(x, context=context)
        said[name] = away.numpy().astype(float)
    for name in ("two subspaces", "two subspaces without penalties"):
        here, there = counterfactual(models[name], x, context=context, to={"drug": to})
        said[name] = (there - here).numpy().astype(float)
    said["the true posterior"] = expected_effect(truth, held, other, CONFOUNDING)
    return {name: r_squared(truth, effect, one) for name, one in said.items()}


@dataclass(frozen=True, slots=True)
class Separation:
    """How far the mutation subspace is what it should be, on held-out cells of one seed."""

    ours: Independence
    """Of the mutation subspace's means and the drug, given the mutation."""
    plain: Independence
    """Of a plain VAE's means and the drug, given the mutation, on the same rows."""
    truth: Independence
    """Of the true state."""
    least: float
    """Variance of the means of the subspace's least unit."""
    told: float
    """Share of cells whose mutation a logistic regression on the means tells, less that on the true state; points."""


def separation(world: World, ours: VAE, plain: VAE, seed: int) -> Separation:
    """What the subspace holds, on the held-out cells."""
    x, context = x_of(world.held), context_of(world.held)
    with torch.no_grad():
        own = ours.encode(x, None, context).mean[:, :MUTATION_UNITS]
        theirs = plain.encode(x).mean

    def tested(z: Tensor) -> Independence:
        generator = torch.Generator().manual_seed(seed)
        return independence(z, context["drug"], context["mutation"], permutations=PERMUTATIONS, generator=generator)

    told = 100 * (_told(own.numpy(), world.held.mutation) - _told(world.held.state, world.held.mutation))
    state = torch.from_numpy(world.held.state).float()
    return Separation(tested(own), tested(theirs), tested(state), float(own.var(0, correction=0).min()), told)


def _told(codes: Array, labels: Integers) -> float:
    """Accuracy of a logistic regression, learnt on one half and asked of the other."""
    half = len(codes) // 2
    classifier = LogisticRegression(max_iter=1000).fit(codes[:half], labels[:half])
    return float(classifier.score(codes[half:], labels[half:]))


def cell_rows(seeds: Sequence[int], say: Say) -> Iterator[Row]:
    """The rows of counterfactuals, then those of the subspace under confounding."""
    told: list[dict[str, float]] = []
    apart: list[Separation] = []
    for seed in range(NULL_SEEDS):
        own = world(seed)
        ours = build(seed, partial(subspaces, own.truth))
        trained(ours, own.seen, penalised(ours, own.seen), seed)
        unlabelled = trained(build(seed, partial(plain, own.truth)), own.seen, ELBO(), seed)
        apart.append(separation(own, ours, unlabelled, seed))
        if seed in seeds[:EFFECT_SEEDS]:
            models = {"two subspaces": ours, "plain VAE": unlabelled}
            for name, make in (
                ("conditional VAE", partial(conditional, own.truth)),
                ("conditional VAE told the mutation too", partial(conditional, own.truth, "both")),
                ("two subspaces without penalties", partial(subspaces, own.truth)),
            ):
                models[name] = trained(build(seed, make), own.seen, ELBO(), seed)
            told.append(effects(own, models))
        say(f"  cell lines: seed {seed} of {NULL_SEEDS}")
    yield from _effect_rows(told)
    yield from _separation_rows(apart)


def _effect_rows(told: Sequence[dict[str, float]]) -> Iterator[Row]:
    ceiling = fmean(one["the true posterior"] for one in told)
    ours = [one["two subspaces"] for one in told]
    of = "effect of another drug on held-out cells, R² over responding genes"
    near = all(one["two subspaces"] >= 0.9 * one["the true posterior"] for one in told)
    yield row_over(f"{of}: two subspaces", "≥ 0.9 of the ceiling's (the true posterior) on each seed", ours, near,
                   ceiling, 0.0)  # fmt: skip
    for name in ("no change", "the drug's mean shift", "additive least squares", "plain VAE", "conditional VAE"):
        above = all(one["two subspaces"] >= one[name] + 0.05 for one in told)
        bar = "two subspaces above by ≥ 0.05 on each seed"
        yield row_over(f"{of}: {name}", bar, [one[name] for one in told], above, ceiling)
    for name in ("conditional VAE told the mutation too", "two subspaces without penalties"):
        yield row_over(f"{of}: {name}", "", [one[name] for one in told], None, ceiling)


def _separation_rows(apart: Sequence[Separation]) -> Iterator[Row]:
    n, of = len(apart), f"mutation and drug confounded, {HELD_OUT:,} held-out cells"
    enough = round(0.8 * n)
    below = sum(not one.ours.above() for one in apart)
    true = sum(not one.truth.above() for one in apart)
    power = sum(one.plain.above() for one in apart)
    yield Row(f"{of}: seeds where HSIC(mutation subspace, drug | mutation) is below its null's 95 % point",
              f"≥ {enough} of {n}", below, None, n, below >= enough, true)  # fmt: skip
    yield Row(f"{of}: seeds where the plain VAE's is above", f"{n} of {n}", power, None, n, power == n)
    least = min(one.least for one in apart)
    yield Row(f"{of}: variance of means of the mutation subspace's units, least", "> 0.01", least, None, n,
              least > 0.01)  # fmt: skip
    gaps = [one.told for one in apart]
    yield row_over(f"{of}: mutation told from the subspace, less from the true latent, points, mean of seeds",
                   "within 2", gaps, abs(fmean(gaps)) <= 2)  # fmt: skip
    worst = max(gaps, key=abs)
    yield Row(f"{of}: the same, the worst seed", "", worst, None, n, None)
