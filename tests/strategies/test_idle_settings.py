"""Settings that do nothing are known as such, and no others are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from pydantic import BaseModel

from designloop.molecules.chemistry import standard_forms
from designloop.molecules.corpus import zinc
from designloop.records import Candidate, Evaluation, Result, Scored
from designloop.strategies import latent_bo, property_loss, random
from designloop.strategies.base import SCORE_ALONE, CampaignView, KnownObjective, idle_settings, unchanged, why_unfit
from designloop.strategies.property_loss import Settings, build
from designloop.strategies.search.machine import Search
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

NAMES = ["CC1CC1", "OC1CC1", "NC1CC1", "CCC1CC1", *small_molecules(16)]
"""The best share a scaffold."""
SEVERAL = KnownObjective(("a", "b"), (unchanged, unchanged), lambda rows: rows.mean(1))
FRONT = replace(SEVERAL, reference=(0.0, 0.0))
OBJECTIVES = {"one": SCORE_ALONE, "several": SEVERAL, "front": FRONT}
SURROGATES = ("auto", "committee", "committees", "composite", "score", "none")
FEW = {"proposers": ["mutation", "crossover", "graph_mutation"], "learning": {"loss": "none"}}
CHANGED = {"pool": 5.0, "generations": 2, "parents": 2, "parents_per_scaffold": 1, "kappa": 4.0, "effort": "low"}
CHANGED |= {"trade_offs": "chebyshev", "posterior_noise": (0.5, 0.6), "refine": 3, "judged": 0.7}


def searched(objective: KnownObjective, settings: Mapping[str, Any]) -> list[str]:
    """What is bred, and what is given out, after some molecules were told."""
    view = CampaignView(
        seed=0,
        allowed=list,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=tiny_vae,
        load_replay=tiny_corpus,
        objective=objective,
    )
    search = build(Settings(**{**FEW, **settings}), view, None)
    assert isinstance(search, Search)
    rows = []
    for row, name in enumerate(NAMES):
        values = {goal: (1 / (1 + row), row / 20)[k] for k, goal in enumerate(objective.names)}
        results = {goal: Result(value) for goal, value in values.items()}
        score = sum(values.values()) / len(values)
        rows.append(Scored(Evaluation(Candidate(name, "start"), results), values, score))
    search.tell(rows)
    given = (candidate.smiles for candidate in islice(search.ask(3), 6))
    return [*(candidate.smiles for candidate in search.candidates(3)), *given]


@pytest.mark.parametrize(
    ("objective", "surrogate"),
    [("one", "committee"), ("several", "composite"), ("front", "committees"), ("front", "composite"), ("one", "none")],
)
def test_what_is_idle_changes_nothing_and_all_else_does(objective: str, surrogate: str) -> None:
    known, by_default = OBJECTIVES[objective], {"surrogate": surrogate}
    idle = idle_settings("property_loss", Settings(**{**FEW, **by_default}), known)
    before = searched(known, by_default)
    assert searched(known, by_default | {key: value for key, value in CHANGED.items() if key in idle}) == before
    for key in CHANGED.keys() - idle.keys():
        assert searched(known, by_default | {key: CHANGED[key]}) != before, key


def names_of(model: type[BaseModel]) -> set[str]:
    """All dotted keys."""
    names = set()
    for name, field in model.model_fields.items():
        names.add(name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= {f"{name}.{inner}" for inner in names_of(field.annotation)}
    return names


CASES: dict[str, list[BaseModel]] = {
    "property_loss": [
        Settings.model_validate({"surrogate": surrogate, "proposers": proposers, "learning": learning})
        for surrogate in SURROGATES
        for proposers in (["screen"], ["prior", "screen"], ["posterior"])
        for learning in ({}, {"loss": "likelihood"}, {"loss": "none"}, {"steps": 0})
    ],
    "latent_bo": [
        latent_bo.Settings.model_validate({"acquisition": acquisition, "regions": {"decoded": decoded}})
        for acquisition in ("votes", "ucb")
        for decoded in (0, 2)
    ],
    "random": [random.Settings(source=source) for source in ("prior", "zinc", "mine.smi")],
}


@pytest.mark.parametrize("strategy", CASES)
def test_what_is_idle_is_a_setting_and_never_one_that_says_that_it_is(strategy: str) -> None:
    for settings in CASES[strategy]:
        for objective in OBJECTIVES.values():
            idle = idle_settings(strategy, settings, objective)
            assert idle.keys() <= names_of(type(settings))
            assert not idle.keys() & {"surrogate", "acquisition", "regions.decoded", "learning.loss", "source", "name"}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_a_screen_alone_is_served_by_those_who_screen(surrogate: str, objective: str) -> None:
    settings = Settings.model_validate({"surrogate": surrogate, "proposers": ["screen"]})
    why = why_unfit("property_loss", settings, OBJECTIVES[objective])
    screens = property_loss.surrogate_of(settings, OBJECTIVES[objective]) in ("committee", "committees")
    if screens and (objective, surrogate) != ("front", "committee"):
        assert why is None
    else:
        assert why is not None
        assert why.key in ("proposers", "surrogate")


def test_a_screen_alone_goes_on_however_much_was_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What breeds looks through ZINC in some rounds only, once much was paid for."""
    monkeypatch.setattr("designloop.strategies.base.LATE", 5)
    view = CampaignView(seed=0, allowed=list, standard_forms=list, load_model=tiny_vae, load_replay=tiny_corpus)
    settings = Settings(proposers=("screen",), learning=FEW["learning"], effort="low")
    search = build(settings, view, None)
    for _ in range(4):
        drawn = list(islice(search.ask(6), 6))
        assert len(drawn) == 6
        search.tell([Scored(Evaluation(candidate, {}), {}, 1 / len(candidate.smiles)) for candidate in drawn])


def test_a_screen_alone_begins_with_any_molecules_of_zinc() -> None:
    known = set(zinc())
    view = CampaignView(seed=0, allowed=list, standard_forms=list, load_model=tiny_vae, load_replay=tiny_corpus)
    search = build(Settings(proposers=("screen",), learning=FEW["learning"]), view, None)
    assert isinstance(search, Search)
    drawn = list(islice(search.ask(5), 60))
    assert len({candidate.smiles for candidate in drawn} & known) == 60
    assert {candidate.proposer for candidate in drawn} == {"screen"}
    again = [candidate.smiles for candidate in islice(search.ask(5), 60)]
    assert again == [candidate.smiles for candidate in drawn], "asking changes nothing"
