"""The criteria of cross-modality: a closed form, translation between RNA and open peaks, peers, incomplete rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
import torch
from numpy.typing import NDArray

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, mean_row, worst_row
from designloop.benchmarks.vae.methods.multimodal import multivae
from designloop.benchmarks.vae.methods.multimodal.ceiling import Posterior, condition_on, expected_log
from designloop.benchmarks.vae.methods.multimodal.linear import linear_rows
from designloop.benchmarks.vae.methods.multimodal.translation import (
    Translation,
    as_rows,
    auroc,
    calibration_error,
    correlation,
    make_cells,
    train,
    translate_both_ways,
    translate_by_regression,
)
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.product import Product
from designloop.vae.model import VAE
from designloop.vae.multimodal import observe_only
from designloop.vae.simulators.multiome import Cells, Multiome

TITLE = "Cross-Modality Translation"
FILE = "designloop/vae/multimodal.py"
PAGE = "multimodal.md"

WEIGHTED = 100
"""Draws of the posterior by which the evidence of incomplete rows is weighed."""

MISSING = 0.3
"""Share of the entries that are missing of incomplete rows."""

MEASURES = {
    "atac": "RNA → ATAC: AUROC of open peaks, over all peaks of all held-out cells",
    "rna": "ATAC → RNA: correlation of log(1 + count), over all genes of all held-out cells",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is measured on one seed; name of the model -> modality that is translated to -> measure."""

    scores: dict[str, dict[str, float]]
    calibration: dict[str, float]
    evidence_lost: dict[str, float]
    """What is observed -> evidence of the truth less that of the model, nats a row."""
    widest: float
    """Greatest variance of a unit given both over the lesser of those given either."""
    effective_samples: float
    """Of the ceiling: its 5 % quantile over the cells, the lesser of both ways."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures the closed form, and all else on simulated cells."""
    rows = list(linear_rows(seeds[:3]))
    say("multimodal: closed form done")
    outcomes: list[Outcome] = []
    for seed in seeds:
        outcomes.append(measure_on_cells(seed))
        of_seed = outcomes[-1].scores
        relative = [of_seed["product"][target] / of_seed["ceiling"][target] for target in MEASURES]
        say(f"multimodal: cells of seed {seed} done, {relative[0]:.4f} and {relative[1]:.4f} of the best")
    return [*rows, *translation_rows(outcomes), *peer_rows(outcomes, seeds), *incomplete_rows(outcomes)]


def measure_on_cells(seed: int) -> Outcome:
    """Measures all models, the ceiling and the floors on one set of cells."""
    truth, training_cells, held = make_cells(seed)
    rng = np.random.default_rng([seed, 1])
    genes, peaks = (np.ones_like(part, dtype=bool) for part in (held.counts, held.is_open))
    of_rna = condition_on(truth, held, genes, ~peaks, rng)
    of_atac = condition_on(truth, held, ~genes, peaks, rng)
    vae = train(training_cells, seed)
    by_model = {
        "product": [translate_both_ways(vae, held, seed)],
        "apart": translate_by_regression(training_cells, held, seed),
        "ceiling": [Translation(of_atac.log_counts, of_rna.chances)],
        "latent": [
            Translation(
                expected_log(truth.log_means(held.latents), truth.dispersions),
                1 / (1 + np.exp(-truth.logits(held.latents))),
            )
        ],
        "floor": [
            Translation(
                np.broadcast_to(np.log1p(training_cells.counts).mean(0), held.counts.shape),
                np.broadcast_to(training_cells.is_open.mean(0), held.is_open.shape),
            )
        ],
    }
    scores = {
        name: {
            "rna": max(correlation(each.rna, held) for each in ways),
            "atac": max(auroc(each.atac, held) for each in ways),
        }
        for name, ways in by_model.items()
    }
    return Outcome(
        scores,
        {name: calibration_error(by_model[name][0].atac, held) for name in ("product", "ceiling", "floor")},
        _evidence_lost(vae, truth, held, (of_rna, of_atac), rng),
        _widest(vae, held),
        min(float(np.quantile(each.effective_samples, 0.05)) for each in (of_rna, of_atac)),
    )


def _evidence_lost(
    vae: VAE, truth: Multiome, held: Cells, alone: tuple[Posterior, Posterior], rng: np.random.Generator
) -> dict[str, float]:
    """Compares the evidence of held-out rows with the truth's, by what is observed of them."""
    assert isinstance(vae.likelihood, Product)
    x = as_rows(vae.likelihood, held)
    some: NDArray[np.bool_] = rng.random(x.shape) >= MISSING
    some[:, 0] = True
    genes = held.counts.shape[1]
    rna_some = some.copy()
    rna_some[:, genes:] = False
    rna = observe_only(vae.likelihood, x, ["rna"])
    true = {
        "RNA alone": (alone[0].log_evidence, rna),
        "ATAC alone": (alone[1].log_evidence, ~rna),
        "70 % of the entries of RNA alone": (
            condition_on(truth, held, rna_some[:, :genes], rna_some[:, genes:], rng).log_evidence,
            torch.from_numpy(rna_some),
        ),
        "70 % of the entries of both": (
            condition_on(truth, held, some[:, :genes], some[:, genes:], rng).log_evidence,
            torch.from_numpy(some),
        ),
    }
    generator = torch.Generator().manual_seed(0)
    return {
        name: float(
            np.mean(log_evidence)
            - importance_evidence(vae, x, mask, k=WEIGHTED, generator=generator).log_evidence.double().mean().item()
        )
        for name, (log_evidence, mask) in true.items()
    }


@torch.no_grad()
def _widest(vae: VAE, held: Cells) -> float:
    assert isinstance(vae.likelihood, Product)
    x = as_rows(vae.likelihood, held)
    rna, atac = (vae.encode(x, observe_only(vae.likelihood, x, [name])).variance for name in ("rna", "atac"))
    return float((vae.encode(x).variance / torch.minimum(rna, atac)).max())


def translation_rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    """Measures translation beside the ceiling and the floor, and whether there was anything to win between them."""
    for target, measure in MEASURES.items():
        of = {name: [outcome.scores[name][target] for outcome in outcomes] for name in outcomes[0].scores}
        ceiling, floor = fmean(of["ceiling"]), fmean(of["floor"])
        yield mean_row(
            measure,
            of["product"],
            bar="≥ 0.98 of the ceiling (the Bayes translation)",
            holds=fmean(of["product"]) >= 0.98 * ceiling,
            ceiling=ceiling,
            floor=floor,
        )
        yield mean_row(f"{measure}, a VAE a modality and regression", of["apart"], ceiling=ceiling, floor=floor)
        gains = [ours - theirs for ours, theirs in zip(of["product"], of["apart"], strict=True)]
        measure = measure.split(":")[0]
        yield mean_row(f"{measure}: gain over these", gains, bar="> 0 on each seed", holds=min(gains) > 0)
        ratios = [best / true for best, true in zip(of["ceiling"], of["latent"], strict=True)]
        what = f"{measure}: Bayes translation over the prediction of the true latent, greatest"
        yield worst_row(what, ratios, bar="≤ 0.9: it is no copy", limit=0.9)
        ratios = [best / mean for best, mean in zip(of["ceiling"], of["floor"], strict=True)]
        what = f"{measure}: Bayes translation over that of the features' means, least"
        yield Row(
            measure=what, bar="≥ 1.1: something to be won", value=min(ratios), seeds=len(ratios),
            holds=min(ratios) >= 1.1,
        )  # fmt: skip
    errors = {name: [outcome.calibration[name] for outcome in outcomes] for name in outcomes[0].calibration}
    yield mean_row(
        "RNA → ATAC: |share of open peaks − prediction|, mean over 20 equal bins",
        errors["product"],
        bar="≤ 0.02",
        holds=fmean(errors["product"]) <= 0.02,
        ceiling=fmean(errors["ceiling"]),
        floor=fmean(errors["floor"]),
    )
    yield Row(
        measure="Bayes translation: effective draws of its importance weights, 5 % quantile of the cells, least",
        value=min(outcome.effective_samples for outcome in outcomes),
        seeds=len(outcomes),
    )


def peer_rows(outcomes: Sequence[Outcome], seeds: Sequence[int]) -> Iterator[Row]:
    """Measures gains over MultiVae's models on the seeds of which they are recorded on the same cells."""
    recorded = multivae.read(seeds)
    known = [(outcome, recorded[seed]) for outcome, seed in zip(outcomes, seeds, strict=True) if seed in recorded]
    for target, measure in MEASURES.items() if known else ():
        ours = [outcome.scores["product"][target] for outcome, _ in known]
        for model in multivae.MODELS:
            theirs = [scores[model][target] for _, scores in known]
            gains = [a - b for a, b in zip(ours, theirs, strict=True)]
            error = stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
            yield mean_row(
                f"{measure.split(':')[0]}: gain over {model} of MultiVae {multivae.VERSION} ({fmean(theirs):.4f})",
                gains,
                bar="≥ 0 within 2 s.e.",
                holds=fmean(gains) >= -2 * error,
            )


def incomplete_rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    """Measures what is said of incomplete rows."""
    yield worst_row(
        "variance of a unit given both modalities over the lesser of those given either, greatest of all cells",
        [outcome.widest for outcome in outcomes],
        bar="≤ 1",
        limit=1.0,
    )
    for name in outcomes[0].evidence_lost:
        lost = [outcome.evidence_lost[name] for outcome in outcomes]
        measure = f"held-out cells, {name}: evidence of the truth − that of the model, nats a cell"
        yield mean_row(measure, lost, bar="< 1", holds=fmean(lost) < 1, ceiling=0.0)
