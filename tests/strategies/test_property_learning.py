"""Learning by the property loss: what is kept of a molecule, how batches are grouped, what a call costs, restarts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Literal

import numpy as np
import pytest
import torch

from designloop.molecules.chemistry import standard_forms
from designloop.randomness import generators_of
from designloop.records import Candidate, Evaluation, Origin, Scored, State
from designloop.strategies.acquisition.hypervolume import nearness
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.base import LATE, CampaignView, KnownObjective, share_of_thought
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.learning.diversity import ScaffoldsDrawn
from designloop.strategies.learning.groups import WIDE, GroupedReplay
from designloop.strategies.learning.property_learning import PropertyLearner, bound_kernels
from designloop.strategies.learning.replay import PaidMolecule, Reader, Replay, Worth
from designloop.strategies.learning.settings import FineTuning, PropertyLearning
from designloop.strategies.property_loss import Settings, build
from designloop.strategies.proposers.base import Proposer
from designloop.strategies.proposers.latents import PosteriorDraws, PriorDraws
from designloop.strategies.proposers.mixing import LatentMixing
from designloop.strategies.search.machine import Search
from designloop.testing.rehearsal import same_state, through_files
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

VAE = tiny_vae()
LATENT = VAE.architecture.latent
SMALL = {"every": 10, "updates": 2, "wide": 2, "group": 4, "families": 6}


def row(smiles: str, score: float | None, origin: Origin | None = None, parents: tuple[str, ...] = ()) -> Scored:
    candidate = Candidate(smiles, "posterior", VAE.codec.to_selfies(smiles), parents, origin=origin)
    return Scored(Evaluation(candidate, {}), {}, score)


def origin(noise: float, seed: int = 0) -> Origin:
    return Origin(np.random.default_rng(seed).standard_normal(LATENT).astype(np.float32), noise)


def paid(n: int = 30, family: str = "") -> list[PaidMolecule]:
    """Every third was written from a latent that says next to nothing, the others around one of four elites."""
    rows = []
    for place, smiles in enumerate(small_molecules(n)):
        wide = place % 3 == 0
        here = origin(6.0 if wide else 0.5, place)
        rows.append(
            PaidMolecule(smiles, VAE.codec.to_selfies(smiles), place / n, here, "" if wide else f"elite {place % 4}")
        )
    return rows


def told(rows: Sequence[Scored], number: int = 1, before: Archive | None = None) -> ToldRound:
    archive = before or Archive()
    return ToldRound(number, rows, rows, archive, archive, None)


WORTH = partial(nearness, reference=(0.0, 0.0))


def learner(
    state: State | None = None,
    paid: int = 0,
    worth: Worth | None = None,
    goals: KnownObjective | None = None,
    **settings,
) -> PropertyLearner:
    vae = tiny_vae()
    wanted = PropertyLearning(**SMALL | settings)
    reader, drawn = Reader(vae, wanted.noise, goals=goals), ScaffoldsDrawn(vae, 6.0, 1.0, standard_forms)

    def share(archive: Archive) -> float:
        return share_of_thought(paid, len(archive))

    return PropertyLearner(
        vae,
        tiny_vae(),
        tiny_corpus(),
        wanted,
        reader=reader,
        drawn=drawn,
        share=share,
        worth=worth,
        seed=3,
        state=state,
    )


def scored(n: int, first: int = 0) -> list[Scored]:
    molecules = small_molecules(60)[first : first + n]
    return [row(smiles, (place % 7) / 7, origin(6.0, place)) for place, smiles in enumerate(molecules)]


def weights(of: PropertyLearner) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in of.learned().items()}


def same(first: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in first.items())


# ---- where a molecule was written from


@pytest.mark.parametrize(("kind", "noise"), [("prior", (6.0, 6.0)), ("posterior", (0.3, 1.3)), ("mixing", (0.5, 0.8))])
def test_a_candidate_knows_what_it_was_written_from(kind: str, noise: tuple[float, float]) -> None:
    """Decoded greedily from its origin, it is the same again."""
    elites = [Member(text, VAE.codec.to_selfies(text), 1.0) for text in small_molecules(3)]
    proposers: dict[str, Proposer] = {
        "prior": PriorDraws(lambda: VAE, 6.0, 1e-6),
        "posterior": PosteriorDraws(VAE, (0.3, 1.3), 1e-6),
        "mixing": LatentMixing(VAE, (0.5, 0.8), 1e-6),
    }
    candidates = proposers[kind].propose(elites, 12, generators_of("cpu", 1))
    assert candidates
    for candidate in candidates:
        assert candidate.origin is not None
        z = torch.from_numpy(candidate.origin.latent).unsqueeze(0)
        assert VAE.write(z, candidate.origin.noise) == [candidate.selfies]
        assert noise[0] <= candidate.origin.noise <= noise[1]


def test_origins_are_kept_and_others_are_drawn_around_the_molecules_own_latent() -> None:
    kept = origin(0.7)
    rows = [row("CCO", 0.5, kept, ("CCN",)), row("CCF", 0.25), row("CCCl", None), row("CCC", 0.0)]
    read = {molecule.smiles: molecule for molecule in Reader(VAE, (0.3, 0.3001)).read(rows, 1)}
    assert set(read) == {"CCO", "CCF", "CCC"}, "what has no score is not learned from"
    assert read["CCO"].origin is kept
    assert (read["CCO"].family, read["CCF"].family) == ("CCN", "")
    assert [read[name].score for name in ("CCO", "CCF", "CCC")] == [0.5, 0.25, 0.0]
    posterior = VAE.posteriors([VAE.codec.to_selfies("CCF")])
    units = (torch.from_numpy(read["CCF"].origin.latent) - posterior.mean[0]) / (
        posterior.scale[0].square() + 0.3**2
    ).sqrt()
    assert float(units.abs().max()) < 5
    assert float(units.abs().max()) > 0.1
    assert read["CCF"].origin.noise == pytest.approx(0.3, abs=1e-3)


def test_what_the_model_cannot_write_is_left() -> None:
    long = Scored(Evaluation(Candidate("C" * 40, "graph_mutation"), {}), {}, 0.5)
    assert [molecule.smiles for molecule in Reader(VAE, (0.3, 8.0)).read([long, row("CCO", 0.5)], 1)] == ["CCO"]


# ---- batches


def test_groups_share_a_latent_or_an_elite_at_the_latents_they_were_written_from() -> None:
    replay = Replay(limit=60).add(paid(30))
    of_text = {molecule.selfies: molecule for molecule in replay.rows}
    grouped = GroupedReplay(replay, PropertyLearning(**SMALL), 6.0)
    kinds = set()
    for batch in grouped.batches(VAE, 5, generators_of("cpu", 1)):
        assert batch.z is not None
        rows = [of_text[text] for text in VAE.codec.selfies_of(batch.x.numpy())]
        assert batch.targets["score"].tolist() == pytest.approx([molecule.score for molecule in rows])
        for group in batch.targets["group"].unique():
            places = (batch.targets["group"] == group).nonzero().flatten().tolist()
            noise, latents = batch.context["noise"][places], batch.z[places]
            assert 2 <= len(places) <= 4
            assert len({rows[place].smiles for place in places}) == len(places)
            if group < SMALL["wide"]:
                kinds.add("wide")
                assert float(noise.min()) >= WIDE
                assert len(latents.unique(dim=0)) == len(noise.unique()) == 1
            else:
                kinds.add("family")
                assert len({rows[place].family for place in places}) == 1
                for place, latent, level in zip(places, latents, noise, strict=True):
                    np.testing.assert_array_equal(latent.numpy(), rows[place].origin.latent)
                    assert float(level) == rows[place].origin.noise
        assert sum(1 for group in batch.targets["group"] if group >= SMALL["wide"]) == SMALL["families"]
    assert kinds == {"wide", "family"}


def test_without_a_wide_latent_one_is_drawn_from_the_prior() -> None:
    narrow = [molecule for molecule in paid(30) if molecule.origin.noise < WIDE]
    grouped = GroupedReplay(Replay(limit=60).add(narrow), PropertyLearning(**SMALL | {"families": 0}), 5.0)
    (batch,) = grouped.batches(VAE, 1, generators_of("cpu", 1))
    assert set(batch.context["noise"].tolist()) == {5.0}
    assert len(batch.x) == SMALL["wide"] * SMALL["group"]


def test_the_best_are_drawn_most_often_and_the_worst_as_well() -> None:
    grouped = GroupedReplay(Replay(limit=60).add(paid(30)), PropertyLearning(**SMALL | {"families": 0}), 6.0)
    scores = torch.cat([batch.targets["score"] for batch in grouped.batches(VAE, 120, generators_of("cpu", 1))])
    best, worst = ((scores - value).abs() < 1e-6 for value in (29 / 30, 0.0))
    assert int(best.sum()) > 3 * int(worst.sum()) > 0


# ---- the learner


def test_what_a_call_costs_does_not_hang_on_the_size_of_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    for size in (40, 20, 5):
        of = learner()
        for number, first in enumerate(range(0, 40, size), 1):
            of.learn(told(scored(40)[first : first + size], number))
        counts.append(of._updates())
    assert counts[0] == counts[1] == 8
    assert counts[2] in range(4, 9), "learning waits until there is enough to learn from"


@pytest.mark.parametrize(("paid", "updates"), [(LATE - 1, 8), (LATE, 4), (100 * LATE, 4)])
def test_a_long_campaign_learns_half_as_much_of_each_molecule_of_a_search_that_begins(paid: int, updates: int) -> None:
    of = learner(paid=paid)
    for number, first in enumerate(range(0, 40, 10), 1):
        of.learn(told(scored(40)[first : first + 10], number))
    assert of._updates() == updates


def test_it_learns_the_scores_and_leaves_encoder_and_reference_alone() -> None:
    fresh = tiny_vae().state_dict()
    of = learner(learning_rate=3e-3, updates=60, scale=5.0)
    metrics = of.learn(told(scored(40)))
    assert metrics["rolled_back"] == 0.0
    assert of.model_round == 1
    assert all(torch.equal(value, fresh[name]) for name, value in of.reference.state_dict().items())
    changed = of.vae.state_dict()
    assert all(
        torch.equal(changed[f"encoder.{name}"], value) for name, value in of.reference.encoder.state_dict().items()
    )
    gains, scores = [], []
    for molecule in of.replay.rows:
        x, z = of.vae.tokens([molecule.selfies]), torch.from_numpy(molecule.origin.latent).unsqueeze(0)
        context = {"noise": torch.tensor([6.0])}
        with torch.no_grad():
            now, before = (model.decode_and_score(x, z, None, context)[2] for model in (of.vae, of.reference))
        gains.append(float(now - before))
        scores.append(molecule.score)
    assert np.corrcoef(gains, scores)[0, 1] > 0.5
    assert min(gains) < 0 < max(gains)


def test_scores_that_are_permuted_teach_something_else() -> None:
    rows = scored(30)
    turned = [Scored(a.evaluation, {}, b.score) for a, b in zip(rows, [*rows[3:], *rows[:3]], strict=True)]
    first, again, other = learner(), learner(), learner()
    for of, told_rows in ((first, rows), (again, rows), (other, turned)):
        of.learn(told(told_rows))
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


@pytest.mark.parametrize("evidence", [0, 2])
def test_learning_that_diverges_is_undone_and_forgotten(evidence: int, monkeypatch: pytest.MonkeyPatch) -> None:
    of = learner(evidence=evidence)
    of.learn(told(scored(20), 1))
    before, updates = weights(of), of._updates()
    monkeypatch.setattr(of.optimizer, "step", lambda: [w.data.fill_(float("nan")) for w in of.learned().values()])
    metrics = of.learn(told(scored(20, 20), 2))
    assert metrics["rolled_back"] == 1.0
    assert same(weights(of), before)
    assert (of.model_round, of._updates()) == (1, updates)


def test_by_the_evidence_the_encoder_learns_and_a_search_that_begins_anew_forgets_it() -> None:
    of = learner(evidence=3)
    fresh = weights(of)
    assert any(name.startswith("encoder.") for name in fresh)
    assert of.learn(told(scored(20)))["learn_evidence_nats"] > 0
    changed = weights(of)
    assert not torch.equal(changed["encoder.by_position.weight"], fresh["encoder.by_position.weight"])
    of.forget()
    assert same(weights(of), fresh)


def test_once_the_replay_is_full_a_third_of_the_steps_by_the_evidence_are_made() -> None:
    of = learner(evidence=6, replay=20)
    assert of._evidence_steps(2) == 12
    of.replay = of.replay.add(paid(20))
    assert of._evidence_steps(2) == 4
    assert learner(evidence=0)._evidence_steps(2) == 0


def test_a_model_that_reconstructs_badly_is_drawn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([0.9, 0.8, 0.5])
    monkeypatch.setattr("designloop.strategies.learning.property_learning.reconstruction", lambda *_: next(shares))
    steps = []
    monkeypatch.setattr(
        "designloop.strategies.learning.property_learning.forget",
        lambda learned, reference, share: steps.append(share),
    )
    of = learner(tolerance=0.25)
    assert of.learn(told(scored(20), 1))["pulled_back"] == 0.0
    assert of.learn(told(scored(20, 20), 2))["pulled_back"] == 1.0
    assert steps == [0.25]


@pytest.mark.parametrize("evidence", [0, 2])
def test_it_goes_on_after_a_restart_as_if_nothing_had_been(evidence: int) -> None:
    straight = learner(evidence=evidence)
    straight.learn(told(scored(25), 1))
    again = learner(through_files(straight.state()), evidence=evidence)
    assert same_state(through_files(again.state()), through_files(straight.state()))
    for of in (straight, again):
        of.learn(told(scored(25, 25), 2))
    assert same_state(through_files(again.state()), through_files(straight.state()))
    assert straight.model_round == 2


def test_a_campaign_that_was_begun_otherwise_is_learned_from() -> None:
    of = learner()
    members = [Member(text, VAE.codec.to_selfies(text), 0.1) for text in small_molecules(30)]
    of.learn(told(scored(10, 30), 5, Archive(tuple(members))))
    assert len(of.replay) == 40
    assert of.model_round == 5


# ---- in a strategy


def strategy(loss: str) -> Search:
    view = CampaignView(
        seed=0,
        allowed=list,
        standard_forms=lambda smiles: standard_forms(smiles, "parent"),
        load_model=tiny_vae,
        load_replay=tiny_corpus,
    )
    learning = {"loss": loss, "property": SMALL, "steps": 2, "batch": 8}
    search = build(Settings(learning=learning, proposers=["prior", "posterior"], surrogate="none"), view, None)
    assert isinstance(search, Search)
    return search


@pytest.mark.parametrize("loss", ["property", "likelihood"])
def test_no_steps_is_no_learning_as_files_of_earlier_versions_say_it(loss: Literal["property", "likelihood"]) -> None:
    assert FineTuning(loss=loss, steps=0).learns_by() == "none"
    assert FineTuning(loss=loss).learns_by() == loss


@pytest.mark.parametrize(("loss", "part", "learns"), [
    ("property", "property", True), ("likelihood", "model", True), ("none", "model", False),
])  # fmt: skip
def test_the_loss_is_a_setting(loss: str, part: str, learns: bool) -> None:
    search = strategy(loss)
    assert part in search.learners
    search.tell(scored(30))
    assert search.model_round() == (1 if learns else 0)
    candidate = next(iter(islice(search.ask(4), 1)))
    assert candidate.model_round == (1 if learns else 0)
    assert candidate.origin is not None


def test_the_kernels_that_are_kept_are_bounded_unless_the_user_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    bound_kernels()
    assert int(os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) < 1024
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
    bound_kernels()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"
