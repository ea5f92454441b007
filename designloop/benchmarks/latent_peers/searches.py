"""The peers, behind the door: TuRBO in the latents of the pretrained model, and LOL-BO, whose model learns with it.

Both begin with the starting molecules, which are charged, encoded and refined, and decode greedily. What does not
decode to a molecule, and what was paid for before, is free, and the process learns the latter's place all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import Tensor

from designloop.benchmarks.common.turbo import Rules, Turbo
from designloop.benchmarks.latent_peers.cube import LatentCube
from designloop.benchmarks.latent_peers.joint import JointSettings, train_together
from designloop.benchmarks.pmo.door import BudgetSpent, Door
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus
from designloop.randomness import seed_of

MOST_IDLE = 200
"""Batches one after the other that cost nothing, after which all within reach is taken to be paid for."""

Search = Callable[[Door, Sequence[str], SequenceVAE, Corpus, int], None]
"""(door, starting molecules, pretrained model, its corpus, seed): spends the door's budget; the model may learn."""


@dataclass(frozen=True)
class TurboL:
    """TuRBO-L: the model stays as it was pretrained."""

    noise: float = 0.0
    """Level that the decoder is told. Without any, far more molecules come back from their own latents, and on other
    tasks the search is no worse than with some."""
    every: bool = False
    """Whether all coordinates of the latent are searched, used or not."""
    rules: Rules = field(default_factory=Rules)

    def __call__(self, door: Door, start: Sequence[str], vae: SequenceVAE, corpus: Corpus, seed: int) -> None:
        """Spends the door's budget; an interrupted search is replayed, its paid molecules known."""
        search(door, start, LatentCube.of(vae, self.noise, self.every), self.rules, seed)


@dataclass(frozen=True)
class LolBo:
    """LOL-BO: TuRBO-L, and every few failures model and surrogate are trained together and all is encoded anew."""

    turbo: TurboL = field(default_factory=TurboL)
    joint: JointSettings = field(default_factory=JointSettings)

    def __call__(self, door: Door, start: Sequence[str], vae: SequenceVAE, corpus: Corpus, seed: int) -> None:
        """Spends the door's budget, as ``TurboL`` does."""
        cube = LatentCube.of(vae, self.turbo.noise, self.turbo.every)

        def learn(scores: dict[str, float], batches: int) -> None:
            train_together(cube, scores, corpus, self.joint, seed, batches)

        search(door, start, cube, self.turbo.rules, seed, Learning(learn, self.joint.failures))


@dataclass(frozen=True)
class Learning:
    """What changes a cube's model in mid-course, and when."""

    learn: Callable[[dict[str, float], int], None]
    """(all scores, batches so far) -> nothing."""
    failures: int
    """Batches without a new best, since the last time or the last new best, after which it does."""


def search(
    door: Door, start: Sequence[str], cube: LatentCube, rules: Rules, seed: int, learning: Learning | None = None
) -> None:
    """Spends the door's budget by TuRBO in a cube of latents, the starting molecules first.

    Args:
        learning: where the model has learned, all that was paid for is encoded anew.

    Raises:
        ValueError: the rules forget what was paid for, whose latents are kept here.
    """
    if rules.restart:
        raise ValueError(f"found restart {rules.restart} among the rules of TuRBO in latents, expected 0; change it")
    with suppress(BudgetSpent):
        door(start)
        scores = cube.expressed(door.paid)
        latents = cube.encode(list(scores))
        turbo = Turbo(cube.points(latents), _values(scores.values()), rules, seed_of(seed, "turbo"))
        idle = failures = 0
        while door.left and idle < MOST_IDLE:
            before = len(door.paid)
            drawn = cube.place(turbo.ask(), latents[turbo.centre])
            molecules = cube.decode(drawn)
            whole = [row for row, text in enumerate(molecules) if text is not None]
            answers = door([text for text in molecules if text is not None])
            known = [(row, score) for row, score in zip(whole, answers, strict=True) if score is not None]
            drawn = drawn[[row for row, _ in known]]
            latents = torch.cat([latents, drawn])
            success = turbo.tell(cube.points(drawn), _values(score for _, score in known))
            idle = 0 if len(door.paid) > before else idle + 1
            failures = 0 if success else failures + 1
            if learning is not None and failures == learning.failures:
                failures, scores = 0, cube.expressed(door.paid)
                learning.learn(scores, turbo.batches)
                latents = cube.encode(list(scores))
                turbo.replace(cube.points(latents), _values(scores.values()))


def _values(scores: Iterable[float]) -> Tensor:
    return torch.tensor(list(scores), dtype=torch.double)
