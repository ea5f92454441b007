"""Teaching the model where the search is, by the evidence: encoder and decoder learn to give its molecules back.

A search leaves the corpus: what it comes by is longer and stranger than what the model was pretrained on, and the
posterior of a molecule that the model cannot write again is a posterior around another one. A batch is in equal parts
molecules that were paid for; their kin, free children by genetic steps that need no score, so that the model learns the
neighbourhood and not a list; and molecules of the corpus, which are not to be forgotten.
Source: Maus et al. 2022, "Local latent space Bayesian optimization over structured inputs" (joint learning).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from designloop.molecules.radicals import has_radical
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.randomness import Generators
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member, draw_by_rank, parents_by_rank
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.learning.fine_tuning import mixed_batches
from designloop.strategies.learning.replay import Replay
from designloop.vae.training.batches import Batch
from designloop.vae.training.fit import fit
from designloop.vae.training.losses import ELBO, Loss

Breed = Callable[[Sequence[Member], int, Generators], Sequence[Candidate]]
"""(parents, children wanted, randomness) -> free children: what a proposer's ``propose`` is."""

PART = 16
"""Molecules of a step that were paid for; as many of their kin, and as many of the corpus."""

_BETA = 0.02
"""Weight of the KL, that of the end of the pretraining."""

_CLEAN, _NOISE = 0.4, (0.1, 0.8)
"""Share of rows at noise level 0, and the range of the others' levels, log-uniform: near the molecules alone, for what
is written at high noise has learned from the scores, and is not to be drawn back to what is common."""

_RATE = 3e-4
"""Length of a step (Adam)."""


@dataclass(frozen=True)
class EvidenceSteps:
    """Gradient steps by the ELBO."""

    vae: SequenceVAE
    """Learns in place."""
    corpus: Corpus
    """What the model was pretrained on."""
    breeders: Sequence[Breed]
    """Make kin of what was paid for, each as much; none: paid molecules stand in their place."""

    def __call__(self, replay: Replay, steps: int, rng: Generators, precision: torch.dtype | None) -> float:
        """Makes so many steps; gives the mean −log p(x | z) of their molecules, in nats.

        Raises:
            VAEError: the loss stopped being finite.
        """
        # Made anew each time: its second moments would be as large as the weights to keep, and a few steps find them.
        optimizer = torch.optim.Adam(self.vae.parameters(), lr=_RATE, betas=(0.9, 0.98))
        noted: list[float] = []
        self.vae.encoder.requires_grad_(True)
        try:
            fit(
                self.vae,
                Loss([(1.0, ELBO(_BETA))]),
                self.batches(replay, steps, rng),
                optimizer,
                generator=rng.torch,
                clip=1.0,
                precision=precision,
                on_step=lambda step: noted.append(-step.log_prob),
            )
        finally:
            self.vae.encoder.requires_grad_(False)
        return float(np.mean(noted))

    def batches(self, replay: Replay, steps: int, rng: Generators) -> Iterator[Batch]:
        """One a step."""
        codec, n = self.vae.codec, PART * steps
        order = np.argsort(-replay.scores, kind="stable")
        best_first = [replay.rows[place] for place in order]
        members = [Member(row.smiles, row.selfies, row.score) for row in best_first]
        paid = [codec.tokens(members[place].selfies) for place in draw_by_rank(rng.numpy, members, n)]
        kin = self._kin(members, n, rng)
        kin += paid[: n - len(kin)]
        old = self.corpus.rows.take(rng.numpy.choice(self.corpus.train, n))
        kinds = (codec.pad(paid), codec.pad(kin[:n]), old)
        yield from mixed_batches(kinds, steps, rng.numpy, _CLEAN, _NOISE, self.vae.device)

    def _kin(self, members: Sequence[Member], n: int, rng: Generators) -> list[np.ndarray]:
        """Tokens of at most ``n`` children of members, sorted best first, that the model can write."""
        each = -(-n // max(len(self.breeders), 1))
        transcriber, rows = Transcriber(self.vae.codec), list[np.ndarray]()
        for breed in self.breeders:
            for child in breed(parents_by_rank(rng.numpy, members, each), each, rng):
                written = None if has_radical(child.smiles) else transcriber.member(child)
                if written is not None:
                    rows.append(self.vae.codec.tokens(written.selfies))
        return rows
