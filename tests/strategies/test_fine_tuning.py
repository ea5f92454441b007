"""Fine-tuning: it learns the elites, leaves the encoder alone, and is the same again from the same seeds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from designloop.strategies.archive.archive import Member
from designloop.strategies.learning.fine_tuning import FineTuner, HeldOutMolecules, mixed_batches, reconstruction
from designloop.strategies.learning.settings import FineTuning
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

REPLAY = tiny_corpus()


def tuned(seed: int = 0, **settings):
    vae, reference = tiny_vae(), tiny_vae()
    elites = [Member(text, vae.codec.to_selfies(text), 1.0) for text in small_molecules(20)]
    tuning = FineTuning(**{"steps": 5, "batch": 16, "learning_rate": 1e-2} | settings)
    metrics = FineTuner(vae, reference, REPLAY, tuning).learn(elites, seed, 1)
    return vae, reference, metrics


def same(first: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(value, other[name]) for name, value in first.items())


def test_it_learns_and_leaves_encoder_and_reference_alone() -> None:
    fresh = tiny_vae().state_dict()
    vae, reference, first = tuned()
    assert same(reference.state_dict(), fresh)
    assert same(vae.encoder.state_dict(), reference.encoder.state_dict())
    assert not same(vae.likelihood.state_dict(), reference.likelihood.state_dict())
    _, _, longer = tuned(steps=80)
    assert longer["learn_nats"] < first["learn_nats"]
    assert longer["learn_kl_to_pretrained"] > first["learn_kl_to_pretrained"] > 0


def test_the_rows_of_a_step_are_in_random_order_so_that_the_first_stand_for_all() -> None:
    lengths = np.arange(1, 201)
    rows = (np.arange(200) < lengths[:, None]).astype(int)
    rng = np.random.default_rng(0)
    first, whole = [], []
    for _ in range(40):
        for batch in mixed_batches((rows, rows), 2, rng, 0.5, (0.1, 1.0), torch.device("cpu")):
            sizes = (batch.x[:100] != 0).sum(1).double()
            assert (sizes.max() - sizes.min()) < 100, "rows of a step are of about one length"
            first.append(float(sizes[:33].mean()))
            whole.append(float(sizes.mean()))
    assert np.mean(first) == pytest.approx(np.mean(whole), rel=0.02)


def test_seeds_decide() -> None:
    first, again, other = (tuned(seed)[0].state_dict() for seed in (0, 0, 1))
    assert same(first, again)
    assert not same(first, other)


def test_the_kl_holds_it_back() -> None:
    _, _, free = tuned(steps=60, kl_weight=0)
    _, _, held = tuned(steps=60, kl_weight=20)
    assert held["learn_kl_to_pretrained"] < free["learn_kl_to_pretrained"]


def test_reconstruction_counts_exact_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    vae = tiny_vae()
    held_out = HeldOutMolecules.of(vae, REPLAY, parts=3)
    strings = [text for part in held_out.tokens for text in vae.codec.selfies_of(part.numpy())]
    assert sorted(strings) == sorted(vae.codec.selfies_of(REPLAY.rows.take(REPLAY.held_out)))
    back = [first == other for first, other in zip(vae.write(vae.latents(strings)), strings, strict=True)]
    assert reconstruction(vae, held_out) == sum(back) / len(back)
    monkeypatch.setattr(vae.likelihood, "recovers", lambda params, x: torch.arange(len(x)) == 0)
    assert reconstruction(vae, held_out) == 3 / len(strings)
