"""Teaching the model what was paid for by the evidence: encoder and decoder learn to give those molecules back.

A search leaves the corpus: what it comes by is longer and stranger than what the model was pretrained on, and the
posterior of a molecule that the model cannot write again is a posterior around another one. The steps here see
molecules that were paid for, good and bad, and as a third of a batch molecules of the corpus, which they are not to
forget. Source: Maus et al. 2022, "Local latent space Bayesian optimization over structured inputs" (joint learning).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from designloop.molecules.pretrain import levels
from designloop.molecules.sequence_vae import SequenceVAE, shorten
from designloop.molecules.training_corpus import Corpus
from designloop.randomness import Generators
from designloop.strategies.archive.archive import rank_weights
from designloop.strategies.learning.replay import Replay
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO, Loss

BATCH = 48
"""Molecules of a step."""

_OLD = 1 / 3
"""Share of a batch that is the corpus'."""

_RANK = 0.1
"""How evenly paid molecules are drawn: the greater, the more evenly."""

_BETA = 0.02
"""Weight of the KL, that of the end of the pretraining."""

_CLEAN, _NOISE = 0.5, (0.1, 4.0)
"""Share of rows at noise level 0, and the range of the others' levels, log-uniform."""


@dataclass(frozen=True)
class EvidenceSteps:
    """Gradient steps by the ELBO."""

    vae: SequenceVAE
    """Learns in place."""
    corpus: Corpus
    """What the model was pretrained on."""
    learning_rate: float

    def __call__(self, replay: Replay, steps: int, rng: Generators, precision: torch.dtype | None) -> float:
        """Makes so many steps; gives the mean −log p(x | z) of their molecules, in nats.

        Raises:
            VAEError: the loss stopped being finite.
        """
        # Made anew each time: its second moments would be as large as the weights to keep, and a few steps find them.
        optimizer = torch.optim.Adam(self.vae.parameters(), lr=self.learning_rate, betas=(0.9, 0.98))
        noted: list[float] = []
        self.vae.encoder.requires_grad_(True)
        try:
            fit(
                self.vae,
                Loss([(1.0, ELBO(_BETA))]),
                self._batches(replay, steps, rng.numpy),
                optimizer,
                generator=rng.torch,
                clip=1.0,
                precision=precision,
                on_step=lambda step: noted.append(-step.log_prob),
            )
        finally:
            self.vae.encoder.requires_grad_(False)
        return float(np.mean(noted))

    def _batches(self, replay: Replay, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
        """One a step, rows of about one length in each, of both kinds, so that little of it is padding."""
        old_rows = round(_OLD * BATCH)
        new_rows = BATCH - old_rows
        order = np.argsort(-replay.scores, kind="stable")
        drawn = order[rng.choice(len(order), new_rows * steps, p=rank_weights(len(order), _RANK))]
        codec = self.vae.codec
        new = codec.pad([codec.tokens(replay.rows[place].selfies) for place in drawn])
        old = self.corpus.rows.take(rng.choice(self.corpus.train, old_rows * steps))
        new, old = (rows[np.argsort((rows != 0).sum(1), kind="stable")] for rows in (new, old))
        for step in rng.permutation(steps):
            x = np.zeros((BATCH, max(new.shape[1], old.shape[1])), dtype=np.int64)
            x[:new_rows, : new.shape[1]] = new[step * new_rows : (step + 1) * new_rows]
            x[new_rows:, : old.shape[1]] = old[step * old_rows : (step + 1) * old_rows]
            noise = torch.from_numpy(levels(rng, BATCH, _CLEAN, *_NOISE))
            yield Batch(
                torch.from_numpy(shorten(x)).to(self.vae.device), context={"noise": noise.to(self.vae.device)}
            )
