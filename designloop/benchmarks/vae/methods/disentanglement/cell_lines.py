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
from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.methods.disentanglement.cell_models import (
    CONFOUNDING,
    HELD_OUT,
    MUTATION_UNITS,
    World,
    build,
    build_conditional,
    build_plain,
    build_subspaces,
    context_of,
    make_world,
    penalised_loss,
    train,
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


def r_squared(truth: Biology, effect: Array, estimate: Array) -> float:
    """Returns 1 − Σ (effect − estimate)²/Σ effect², mean over the responding genes: 0 for an estimate of no change."""
    responding = truth.responding
    left, whole = ((effect - estimate)[:, responding] ** 2).sum(0), (effect[:, responding] ** 2).sum(0)
    return float((1 - left / whole).mean())


def measure_effects(world: World, models: dict[str, VAE]) -> dict[str, float]:
    """Measures R² of every estimate of the effect: by the models, by what knows no cell, and by the true posterior."""
    truth, training, held, other = world.truth, world.training, world.held_out, world.other
    effect = truth.effect(held.state, held.drug, other)
    x, context, to = x_of(held), context_of(held), torch.from_numpy(other)
    estimates = {"no change": np.zeros_like(effect)}
    means = np.stack([training.x[training.drug == drug].mean(0) for drug in range(len(truth.responses))])
    estimates["the drug's mean shift"] = means[other] - means[held.drug]
    one_hot = np.eye(len(truth.centres))[training.mutation], np.eye(len(truth.responses))[training.drug][:, 1:]
    coefficients = np.linalg.lstsq(np.concatenate(one_hot, 1), training.x, rcond=None)[0][len(truth.centres) :]
    shifts = np.concatenate([np.zeros((1, coefficients.shape[1])), coefficients])
    estimates["additive least squares"] = shifts[other] - shifts[held.drug]
    with torch.no_grad():
        vae = models["plain VAE"]
        training_z, z = vae.encode(x_of(training)).mean, vae.encode(x).mean
        centres = torch.stack(
            [training_z[torch.from_numpy(training.drug) == drug].mean(0) for drug in range(len(means))]
        )
        shifted = z + centres[to] - centres[context["drug"]]
        estimates["plain VAE"] = (vae.decode(shifted) - vae.decode(z)).numpy().astype(float)
    changed = {"drug": to, "both": torch.stack([context["mutation"], to], 1)}
    for name in ("conditional VAE", "conditional VAE told the mutation too"):
        vae = models[name]
        difference = transfer(vae, x, context=context, to=changed) - vae.reconstruct(x, context=context)
        estimates[name] = difference.numpy().astype(float)
    for name in ("two subspaces", "two subspaces without penalties"):
        before, after = counterfactual(models[name], x, context=context, to={"drug": to})
        estimates[name] = (after - before).numpy().astype(float)
    estimates["the true posterior"] = expected_effect(truth, held, other, CONFOUNDING)
    return {name: r_squared(truth, effect, estimate) for name, estimate in estimates.items()}


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
    accuracy_gap: float
    """Share of cells whose mutation a logistic regression on the means tells, less that on the true state; points."""


def measure_separation(world: World, ours: VAE, plain: VAE, seed: int) -> Separation:
    """Measures what the subspace holds, on the held-out cells."""
    x, context = x_of(world.held_out), context_of(world.held_out)
    with torch.no_grad():
        subspace = ours.encode(x, None, context).mean[:, :MUTATION_UNITS]
        plain_means = plain.encode(x).mean

    def test_against_drug(z: Tensor) -> Independence:
        generator = torch.Generator().manual_seed(seed)
        return independence(z, context["drug"], context["mutation"], permutations=PERMUTATIONS, generator=generator)

    accuracy_gap = 100 * (
        _label_accuracy(subspace.numpy(), world.held_out.mutation)
        - _label_accuracy(world.held_out.state, world.held_out.mutation)
    )
    state = torch.from_numpy(world.held_out.state).float()
    return Separation(
        test_against_drug(subspace),
        test_against_drug(plain_means),
        test_against_drug(state),
        float(subspace.var(0, correction=0).min()),
        accuracy_gap,
    )


def _label_accuracy(codes: Array, labels: Integers) -> float:
    """Returns the accuracy of a logistic regression, fitted on one half and tested on the other."""
    half = len(codes) // 2
    classifier = LogisticRegression(max_iter=1000).fit(codes[:half], labels[:half])
    return float(classifier.score(codes[half:], labels[half:]))


def cell_rows(seeds: Sequence[int], say: Say) -> Iterator[Row]:
    """Measures the rows of counterfactuals, then those of the subspace under confounding."""
    effects: list[dict[str, float]] = []
    separations: list[Separation] = []
    for seed in range(NULL_SEEDS):
        of_seed = make_world(seed)
        ours = build(seed, partial(build_subspaces, of_seed.truth))
        train(ours, of_seed.training, penalised_loss(ours, of_seed.training), seed)
        unlabelled = train(build(seed, partial(build_plain, of_seed.truth)), of_seed.training, ELBO(), seed)
        separations.append(measure_separation(of_seed, ours, unlabelled, seed))
        if seed in seeds[:EFFECT_SEEDS]:
            models = {"two subspaces": ours, "plain VAE": unlabelled}
            for name, make in (
                ("conditional VAE", partial(build_conditional, of_seed.truth)),
                ("conditional VAE told the mutation too", partial(build_conditional, of_seed.truth, "both")),
                ("two subspaces without penalties", partial(build_subspaces, of_seed.truth)),
            ):
                models[name] = train(build(seed, make), of_seed.training, ELBO(), seed)
            effects.append(measure_effects(of_seed, models))
        say(f"  cell lines: seed {seed} of {NULL_SEEDS}")
    yield from _effect_rows(effects)
    yield from _separation_rows(separations)


def _effect_rows(effects: Sequence[dict[str, float]]) -> Iterator[Row]:
    ceiling = fmean(of_seed["the true posterior"] for of_seed in effects)
    ours = [of_seed["two subspaces"] for of_seed in effects]
    what = "effect of another drug on held-out cells, R² over responding genes"
    near = all(of_seed["two subspaces"] >= 0.9 * of_seed["the true posterior"] for of_seed in effects)
    yield mean_row(
        f"{what}: two subspaces",
        ours,
        bar="≥ 0.9 of the ceiling's (the true posterior) on each seed",
        holds=near,
        ceiling=ceiling,
        floor=0.0,
    )
    for name in ("no change", "the drug's mean shift", "additive least squares", "plain VAE", "conditional VAE"):
        above = all(of_seed["two subspaces"] >= of_seed[name] + 0.05 for of_seed in effects)
        bar = "two subspaces above by ≥ 0.05 on each seed"
        yield mean_row(f"{what}: {name}", [of_seed[name] for of_seed in effects], bar=bar, holds=above, ceiling=ceiling)
    for name in ("conditional VAE told the mutation too", "two subspaces without penalties"):
        yield mean_row(f"{what}: {name}", [of_seed[name] for of_seed in effects], ceiling=ceiling)


def _separation_rows(separations: Sequence[Separation]) -> Iterator[Row]:
    n, what = len(separations), f"mutation and drug confounded, {HELD_OUT:,} held-out cells"
    enough = round(0.8 * n)
    below = sum(not of_seed.ours.above() for of_seed in separations)
    true = sum(not of_seed.truth.above() for of_seed in separations)
    power = sum(of_seed.plain.above() for of_seed in separations)
    yield Row(
        measure=f"{what}: seeds where HSIC(mutation subspace, drug | mutation) is below its null's 95 % point",
        bar=f"≥ {enough} of {n}",
        value=below,
        seeds=n,
        holds=below >= enough,
        ceiling=true,
    )
    yield Row(
        measure=f"{what}: seeds where the plain VAE's is above",
        bar=f"{n} of {n}",
        value=power,
        seeds=n,
        holds=power == n,
    )
    least = min(of_seed.least for of_seed in separations)
    yield Row(
        measure=f"{what}: variance of means of the mutation subspace's units, least",
        bar="> 0.01",
        value=least,
        seeds=n,
        holds=least > 0.01,
    )
    gaps = [of_seed.accuracy_gap for of_seed in separations]
    yield mean_row(
        f"{what}: mutation told from the subspace, less from the true latent, points, mean of seeds",
        gaps,
        bar="within 2",
        holds=abs(fmean(gaps)) <= 2,
    )
    worst = max(gaps, key=abs)
    yield Row(measure=f"{what}: the same, the worst seed", value=worst, seeds=n)
