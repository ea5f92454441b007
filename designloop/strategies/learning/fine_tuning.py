"""Reward-weighted fine-tuning of the sequence VAE on the best molecules so far.

A step sees elites, drawn by rank, and as many molecules of the model's own training corpus; the loss is their ELBO
plus a KL to the pretrained model. The encoder stays as it was pretrained, so latents keep their meaning from round to
round.
Source: Tripp et al. 2020 (weighted retraining).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from designloop.molecules.pretrain import levels
from designloop.molecules.sequence_vae import SequenceVAE, shorten
from designloop.molecules.training_corpus import Corpus
from designloop.randomness import rng_of, torch_generator
from designloop.strategies.archive.archive import Member, draw_by_rank
from designloop.strategies.learning.settings import FineTuning
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import ELBO, ReferenceKL


@dataclass(frozen=True)
class FineTuner:
    """What a round's learning is made with."""

    vae: SequenceVAE
    """The model that learns: its decoder and its likelihood, in place."""
    reference: SequenceVAE
    """The frozen pretrained model."""
    replay: Corpus
    """What the model was trained on."""
    settings: FineTuning

    def learn(self, elites: Sequence[Member], seed: int, rounds_seen: int) -> dict[str, float]:
        """Trains on elites, sorted best first; gives the mean −log p and the KL, in nats.

        Args:
            elites: sorted best first.
            seed: of the campaign.
            rounds_seen: with the seed it decides all randomness.
        """
        settings, half = self.settings, self.settings.batch // 2
        self.vae.encoder.requires_grad_(False)
        trained = [*self.vae.decoder.parameters(), *self.vae.likelihood.parameters()]
        optimizer = torch.optim.Adam(trained, lr=settings.learning_rate, betas=(0.9, 0.98))
        metrics: dict[str, list[float]] = {"learn_nats": [], "learn_kl_to_pretrained": []}

        def note(step: Step) -> None:
            metrics["learn_nats"].append(-step.log_prob)
            metrics["learn_kl_to_pretrained"].append(step.terms["referencekl"])

        # The first rows are elites in random order: a third of them estimates the KL as well, at a third of its cost.
        loss = ELBO(beta=0.0) + settings.kl_weight * ReferenceKL(self.reference, rows=max(half // 3, 1))
        fit(
            self.vae,
            loss,
            self._batches(elites, rng_of(seed, rounds_seen, "learn")),
            optimizer,
            generator=torch_generator(self.vae.device, seed, rounds_seen, "learn"),
            clip=1.0,
            on_step=note,
        )
        return {name: float(np.mean(values)) for name, values in metrics.items() if values}

    def _batches(self, elites: Sequence[Member], rng: np.random.Generator) -> Iterator[Batch]:
        """One a step: elites, drawn by rank, and as many rows of the corpus."""
        settings, half, vae = self.settings, self.settings.batch // 2, self.vae
        best = vae.codec.pad([vae.codec.tokens(elite.selfies) for elite in elites])
        new = best[draw_by_rank(rng, elites, half * settings.steps)]
        old = self.replay.rows.take(rng.choice(self.replay.train, half * settings.steps))
        yield from mixed_batches((new, old), settings.steps, rng, settings.clean, settings.noise, vae.device)


def mixed_batches(
    kinds: Sequence[np.ndarray],
    steps: int,
    rng: np.random.Generator,
    clean: float,
    noise: tuple[float, float],
    device: torch.device,
) -> Iterator[Batch]:
    """One a step, of each kind as many rows; those of about one length together, so that little of it is padding.

    Within a step the rows of a kind are in random order.

    Args:
        kinds: (steps · rows, length) padded tokens each.
        clean, noise: share of rows at noise level 0, and the range of the others' levels.
    """
    ordered = [rows[np.argsort((rows != 0).sum(1), kind="stable")] for rows in kinds]
    counts = [len(rows) // steps for rows in ordered]
    for step in rng.permutation(steps):
        x = np.zeros((sum(counts), max(rows.shape[1] for rows in ordered)), dtype=np.int64)
        first = 0
        for rows, count in zip(ordered, counts, strict=True):
            x[first : first + count, : rows.shape[1]] = rng.permutation(rows[step * count : (step + 1) * count])
            first += count
        told = torch.from_numpy(levels(rng, len(x), clean, *noise))
        yield Batch(torch.from_numpy(shorten(x)).to(device), context={"noise": told.to(device)})


@torch.no_grad()
def forget(learned: Mapping[str, torch.Tensor], reference: SequenceVAE, share: float) -> None:
    """Takes weights a part of the way back to the pretrained ones, in place.

    What is learned of one round's elites fades as others take their place, and the model cannot drift away for good.
    Source: Li et al. 2018, "Explicit inductive bias for transfer learning with convolutional networks" (L2-SP), as a
    step of its own.

    Args:
        learned: names to weights of the model that learns.
    """
    pretrained = reference.state_dict()
    for name, value in learned.items():
        value.lerp_(pretrained[name], share)


@dataclass(frozen=True)
class HeldOutMolecules:
    """Molecules that no training has seen, and where an encoder puts them.

    In parts, the shortest first, so that little of a part is padding. They hold while the encoder is left alone.
    """

    tokens: Sequence[torch.Tensor]
    """(part, length) each"""
    latents: Sequence[torch.Tensor]
    """(part, latent) each: posterior means."""

    @classmethod
    def of(cls, vae: SequenceVAE, replay: Corpus, molecules: int = 500, parts: int = 4) -> HeldOutMolecules:
        """The first of the corpus' held-out rows."""
        rows = replay.held_out[:molecules]
        by_length = rows[np.argsort(replay.rows.lengths[rows], kind="stable")]
        pieces = [piece for piece in np.array_split(by_length, parts) if len(piece)]
        tokens = [torch.from_numpy(shorten(replay.rows.take(piece))).to(vae.device) for piece in pieces]
        return cls(tokens, ()).encoded_by(vae)

    @torch.no_grad()
    def encoded_by(self, vae: SequenceVAE) -> HeldOutMolecules:
        """The same molecules, where another encoder puts them."""
        return HeldOutMolecules(self.tokens, [vae.encode(x).mean for x in self.tokens])


@torch.no_grad()
def reconstruction(vae: SequenceVAE, held_out: HeldOutMolecules) -> float:
    """Share of held-out molecules that come back exactly from their posterior mean, decoded greedily."""
    parts = zip(held_out.latents, held_out.tokens, strict=True)
    return float(torch.cat([vae.likelihood.recovers(vae.decode_along(x, z), x) for z, x in parts]).float().mean())
