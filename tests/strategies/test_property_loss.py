"""The property-loss strategy: the contract, its elites, its credit, and the rollback of bad learning."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch

from designloop.molecules.chemistry import scaffold, standard_forms
from designloop.records import Candidate, Evaluation, Scored
from designloop.strategies.base import Surroundings
from designloop.strategies.property_loss import FIRST_CREDIT, PropertyLoss, Settings, build
from designloop.testing.strategy import check_strategy
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

LEARNING = {"steps": 2, "batch": 8}


@pytest.mark.parametrize("name", ["property_loss", "random"])
def test_it_keeps_the_contract(name: str, tiny_model: Path) -> None:
    assert len(check_strategy(name, model=tiny_model, wanted=12).passed) >= 10


def strategy(**settings) -> PropertyLoss:
    surroundings = Surroundings(
        seed=0,
        allowed=list,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=tiny_vae,
        load_replay=tiny_corpus,
    )
    return build(Settings(**{"learning": LEARNING} | settings), surroundings, None)


def scored(smiles: list[str], proposer: str = "start") -> list[Scored]:
    return [Scored(Evaluation(Candidate(one, proposer), {}), {}, 1 / (1 + at)) for at, one in enumerate(smiles)]


def test_elites_are_the_best_and_no_scaffold_holds_them_all() -> None:
    one = strategy(elites=10, per_scaffold=0.2)
    rings = [f"{'C' * n}c1ccccc1" for n in range(1, 9)]
    one.tell(scored([*rings, "CCC1CCCCC1", "CCCO"]))
    kinds = [scaffold(e.smiles) for e in one.elites()]
    assert kinds.count("c1ccccc1") == 2
    assert [e.smiles for e in one.elites()][:2] == rings[:2]
    assert {"C1CCCCC1", ""} <= set(kinds)


def test_credit_follows_what_a_proposer_brings_over_its_share() -> None:
    one = strategy(proposers=["prior", "mutation"], learning={"steps": 0})
    molecules = small_molecules(40)
    one.tell(scored(molecules[:20]))
    assert one.credit == {"prior": FIRST_CREDIT, "mutation": FIRST_CREDIT}
    best = [Scored(row.evaluation, {}, 2.0) for row in scored(molecules[20:30], "mutation")]
    metrics = one.tell(best)
    assert metrics["elites_by_mutation"] == 10
    assert one.credit["prior"] == pytest.approx(0.8 * FIRST_CREDIT)
    assert one.credit["mutation"] == pytest.approx(0.8 * FIRST_CREDIT + 0.2 * 10 / 0.5)


def test_learning_that_costs_reconstruction_is_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.9, 0.8, 0.9, 0.88])  # pretrained; after a bad round, and undone; after a good one
    monkeypatch.setattr("designloop.strategies.learning.reconstruction", lambda *_: next(shares))
    one = strategy()
    before = {name: value.clone() for name, value in one.vae.state_dict().items()}
    metrics = one.tell(scored(small_molecules(30)))
    assert metrics["rolled_back"] == 1.0
    assert metrics["reconstruction_rolled_back"] == 0.8
    assert one.model_round == 0
    assert all(torch.equal(value, before[name]) for name, value in one.vae.state_dict().items())
    metrics = one.tell([])
    assert metrics["rolled_back"] == 0.0
    assert one.model_round == one.told == 2
    assert not all(torch.equal(value, before[name]) for name, value in one.vae.state_dict().items())


def test_what_the_alphabet_cannot_express_is_known_but_not_learned_from() -> None:
    one = strategy(learning={"steps": 0})
    one.tell(scored(["CCO", "C" * 40]))
    assert [e.smiles for e in one.seen] == ["CCO"]


def test_without_genetic_steps_all_comes_from_the_model() -> None:
    one = strategy(proposers=["prior", "posterior"])
    one.tell(scored(small_molecules(30)))
    drawn = list(islice(one.ask(16), 16))
    assert {c.proposer for c in drawn} <= {"prior", "posterior"}
    assert all(c.model_round == 1 for c in drawn)
