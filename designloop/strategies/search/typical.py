"""What a model was trained on molecules like: kept is what its anomaly score does not tell from the corpus.

The score of a molecule is minus the log-probability by which the model writes it from its own latent. It is compared
with the scores of molecules that were held out of the training: of molecules of their kind, a share that is said is
kept, whatever the model. Source: Bates et al. 2023, "Testing for outliers with conformal p-values".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from torch import Tensor

from designloop.molecules.errors import MoleculeError
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.records import Candidate
from designloop.strategies.archive.transcriber import Transcriber
from designloop.vae.anomaly import conformal_p_values, decoder_nll

HELD_OUT = 1000
"""Molecules of the corpus that others are compared with, at most."""

_ROUNDING = 1e-9
"""Of 1 - share: 1 - .9 is a little less than .1."""


@dataclass(frozen=True)
class Typical:
    """Keeps molecules that the model takes for its corpus'."""

    vae: SequenceVAE
    calibration: Tensor
    """(n,) scores of molecules that were held out of the model's training."""
    share: float
    """Of molecules like these, that are kept."""

    @classmethod
    def of_corpus(cls, vae: SequenceVAE, corpus: Corpus, share: float, rng: np.random.Generator) -> Self:
        """Compares with molecules that a corpus holds out.

        Raises:
            MoleculeError: they are so few that nothing could ever be told from them.
        """
        rows = rng.permutation(corpus.held_out)[:HELD_OUT]
        least = round(1 / (1 - share)) - 1
        if len(rows) < least:
            raise MoleculeError(
                f"the model's corpus holds out {len(rows)} molecules, expected at least {least} to tell what is "
                f"odder than {share:g} of them; lower strategy.regions.typical, or leave it out"
            )
        return cls(vae, _scores(vae, vae.codec.selfies_of(corpus.rows.take(rows))), share)

    def keeping(self, drawn: Sequence[Candidate]) -> list[Candidate]:
        """Those that are typical; what the model's alphabet cannot express is not."""
        members = [Transcriber(self.vae.codec).member(candidate) for candidate in drawn]
        written = [member.selfies for member in members if member is not None]
        if not written:
            return []
        chances = iter(conformal_p_values(_scores(self.vae, written), self.calibration).tolist())
        kept = [member is not None and next(chances) > 1 - self.share + _ROUNDING for member in members]
        return [candidate for candidate, stays in zip(drawn, kept, strict=True) if stays]


def _scores(vae: SequenceVAE, selfies: list[str]) -> Tensor:
    return decoder_nll(vae, vae.tokens(selfies)).cpu()
