"""LOL-BO's own step: a VAE and the surrogate on its latents are trained together on what was paid for.

The loss is the VAE's ELBO, of the best molecules and as many of its corpus, plus the process's negative log evidence a
molecule, whose gradient reaches the encoder: latents move so that the process foresees better.
Source: Maus et al. 2022, "Local latent space Bayesian optimization over structured inputs".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from designloop.benchmarks.common.process import fitted, untrained
from designloop.benchmarks.latent_peers.cube import LatentCube
from designloop.molecules.pretrain import levels
from designloop.molecules.sequence_vae import SequenceVAE, shorten
from designloop.molecules.training_corpus import Corpus
from designloop.randomness import rng_of, seed_of, seeded, torch_generator
from designloop.vae.model import ForwardPass
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO, Term


@dataclass(frozen=True)
class JointSettings:
    """How VAE and surrogate are trained together."""

    failures: int = 5
    """Batches without a new best, since the last time, after which they are."""
    steps: int = 20
    fit_steps: int = 30
    """Of the fit that the surrogate begins with."""
    best: int = 200
    """Molecules, of the highest scores, that are learned from."""
    batch: int = 64
    """Rows of a step, half of them of the corpus."""
    learning_rate: float = 1e-4
    surrogate_learning_rate: float = 1e-3
    beta: float = 0.04
    """Weight of the KL, as the shipped model was trained with at last."""
    clean: float = 0.5
    """Share of rows without noise."""
    noise: tuple[float, float] = (0.2, 2.0)


class NegativeEvidence(Term):
    """−log evidence of a process, a molecule, at the points where molecules lie today; blind to the batch."""

    def __init__(self, model: SingleTaskGP, points: Callable[[], Tensor]) -> None:
        super().__init__()
        self.model, self._points = model, points
        self._evidence = ExactMarginalLogLikelihood(model.likelihood, model)

    def forward(self, out: ForwardPass) -> Tensor:
        """() of the molecules as they are encoded now."""
        points = self._points()
        self.model.train()
        self.model.set_train_data(points, strict=False)
        evidence: Tensor = self._evidence(self.model(points), self.model.train_targets)
        return -evidence

    def update(self, out: ForwardPass) -> None:
        """Takes the process's parameters back to where they may be, which the optimizer does not know."""
        super().update(out)
        with torch.no_grad():
            for _, parameter, constraint in self.model.named_parameters_and_constraints():
                if constraint is not None:
                    parameter.clamp_(constraint.lower_bound, constraint.upper_bound)


def train_together(
    cube: LatentCube, scores: Mapping[str, float], corpus: Corpus, settings: JointSettings, *parts: int | str
) -> dict[str, float]:
    """Trains the cube's model in place.

    Args:
        scores: of what was paid for, by SMILES that the model's alphabet can express.
        parts: what all draws follow from.
    Returns:
        The last step's ``elbo`` and ``negativeevidence``.
    """
    vae = cube.vae
    best = sorted(scores, key=lambda text: -scores[text])[: settings.best]
    tokens = vae.tokens([vae.codec.to_selfies(text) for text in best])
    values = torch.tensor([scores[text] for text in best], dtype=torch.double)

    def points() -> Tensor:
        return cube.points(vae.encode(tokens).mean.cpu())

    with seeded(seed_of(*parts, "surrogate")):  # a fit that fails is tried again from a draw
        model = fitted(untrained(points().detach(), values), steps=settings.fit_steps)
    optimizer = torch.optim.Adam(
        [
            {"params": list(vae.parameters()), "lr": settings.learning_rate},
            {"params": list(model.parameters()), "lr": settings.surrogate_learning_rate},
        ],
        betas=(0.9, 0.98),
    )
    report: dict[str, float] = {}
    fit(
        vae,
        ELBO(settings.beta) + NegativeEvidence(model, points),
        _batches(vae, tokens.cpu().numpy(), corpus, settings, rng_of(*parts, "joint")),
        optimizer,
        generator=torch_generator(vae.device, *parts, "joint"),
        clip=1.0,
        on_step=lambda step: report.update(step.terms),
    )
    return report


def _batches(
    vae: SequenceVAE, best: np.ndarray, corpus: Corpus, settings: JointSettings, rng: np.random.Generator
) -> Iterator[Batch]:
    """One a step: some of the best molecules, and as many rows of the corpus."""
    half = settings.batch // 2
    for _ in range(settings.steps):
        new, old = best[rng.integers(len(best), size=half)], corpus.rows.take(rng.choice(corpus.train, half))
        x = np.zeros((2 * half, max(new.shape[1], old.shape[1])), dtype=np.int64)
        x[:half, : new.shape[1]], x[half:, : old.shape[1]] = new, old
        noise = torch.from_numpy(levels(rng, 2 * half, settings.clean, *settings.noise))
        yield Batch(torch.from_numpy(shorten(x)).to(vae.device), context={"noise": noise.to(vae.device)})
