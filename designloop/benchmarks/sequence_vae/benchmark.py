"""How well a sequence VAE reconstructs, samples, and orders molecules in its latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import PENDING, table
from designloop.benchmarks.sequence_vae.limits import DRUG_SIZE, LONG
from designloop.molecules.reconstruction import REFINE
from designloop.molecules.shipped import DEFAULT_MODEL

SUMMARY = "Reconstruction, samples, latent and neighbourhoods of a sequence VAE, on 5,000 held-out molecules."

OPTIONS = frozenset({"model"})

SEED = 0

MODEL = DEFAULT_MODEL

AS_ENCODED, REFINED = 0.6, 0.9
"""Least shares that come back of the molecules that campaigns are about."""

PICTURES = ("training", "samples", "reconstructions", "neighbourhood", "interpolation")


@dataclass(frozen=True)
class Sizes:
    """How many molecules each measure is taken of."""

    samples: int = 10_000
    held_out: int = 5000
    compared: int = 5000
    """Whose nearest training molecule is looked for."""
    jtvae: int = 500
    """Molecules, each decoded a hundred times."""
    parents: int = 500
    neighbours: int = 40
    ridge: int = 5000
    ranked: int = 1000
    drugs: int = 200
    unknown_drugs: int | None = None
    """None for all."""
    timed: int = 2000
    steps: int = 8
    """Training steps that are timed."""


def run(options: Options, say: Say) -> Results:
    """Measures a shipped model, or the file that ``--model`` names."""
    return measure(options.model or MODEL, Sizes(), say)


def pictures(options: Options, results: Results) -> dict[str, str]:
    """Draws training curves, samples, reconstructions, a neighbourhood and an interpolation, as SVG by file name."""
    from designloop.benchmarks.sequence_vae.pictures import draw_all
    from designloop.molecules.sequence_vae import load, training_record

    model = options.model or MODEL
    drawn = draw_all(load(model), training_record(model), results["neighbours"]["radius"], SEED)
    return {_file(name): picture for name, picture in drawn.items()}


def _file(name: str) -> str:
    return f"sequence_vae_{name}.svg"


def measure(model: str, sizes: Sizes, say: Say) -> dict[str, Any]:
    """Takes all measures of one checkpoint."""
    from designloop.benchmarks.sequence_vae import drugs, latents, neighbourhoods, reconstruction, samples, speed
    from designloop.molecules import corpus
    from designloop.molecules.drugs import approved_drugs
    from designloop.molecules.sequence_vae import load

    vae, held_out = load(model), corpus.held_out_rows()[: sizes.held_out]
    held_out_smiles = [corpus.zinc()[row] for row in held_out]
    rng = np.random.default_rng(SEED)
    train = rng.choice(corpus.training_rows(), max(sizes.ridge, sizes.ranked), replace=False)
    results: dict[str, Any] = {"seeds": [SEED], "model": model}
    say("speed …")
    results["speed"] = speed.measure(vae, sizes.steps, sizes.timed)
    results["samples_per_second"] = results["speed"]["sampling"]["per_second"]
    results["reconstructions_per_second"] = results["speed"]["reconstructing"]["per_second"]
    say("reconstruction …")
    results |= reconstruction.measure(vae, held_out)
    results["reconstruction_jtvae_protocol"] = reconstruction.jtvae_protocol(vae, held_out[: sizes.jtvae], SEED)
    say("latent …")
    results |= latents.measure_bounds(vae, held_out, latents.fit_prior(vae, train), SEED)
    results["ridge_r2"] = latents.fit_ridge(vae, train[: sizes.ridge], held_out)
    first = drugs.select_by_rule(approved_drugs(), vae, 10)
    ranks = latents.correlate_with_similarity(vae, first, train[: sizes.ranked], held_out[: sizes.ranked])
    results["similarity_spearman"] = {"mean": fmean(ranks), "of_each": ranks}
    results |= samples.measure(vae, held_out_smiles, sizes.samples, sizes.compared, SEED, say)
    say("neighbourhoods …")
    results["neighbours"] = neighbourhoods.measure(
        vae, held_out[: sizes.parents], sizes.neighbours, held_out_smiles, SEED
    )
    say("drugs …")
    results["drugs"] = drugs.measure(vae, sizes.drugs)
    results["unknown_drugs"] = drugs.measure_unknown(vae, sizes.unknown_drugs)
    return {**results, "bars": judge(results)}


def judge(results: Results) -> list[dict[str, Any]]:
    """Compares the results with what a shipped model is held to."""
    near, edited = results["neighbours"]["at_radius"], results["neighbours"]["mutation"]
    copying = results["nearest_training"] - results["nearest_training_of_held_out"]
    ridge = min(scores["ratio"] for scores in results["ridge_r2"].values())
    promised: Sequence[tuple[str, str, float, bool]] = (
        ("validity", "= 1", results["validity"], results["validity"] == 1),
        ("uniqueness", "≥ 0.99", results["uniqueness"], results["uniqueness"] >= 0.99),
        ("novelty", "≥ 0.95", results["novelty"], results["novelty"] >= 0.95),
        ("similarity to the nearest training molecule, above held-out ones'", "≤ 0.02", copying, copying <= 0.02),
        ("exact reconstruction", "≥ 0.9", results["reconstruction"], results["reconstruction"] >= 0.9),
        ("FCD of samples", "≤ 3", results["fcd"], results["fcd"] <= 3),
        ("units in use", "≥ 0.5", results["active_units"], results["active_units"] >= 0.5),
        ("cost of shuffled latents, nats", "≥ 20", results["shuffle_cost_nats"], results["shuffle_cost_nats"] >= 20),
        ("neighbours' similarity, above mutations'", "≥ 0", near["similarity"] - edited["similarity"],
         near["similarity"] >= edited["similarity"]),
        ("neighbours' FCD, below mutations'", "> 0", edited["fcd"] - near["fcd"], near["fcd"] < edited["fcd"]),
        ("neighbours' SA score, below mutations'", "> 0", edited["sa_score"] - near["sa_score"],
         near["sa_score"] < edited["sa_score"]),
        ("drugs of the first 200 encoded", "= 1", results["drugs"]["encoded"], results["drugs"]["encoded"] == 1),
        ("least ridge R² of z over fingerprints'", "≥ 0.8", ridge, ridge >= 0.8),
        ("Spearman's correlation with similarity to drugs", "≥ 0.6", results["similarity_spearman"]["mean"],
         results["similarity_spearman"]["mean"] >= 0.6),
        ("training step, share of the matmul rate", "≥ 0.5", results["speed"]["training"]["share_of_matmul"],
         results["speed"]["training"]["share_of_matmul"] >= 0.5),
    )  # fmt: skip
    judged = [{"bar": what, "promised": bar, "found": value, "holds": holds} for what, bar, value, holds in promised]
    return judged + judge_as_campaigns_ask(results)


def judge_as_campaigns_ask(results: Results) -> list[dict[str, Any]]:
    """Compares what comes back of drugs outside ZINC and of long molecules of it with what campaigns ask for.

    What a record does not have is None, and neither holds nor fails.
    """
    drugs, long = results.get("unknown_drugs") or {}, results.get("reconstruction_of_long") or {}
    measured: Sequence[tuple[str, float | None, float | None]] = (
        (
            f"drugs of at most {DRUG_SIZE} heavy atoms outside ZINC that come back",
            drugs.get("reconstructed_without_refinement"),
            drugs.get("reconstructed"),
        ),
        (
            f"held-out molecules of more than {LONG} SELFIES symbols that come back",
            long.get("exact_without_refinement"),
            long.get("exact"),
        ),
    )
    return [
        {
            "bar": f"{what}, {state}",
            "promised": f"≥ {least:g}",
            "found": value,
            "holds": None if value is None else value >= least,
        }
        for what, as_encoded, refined in measured
        for state, value, least in (("none refined", as_encoded, AS_ENCODED), ("refined", refined, REFINED))
    ]


def report(results: Results) -> str:
    """Shows the criteria, and the tables behind them."""
    head = table(
        ("measure", "promised", "found", "holds"),
        [
            (
                criterion["bar"],
                criterion["promised"],
                PENDING if criterion["found"] is None else criterion["found"],
                PENDING if criterion["holds"] is None else criterion["holds"],
            )
            for criterion in judge(results)  # anew, so that a record shows what was asked for after it was made
        ],
    )
    speed = results["speed"]
    further = [
        ("exact reconstruction, stereo marks left aside", results["reconstruction_without_stereo"]),
        (
            "exact reconstruction from what the encoder says, no latent refined",
            results["reconstruction_without_refinement"],
        ),
        ("exact by JT-VAE's protocol (it publishes 0.767)", results["reconstruction_jtvae_protocol"]),
        ("FCD of as many training molecules", results["fcd_floor"]),
        ("FCD of greedy decodes at N(0, I)", results["fcd_standard_normal"]),
        ("repeats that differ in stereo marks alone", results["stereo_only_repeats"]),
        ("KL at noise level 0, nats", results["kl_nats"]),
        *((f"{name} of {kind}", results[kind][name]) for kind in ("samples", "training") for name in results[kind]),
        ("drugs of the first 200 that come back", results["drugs"]["reconstructed"]),
        ("whole list of approved drugs encoded", results["drugs"]["whole_list_encoded"]),
        ("whole list that comes back", results["drugs"]["whole_list_reconstructed"]),
        ("training, molecules a second", speed["training"]["molecules_per_second"]),
        *(
            (f"{what.replace('_', ' ')}, {key.replace('_', ' ')}", speed[what][key])
            for what in ("sampling", "reconstructing", "reconstructing_without_refinement")
            for key in ("per_second", "network_seconds", "chemistry_seconds")
        ),
    ]
    quartiles = " / ".join(f"{quartile:.2f}" for quartile in results["neighbours"]["radius_quartiles"])
    parts = [
        f"Model `{results['model']}`; posterior means decoded greedily, raw draws from the default prior, none "
        "rejected. A molecule is told by its SMILES without stereo marks, except in exact reconstruction. A mean that "
        f"decodes to another molecule is first moved up the gradient of log p(x given z), by {REFINE} steps at most "
        "(`vae.refinement`); ridge models, ranks and bounds see what the encoder says. Neighbours lie around a parent "
        "in the shape of its posterior, at the radius where half of its own decodes differ (quartiles "
        f"{quartiles} a unit), at half and at twice that, and at one radius for all.\n",
        head,
        table(("beside", "found"), further),
        table(
            ("noise in z", "−log p(x given z)", "KL to N(0, (1 + σ²) I)", "−ELBO", "−ELBO under the learned prior"),
            [(level, *row.values()) for level, row in results["by_noise_level"].items()],
        ),
        _ranges("SELFIES symbols", results["reconstruction_by_length"]),
        _ranges("SELFIES symbols, none refined", results["reconstruction_by_length_without_refinement"]),
        _ranges("rarest token, times in the corpus", results["reconstruction_by_rarest_token"]),
        table(
            ("R² of a ridge model", "on z", "on count fingerprints", "ratio"),
            [(name, *row.values()) for name, row in results["ridge_r2"].items()],
        ),
        table(
            ("neighbours", "different", "similarity", "FCD", "QED", "SA score", "distinct a parent"),
            [
                (name.replace("_", " "), *row.values())
                for name, row in results["neighbours"].items()
                if not name.startswith("radius")
            ],
        ),
    ]
    if results["model"] == MODEL:
        parts += [f"![{name}](benchmarks/{_file(name)})\n" for name in PICTURES]
    return "\n".join(parts)


def _ranges(what: str, rows: Sequence[Any]) -> str:
    return table(
        (what, "molecules", "exact"),
        [
            (f"{row['from']:,} to {row['below'] - 1:,}" if row["below"] else f"{row['from']:,} and more",
             row["molecules"], row["exact"])
            for row in rows
        ],
    )  # fmt: skip
