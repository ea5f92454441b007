"""The property-loss strategy: its elites, its credit, and the rollback of bad learning.

That it keeps the contract is tested in ``tests/testing/test_strategy.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import pytest
import torch

from designloop.molecules.chemistry import scaffold, standard_forms
from designloop.molecules.sequence_vae import PRIOR_NOISE, PRIOR_TEMPERATURE
from designloop.records import Candidate, Evaluation, Scored
from designloop.strategies import random
from designloop.strategies.base import Surroundings
from designloop.strategies.learning import forget
from designloop.strategies.property_loss import FIRST_CREDIT, PropertyLoss, Settings, build
from designloop.vae.priors.learned import LearnedPrior
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

LEARNING = {"steps": 2, "batch": 8}


def strategy(allowed: Callable[[Sequence[Candidate]], list[Candidate]] = list, **settings) -> PropertyLoss:
    surroundings = Surroundings(
        seed=0,
        allowed=allowed,
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
    shares = iter([0.9, 0.8, 0.88])  # pretrained; after a bad round; after a good one
    monkeypatch.setattr("designloop.strategies.learning.reconstruction", lambda *_: next(shares))
    one = strategy()
    before = {name: value.clone() for name, value in one.vae.state_dict().items()}
    metrics = one.tell(scored(small_molecules(30)))
    assert metrics["rolled_back"] == 1.0
    assert metrics["reconstruction_rolled_back"] == 0.8
    assert metrics["reconstruction"] == 0.9
    assert one.model_round == 0
    assert all(torch.equal(value, before[name]) for name, value in one.vae.state_dict().items())
    metrics = one.tell([])
    assert metrics["rolled_back"] == 0.0
    assert metrics["reconstruction"] == 0.88
    assert one.model_round == one.told == 2
    assert not all(torch.equal(value, before[name]) for name, value in one.vae.state_dict().items())


def test_the_models_health_is_measured_without_learning_too() -> None:
    one = strategy(learning={"steps": 0})
    metrics = one.tell(scored(small_molecules(30)))
    assert metrics["reconstruction"] == one.pretrained_reconstruction
    assert 0 <= metrics["prior_allowed"] <= 1
    assert "rolled_back" not in metrics


def test_what_the_alphabet_cannot_express_is_known_but_not_learned_from() -> None:
    one = strategy(learning={"steps": 0})
    one.tell(scored(["CCO", "C" * 40]))
    assert [e.smiles for e in one.memory.seen] == ["CCO"]


def test_without_genetic_steps_all_comes_from_the_model() -> None:
    one = strategy(proposers=["prior", "posterior"])
    one.tell(scored(small_molecules(30)))
    drawn = list(islice(one.ask(16), 16))
    assert {c.proposer for c in drawn} <= {"prior", "posterior"}
    assert all(c.model_round == 1 for c in drawn)


def test_learning_that_diverges_is_rolled_back_and_the_campaign_goes_on() -> None:
    one = strategy(learning={"steps": 8, "batch": 8, "learning_rate": 1e30})
    before = {name: value.clone() for name, value in one.vae.state_dict().items()}
    metrics = one.tell(scored(small_molecules(30)))
    assert metrics["rolled_back"] == 1.0
    assert metrics["reconstruction_rolled_back"] == 0.0
    assert one.model_round == 0
    assert all(torch.equal(value, before[name]) for name, value in one.vae.state_dict().items())
    assert one.state().arrays == {}


def test_what_was_learned_fades_towards_the_pretrained_weights() -> None:
    """With nothing more to learn, each round takes the weights a fixed share of the way back."""
    one = strategy(learning={"steps": 2, "batch": 8, "kept": 0.75, "tolerance": 1.0})
    one.tell(scored(small_molecules(30)))
    apart = {name: value - one.reference.state_dict()[name] for name, value in one._learned().items()}
    assert max(float(value.abs().max()) for value in apart.values()) > 0
    forget(one._learned(), one.reference, 0.25)
    for name, value in one._learned().items():
        torch.testing.assert_close(value - one.reference.state_dict()[name], 0.75 * apart[name], atol=1e-7, rtol=1e-4)


def test_the_prior_can_be_the_models_own_or_learned_or_refitted_to_the_elites() -> None:
    molecules = small_molecules(60)

    def after(kind: str) -> PropertyLoss:
        one = strategy(prior=kind, learning={"steps": 0})
        one.tell(scored(molecules[:30]))
        return one

    def mean(one: PropertyLoss) -> torch.Tensor:
        assert isinstance(one.sampler.prior, LearnedPrior)
        return one.sampler.prior.means

    own, learned, again = after("standard_normal"), after("learned"), after("refitted")
    assert own.sampler.prior is own.vae.prior
    assert learned.sampler.decoder is learned.vae.decoder, "what is learned is drawn from"
    torch.testing.assert_close(mean(learned), mean(strategy(prior="learned")))
    before = mean(again)
    assert not torch.equal(before, mean(learned))
    again.tell([Scored(row.evaluation, {}, 2.0) for row in scored(molecules[30:])])
    assert not torch.equal(mean(again), before)
    back = build(again.settings, again.around, again.state())
    assert torch.equal(mean(back), mean(again))
    drawn = [list(islice((c.smiles for c in one.ask(16)), 16)) for one in (again, back)]
    assert drawn[0] == drawn[1]


def test_before_there_is_anything_to_rank_by_all_is_drawn_from_the_prior() -> None:
    one = strategy()
    assert {c.proposer for c in islice(one.ask(16), 40)} == {"prior"}
    one.tell(scored(["CCO"]))
    assert {c.proposer for c in islice(one.ask(16), 40)} == {"prior"}
    one.tell(scored(small_molecules(8)))
    assert {c.proposer for c in islice(one.ask(16), 40)} > {"mutation", "crossover"}


def test_the_stream_ends_when_the_proposers_have_nothing_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    one = strategy(proposers=["crossover"])
    one.tell(scored(small_molecules(30)))
    monkeypatch.setattr("designloop.strategies.proposers.crossed", lambda *given: [])
    assert list(one.ask(16)) == []


def test_where_nothing_may_be_admitted_the_pool_goes_out_as_it_is() -> None:
    one = strategy(lambda candidates: [], pool=1, generations=2, learning={"steps": 0})
    one.tell(scored(small_molecules(30)))
    assert len(list(islice(one.ask(4), 200))) == 200


def test_the_prior_is_sampled_alike_by_default_everywhere() -> None:
    """Settings are read without torch, so they repeat the model's own defaults."""
    assert (Settings().prior_noise, Settings().temperature) == (PRIOR_NOISE, PRIOR_TEMPERATURE)
    assert (random.Settings().noise, random.Settings().temperature) == (PRIOR_NOISE, PRIOR_TEMPERATURE)
