"""The pretrained model that a campaign names, and what it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from designloop.loop.campaign.campaign import Campaign

if TYPE_CHECKING:
    from designloop.molecules.codec import Codec
    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.molecules.training_corpus import Corpus


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
        from designloop.molecules.sequence_vae import codec_of

        return codec_of(self.model)

    def draws(self, n: int, seed: int) -> list[str]:
        """(n,) SMILES drawn from the prior as the model writes them, repetitions kept; the same for the same seed."""
        from designloop.randomness import torch_generator

        model = self.load()
        generator = torch_generator(model.device, seed, "draws")
        found: list[str] = []
        while len(found) < n:  # a draw may hold no atom at all
            drawn = map(model.codec.to_smiles, model.draw(n - len(found), generator))
            found += [smiles for smiles in drawn if smiles is not None]
        return found

    def replay(self) -> Corpus:
        """The rows that the model was trained on, and those held out from them."""
        from designloop.molecules.training_corpus import Corpus

        return Corpus.of_model(self.model)
