"""Learning by the evidence: what a batch is made of, and that the model then gives back where the search is."""

from __future__ import annotations

import numpy as np
import torch

from designloop.randomness import generators_of
from designloop.records import Origin
from designloop.strategies.learning.evidence import PART, EvidenceSteps
from designloop.strategies.learning.replay import PaidMolecule, Replay
from designloop.strategies.proposers.graphs import GraphMutation
from tests.tiny import small_molecules, tiny_corpus, tiny_vae

VAE = tiny_vae()
CORPUS = tiny_corpus()


def replay(n: int = 24) -> Replay:
    here = Origin(np.zeros(VAE.architecture.latent, np.float32), 1.0)
    rows = [PaidMolecule(text, VAE.codec.to_selfies(text), k / n, here) for k, text in enumerate(small_molecules(n))]
    return Replay(tuple(rows))


def written(x: torch.Tensor) -> list[str]:
    """SMILES of the rows of a batch."""
    return [VAE.codec.to_smiles(text) or "" for text in VAE.codec.selfies_of(x.numpy())]


def test_a_batch_is_paid_molecules_their_kin_and_the_corpus_in_equal_parts() -> None:
    steps = EvidenceSteps(VAE, CORPUS, [GraphMutation().propose])
    paid, train = {row.smiles for row in replay().rows}, set(written(torch.from_numpy(CORPUS.rows.take(CORPUS.train))))
    batches = list(steps.batches(replay(), 3, generators_of("cpu", 1)))
    assert [len(batch.x) for batch in batches] == [3 * PART] * 3
    for batch in batches:
        rows = written(batch.x)
        assert set(rows[:PART]) <= paid
        assert set(rows[PART : 2 * PART]) - paid, "kin are new molecules"
        assert set(rows[2 * PART :]) <= train
        assert batch.context["noise"].shape == (3 * PART,)
    again = list(steps.batches(replay(), 3, generators_of("cpu", 1)))
    assert all(torch.equal(first.x, second.x) for first, second in zip(batches, again, strict=True))


def test_without_breeders_paid_molecules_stand_in_the_place_of_kin() -> None:
    (batch,) = EvidenceSteps(VAE, CORPUS, []).batches(replay(), 1, generators_of("cpu", 1))
    assert set(written(batch.x)[: 2 * PART]) <= {row.smiles for row in replay().rows}


def test_the_model_learns_to_give_back_what_was_paid_for() -> None:
    vae = tiny_vae()
    steps, rng = EvidenceSteps(vae, CORPUS, [GraphMutation().propose]), generators_of("cpu", 5)
    paid = vae.tokens([row.selfies for row in replay().rows])

    def nats() -> float:
        with torch.no_grad():
            out = vae(paid, None, {"noise": torch.zeros(len(paid))}, torch.zeros(len(paid), vae.architecture.latent))
        return -float(out.log_prob.mean())

    before, encoder = nats(), vae.encoder.state_dict()["by_position.weight"].clone()
    first = steps(replay(), 5, rng, None)
    for _ in range(6):
        last = steps(replay(), 5, rng, None)
    assert last < first - 0.2
    assert nats() < before - 0.2
    assert not torch.equal(encoder, vae.encoder.state_dict()["by_position.weight"])
    assert not any(parameter.requires_grad for parameter in vae.encoder.parameters()), "other losses leave it alone"
