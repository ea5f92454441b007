"""Draws of a model while its campaign teaches it, scored outside: the campaign is told nothing of them.

The control is the same model, taught by the same learner with the same molecules in the same rounds and the same
random numbers, of which nothing differs but that the scores are permuted among the molecules.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from designloop import api
from designloop.benchmarks.common.trials import TrialResult
from designloop.benchmarks.pmo.arms import run_ours
from designloop.benchmarks.pmo.tasks import oracle_of
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.pretrained import Pretrained
from designloop.loop.progress import Progress
from designloop.molecules.chemistry import scaffold, standard_forms
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.randomness import generators_of, rng_of
from designloop.records import Candidate, Evaluation, Scored, State
from designloop.strategies.archive.archive import LIMIT, Archive
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.learning.diversity import ScaffoldsDrawn
from designloop.strategies.learning.property_learning import PropertyLearner
from designloop.strategies.learning.replay import PaidMolecule, Reader, Replay
from designloop.strategies.property_loss import Settings
from designloop.strategies.proposers.latents import PriorDraws
from designloop.strategies.search.saved import Saved
from designloop.tables.files import state_files
from designloop.tables.manifest import round_numbers
from designloop.tables.state_files import state_from

_BLOCKS = 20
"""Times that so many are drawn, at most: what repeats itself so much has fewer distinct ones."""

Measured = Mapping[str, float]
"""What is told of draws: how many are ``distinct``, their ``mean`` score, ``scaffolds``, the share that is ``new``."""


def run_drawn(
    task: str, file: Path, overrides: Mapping[str, Any], folder: Path, *, draws: int, parts: int
) -> TrialResult:
    """Runs a campaign, or goes on with it, and judges its model's draws and the control's.

    Args:
        task: whose oracle scores the draws.
        file: of the campaign.
        overrides: of its keys.
        folder: of the trial.
        draws: distinct molecules of which a model is judged.
        parts: of the budget, after each of which it is.
    Raises:
        InputError: the campaign pays for more molecules than its learner replays: what it learned from is not kept.
    """
    campaign = api.load_campaign(file, {**overrides, "output": str(folder / "campaign")})
    calls, settings = campaign.budget.oracle_calls, settings_of(campaign)
    if calls > settings.learning.property.replay:
        raise api.InputError(
            f"found {calls} calls, expected at most {settings.learning.property.replay}: the learner replays no more "
            "molecules, and the control learns from those that are replayed. Give fewer --calls"
        )
    judge = RawDraws(task, campaign, folder, draws=draws, parts=parts)
    judge.catch_up()
    result = run_ours(file, overrides, folder, on_round=judge.after_round)
    return {**result, "further": {"draws": judge.to_the_end(), "permuted": judge.of_the_control()}}


def settings_of(campaign: Campaign) -> Settings:
    """The settings of a campaign's strategy, which is ``property_loss``.

    Raises:
        InputError: it is another one.
    """
    settings = campaign.strategy.settings
    if not isinstance(settings, Settings):
        raise api.InputError(f"found the strategy {campaign.strategy.name}, expected property_loss: its model learns")
    return settings


class RawDraws:
    """The draws of a campaign's model, and of the control's, after each part of the budget.

    Args:
        task: whose oracle scores the draws.
        campaign: pays for molecules, begun or not.
        folder: where what was measured is kept, a file a part.
        draws: distinct molecules of which a model is judged.
        parts: of the budget.
    """

    def __init__(self, task: str, campaign: Campaign, folder: Path, *, draws: int, parts: int) -> None:
        self._oracle, self._campaign, self._folder, self._draws = oracle_of(task), campaign, folder, draws
        calls = campaign.budget.oracle_calls
        self.marks = tuple(dict.fromkeys(calls * part // parts for part in range(parts + 1)))
        """Calls after which the model is judged; 0 is the pretrained one."""
        self._model = Pretrained.of(campaign)
        self._paid: list[str] = []

    def catch_up(self) -> None:
        """Judges the model where the campaign stands, in case it was interrupted after a round that is not judged."""
        if rows := self._rows():
            self._paid = [smiles for smiles, _ in rows]
        self._keep(last_state(self._campaign))

    def after_round(self, progress: Progress) -> None:
        """Judges the model after a round, where a part of the budget is spent by it."""
        self._paid += [row.smiles for row in progress.round.scored]
        self._keep(progress.round.state)

    def to_the_end(self) -> dict[str, Measured]:
        """Calls, as JSON has them -> what was measured, once the campaign has ended."""
        files = {mark: self._file(mark) for mark in self.marks}
        kept = {mark: json.loads(path.read_text(encoding="utf-8")) for mark, path in files.items() if path.is_file()}
        return self._carried(kept)

    def of_the_control(self) -> dict[str, Measured]:
        """The same of the control."""
        rows, replay = self._rows(), replayed(last_state(self._campaign))
        round_of = dict(rows)
        order = rng_of(self._campaign.seed, "permuted scores").permutation(len(replay))
        permuted = [replace(row, score=replay[other].score) for row, other in zip(replay, order, strict=True)]
        rounds = {number: [row for row in permuted if round_of[row.smiles] == number] for number in round_of.values()}
        kept = {self.marks[0]: self.measure(self._model.load(), ())}

        def judge(number: int, vae: SequenceVAE) -> None:
            paid = [smiles for smiles, of_round in rows if of_round <= number]
            if due := [mark for mark in self.marks if mark <= len(paid) and mark not in kept]:
                kept.update(dict.fromkeys(due, self.measure(vae, paid)))

        learn_again(self._campaign, rounds, judge)
        return self._carried(kept)

    def _carried(self, kept: Mapping[int, Measured]) -> dict[str, Measured]:
        """What was measured at every mark; where the campaign stopped before one, what was measured last."""
        return {str(mark): kept[max(own for own in kept if own <= mark)] for mark in self.marks}

    def measure(self, vae: SequenceVAE, paid: Collection[str]) -> Measured:
        """What is told of a model's draws from its prior, as the campaign draws; all models get the same latents.

        Args:
            paid: molecules that the campaign has paid for, which are not new.
        """
        settings, drawn = settings_of(self._campaign), dict[str, None]()
        prior = PriorDraws(lambda: vae, settings.prior_noise, settings.temperature)
        rng = generators_of(vae.device, self._campaign.seed, "raw draws")
        for _ in range(_BLOCKS):
            smiles = [candidate.smiles for candidate in prior.propose([], self._draws, rng)]
            drawn |= dict.fromkeys(form for form in standard_forms(smiles, self._campaign.standardize) if form)
            if len(drawn) >= self._draws:
                break
        molecules = list(drawn)[: self._draws]
        scores = self._oracle(molecules)
        return {
            "distinct": len(molecules),
            "mean": fmean(scores.get(smiles) or 0.0 for smiles in molecules),
            "scaffolds": len(set(map(scaffold, molecules))),
            "new": len(set(molecules).difference(paid)) / len(molecules),
        }

    def _keep(self, state: State | None) -> None:
        """Judges a model where that is due; the file is there whole or not at all."""
        due = [mark for mark in self.marks if mark <= len(self._paid) and not self._file(mark).is_file()]
        if not due:
            return
        vae = self._model.load()
        if state is not None:
            take_up(vae, state)
        text = json.dumps(self.measure(vae, self._paid))
        self._folder.mkdir(parents=True, exist_ok=True)
        for mark in due:
            temporary = self._file(mark).with_suffix(".tmp")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._file(mark))

    def _file(self, mark: int) -> Path:
        return self._folder / f"draws-{mark:05d}.json"

    def _rows(self) -> list[tuple[str, int]]:
        """(molecule, round) of all that was paid for, in turn."""
        if not round_numbers(self._campaign.output_folder):
            return []
        rows = api.open_candidates(self._campaign.output_folder).to_arrow()
        return list(zip(rows["smiles"].to_pylist(), rows["round"].to_pylist(), strict=True))


def last_state(campaign: Campaign) -> State | None:
    """The state that a campaign's last round left; None before the first."""
    if not (numbers := round_numbers(campaign.output_folder)):
        return None
    arrays, data = state_files(campaign.output_folder, numbers[-1])
    return state_from(arrays.read_bytes(), data.read_bytes())


@torch.no_grad()
def take_up(vae: SequenceVAE, state: State) -> None:
    """Gives a pretrained model the weights that its campaign's has; before it has learned they are the same."""
    weights = dict(vae.named_parameters())
    for name, array in _learner(state).arrays.items():
        if name.startswith("weights/"):
            weights[name.removeprefix("weights/")].copy_(torch.from_numpy(array))


def replayed(state: State | None) -> Sequence[PaidMolecule]:
    """The molecules that a campaign's model has learned from, in turn; none before its first round."""
    if state is None:
        return ()
    learner, prefix = _learner(state), "replay/"
    arrays = {name.removeprefix(prefix): a for name, a in learner.arrays.items() if name.startswith(prefix)}
    rows = learner.data["replay"]
    return Replay.of_state(State(arrays, rows), len(rows["rows"])).rows


def learn_again(
    campaign: Campaign,
    rounds: Mapping[int, Sequence[PaidMolecule]],
    after_round: Callable[[int, SequenceVAE], None],
) -> SequenceVAE:
    """Teaches the pretrained model what a campaign's learner was told, round by round; the model as it stands then.

    Args:
        rounds: number -> molecules, as they were replayed.
        after_round: called with the number and the model after each.
    """
    settings, model = settings_of(campaign), Pretrained.of(campaign)
    vae, learning = model.load(), settings.learning.property
    learner = PropertyLearner(
        vae,
        model.load(),
        model.replay(),
        learning,
        reader=Reader(vae, learning.noise, settings.refine),
        drawn=ScaffoldsDrawn(
            vae, settings.prior_noise, settings.temperature, partial(standard_forms, mode=campaign.standardize)
        ),
        seed=campaign.seed,
    )
    for number, molecules in rounds.items():
        scored = [_scored(molecule) for molecule in molecules]
        learner.learn(ToldRound(number, scored, scored, Archive(), Archive(), None))
        after_round(number, vae)
    return vae


def _learner(state: State) -> State:
    return Saved.read(state, LIMIT).parts["property"]


def _scored(molecule: PaidMolecule) -> Scored:
    """A replayed molecule as a learner is told it."""
    parents = (molecule.family,) if molecule.family else ()
    candidate = Candidate(molecule.smiles, "replayed", molecule.selfies, parents, origin=molecule.origin)
    return Scored(Evaluation(candidate, {}), {}, molecule.score)
