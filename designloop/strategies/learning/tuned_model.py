"""A model that is fine-tuned round after round, and set back where that did it harm."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from designloop.molecules.sequence_vae import SequenceVAE
from designloop.records import State
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.learning.fine_tuning import FineTuner, HeldOutMolecules, forget, reconstruction
from designloop.vae.errors import VAEError

FEWEST = 20
"""Elites that are learned from; of fewer there is too little to learn."""


class TunedModel:
    """Learns from the elites, where fine-tuning has steps; otherwise it is the pretrained model.

    Args:
        seed: of the campaign.
        elites: what is learned from, of what was paid for.
        state: what an earlier model of this campaign gave.
    """

    def __init__(
        self, tuner: FineTuner, seed: int, elites: Callable[[Archive], list[Member]], state: State | None
    ) -> None:
        self.tuner, self._seed, self._elites = tuner, seed, elites
        self.held_out = HeldOutMolecules.of(tuner.reference, tuner.replay)
        self.model_round = 0
        """Number of the round whose learning the model has; 0 is the pretrained model."""
        if state is None:
            self.reconstruction = self.pretrained_reconstruction = reconstruction(tuner.reference, self.held_out)
            return
        self.model_round = int(state.data["model_round"])
        self.reconstruction = float(state.data["reconstruction"])
        self.pretrained_reconstruction = float(state.data["pretrained_reconstruction"])
        weights = {name: torch.from_numpy(np.array(w)).to(self.vae.device) for name, w in state.arrays.items()}
        self.vae.load_state_dict(weights, strict=False)

    @property
    def vae(self) -> SequenceVAE:
        """The model as it stands."""
        return self.tuner.vae

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Learns, where there is enough to learn from; tells how well the model reconstructs."""
        elites = self._elites(told_round.archive)
        metrics = {}
        if self.tuner.settings.learns_by() != "none" and len(elites) >= FEWEST:
            metrics = self._learn(elites, told_round.number)
        return {**metrics, "reconstruction": self.reconstruction}

    def _learn(self, elites: Sequence[Member], number: int) -> dict[str, float]:
        """Fine-tunes the model; undone where held-out reconstruction fell too far, or the loss stopped being finite."""
        settings = self.tuner.settings
        before = {name: value.clone() for name, value in self.learned().items()}
        try:
            forget(self.learned(), self.tuner.reference, 1 - settings.kept)
            metrics = self.tuner.learn(elites, self._seed, number)
            now = reconstruction(self.vae, self.held_out)
            keep = now >= self.pretrained_reconstruction - settings.tolerance
        except VAEError:
            metrics, now, keep = {}, 0.0, False
        if keep:
            self.model_round, self.reconstruction = number, now
        else:
            self.vae.load_state_dict(before, strict=False)
            metrics["reconstruction_rolled_back"] = now
        return {**metrics, "rolled_back": float(not keep)}

    def forget(self) -> None:
        """Sets the model back to the pretrained one."""
        forget(self.learned(), self.tuner.reference, 1.0)
        self.model_round, self.reconstruction = 0, self.pretrained_reconstruction

    def learned(self) -> dict[str, torch.Tensor]:
        """The weights that learning changes, by name."""
        weights = self.vae.state_dict().items()
        return {name: weight for name, weight in weights if name.startswith(("decoder.", "likelihood."))}

    def state(self) -> State:
        """Weights, where any were learned, and the model's health."""
        # Copies: what is learned later must not change a state that was given away.
        learned = self.learned() if self.model_round else {}
        data = {
            "model_round": self.model_round,
            "pretrained_reconstruction": self.pretrained_reconstruction,
            "reconstruction": self.reconstruction,
        }
        return State({name: weight.detach().cpu().numpy().copy() for name, weight in learned.items()}, data)
