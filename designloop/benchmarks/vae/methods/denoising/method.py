"""The criteria of denoising: photon-count images of point emitters, of which only noisy ones are ever seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, mean_row
from designloop.benchmarks.vae.methods.denoising.emitter_fits import emitter_errors, true_means
from designloop.benchmarks.vae.methods.denoising.filters import (
    best_filter,
    gaussian_filters,
    non_local_means_filters,
)
from designloop.vae.denoising import anscombe, denoise
from designloop.vae.image_networks import ConvDecoder, ConvEncoder
from designloop.vae.likelihoods.poisson import Poisson
from designloop.vae.model import VAE
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.simulators.emitters import Camera, Images, emitters
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine, ramp

TITLE = "Data Denoising and Imputation"
FILE = "designloop/vae/denoising.py"
PAGE = "denoising.md"

Array = NDArray[np.float64]

CAMERA = Camera(size=12)

LEVELS = (1.0, 5.0, 20.0)
"""Photons a pixel of the images that are denoised; the model learns from images of 1 to 20."""

REPEATS = 5
"""Seeds, at most."""

TRAINED, TESTED, CEILING = 10_000, 200, 50
"""Noisy images that are learnt from, others that are denoised, and those of them that the true model denoises too."""

LATENT, HIDDEN, BATCH, RATE, STEPS, DRAWS = 8, 256, 64, 2e-3, 4000, 500


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """Measures peak signal-to-noise ratios, and what is left of the emitters."""
    results = []
    for seed in seeds[:REPEATS]:
        results.append(measure(seed))
        say(f"denoising: seed {seed} done")
    return list(denoising_rows(results))


def denoising_rows(results: Sequence[dict[str, dict[str, float]]]) -> Iterator[Row]:
    """The rows of what was measured for each seed: name of the measure and level -> by method."""
    for level in LEVELS:

        def of(measure: str, method: str, level: float = level) -> list[float]:
            return [result[f"{measure}, {level:g}"][method] for result in results]

        peers = [max(pair) for pair in zip(of("PSNR", "Gaussian"), of("PSNR", "non-local means"), strict=True)]
        own = of("PSNR", "VAE")
        said = ", ".join(f"{name} {fmean(of('PSNR', name)):.2f}" for name in ("Gaussian", "non-local means"))
        worst = min(mine - best for mine, best in zip(own, peers, strict=True))
        yield mean_row(
            f"{level:g} photons a pixel: PSNR, dB (grid-tuned on these images: {said})",
            own,
            bar="above both filters on each seed",
            holds=worst > 0,
            ceiling=fmean(of("PSNR", "truth")),
            floor=fmean(of("PSNR", "raw")),
        )
        yield mean_row(f"{level:g} photons a pixel: PSNR over the better filter's, least of any seed, dB", [worst])
        for measure in ("position", "flux"):
            unit = (
                "median distance of an emitter, pixels" if measure == "position" else "median error of a flux, relative"
            )
            names = ("Gaussian", "non-local means", "raw")
            said = ", ".join(f"{name} {fmean(of(measure, name)):.3f}" for name in names)
            yield mean_row(
                f"{level:g} photons a pixel: {unit} ({said})",
                of(measure, "VAE"),
                ceiling=fmean(of(measure, "truth")),
                floor=fmean(of(measure, "Gaussian")),
            )
        yield mean_row(f"{level:g} photons a pixel: effective draws of {DRAWS}, mean", of("effective draws", "VAE"))


def measure(seed: int) -> dict[str, dict[str, float]]:
    """Fits one VAE to noisy images, and denoises others at each level."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    vae = fit_vae(emitters(TRAINED, rng, CAMERA, np.exp(rng.uniform(0, np.log(20), TRAINED))), seed, generator)
    results: dict[str, dict[str, float]] = {}
    for level in LEVELS:
        images = emitters(TESTED, rng, CAMERA, level)
        counts, rates = images.counts[:, 0], images.rates[:, 0]
        few = Images(*(getattr(images, name)[:CEILING] for name in Images.__slots__))

        def quality(photons: Array, level: float = level, rates: Array = rates) -> float:
            return psnr(photons / level, rates[: len(photons)])

        x = torch.from_numpy(images.counts).float()
        context = {"mean_count": torch.full((TESTED,), level)}
        denoised = denoise(vae, x, None, context, k=DRAWS, generator=generator)
        answers = {
            "VAE": denoised.mean[:, 0].double().numpy() / level,
            "Gaussian": best_filter(counts, gaussian_filters(), quality)[1] / level,
            "non-local means": best_filter(counts, non_local_means_filters(), quality)[1] / level,
            "raw": counts / level,
            "truth": true_means(CAMERA, few, rng),
        }
        for measured in ("PSNR", "position", "flux"):
            results[f"{measured}, {level:g}"] = {}
        for name, answer in answers.items():
            seen = few if name == "truth" else images
            position, flux = emitter_errors(CAMERA, seen, answer)
            results[f"PSNR, {level:g}"][name] = psnr(answer, seen.rates[:, 0])
            results[f"position, {level:g}"][name] = position
            results[f"flux, {level:g}"][name] = flux
        results[f"effective draws, {level:g}"] = {"VAE": float(denoised.evidence.effective_samples.mean())}
    return results


def psnr(answer: Array, rates: Array) -> float:
    """Mean over the images of 10 log10(peak² / mean square error), dB; the peak is each image's own."""
    error = ((answer - rates) ** 2).mean((1, 2))
    return float((10 * np.log10(rates.max((1, 2)) ** 2 / error)).mean())


def fit_vae(images: Images, seed: int, generator: torch.Generator) -> VAE:
    """Fits a VAE of rates to counts; how long the camera looked at each image is known."""
    x, mean_counts = torch.from_numpy(images.counts).float(), torch.from_numpy(images.mean_counts).float()
    shape = (1, CAMERA.size, CAMERA.size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = ConvEncoder(shape, LATENT, (16, 32), (HIDDEN,), anscombe)
        decoder = ConvDecoder(LATENT, shape, (32, 16), (HIDDEN,))
    vae = VAE(encoder, decoder, Poisson("mean_count"), StandardNormal(LATENT))

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            rows = torch.randint(len(x), (BATCH,), generator=generator)
            yield Batch(x[rows], context={"mean_count": mean_counts[rows]})

    optimizer, loss = torch.optim.Adam(vae.parameters(), lr=RATE), ELBO(beta=ramp(0.1, 1, STEPS // 3))
    fit(vae, loss, batches(), optimizer, generator=generator, schedule=cosine(STEPS, 50))
    return vae
