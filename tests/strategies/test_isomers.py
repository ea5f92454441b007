"""Isomers of what was paid for are worth a call while they may differ, and none once they came out alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem
from rdkit.Chem.EnumerateStereoisomers import EnumerateStereoisomers

from designloop.molecules.chemistry import standard_forms
from designloop.molecules.standardize import identity
from designloop.records import START, Candidate, Evaluation, Result, Scored, State
from designloop.strategies import latent_bo, property_loss
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import CampaignView
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.search.breeding import BreedByBound
from designloop.strategies.search.isomers import ENOUGH, Isomers
from designloop.strategies.search.machine import Search
from designloop.strategies.search.pool import Turn
from designloop.strategies.search.voting import BreedByVote
from designloop.testing.rehearsal import same_state, through_files
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

FLAT = [
    "CC(N)C(C)O",
    "CC(F)C(C)O",
    "CC(O)C(C)CO",
    "CC=CC(C)O",
    "CCC(C)C(C)N",
    "NC(CO)C(C)F",
    "CC(O)C(F)CN",
    "FC=CC(C)N",
]
"""Molecules of four isomers each, at least three."""


def isomers_of(smiles: str) -> list[str]:
    return sorted({Chem.MolToSmiles(isomer) for isomer in EnumerateStereoisomers(Chem.MolFromSmiles(smiles))})


FAMILIES = [isomers_of(smiles) for smiles in FLAT]


def row(smiles: str, value: float | None) -> Scored:
    result = Result(value) if value is not None else Result(None, "failed")
    return Scored(Evaluation(Candidate(smiles, START), {"score": result}), {}, value)


def told(rows: Sequence[Scored]) -> ToldRound:
    return ToldRound(1, [row for row in rows if row.score is not None], [], Archive(), Archive(), None)


@pytest.fixture(scope="module", autouse=True)
def families_are_what_they_are_said_to_be() -> None:
    assert all(len(family) >= 3 for family in FAMILIES)
    assert all(len({identity(smiles) for smiles in family}) == 1 for family in FAMILIES)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, 2), st.sampled_from([0.0, 0.3, 0.3, 0.3, 0.7])),
        max_size=24,
    ),
    st.integers(1, 5),
)
def test_alike_are_those_whose_last_values_are_those_of_the_first(
    calls: list[tuple[int, int, float]], size: int
) -> None:
    kept, last = Isomers(), dict[tuple[int, int], float]()
    for first in range(0, len(calls), size):
        kept.learn(
            told([row(FAMILIES[family][isomer], value) for family, isomer, value in calls[first : first + size]])
        )
        kept = Isomers(State(data=json.loads(json.dumps(kept.state().data))))
    # Told again, a molecule is what it is said to be last; pairs are judged as the later of the two is told.
    begun, verdicts, differ = dict[int, int](), dict[tuple[int, int], bool](), False
    for family, isomer, value in calls:
        last[family, isomer] = value
        if begun.setdefault(family, isomer) != isomer:
            same = value == last[family, begun[family]]
            verdicts[family, isomer] = bool(value)
            differ |= not same
    assert kept.are_alike == (sum(verdicts.values()) >= ENOUGH and not differ)
    assert not differ or kept.state() == State(data={"first": [], "alike": [], "differ": True})
    names = [smiles for family in FAMILIES for smiles in family]
    chosen = [names[place] for place in kept.worth_paying(names, range(len(names)))]
    if kept.are_alike:
        assert chosen == [family[0] for number, family in enumerate(FAMILIES) if number not in begun]
    else:
        assert chosen == names


def test_a_failure_is_no_value() -> None:
    kept = Isomers()
    kept.learn(told([row(FAMILIES[0][0], None)]))
    assert kept.state() == Isomers().state()


VIEW = CampaignView(
    seed=0,
    allowed=list,
    standard_forms=lambda smiles: standard_forms(smiles, "parent"),
    load_model=tiny_vae,
    load_replay=tiny_corpus,
    keeps_stereo=True,
)
PLAIN = small_molecules(20)
BRED: dict[str, Any] = {"proposers": ("mutation",), "learning": {"steps": 0}}
STRATEGIES: dict[str, Any] = {
    "votes": (property_loss, BRED | {"judged": 0.0}),
    "votes, some at random": (property_loss, BRED | {"judged": 0.5}),
    "bound": (property_loss, BRED | {"surrogate": "score", "judged": 0.0}),
    "latents": (latent_bo, {"dimensions": 4, "screen": False, "judged": 0.0}),
}


def search_of(name: str, view: CampaignView = VIEW, state: State | None = None) -> Search:
    """A search that breeds isomers and nothing else: of four families that are known, and of four others."""
    module, chosen = STRATEGIES[name]
    search = module.build(module.Settings(**chosen), view, state)
    assert isinstance(search, Search)
    assert isinstance(search.breed, (BreedByVote, BreedByBound))
    bred = [Candidate(smiles, "mutation") for family in FAMILIES for smiles in family]

    def propose(parents: Sequence[Member], n: int, turn: Turn, generation: int = 0) -> Sequence[Candidate]:
        return bred

    search.breed = replace(search.breed, propose=propose)
    return search


def tell_families(search: Search, differ: bool) -> set[str]:
    """Tells plain molecules and two isomers of four families; gives what was told."""
    rows = [row(smiles, place / 40) for place, smiles in enumerate(PLAIN)]
    for number, family in enumerate(FAMILIES[:4]):
        rows += [row(family[0], 0.9), row(family[1], 0.8 if differ and number == 3 else 0.9)]
    search.tell(rows)
    return {told.smiles for told in rows}


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_isomer_is_paid_for_once_they_came_out_alike(name: str) -> None:
    search = search_of(name)
    tell_families(search, differ=False)
    batch = [identity(candidate.smiles) for candidate in islice(search.ask(4), 4)]
    assert sorted(batch) == sorted(identity(family[0]) for family in FAMILIES[4:])


@pytest.mark.parametrize("name", STRATEGIES)
def test_isomers_are_molecules_like_any_other_where_two_of_them_differ(name: str) -> None:
    search = search_of(name)
    known = tell_families(search, differ=True)
    batch = [candidate.smiles for candidate in islice(search.ask(14), 14) if candidate.smiles not in known]
    assert len({identity(smiles) for smiles in batch}) < len(set(batch))


@pytest.mark.parametrize("name", STRATEGIES)
def test_isomers_come_last_where_nothing_may_be_admitted(name: str) -> None:
    """All goes out then, so that the loop can count why."""
    search = search_of(name, replace(VIEW, allowed=lambda candidates: []))
    tell_families(search, differ=False)
    batch = [identity(candidate.smiles) for candidate in islice(search.ask(4), len(FLAT[4:]))]
    assert sorted(batch) == sorted(identity(family[0]) for family in FAMILIES[4:])


def test_where_stereo_is_ignored_or_a_campaign_began_before_nothing_is_followed() -> None:
    assert search_of("votes", replace(VIEW, keeps_stereo=False)).isomers is None
    begun_before = search_of("votes", replace(VIEW, keeps_stereo=False)).state()
    assert search_of("votes", VIEW, begun_before).isomers is None
    assert search_of("votes", VIEW, search_of("votes").state()).isomers is not None


def test_a_search_goes_on_as_if_it_had_not_been_interrupted() -> None:
    search = search_of("votes")
    tell_families(search, differ=False)
    again = search_of("votes", VIEW, through_files(search.state()))
    assert [c.smiles for c in islice(search.ask(4), 4)] == [c.smiles for c in islice(again.ask(4), 4)]
    assert same_state(search.state(), again.state())
