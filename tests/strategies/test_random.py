"""The control: draws from the prior, from ZINC or from a file, in an order that the seed and the round decide."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from designloop.molecules import corpus
from designloop.molecules.chemistry import standard_forms
from designloop.molecules.errors import MoleculeError
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.records import State
from designloop.strategies.base import CampaignView, StateError
from designloop.strategies.random import RandomDraws, Settings, build
from tests.tiny import tiny_corpus, tiny_vae


def strategy(
    source: str = "prior", seed: int = 0, state: State | None = None, folder: Path = Path(), skip_bad: bool = False
) -> RandomDraws:
    def load_model() -> SequenceVAE:
        assert source == "prior", "a model that is not needed is not loaded"
        return tiny_vae()

    campaign = CampaignView(
        seed=seed,
        allowed=list,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=load_model,
        load_replay=tiny_corpus,
        resolve=lambda path: str(folder / path),
    )
    return build(Settings(source=source, skip_bad=skip_bad), campaign, state)


def first(drawing: RandomDraws, n: int = 50) -> list[str]:
    return [candidate.smiles for candidate in islice(drawing.ask(8), n)]


def test_the_prior_is_drawn_without_end_and_marked() -> None:
    candidates = list(islice(strategy().ask(8), 100))
    assert len(candidates) == 100
    assert {candidate.proposer for candidate in candidates} == {"prior"}
    assert all(candidate.selfies and candidate.parents == () and candidate.model_round == 0 for candidate in candidates)


@pytest.mark.parametrize("source", ["prior", "zinc"])
def test_seed_and_round_decide(source: str) -> None:
    drawing = strategy(source)
    start = first(drawing)
    assert first(drawing) == start == first(strategy(source))
    assert first(strategy(source, seed=1)) != start
    assert drawing.tell([]) == {}
    later = first(drawing)
    assert later != start
    assert first(strategy(source, state=drawing.state())) == later


def test_a_file_is_drawn_once_each_and_relative_to_the_campaign(tmp_path: Path) -> None:
    (tmp_path / "mine.smi").write_text("CCO\nCCN\nCCC\n")
    candidates = list(strategy("mine.smi", folder=tmp_path).ask(8))
    assert sorted(candidate.smiles for candidate in candidates) == ["CCC", "CCN", "CCO"]
    assert {candidate.proposer for candidate in candidates} == {"file"}
    with pytest.raises(MoleculeError, match=r"gone\.smi is not a file"):
        strategy("gone.smi", folder=tmp_path)


def test_lines_of_a_file_that_hold_no_molecule_are_refused_or_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mine.smi").write_text("CCO\nnothing\nCCN\nC1CC\n")
    refused = r"mine\.smi: 2 lines hold no .*skip_bad: true\n.*mine\.smi:2: 'nothing'.*\n.*mine\.smi:4: 'C1CC'"
    with pytest.raises(MoleculeError, match=refused):
        strategy("mine.smi", folder=tmp_path)
    drawn = list(strategy("mine.smi", folder=tmp_path, skip_bad=True).ask(8))
    assert sorted(candidate.smiles for candidate in drawn) == ["CCN", "CCO"]
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("strategy.source: 2 entries that are no molecule left out (line 2: 'nothing', not a SMILES")
    assert "line 4: 'C1CC'" in line


def test_zinc_is_all_of_it() -> None:
    assert set(first(strategy("zinc"), 300_000)) == set(corpus.zinc())


def test_settings_refuse_what_they_do_not_know() -> None:
    assert Settings().source == "prior"
    for wrong in ({"noise": 0}, {"noise": 9}, {"name": "randomly"}, {"sauce": "zinc"}):
        with pytest.raises(ValueError, match="validation error"):
            Settings(**wrong)


@pytest.mark.parametrize("data", [{"round": 3}, {"version": 3, "rounds_seen": 1}])
def test_a_foreign_state_is_refused(data: dict[str, int]) -> None:
    with pytest.raises(StateError, match=r"expected rounds_seen in version 1 or 2: another strategy or a later"):
        strategy(state=State(data=data))


def test_a_state_of_version_1_goes_on() -> None:
    later = strategy()
    later.tell([])
    assert first(strategy(state=State(data={"told": 1}))) == first(later)
