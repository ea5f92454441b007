"""Several proposers as one: who gives how many, in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from designloop.randomness import Generators, generators_of
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member
from designloop.strategies.property_loss import PROPOSERS as NAMES
from designloop.strategies.proposers.base import MODEL_PROPOSERS, Proposer, without_new_radicals
from designloop.strategies.proposers.graphs import GraphCrossover, GraphMutation
from designloop.strategies.proposers.latents import PosteriorDraws, PriorDraws
from designloop.strategies.proposers.mixing import LatentMixing
from designloop.strategies.proposers.selfies import SelfiesCrossover, SelfiesMutation
from designloop.strategies.proposers.weighted import Weighted, interleave, shares_of
from tests.tiny import small_molecules

PROPOSERS = tuple(name for name in NAMES if name != "screen")
"""What the screen gives is no draw of a proposer."""

PARENTS = [Member(text, "") for text in small_molecules(5)]


@dataclass(frozen=True)
class Counted:
    """Gives nothing and counts what it is asked for."""

    name: str
    asked: Counter[str]

    @property
    def decodes(self) -> bool:
        return self.name in MODEL_PROPOSERS

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        self.asked[self.name] += n
        return []


@pytest.mark.parametrize(("fewest", "wanted"), [(2, {"fallback"}), (1, {"mutation", "graph_mutation"})])
def test_a_single_parent_is_bred_from_where_that_is_asked_for(fewest: int, wanted: set[str]) -> None:
    counts: Counter[str] = Counter()
    proposers: dict[str, Proposer] = {name: Counted(name, counts) for name in ("mutation", "graph_mutation")}
    weighted = Weighted(proposers, dict.fromkeys(proposers, 1.0), Counted("fallback", counts), fewest)
    weighted.propose(PARENTS[:1], 20, generators_of("cpu", 0))
    assert set(counts) == wanted


def asked(credit: dict[str, float], n: int, parents: Sequence[Member] = PARENTS) -> Counter[str]:
    """How many candidates each proposer is asked for."""
    counts: Counter[str] = Counter()
    proposers: dict[str, Proposer] = {name: Counted(name, counts) for name in credit}
    Weighted(proposers, credit, Counted("fallback", counts)).propose(parents, n, generators_of("cpu", 0))
    return counts


def test_what_the_model_proposes_takes_no_genetic_step_away() -> None:
    genetics = [name for name in PROPOSERS if name not in MODEL_PROPOSERS]
    alone = asked(dict.fromkeys(genetics, 1.0), 1200)
    beside = asked(dict.fromkeys(PROPOSERS, 1.0), 1200)
    assert sum(alone.values()) == 1200
    assert {name: beside[name] for name in genetics} == dict.fromkeys(genetics, 300)
    assert {name: beside[name] for name in PROPOSERS if name in MODEL_PROPOSERS} == {"prior": 300, "posterior": 300}


def test_without_genetic_steps_the_model_gives_all() -> None:
    assert asked({"prior": 1.0, "posterior": 3.0}, 1000) == {"prior": 325, "posterior": 675}


def test_with_fewer_than_two_parents_the_fallback_is_asked_alone() -> None:
    assert asked(dict.fromkeys(PROPOSERS, 1.0), 100, PARENTS[:1]) == {"fallback": 100}
    assert asked({}, 100, PARENTS[:1]) == {}
    assert shares_of({}) == {}


def test_candidates_of_several_stand_by_their_relative_places() -> None:
    few, many = ([Candidate(name * (k + 1), name) for k in range(n)] for name, n in (("C", 2), ("N", 4)))
    assert [candidate.smiles for candidate in interleave([few, many])] == ["C", "N", "NN", "CC", "NNN", "NNNN"]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6))
def test_shares_add_up_and_keep_a_floor(credit) -> None:
    shares = shares_of({str(row): value for row, value in enumerate(credit)}, floor=0.3)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) >= 0.3 / len(credit) - 1e-12


def test_new_radicals_are_dropped_and_inherited_ones_kept() -> None:
    nitroxide = "CC1(C)CCCC(C)(C)N1[O]"
    candidates = [
        Candidate("CC[NH]", "mutation", parents=("CCN",)),
        Candidate("CCNC", "mutation", parents=("CCN",)),
        Candidate("CC1(C)CCC(O)C(C)(C)N1[O]", "graph_mutation", parents=("CCO", nitroxide)),
        Candidate("[CH2]C", "prior"),
        Candidate("C[N+](C)(C)C", "prior"),
    ]
    assert [candidate.smiles for candidate in without_new_radicals(candidates)] == [
        "CCNC",
        "CC1(C)CCC(O)C(C)(C)N1[O]",
        "C[N+](C)(C)C",
    ]


@dataclass(frozen=True)
class Radicals:
    """Gives a radical and a molecule."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        return [Candidate("CC[NH]", "prior"), Candidate("CCN", "prior")]


@pytest.mark.parametrize("parents", [[], PARENTS], ids=["no parents", "parents"])
def test_no_proposer_brings_radicals_in(parents: Sequence[Member]) -> None:
    weighted = Weighted({"mutation": Radicals()}, {"mutation": 1.0}, Radicals())
    assert [candidate.smiles for candidate in weighted.propose(parents, 8, generators_of("cpu", 0))] == ["CCN"]


def test_those_that_decode_latents_say_so_and_no_other_does() -> None:
    classes = {
        "prior": PriorDraws,
        "posterior": PosteriorDraws,
        "mixing": LatentMixing,
        "mutation": SelfiesMutation,
        "crossover": SelfiesCrossover,
        "graph_mutation": GraphMutation,
        "graph_crossover": GraphCrossover,
    }
    assert {*PROPOSERS} <= classes.keys()
    assert {name for name, kind in classes.items() if getattr(kind, "decodes", False)} == MODEL_PROPOSERS
