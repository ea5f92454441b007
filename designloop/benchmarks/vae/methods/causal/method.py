"""Causal representations: counterfactuals of cells whose regulators are set, and the regulators' graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.methods.causal.graphs import by_explained_variance, by_variance, sort_and_regress
from designloop.benchmarks.vae.methods.causal.models import World, fit_known, fit_learned, fit_plain, make_world
from designloop.vae.causal import consistency_score, counterfactual, descendants, structural_distance
from designloop.vae.model import VAE
from designloop.vae.priors.structural.base import Structural
from designloop.vae.simulators.regulators import Array

TITLE = "Causal Representation Learning"
FILE = "designloop/vae/causal/"
PAGE = "causal.md"

SEEDS = 10
"""That the criteria are over, whatever number is asked for."""

UNLABELLED_SEEDS = 3
"""On which it is shown what the graph alone, without labels, is worth."""

SET_TO, DRAWS = (-1.0, 1.0), 1000
"""Values of each regulator, in its standard deviations, that interventional means are taken at; draws of each mean."""

WEAK = 0.1
"""Weight below which a lasso's arrow is left out; the better of this and 0 counts for sortnregress."""

WHAT = "known graph, labels on 10 % of cells"


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says about the held-out cells of a seed, each of whose regulators was set, one at a time."""

    score: float
    """Counterfactual consistency, of changes between two decoded cells."""
    strict: float
    """The same, of changes from the cell's true regulators."""
    errors: Array
    """(regulators,) root mean square error of the regulator and its descendants, standard deviations."""


def judge(world: World, changed: Array, factual: Array) -> Answers:
    """Judges (regulators, cells, regulators) under an intervention on each, beside the same without it."""
    truth, factors = world.truth, world.held_out.factors
    causes = torch.from_numpy(truth.causes)
    behind = descendants(causes).numpy()
    errors = []
    for j in range(factors.shape[1]):
        expected = truth.counterfactual(factors, {j: world.values[:, j]})
        own = [j, *np.flatnonzero(behind[:, j])]
        errors.append(np.sqrt(((changed[j] - expected)[:, own] ** 2).mean()))
    score, strict = (float(consistency_score(torch.from_numpy(changed - base), causes)) for base in (factual, factors))
    return Answers(score, strict, np.array(errors))


def ask_causal(vae: VAE, world: World) -> Answers:
    """Asks a causal VAE for counterfactuals, and reads their regulators as the simulator does."""
    x = torch.from_numpy(world.held_out.x).float()
    changed = []
    for j in range(world.values.shape[1]):
        said = counterfactual(vae, x, do={j: world.values[:, j]})
        changed.append(world.truth.read(said.changed.double().numpy()))
    return judge(world, np.stack(changed), world.truth.read(said.factual.double().numpy()))


@torch.no_grad()
def ask_matched(vae: VAE, world: World) -> Answers:
    """Asks a VAE whose units are no concepts: each regulator is set by the unit of greatest absolute correlation.

    What the unit is set to for a regulator's value is a regression's on the training cells. Under a structural prior
    what follows from the unit follows; under another nothing does.
    """
    own, z = (vae.encode(x.float()).mean for x in (world.x, torch.from_numpy(world.held_out.x)))
    count = world.factors.shape[1]
    together = np.corrcoef(own.numpy().T, world.factors.T)[: own.shape[1], own.shape[1] :]
    changed = []
    for j in range(count):
        unit = int(np.abs(together[:, j]).argmax())
        slope, start = np.polyfit(world.factors[:, j], own[:, unit].numpy(), 1)
        values = torch.from_numpy(start + slope * world.values[:, j]).float()
        if isinstance(vae.prior, Structural):
            moved = vae.prior.counterfactual(z, {unit: values})
        else:
            moved = z.index_copy(1, torch.tensor([unit]), values.unsqueeze(1))
        changed.append(read(world, vae.decode(moved)))
    return judge(world, np.stack(changed), read(world, vae.decode(z)))


def read(world: World, x: Tensor) -> Array:
    """Returns the regulators that decoded cells have."""
    return world.truth.read(x.double().numpy())


def ask_nothing(world: World, factors: Array) -> Answers:
    """Answers that nothing changes."""
    return judge(world, np.stack([factors] * factors.shape[1]), factors)


def ask_truth(world: World) -> Answers:
    """Answers by the true model from what x says of the regulators: what noise in x leaves to be known."""
    factors = world.truth.read(world.held_out.x)
    values = world.values
    changed = [world.truth.counterfactual(factors, {j: values[:, j]}) for j in range(values.shape[1])]
    return judge(world, np.stack(changed), factors)


@torch.no_grad()
def interventional_errors(vae: VAE, world: World, seed: int) -> Array:
    """(interventions, regulators) mean regulators of decoded draws under do(…) less the true ones, absolute."""
    assert isinstance(vae.prior, Structural)
    # Both worlds are given the same noise, so that the means of few draws tell how far the models are apart.
    noise = np.random.default_rng([seed, 1]).standard_normal((DRAWS, vae.prior.latent))
    scaled = vae.prior.log_scale.exp() * torch.from_numpy(noise).float()
    errors = []
    for j in range(vae.prior.latent):
        for value in SET_TO:
            drawn = read(world, vae.decode(vae.prior.from_noise(scaled, {j: value})))
            errors.append(np.abs((drawn - world.truth.factors(noise, {j: value})).mean(0)))
    return np.stack(errors)


def distances(vae: VAE, world: World) -> dict[str, int]:
    """Returns the structural Hamming distance of every graph from the true one."""
    assert isinstance(vae.prior, Structural)
    truth = torch.from_numpy(world.truth.causes)
    standardised = (world.factors - world.factors.mean(0)) / world.factors.std(0)

    def regressed(order: Callable[[Array], np.ndarray], least: float) -> int:
        causes = sort_and_regress(standardised, order(standardised), least)
        return structural_distance(torch.from_numpy(causes), truth)

    return {
        "ours": structural_distance(vae.prior.causes, truth),
        "sortnregress": regressed(by_variance, 0.0),
        "sortnregress, strong": regressed(by_variance, WEAK),
        "R²-sortnregress": min(regressed(by_explained_variance, 0.0), regressed(by_explained_variance, WEAK)),
        "no arrows": int(truth.sum()),
    }


@dataclass(frozen=True, slots=True)
class Measured:
    """What one seed came to."""

    answers: dict[str, Answers]
    """By model."""
    means: Array
    """(interventions, regulators) errors of interventional means."""
    graphs: dict[str, int]
    """By method, distances from the true graph."""


def measure(seed: int) -> Measured:
    """Fits and asks all models of one seed."""
    world = make_world(seed)
    known, learned = fit_known(world, seed), fit_learned(world, seed)
    answers = {
        "known": ask_causal(known, world),
        "learned": ask_causal(learned, world),
        "plain": ask_matched(fit_plain(world, seed), world),
        "no change": ask_nothing(world, world.held_out.factors),
        "truth": ask_truth(world),
    }
    if seed < UNLABELLED_SEEDS:
        answers["unlabelled"] = ask_matched(fit_known(world, seed, is_labelled=False), world)
    return Measured(answers, interventional_errors(known, world, seed), distances(learned, world))


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures the rows of counterfactuals, then those of the graph."""
    answers: dict[str, list[Answers]] = {}
    measured = []
    for seed in range(SEEDS):
        measured.append(measure(seed))
        for name, said in measured[-1].answers.items():
            answers.setdefault(name, []).append(said)
        ours, distance = measured[-1].answers["known"], measured[-1].graphs["ours"]
        say(f"  seed {seed}: score {ours.score:.3f}, error {ours.errors.max():.3f}, graph {distance}")
    means, graphs = [of_seed.means for of_seed in measured], [of_seed.graphs for of_seed in measured]
    return [*_counterfactual_rows(answers), *_mean_rows(means), *_graph_rows(graphs, answers)]


def _counterfactual_rows(answers: dict[str, list[Answers]]) -> Iterator[Row]:
    def scores(name: str) -> list[float]:
        return [said.score for said in answers[name]]

    def errors(name: str) -> list[float]:
        return [float(said.errors.mean()) for said in answers[name]]

    ours, plain = scores("known"), scores("plain")
    holds = all(score <= 0.05 and score <= other / 5 for score, other in zip(ours, plain, strict=True))
    bar = "≤ 0.05 and ≤ 1/5 of the plain VAE's, on each seed"
    what = "counterfactual consistency score"
    yield mean_row(f"{WHAT}: {what}", ours, bar=bar, holds=holds, ceiling=fmean(scores("truth")), floor=fmean(plain))
    yield mean_row(
        f"{WHAT}: {what}, changes counted from the cell's true regulators", [said.strict for said in answers["known"]],
        ceiling=fmean(said.strict for said in answers["truth"]), floor=fmean(said.strict for said in answers["plain"]),
    )  # fmt: skip
    yield mean_row(f"plain VAE, units matched to regulators: {what}", plain)
    yield mean_row(f"known graph, no label, units matched to regulators: {what}", scores("unlabelled"))
    what = "error of a set regulator and its descendants against the true counterfactual, sd"
    greatest = max(float(said.errors.max()) for said in answers["known"])
    yield Row(
        measure=f"{WHAT}: {what}, greatest of all regulators and seeds", bar="≤ 0.1", value=greatest,
        seeds=sum(len(said.errors) for said in answers["known"]), holds=greatest <= 0.1,
        ceiling=max(float(said.errors.max()) for said in answers["truth"]),
        floor=min(float(said.errors.min()) for said in answers["no change"]),
    )  # fmt: skip
    yield mean_row(
        f"{WHAT}: {what}, mean", errors("known"), ceiling=fmean(errors("truth")), floor=fmean(errors("no change"))
    )
    yield mean_row(f"no change: {what}, mean", errors("no change"))
    yield mean_row(f"plain VAE, units matched to regulators: {what}, mean", errors("plain"))
    yield mean_row(f"known graph, no label, units matched to regulators: {what}, mean", errors("unlabelled"))


def _mean_rows(means: Sequence[Array]) -> Iterator[Row]:
    what = f"{WHAT}: mean of a regulator under do(another = ±1 sd), error, sd"
    greatest = max(float(of_seed.max()) for of_seed in means)
    yield Row(
        measure=f"{what}, greatest of all", bar="≤ 0.1", value=greatest,
        seeds=sum(of_seed.size for of_seed in means), holds=greatest <= 0.1,
    )  # fmt: skip
    yield mean_row(f"{what}, mean of all", [float(of_seed.mean()) for of_seed in means])


def _graph_rows(graphs: Sequence[dict[str, int]], answers: dict[str, list[Answers]]) -> Iterator[Row]:
    def counts(name: str) -> list[float]:
        return [float(of_seed[name]) for of_seed in graphs]

    what = "structural Hamming distance from the true graph"
    rival = min(counts("sortnregress"), counts("sortnregress, strong"), key=fmean)
    ours = counts("ours")
    yield mean_row(
        f"learned graph, labels on 10 % of cells: {what}", ours, bar="below sortnregress's, mean of all seeds",
        holds=fmean(ours) < fmean(rival), ceiling=0.0, floor=fmean(counts("no arrows")),
    )  # fmt: skip
    yield mean_row(f"sortnregress, given all cells' standardised regulators: {what}", rival)
    yield mean_row(f"R²-sortnregress, given the same: {what}", counts("R²-sortnregress"))
    yield Row(
        measure="seeds on which the learned graph is nearer than sortnregress's",
        value=sum(mine < theirs for mine, theirs in zip(ours, rival, strict=True)),
        seeds=len(ours),
    )
    yield mean_row(
        "learned graph, labels on 10 % of cells: counterfactual consistency score",
        [said.score for said in answers["learned"]],
    )
    yield mean_row(
        "learned graph, labels on 10 % of cells: error against the true counterfactual, sd, mean",
        [float(said.errors.mean()) for said in answers["learned"]],
    )
