"""The conditional VAE's bars: a closed form, neurons by electrophysiological type, and images by grade."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_iris
from sklearn.svm import SVC
from torch import Tensor, nn

from designloop.benchmarks.common.options import Say
from designloop.benchmarks.common.rows import Row, row_over
from designloop.benchmarks.vae_methods._expression import likeness_rows, rare_rows
from designloop.vae.conditional import ConditionalDecoder, ConditionalEncoder, OneHot, aggregate_prior
from designloop.vae.inference.evidence import importance_evidence
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.linear.linear_gaussian import log_evidence, ppca
from designloop.vae.model import VAE
from designloop.vae.networks import MLPDecoder, MLPEncoder
from designloop.vae.priors.standard_normal import StandardNormal
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO
from designloop.vae.training.schedules import cosine

TITLE = "Conditional and Controlled Generation"
FILE = "designloop/vae/conditional.py"
PAGE = "conditional.md"

PAIRED = 20
"""Seeds of the rare type, whatever else is asked for."""

LINEAR_STEPS = 2000

GRADES, LATENT, HIDDEN, BATCH, RATE, STEPS = 10, 8, 128, 128, 2e-3, 2000
"""Of the model of images by grade, digits that stand for histology's."""

SEEN, A_GRADE = 1200, 300
"""Images trained on, and samples drawn of each grade to be recognised."""


def run(seeds: Sequence[int], say: Say) -> list[Row]:
    """A closed form, cells, a rare type, and images."""
    rows = list(linear_rows(seeds[:3]))
    say("conditional: closed form done")
    rows += likeness_rows(seeds)
    say("conditional: cells by type done")
    rows += rare_rows(range(PAIRED))
    say("conditional: rare type done")
    return [*rows, *image_rows(seeds)]


def linear_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """A linear conditional VAE is PPCA about the mean of each label: the evidence that training has to come to."""
    data = load_iris()
    x, labels = torch.from_numpy((data.data - data.data.mean(0)) / data.data.std(0)), torch.from_numpy(data.target)
    means = torch.stack([x[labels == one].mean(0) for one in range(3)])
    rest = x - means[labels]
    known = float(log_evidence(ppca(rest, 2), rest).mean())
    plain = float(log_evidence(ppca(x, 2), x).mean())
    gaps = []
    for seed in seeds:
        vae, context = linear(seed).double(), {"condition": labels}
        generator = torch.Generator().manual_seed(seed)
        few = {"condition": labels.repeat(4)}
        batches = (Batch(x.repeat(4, 1), context=few) for _ in range(LINEAR_STEPS))
        optimizer = torch.optim.Adam(vae.parameters(), lr=0.03, betas=(0.9, 0.99))
        fit(vae, ELBO(), batches, optimizer, generator=generator, schedule=cosine(LINEAR_STEPS))
        evidence = importance_evidence(vae, x, None, context, k=20, generator=generator)
        gaps.append(known - float(evidence.log_evidence.mean()))
    measure = "linear, iris by species: evidence of the closed form − that of the trained VAE, greatest, nats a row"
    worst = max(gaps, key=abs)
    yield Row(measure, "within 0.02", worst, None, len(gaps), abs(worst) < 0.02, ceiling=0.0, floor=known - plain)


def linear(seed: int) -> VAE:
    """A linear conditional VAE of iris."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder, decoder = MLPEncoder(4 + 3, 2), MLPDecoder(2 + 3, 4)
    one_hot = OneHot(3)
    parts = ConditionalEncoder(encoder, one_hot), ConditionalDecoder(decoder, one_hot)
    return VAE(*parts, Gaussian(4, 0.3), StandardNormal(2))


def image_model(seed: int) -> VAE:
    """A conditional VAE of 8 × 8 images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = MLPEncoder(64 + GRADES, LATENT, [HIDDEN, HIDDEN])
        decoder: nn.Module = MLPDecoder(LATENT + GRADES, 64, [HIDDEN, HIDDEN])
    one_hot = OneHot(GRADES)
    likelihood = Gaussian(64, 0.02, per_feature=True)
    return VAE(
        ConditionalEncoder(encoder, one_hot), ConditionalDecoder(decoder, one_hot), likelihood, StandardNormal(LATENT)
    )


def on_images(seed: int) -> dict[str, float]:
    """What a classifier makes of the samples, and what one that learned from them makes of images."""
    generator = torch.Generator().manual_seed(seed)
    data = load_digits()
    images, grades = torch.from_numpy(data.data).float() / 16, torch.from_numpy(data.target)
    order = torch.randperm(len(images), generator=generator)
    x, y, held, truth = images[order[:SEEN]], grades[order[:SEEN]], images[order[SEEN:]], grades[order[SEEN:]]
    vae = image_model(seed)

    def batches() -> Iterator[Batch]:
        for _ in range(STEPS):
            rows = torch.randint(SEEN, (BATCH,), generator=generator)
            # Seventeen grey levels made continuous, or the variance of a pixel that is always white would fall to 0.
            grey = x[rows] + (torch.rand(BATCH, 64, generator=generator) - 0.5) / 16
            yield Batch(grey, context={"condition": y[rows]})

    optimizer = torch.optim.Adam(vae.parameters(), lr=RATE)
    fit(vae, ELBO(), batches(), optimizer, generator=generator, schedule=cosine(STEPS, 50), clip=100.0)
    matched = aggregate_prior(vae, x, None, {"condition": y}, classes=GRADES, draws=5, generator=generator)
    asked, rng = torch.arange(GRADES).repeat_interleave(A_GRADE), np.random.default_rng(seed)

    def drawn(of: Tensor, prior: bool = True) -> NDArray[np.float32]:
        source = vae.with_prior(matched) if prior else vae
        return source.sample(len(of), {"condition": of}, generator).clamp(0, 1).numpy()

    def shuffled(of: Tensor) -> NDArray[np.float32]:
        """Each pixel from another image of the grade."""
        pools = {grade: x[y == grade].numpy() for grade in range(GRADES)}
        picked = [pools[g][rng.integers(len(pools[g]), size=64), np.arange(64)] for g in of.tolist()]
        return np.stack(picked)

    by_real = SVC(C=10).fit(x.numpy(), y.numpy())
    right = 100 * by_real.score(held.numpy(), truth.numpy())

    def learned(samples: NDArray[np.float32]) -> float:
        return 100 * float(SVC(C=10).fit(samples, y.numpy()).score(held.numpy(), truth.numpy()))

    return {
        "recognised": 100 * by_real.score(drawn(asked), asked.numpy()) - right,
        "recognised, own prior": 100 * by_real.score(drawn(asked, prior=False), asked.numpy()) - right,
        "recognised, floor": 100 * by_real.score(shuffled(asked), asked.numpy()) - right,
        "right": right,
        "tstr": learned(drawn(y)),
        "tstr, own prior": learned(drawn(y, prior=False)),
        "tstr, floor": learned(shuffled(y)),
    }


def image_rows(seeds: Sequence[int]) -> Iterator[Row]:
    """The bars on images by grade."""
    found = [on_images(seed) for seed in seeds]
    each = {name: [one[name] for one in found] for name in found[0]}
    measure, apart = "images: samples recognised as the grade asked for, − real images, points", each["recognised"]
    floor = fmean(each["recognised, floor"])
    yield row_over(measure, "within 2", apart, abs(fmean(apart)) <= 2, ceiling=0.0, floor=floor)
    yield row_over(f"{measure}, of the prior N(0, I)", "", each["recognised, own prior"], None)
    measure = "images: right on real ones after learning from as many samples, %"
    yield row_over(measure, "", each["tstr"], None, fmean(each["right"]), fmean(each["tstr, floor"]))
    yield row_over(f"{measure}, of the prior N(0, I)", "", each["tstr, own prior"], None)
