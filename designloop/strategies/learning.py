"""Reward-weighted fine-tuning of the sequence VAE on the best molecules so far.

A step sees elites, drawn by rank, and as many molecules of the model's own training corpus; the loss is their ELBO
plus a KL to the pretrained model. The encoder stays as it was pretrained, so latents keep their meaning from round to
round.
Source: Tripp et al. 2020 (weighted retraining).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from designloop.molecules.pretrain import levels
from designloop.molecules.sequence_vae import shorten
from designloop.randomness import rng_of, torch_generator
from designloop.strategies.proposers import Elite, pick
from designloop.vae.fit import Batch, Step, fit
from designloop.vae.losses import ELBO, ReferenceKL

if TYPE_CHECKING:
    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.molecules.training_corpus import Corpus
    from designloop.strategies.property_loss import Learning


def fine_tune(
    vae: SequenceVAE,
    reference: SequenceVAE,
    elites: Sequence[Elite],
    replay: Corpus,
    how: Learning,
    seed: int,
    told: int,
) -> dict[str, float]:
    """Trains decoder and likelihood of ``vae`` in place; gives the mean −log p and the KL, in nats.

    Args:
        reference: the frozen pretrained model.
        elites: sorted best first.
        seed, told: of the campaign, and the number of the round; all randomness follows from them.
    """
    half = how.batch // 2
    vae.encoder.requires_grad_(False)
    trained = [*vae.decoder.parameters(), *vae.likelihood.parameters()]
    optimizer = torch.optim.Adam(trained, lr=how.learning_rate, betas=(0.9, 0.98))
    seen: dict[str, list[float]] = {"learn_nats": [], "learn_kl_to_pretrained": []}

    def stream() -> Iterator[Batch]:
        rng = rng_of(seed, told, "learn")
        best = vae.codec.pad([vae.codec.tokens(one.selfies) for one in elites])
        own = best[pick(rng, elites, half * how.steps)]
        old = replay.rows.take(rng.choice(replay.train, half * how.steps))
        # Each step sees rows of about one length, of both kinds, so that little of it is padding.
        own, old = (rows[np.argsort((rows != 0).sum(1), kind="stable")] for rows in (own, old))
        for step in rng.permutation(how.steps):
            part = slice(step * half, (step + 1) * half)
            x = np.zeros((2 * half, max(own.shape[1], old.shape[1])), dtype=np.int64)
            x[:half, : own.shape[1]] = own[part]
            x[half:, : old.shape[1]] = old[part]
            noise = levels(rng, 2 * half, how.clean, *how.noise)
            yield Batch(
                torch.from_numpy(shorten(x)).to(vae.device), context={"noise": torch.from_numpy(noise).to(vae.device)}
            )

    def note(step: Step) -> None:
        seen["learn_nats"].append(-step.log_prob)
        seen["learn_kl_to_pretrained"].append(step.terms["referencekl"])

    # The first rows are elites drawn at random, so a third of them estimates the KL as well, at a third of its cost.
    loss = ELBO(beta=0.0) + how.kl_weight * ReferenceKL(reference, rows=max(half // 3, 1))
    fit(
        vae,
        loss,
        stream(),
        optimizer,
        generator=torch_generator(vae.device, seed, told, "learn"),
        on_step=note,
    )
    return {name: float(np.mean(values)) for name, values in seen.items() if values}


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
    """Molecules that no training has seen, and where the encoder puts them.

    In parts, the shortest first, so that little of a part is padding. Fine-tuning leaves the encoder alone: they hold
    for a whole campaign.
    """

    tokens: Sequence[torch.Tensor]
    """(part, length) each"""
    latents: Sequence[torch.Tensor]
    """(part, latent) each: posterior means."""

    @classmethod
    @torch.no_grad()
    def of(cls, vae: SequenceVAE, replay: Corpus, molecules: int = 500, parts: int = 4) -> HeldOutMolecules:
        """The first of the corpus' held-out rows."""
        rows = replay.held_out[:molecules]
        by_length = rows[np.argsort(replay.rows.lengths[rows], kind="stable")]
        cut = [one for one in np.array_split(by_length, parts) if len(one)]
        tokens = [torch.from_numpy(shorten(replay.rows.take(one))).to(vae.device) for one in cut]
        return cls(tokens, [vae.encode(one).mean for one in tokens])


@torch.no_grad()
def reconstruction(vae: SequenceVAE, held_out: HeldOutMolecules) -> float:
    """Share of held-out molecules that come back exactly from their posterior mean, decoded greedily."""
    parts = zip(held_out.latents, held_out.tokens, strict=True)
    return float(torch.cat([vae.likelihood.recovers(vae.decode_along(x, z), x) for z, x in parts]).float().mean())
