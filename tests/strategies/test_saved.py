"""States of a search: written and read, those of version 1 gone on from, others refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

from designloop.exit_codes import BAD_INPUT, exit_code
from designloop.molecules.chemistry import standard_forms
from designloop.records import Candidate, Evaluation, Scored, State
from designloop.strategies import base
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import CampaignView, StateError
from designloop.strategies.search.machine import Search
from designloop.strategies.search.saved import Saved
from designloop.testing.rehearsal import same_state, through_files
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

SETTINGS: dict[str, dict[str, Any]] = {
    "property_loss": {
        "surrogate": "composite",
        "restart_after": 0,  # as it was before there was the setting
        "generations": 2,
        "learning": {"loss": "likelihood", "steps": 2, "batch": 8},
    },
    "latent_bo": {"dimensions": 4, "effort": "low", "screen": False},
}


def strategy(name: str, state: State | None = None) -> Search:
    view = CampaignView(
        seed=3,
        allowed=list,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=tiny_vae,
        load_replay=tiny_corpus,
    )
    built = base.build(name, base.settings_of(name)(**SETTINGS[name]), view, state)
    assert isinstance(built, Search)
    return built


def search_after_two_rounds(name: str) -> Search:
    """After two rounds."""
    search = strategy(name)
    for first in (0, 25):
        molecules = small_molecules(50)[first : first + 25]
        search.tell([
            Scored(Evaluation(Candidate(text, "mutation"), {}), {}, 1 / (2 + row)) for row, text in enumerate(molecules)
        ])  # fmt: skip
    return search


def version_1(name: str, state: State) -> State:
    """The same state as designloop 0.1.0 wrote it."""
    rows, parts = state.data["archive"], state.data["parts"]
    if name == "latent_bo":
        region = {"length": 0.8, "successes": 0, "failures": 0, "closed": []}
        arrays = {"scores": np.array([row[2] for row in rows]), "latents": np.zeros((len(rows), 8), np.float32)}
        return State(arrays, {"round": 2, "region": region, "smiles": [row[0] for row in rows]})
    weights = {key.removeprefix("model/"): array for key, array in state.arrays.items()}
    return State(weights, {"told": 2, **parts["model"], **parts["credit"], "seen": rows})


def without_judges(state: State) -> State:
    """The state but for what judges foresight and failures, of which version 1 kept nothing: it begins anew."""
    fresh = ("judged", "calibration", "feasibility")
    parts = {name: part for name, part in state.data["parts"].items() if name not in fresh}
    return replace(state, data={**state.data, "parts": parts})


def test_a_campaign_begun_under_version_1_goes_on_the_same_way() -> None:
    name = "property_loss"
    now = search_after_two_rounds(name)
    state = through_files(now.state())
    old = strategy(name, through_files(version_1(name, state)))
    assert same_state(without_judges(through_files(old.state())), without_judges(state))
    drawn = [list(islice(search.ask(6), 20)) for search in (now, old)]
    assert drawn[0] == drawn[1]


def test_what_the_first_latent_bo_wrote_is_refused_with_a_sentence() -> None:
    """It searched in another way, and knew each molecule's score alone."""
    state = search_after_two_rounds("latent_bo").state()
    parts = {**state.data, "parts": {"region": {"region": {"length": 0.8}}}}
    for old in (version_1("latent_bo", state), replace(state, data=parts)):
        with pytest.raises(StateError, match="expected committee and credit: the latent_bo of an earlier"):
            strategy("latent_bo", through_files(old))


def test_what_was_saved_is_what_is_read() -> None:
    weights = np.arange(4, dtype=np.float32).reshape(2, 2)
    members = (Member("CO", "[C][O]", 0.5, (0.5, 1.0)), Member("C", "[C]", 0.25, (0.25, 2.0)))
    parts = {"model": State({"decoder.w": weights}, {"round": 3}), "credit": State(data={"credit": {"a": 1.0}})}
    saved = Saved(7, Archive(members, 20), parts)
    back = Saved.read(through_files(saved.state()), 20)
    assert back.archive.members == members
    assert back.rounds_seen == 7
    assert {name: part.data for name, part in back.parts.items()} == {name: part.data for name, part in parts.items()}
    np.testing.assert_array_equal(back.parts["model"].arrays["decoder.w"], weights)
    assert Saved.read(None, 20) == Saved(archive=Archive(limit=20))


@pytest.mark.parametrize("name", SETTINGS)
def test_what_cannot_be_gone_on_from_is_refused_with_a_sentence(name: str) -> None:
    state = search_after_two_rounds(name).state()
    later = replace(state, data={**state.data, "version": 3})
    message = r"state has version 3, expected 1 to 2: a later designloop wrote it\. Go on"
    with pytest.raises(StateError, match=message) as caught:
        strategy(name, later)
    assert exit_code(caught.value) == BAD_INPUT
    for foreign in (State(data={"rounds": 5}), replace(state, data={"version": 2, "rounds_seen": 1})):
        with pytest.raises(StateError, match=r"the strategy's state lacks '\w+': another strategy wrote it"):
            strategy(name, foreign)
