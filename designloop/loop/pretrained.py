"""The pretrained model that a campaign names, and what it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from designloop.loop.campaign import Campaign

if TYPE_CHECKING:
    from designloop.molecules.codec import Codec
    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.strategies.learning import Replay


@dataclass(frozen=True)
class Pretrained:
    """A model by name or path; torch is loaded when something of it is first asked for."""

    model: str
    """A shipped model by name, or a file by its absolute path."""
    device: str = "cpu"
    """``cpu``, ``cuda``, or ``auto`` for a GPU where there is one."""

    @classmethod
    def of(cls, campaign: Campaign) -> Pretrained:
        """The campaign's."""
        return cls(campaign.model_file, campaign.device)

    def load(self) -> SequenceVAE:
        """A new object with the pretrained weights.

        Raises:
            MoleculeError: no such model.
        """
        import torch

        from designloop.molecules.sequence_vae import load

        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        return load(self.model, device)

    def codec(self) -> Codec:
        """The alphabet that is frozen with the model."""
        from safetensors import safe_open

        from designloop.molecules.codec import Codec
        from designloop.molecules.sequence_vae import find

        with safe_open(find(self.model), framework="np") as file:
            return Codec.from_json(file.metadata()["codec"])

    def replay(self) -> Replay:
        """The rows that the model was trained on, and those held out from them."""
        from designloop.molecules.corpus import held_out_rows, training_rows, zinc_tokens
        from designloop.strategies.learning import Replay

        return Replay(zinc_tokens(), np.asarray(training_rows()), np.asarray(held_out_rows()))
