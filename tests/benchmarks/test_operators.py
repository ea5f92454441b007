"""What proposers make of parents: measured on proposers whose children are known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from designloop.benchmarks import operators
from designloop.oracles.physchem import qed
from designloop.randomness import Generators
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member
from tests.tiny import small_molecules, tiny_vae

VAE = tiny_vae()

SMILES = small_molecules(120)
SCORES = qed(SMILES)
PAID = {smiles: SCORES[smiles] for smiles in SMILES[:60]}
ELITES = operators.elites_of(PAID, VAE)


class Copies:
    """Gives back its parents."""

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        return [Candidate(parent.smiles, "copies", parents=(parent.smiles,)) for parent in parents]


class Given:
    """Gives molecules that it was given, each as a child of the first parent."""

    def __init__(self, smiles: Sequence[str]) -> None:
        self.smiles = smiles

    def propose(self, parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
        return [Candidate(smiles, "given", parents=(parents[0].smiles,)) for smiles in self.smiles]


def test_copies_of_what_was_paid_for_are_not_new() -> None:
    assert operators.measure(Copies(), ELITES, PAID, "qed", 0)["new"] == 0


def test_shares_are_those_of_the_scores() -> None:
    new = SMILES[60:]
    found = operators.measure(Given(new), ELITES, PAID, "qed", 0)
    ten = sum(sorted(PAID.values())[-10:]) / 10
    assert found["new"] == len(new) / operators.CHILDREN
    assert found["better_than_ten"] == pytest.approx(sum(SCORES[smiles] > ten for smiles in new) / len(new))
    assert found["mean"] == pytest.approx(sum(SCORES[smiles] for smiles in new) / len(new) / ten)


def test_elites_are_the_best_that_the_model_can_write() -> None:
    unwritable = "[Na+].[Cl-]"
    elites = operators.elites_of({**PAID, unwritable: 5.0}, VAE)
    scores = [elite.score for elite in elites]
    assert scores == sorted(scores, reverse=True)
    assert {elite.smiles for elite in elites} <= set(PAID)
    assert len(elites) > 5


def test_each_proposer_can_be_asked_for_by_name() -> None:
    """Names stand in one option with commas between."""
    assert not [name for name in (*operators.proposers(VAE), *operators.AFTER_EVIDENCE) if "," in name]
    assert set(operators.AFTER_EVIDENCE.values()) <= set(operators.proposers(VAE))
