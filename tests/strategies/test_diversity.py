"""Diversity of what is learned: bounded shares of the draws, and what the crowd of a scaffold takes of a score."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from designloop.molecules.chemistry import scaffold, standard_forms
from designloop.randomness import Generators, generators_of
from designloop.records import Candidate, Evaluation, Origin, Scored
from designloop.strategies.archive.archive import Archive, Member, rank_weights
from designloop.strategies.learning.base import ToldRound
from designloop.strategies.learning.diversity import ScaffoldsDrawn, crowding_of, limit_shares
from designloop.strategies.learning.groups import GroupedReplay
from designloop.strategies.learning.property_learning import PropertyLearner
from designloop.strategies.learning.replay import PaidMolecule, Reader, Replay
from designloop.strategies.learning.settings import PropertyLearning
from tests.tiny import tiny_corpus, tiny_vae

VAE = tiny_vae()
RINGS = ("C1CC1", "C1CCC1", "C1CCCC1", "C1CCCCC1", "C1CCOC1", "C1CCNC1", "C1CCOCC1", "C1CCNCC1", "c1ccccc1", "c1ccncc1")
"""Scaffolds, each of which is its own."""


def shares_of(chances: np.ndarray, kinds: list[int]) -> dict[int, float]:
    return {kind: float(chances[np.array(kinds) == kind].sum()) for kind in kinds}


# ---- shares of what is drawn to learn from

ROWS = st.lists(st.tuples(st.floats(1e-6, 1.0), st.integers(0, 12)), min_size=1, max_size=60)


@given(ROWS, st.floats(0.01, 1.0))
@example([(1.0, 0), (1e-6, 1)], 0.5)  # equal shares fill the whole
@example([(1.0, kind) for kind in range(10)], 0.1)
@settings(max_examples=150, deadline=None)
def test_no_kind_holds_more_than_its_share_and_all_else_is_in_proportion(
    rows: list[tuple[float, int]], most: float
) -> None:
    kinds = [kind for _, kind in rows]
    chances = np.array([weight for weight, _ in rows])
    chances /= chances.sum()
    limited = limit_shares(chances, kinds, most)
    before, after = shares_of(chances, kinds), shares_of(limited, kinds)
    bound = max(most, 1 / len(before))  # of fewer kinds than can fill the whole, each holds as much as any other
    assert limited.sum() == pytest.approx(1.0)
    assert limited.min() > 0
    assert max(after.values()) <= bound * (1 + 1e-9)
    for kind in before:
        inside = np.array(kinds) == kind
        np.testing.assert_allclose(limited[inside] / after[kind], chances[inside] / before[kind], rtol=1e-9)
    grown = [after[kind] / before[kind] for kind in before if after[kind] < bound * (1 - 1e-9)]
    assert np.ptp(grown) <= 1e-9 * max(grown) if grown else len(before) * bound == pytest.approx(1.0)
    if max(before.values()) > bound:
        # The nearest such shares by Kullback and Leibler: one factor for all, those above the bound cut to it.
        values = np.array(list(before.values()))
        factor = brentq(lambda f: np.minimum(f * values, bound).sum() - 1 + 1e-12, 0, 1 / values.min() + 1)
        np.testing.assert_allclose(list(after.values()), np.minimum(factor * values, bound), atol=1e-6)


def test_shares_that_are_within_their_limit_stay_the_very_same() -> None:
    chances = rank_weights(30, 0.01)
    assert limit_shares(chances, list(range(30)), 0.9) is chances
    assert limit_shares(chances, [0] * 30, 1.0) is chances, "as campaigns had it before there was a limit"


@pytest.mark.parametrize(("kinds", "share"), [(1, 1.0), (2, 0.5), (4, 0.25), (10, 0.1)])
def test_few_scaffolds_hold_equal_shares(kinds: int, share: float) -> None:
    places = [row % kinds for row in range(60)]
    limited = limit_shares(rank_weights(60, 0.001), places, 0.1)
    assert shares_of(limited, places) == pytest.approx(dict.fromkeys(range(kinds), share))


def molecules(n: int, crowd: str = "") -> list[PaidMolecule]:
    """The best half of one scaffold, the others of all; half of either written around an elite."""
    rows = []
    for place in range(n):
        ring = crowd if crowd and place >= n // 2 else RINGS[place % len(RINGS)]
        smiles = f"{'C' * (place // 2 % 6 + 1)}{'O' if place % 2 else 'N'}{'C' * (place // 12)}{ring}"
        (form,) = standard_forms([smiles])
        assert form is not None
        here = np.random.default_rng(place).standard_normal(VAE.architecture.latent).astype(np.float32)
        origin = Origin(here, 6.0 if place % 2 else 0.5)
        family = "" if place % 2 else "elite"
        rows.append(PaidMolecule(form, VAE.codec.to_selfies(form), place / n, origin, family))
    assert len({row.smiles for row in rows}) == n
    return rows


def test_one_scaffold_holds_a_bounded_share_of_what_is_learned_from() -> None:
    replay = Replay(limit=100).add(molecules(60, "c1ccccc1"))
    held = {}
    for most in (0.1, 1.0):
        grouped = GroupedReplay(replay, PropertyLearning(per_scaffold=most), 6.0)
        kinds = [scaffold(row.smiles) for row in replay.rows]
        held[most] = sum(
            float(chance) for chance, kind in zip(grouped.chances, kinds, strict=True) if kind == "c1ccccc1"
        )
    assert held[1.0] > 0.8
    assert held[0.1] == pytest.approx(0.1)


def test_molecules_without_rings_are_no_scaffold_that_fills_what_is_learned_from() -> None:
    alcohols = [f"{'C' * length}O" for length in range(1, 9)]
    here = np.zeros(VAE.architecture.latent, np.float32)
    rows = [
        PaidMolecule(smiles, VAE.codec.to_selfies(smiles), 1 - place / 10, Origin(here, 6.0), "")
        for place, smiles in enumerate([*alcohols, *RINGS])
    ]
    grouped = GroupedReplay(Replay(limit=100).add(rows), PropertyLearning(per_scaffold=0.5), 6.0)
    assert len(set(grouped.scaffolds)) == len(rows)
    assert grouped.chances[:8].sum() > 0.5, "together they may hold more than one scaffold may"
    archive = Archive().add([Member(row.smiles, row.selfies, row.score) for row in rows])
    assert [member.smiles for member in archive.elites(8, 0.1)] == alcohols


# ---- what a crowd takes


def test_a_crowd_takes_the_logarithm_of_what_it_holds_above_its_share() -> None:
    drawn = ["benzene"] * 50 + ["pyridine"] * 20 + ["furan"] * 10 + [f"other {row}" for row in range(20)]
    assert crowding_of(drawn, 0.1, 20.0) == pytest.approx({
        "benzene": 20 * math.log(5), "pyridine": 20 * math.log(2),
    })  # fmt: skip
    assert crowding_of(drawn, 1.0, 20.0) == {}
    assert crowding_of([], 0.1, 20.0) == {}, "a model that writes nothing repeats nothing"


@given(st.lists(st.integers(0, 6), min_size=1, max_size=80), st.floats(0.05, 1.0), st.floats(0.0, 50.0))
@settings(max_examples=60, deadline=None)
def test_the_larger_the_crowd_the_more_it_takes(drawn: list[int], most: float, price: float) -> None:
    taken = crowding_of(list(map(str, drawn)), most, price)
    counts = Counter(map(str, drawn))
    assert all(nats >= 0 for nats in taken.values())
    assert set(taken) == {kind for kind, count in counts.items() if count / len(drawn) > most}
    by_size = [taken.get(kind, 0.0) for kind, _ in sorted(counts.items(), key=lambda item: item[1])]
    assert by_size == sorted(by_size)


def test_scaffolds_are_drawn_of_distinct_molecules_in_standard_form() -> None:
    def forms(drawn: Sequence[str]) -> list[str | None]:
        asked.append(list(drawn))
        return ["CCO", "c1ccccc1C", "c1ccccc1C", None, *["C1CC1N"] * (len(drawn) - 4)]

    asked: list[list[str]] = []
    drawn = ScaffoldsDrawn(VAE, 6.0, 1.0, forms)
    assert drawn.draw(generators_of("cpu", 1)) == ["CCO", "c1ccccc1", "C1CC1"], "without rings each is like no other"
    drawn.draw(generators_of("cpu", 1))
    drawn.draw(generators_of("cpu", 2))
    assert asked[0] == asked[1] != asked[2]


def test_a_crowded_scaffold_is_worth_less_at_wide_latents_alone() -> None:
    replay = Replay(limit=100).add(molecules(40))
    paid = {row.selfies: row for row in replay.rows}
    crowding = {"c1ccccc1": 30.0, "C1CCOC1": 5.0}
    learning = PropertyLearning(wide=2, group=16, families=8, scale=50.0)
    grouped, seen = GroupedReplay(replay, learning, 6.0, crowding), Counter[tuple[bool, str]]()
    for batch in grouped.batches(VAE, 4, generators_of("cpu", 1)):
        written = VAE.codec.selfies_of(batch.x.numpy())
        targets = zip(written, batch.targets["score"].tolist(), batch.targets["group"].tolist(), strict=True)
        for text, worth, group in targets:
            kind, wide = scaffold(paid[text].smiles), group < 2
            seen[wide, kind] += 1
            less = crowding.get(kind, 0.0) / 50.0 if wide else 0.0
            assert worth == pytest.approx(paid[text].score - less, abs=1e-6)
    assert all(seen[wide, "c1ccccc1"] for wide in (True, False))


# ---- a model that learns


class Says(ScaffoldsDrawn):
    """Draws of a model that would write nothing but one scaffold."""

    def draw(self, rng: Generators) -> list[str]:
        return ["c1ccccc1"] * 100


class Never(ScaffoldsDrawn):
    """Draws that must not be made."""

    def draw(self, rng: Generators) -> list[str]:
        raise AssertionError("nothing is drawn where crowds do not count")


def learned(kind: type[ScaffoldsDrawn], **settings: float) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    """Mean log-ratio to the pretrained model by scaffold after learning, and the weights."""
    vae = tiny_vae()
    learning = PropertyLearning(**{"every": 20, "updates": 40, "learning_rate": 3e-3, "scale": 5.0, **settings})
    drawn = kind(vae, 6.0, 1.0, standard_forms)
    reader = Reader(vae, learning.noise)
    of = PropertyLearner(vae, tiny_vae(), tiny_corpus(), learning, reader=reader, drawn=drawn, seed=3)
    rows = [
        Scored(Evaluation(Candidate(row.smiles, "prior", row.selfies, origin=row.origin), {}), {}, 0.5)
        for row in molecules(40)
    ]
    metrics = of.learn(ToldRound(1, rows, rows, Archive(), Archive(), None))
    assert ("prior_scaffolds" in metrics) == bool(learning.crowding)
    gains: dict[str, list[float]] = {}
    for paid in of.replay.rows:
        x, z = vae.tokens([paid.selfies]), torch.from_numpy(paid.origin.latent)[None]
        context = {"noise": torch.tensor([6.0])}
        with torch.no_grad():
            now, before = (model.decode_and_score(x, z, None, context)[2] for model in (vae, of.reference))
        gains.setdefault(scaffold(paid.smiles), []).append(float(now - before))
    return {ring: float(np.mean(gain)) for ring, gain in gains.items()}, dict(of.learned())


def test_a_model_is_taught_away_from_the_scaffold_that_it_repeats() -> None:
    gains, _ = learned(Says, crowding=5.0)
    assert gains["c1ccccc1"] == min(gains.values())
    assert gains["c1ccccc1"] < -1.0


def test_without_a_price_nothing_is_drawn() -> None:
    gains, _ = learned(Never, crowding=0.0)
    assert abs(gains["c1ccccc1"]) < 1.0
