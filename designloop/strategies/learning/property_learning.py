"""Fine-tuning by the property loss: every score, good and bad, is propagated back into decoder and likelihood.

What a call costs is fixed: so many updates for so many paid molecules, whatever the size of a round, and fewer and
fewer once a campaign is long. The encoder stays as it was pretrained, unless steps by the evidence, which come first,
are asked for. What the optimizer knows of the property loss' gradients goes on from round to round: it is the running
mean of their squares alone, without momentum, which would be as large again to keep.
Sources: Venkatraman et al. 2024 (the loss); Kim et al. 2024, "Genetic-guided GFlowNets for sample efficient molecular
optimization" (replay by rank, many small updates).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from designloop.molecules.pretrain import precision
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.randomness import generators_of
from designloop.records import State
from designloop.strategies.archive.archive import Archive
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.learning.diversity import ScaffoldsDrawn, crowding_of
from designloop.strategies.learning.evidence import Breed, EvidenceSteps
from designloop.strategies.learning.fine_tuning import HeldOutMolecules, forget, reconstruction
from designloop.strategies.learning.groups import GROUP, SCORE, GroupedReplay
from designloop.strategies.learning.replay import Reader, Replay, Worth
from designloop.strategies.learning.settings import PropertyLearning
from designloop.vae.errors import VAEError
from designloop.vae.training.fit import Step, fit
from designloop.vae.training.losses import PropertyLoss

FEWEST = 20
"""Paid molecules that are learned from; of fewer there is too little to learn."""

_ENCODER = "encoder."

_FULL = 3
"""Times fewer steps by the evidence once the replay is full: a long campaign pays less for each call."""

_BACK = 0.25
"""Share of the way back to the pretrained weights that is gone where the model reconstructs too badly."""

_HELD_OUT = 100
"""Molecules that watch over the reconstruction: what they cost is paid each time the model learns."""

_KERNELS = 64
"""Compiled kernels that oneDNN keeps: those of a step are some twenty."""


def bound_kernels() -> None:
    """Bounds the kernels that oneDNN keeps, unless the user has: one for each shape of a batch, some MB each.

    Its own bound is 1,024, which is a gigabyte in a long campaign. It is read once, when the first kernel is made.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(_KERNELS))


class PropertyLearner:
    """Learns from what was paid for.

    Args:
        vae: learns in place.
        reference: the frozen pretrained model.
        corpus: of the model; its held-out rows watch over the reconstruction.
        reader: of paid molecules.
        drawn: what the model writes from its prior, as it learns.
        breeders: make kin of paid molecules, free ones that the model learns to give back.
        share: of its thought that a campaign spends now; the less it is, the less each molecule is learned from.
        worth: of desirabilities, where trade-offs are sought; None: scores are what counts.
        seed: of the campaign.
        state: what an earlier learner of this campaign gave.
    """

    def __init__(
        self,
        vae: SequenceVAE,
        reference: SequenceVAE,
        corpus: Corpus,
        settings: PropertyLearning,
        *,
        reader: Reader,
        drawn: ScaffoldsDrawn,
        breeders: Sequence[Breed] = (),
        share: Callable[[Archive], float] = lambda archive: 1.0,
        worth: Worth | None = None,
        seed: int,
        state: State | None = None,
    ) -> None:
        bound_kernels()
        self.vae, self.reference, self.settings = vae, reference, settings
        self._reader, self._drawn, self._share, self._seed = reader, drawn, share, seed
        self.loss = PropertyLoss(reference, SCORE, settings.scale, group=GROUP)
        self.held_out = HeldOutMolecules.of(reference, corpus, _HELD_OUT, parts=2)
        self.replay = Replay(limit=settings.replay, worth=worth)
        self.model_round = 0
        """Number of the round whose learning the model has; 0 is the pretrained model."""
        self.waiting = 0
        """Molecules that were told since the last update."""
        vae.encoder.requires_grad_(False)
        self._evidence = EvidenceSteps(vae, corpus, breeders)
        scored = [weight for name, weight in self.learned().items() if not name.startswith(_ENCODER)]
        self.optimizer = torch.optim.Adam(scored, lr=settings.learning_rate, betas=(0.0, 0.99))
        if state is None:
            self.reconstruction = self.pretrained_reconstruction = reconstruction(reference, self.held_out)
        else:
            self._go_on(state)

    def learn(self, told_round: ToldRound) -> Mapping[str, float]:
        """Takes the round's molecules in, and learns where enough of them wait; tells how the model reconstructs."""
        if not self.model_round and not len(self.replay):
            # Of a campaign that was begun before it learned this way, or is told its first round.
            self.replay = self.replay.add(self._reader.members(told_round.before.members, self._seed, "before"))
        elif self.replay.lacks_goals:  # of a campaign that was begun when none were kept
            self.replay = self.replay.with_goals(self._reader.goals_of(told_round.before.members))
        new = self._reader.read(told_round.news, self._seed, told_round.number, "origins")
        withdrawn = {row.smiles for row in told_round.failed}  # they may have had a score before
        self.replay = self.replay.without(withdrawn).add(new)
        self.waiting += len(new)
        metrics = {}
        every = int(self.settings.every / self._share(told_round.archive))
        if self.waiting >= every and len(self.replay) >= FEWEST:
            blocks, self.waiting = divmod(self.waiting, every)
            metrics = self._learn(blocks, told_round.number)
        return {**metrics, "reconstruction": self.reconstruction}

    def _learn(self, blocks: int, number: int) -> dict[str, float]:
        """So many blocks of updates; undone where a loss is not finite, softened where the model reconstructs badly."""
        noted: dict[str, list[float]] = {"learn_property_loss": [], "learn_nats": []}

        def note(step: Step) -> None:
            noted["learn_property_loss"].append(step.terms["propertyloss"])
            noted["learn_nats"].append(-step.log_prob)

        before = self._arrays()
        rng = generators_of(self.vae.device, self._seed, number, "learn")
        crowding, metrics = self._crowding(number)
        grouped = GroupedReplay(self.replay, self.settings, self._drawn.noise, crowding)
        fast = precision(self.vae.device) if self.settings.precision == "fastest" else None
        try:
            if steps := self._evidence_steps(blocks):
                evidence_rng = generators_of(self.vae.device, self._seed, number, "evidence")
                metrics["learn_evidence_nats"] = self._evidence(self.replay, steps, evidence_rng, fast)
            fit(
                self.vae,
                self.loss,
                grouped.batches(self.vae, blocks * self.settings.updates, rng),
                self.optimizer,
                generator=rng.torch,
                precision=fast,
                on_step=note,
            )
        except VAEError:
            self._load(before)
            return {**metrics, "rolled_back": 1.0}
        # Where the encoder stays as it was, it puts them where it did.
        held_out = self.held_out.encoded_by(self.vae) if self.settings.evidence else self.held_out
        self.model_round, self.reconstruction = number, reconstruction(self.vae, held_out)
        too_bad = self.reconstruction < self.pretrained_reconstruction - self.settings.tolerance
        if too_bad:
            forget({name: weight.detach() for name, weight in self.learned().items()}, self.reference, _BACK)
        metrics |= {name: float(np.mean(values)) for name, values in noted.items()}
        return {**metrics, "rolled_back": 0.0, "pulled_back": float(too_bad)}

    def _evidence_steps(self, blocks: int) -> int:
        """Steps by the evidence for so many blocks; fewer once the replay is full, as a search then moves on less."""
        full = len(self.replay) >= self.settings.replay
        return max(blocks * self.settings.evidence // (_FULL if full else 1), min(self.settings.evidence, 1))

    def _crowding(self, number: int) -> tuple[dict[str, float], dict[str, float]]:
        """Scaffold -> nats that it is worth less, by the model's draws; and what they show, for the round's metrics."""
        settings = self.settings
        if not settings.crowding:
            return {}, {}
        scaffolds = self._drawn.draw(generators_of(self.vae.device, self._seed, number, "crowding"))
        crowding = crowding_of(scaffolds, settings.per_scaffold, settings.crowding)
        return crowding, {"prior_scaffolds": len(set(scaffolds)) / max(len(scaffolds), 1)}

    def forget(self) -> None:
        """Sets the model back to the pretrained one; nothing is left of what it learned from."""
        forget({name: weight.detach() for name, weight in self.learned().items()}, self.reference, 1.0)
        self.optimizer.state.clear()
        self.replay = replace(self.replay, rows=())
        self.model_round = self.waiting = 0
        self.reconstruction = self.pretrained_reconstruction

    def learned(self) -> dict[str, nn.Parameter]:
        """The weights that learning changes, by name."""
        learned = ("decoder.", "likelihood.", *([_ENCODER] if self.settings.evidence else []))
        return {name: weight for name, weight in self.vae.named_parameters() if name.startswith(learned)}

    # ---- state

    def state(self) -> State:
        """The molecules; weights and mean squares of gradients, where anything was learned; the model's health."""
        replay = self.replay.state()
        arrays = {f"replay/{name}": array for name, array in replay.arrays.items()}
        data = {
            "replay": replay.data,
            "model_round": self.model_round,
            "waiting": self.waiting,
            "updates": self._updates(),
            "pretrained_reconstruction": self.pretrained_reconstruction,
            "reconstruction": self.reconstruction,
        }
        return State({**arrays, **(self._arrays() if self.model_round else {})}, data)

    def _updates(self) -> int:
        """How many the optimizer has made."""
        slots = self.optimizer.state.values()
        return max((int(slot["step"]) for slot in slots), default=0)

    def _arrays(self) -> dict[str, np.ndarray]:
        """Weights and mean squares of gradients, as copies."""
        arrays = {}
        for name, weight in self.learned().items():
            arrays[f"weights/{name}"] = weight.detach().cpu().numpy().copy()
            if slot := self.optimizer.state.get(weight):
                arrays[f"squares/{name}"] = slot["exp_avg_sq"].cpu().numpy().copy()
        return arrays

    def _load(self, arrays: Mapping[str, np.ndarray], updates: int | None = None) -> None:
        """Takes up what ``_arrays`` gave; without a number of updates the optimizer's own stays."""
        count = self._updates() if updates is None else updates
        self.optimizer.state.clear()
        for name, weight in self.learned().items():
            with torch.no_grad():
                weight.copy_(torch.from_numpy(np.array(arrays[f"weights/{name}"])))
            if (squares := arrays.get(f"squares/{name}")) is not None:
                self.optimizer.state[weight] = {
                    "step": torch.tensor(float(count)),
                    "exp_avg": torch.zeros_like(weight),  # momentum is off: it is the next gradient, whatever it was
                    "exp_avg_sq": torch.from_numpy(np.array(squares)).to(weight),
                }

    def _go_on(self, state: State) -> None:
        replay = {name.removeprefix("replay/"): a for name, a in state.arrays.items() if name.startswith("replay/")}
        self.replay = Replay.of_state(State(replay, state.data["replay"]), self.settings.replay, self.replay.worth)
        self.model_round, self.waiting = int(state.data["model_round"]), int(state.data["waiting"])
        self.reconstruction = float(state.data["reconstruction"])
        self.pretrained_reconstruction = float(state.data["pretrained_reconstruction"])
        if self.model_round:
            self._load(state.arrays, int(state.data["updates"]))
