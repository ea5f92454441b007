"""Draws of a model as its campaign teaches it: of the campaign's own weights, and of a control's with other scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from designloop.api import InputError, load_campaign, open_candidates
from designloop.benchmarks import Options
from designloop.benchmarks.common.arms import overrides_of
from designloop.benchmarks.learning import raw_draws
from designloop.benchmarks.learning.arms import PROPERTY
from designloop.benchmarks.learning.raw_draws import RawDraws, last_state, learn_again, replayed, run_drawn, take_up
from designloop.benchmarks.pmo.tasks import oracle_of, write_campaign
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.pretrained import Pretrained
from designloop.molecules.chemistry import canonical, scaffold
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.strategies.archive.archive import LIMIT
from designloop.strategies.search.saved import Saved

TASK, CALLS, DRAWS, PARTS = "albuterol_similarity", 30, 12, 10

QUICK: dict[str, float] = {"every": 10, "updates": 1, "wide": 1, "families": 4, "learning_rate": 0.05}


@dataclass(frozen=True)
class Ended:
    """A campaign that has ended, and what its trial gave."""

    campaign: Campaign
    folder: Path
    result: Mapping[str, Any]

    @property
    def rounds(self) -> dict[str, int]:
        """Molecule -> round."""
        rows = open_candidates(self.campaign.output_folder).to_arrow()
        return dict(zip(rows["smiles"].to_pylist(), rows["round"].to_pylist(), strict=True))

    def judge(self, folder: Path | None = None) -> RawDraws:
        return RawDraws(TASK, self.campaign, folder or self.folder, draws=DRAWS, parts=PARTS)


def settings(model: str, **learning: float) -> dict[str, Any]:
    """Overrides of a short campaign of the arm."""
    strategy = PROPERTY.overrides["strategy"]
    strategy = {**strategy, "learning": {"loss": "property", "property": {**QUICK, **learning}}}
    overrides = overrides_of(Options(model=model))
    return {**overrides, "strategy": strategy, "seed": 3, "batch_size": 10, "budget.oracle_calls": CALLS}


@pytest.fixture(scope="module")
def ended(model: str, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    folder = tmp_path_factory.mktemp("trial")
    file = write_campaign(TASK, folder / "campaigns")
    result = run_drawn(TASK, file, settings(model), folder, draws=DRAWS, parts=PARTS)
    return Ended(load_campaign(file, {**settings(model), "output": str(folder / "campaign")}), folder, result)


def weights_of(vae: SequenceVAE) -> dict[str, np.ndarray]:
    return {name: weight.detach().numpy().copy() for name, weight in vae.named_parameters()}


def test_the_pretrained_model_is_judged_first_and_each_model_until_the_next_tenth(ended: Ended) -> None:
    draws = ended.result["further"]["draws"]
    assert list(draws) == list(ended.result["further"]["permuted"]) == [str(3 * part) for part in range(11)]
    # It learns after 20 and 30 calls; what is measured before is of the pretrained model, as is the control's.
    pretrained = ended.judge().measure(Pretrained.of(ended.campaign).load(), ())
    assert draws["0"] == ended.result["further"]["permuted"]["0"] == pretrained
    assert draws["18"] != draws["0"] or draws["30"] != draws["0"]
    assert len(ended.result["paid"]) == CALLS


def test_what_is_told_of_draws_is_so(ended: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    oracle, judge = oracle_of(TASK), ended.judge()

    def listened(smiles: list[str]) -> Mapping[str, float]:
        drawn.extend(smiles)
        return oracle(smiles)

    monkeypatch.setattr(judge, "_oracle", listened)
    vae = Pretrained.of(ended.campaign).load()
    measured = judge.measure(vae, ())
    assert len(drawn) == DRAWS
    assert drawn == list(dict.fromkeys(map(canonical, drawn)))
    assert measured["distinct"] == len(drawn) == DRAWS
    assert measured["mean"] == pytest.approx(fmean(oracle([smiles]).get(smiles, 0.0) for smiles in drawn))
    assert measured["scaffolds"] == len({scaffold(smiles) for smiles in drawn})
    assert (measured["new"], judge.measure(vae, drawn[:3])["new"]) == (1.0, (DRAWS - 3) / DRAWS)


def test_taught_again_with_its_own_scores_the_model_has_the_campaigns_very_weights(ended: Ended) -> None:
    state, rounds = last_state(ended.campaign), ended.rounds
    rows = replayed(state)
    assert state is not None
    scores = dict(ended.result["paid"])
    assert CALLS > len(rows) > CALLS / 2  # some the model cannot write
    assert [row.smiles for row in rows] == sorted((row.smiles for row in rows), key=list(scores).index)
    assert [row.score for row in rows] == [scores[row.smiles] for row in rows]
    seen: list[int] = []
    by_round = {number: [row for row in rows if rounds[row.smiles] == number] for number in rounds.values()}
    again = weights_of(learn_again(ended.campaign, by_round, lambda number, vae: seen.append(number)))
    kept = Pretrained.of(ended.campaign).load()
    pretrained = weights_of(kept)
    take_up(kept, state)
    own = weights_of(kept)
    assert seen == [1, 2, 3]
    assert all(np.array_equal(again[name], own[name]) for name in own)
    changed = {name.split(".")[0] for name in own if not np.array_equal(own[name], pretrained[name])}
    assert changed == {"decoder", "likelihood"}
    learner = Saved.read(state, LIMIT).parts["property"]
    assert {name for name in learner.arrays if name.startswith("weights/")} >= {
        f"weights/{name}" for name in own if name.startswith("decoder.")
    }


def test_the_control_learns_the_same_molecules_in_the_same_rounds_with_the_scores_of_others(
    ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught: dict[int, list[Any]] = {}
    monkeypatch.setattr(raw_draws, "learn_again", lambda campaign, rounds, after: taught.update(rounds))
    ended.judge().of_the_control()
    rows = [(number, row) for number, of_round in taught.items() for row in of_round]
    own = {row.smiles: row for row in replayed(last_state(ended.campaign))}
    assert {row.smiles: number for number, row in rows} == {smiles: ended.rounds[smiles] for smiles in own}
    assert sorted(row.score for _, row in rows) == sorted(row.score for row in own.values())
    assert [row.score for _, row in rows] != [own[row.smiles].score for _, row in rows]
    assert all(np.array_equal(row.origin.latent, own[row.smiles].origin.latent) for _, row in rows)


def test_a_campaign_that_was_interrupted_before_a_model_was_judged_is_judged_where_it_stands(
    ended: Ended, tmp_path: Path
) -> None:
    for mark in (0, 15):
        (tmp_path / f"draws-{mark:05d}.json").write_text('{"mean": 0.125}')
    judge = ended.judge(tmp_path)
    judge.catch_up()
    measured = ended.result["further"]["draws"]["30"]
    assert json.loads((tmp_path / "draws-00030.json").read_text()) == measured
    told = judge.to_the_end()
    assert (told["0"], told["15"], told["30"]) == ({"mean": 0.125}, {"mean": 0.125}, measured)


def test_after_an_early_stop_the_last_model_counts(ended: Ended, tmp_path: Path) -> None:
    (tmp_path / "draws-00000.json").write_text('{"mean": 0.25}')
    (tmp_path / "draws-00009.json").write_text('{"mean": 0.5}')
    told = ended.judge(tmp_path).to_the_end()
    assert [of["mean"] for of in told.values()] == [0.25] * 3 + [0.5] * 8


def test_more_calls_than_are_replayed_are_refused(model: str, tmp_path: Path) -> None:
    file = write_campaign(TASK, tmp_path)
    with pytest.raises(InputError, match="found 30 calls, expected at most 25: the learner replays no more"):
        run_drawn(TASK, file, settings(model, replay=25), tmp_path, draws=DRAWS, parts=PARTS)
    other = {**settings(model), "strategy": {"name": "random"}}
    with pytest.raises(InputError, match="found the strategy random, expected property_loss"):
        run_drawn(TASK, file, other, tmp_path, draws=DRAWS, parts=PARTS)
    assert not (tmp_path / "campaign").exists()
