"""The pool of free candidates: who gives how many."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from designloop.strategies import graph_steps, pool, proposers
from designloop.strategies.property_loss import OF_THE_MODEL, PROPOSERS, Settings
from designloop.strategies.proposers import Elite
from tests.tiny import small_molecules, tiny_vae


def asked(monkeypatch: pytest.MonkeyPatch, credit: dict[str, float], n: int) -> Counter[str]:
    """How many candidates each proposer is asked for."""
    seen: Counter[str] = Counter()

    def noting(name: str, many: int):
        def fake(*given, **named):
            seen[name] += given[many]
            return []

        return fake

    for name, function, many in (
        ("prior", "from_prior", 1),
        ("posterior", "from_posterior", 2),
        ("mutation", "mutated", 2),
        ("crossover", "crossed", 2),
    ):
        monkeypatch.setattr(proposers, function, noting(name, many))
    for name, function in (("graph_mutation", "graph_mutated"), ("graph_crossover", "graph_crossed")):
        monkeypatch.setattr(graph_steps, function, noting(name, 1))
    vae = tiny_vae()
    elites = [Elite(one, vae.codec.to_selfies(one), 1.0) for one in small_molecules(5)]
    pool.draw(
        vae, Settings(), credit, elites, n, np.random.default_rng(0), torch.Generator().manual_seed(0), (), 0
    )  # fmt: skip
    return seen


def test_what_the_model_proposes_takes_no_genetic_step_away(monkeypatch: pytest.MonkeyPatch) -> None:
    genetics = [name for name in PROPOSERS if name not in OF_THE_MODEL]
    alone = asked(monkeypatch, dict.fromkeys(genetics, 1.0), 1200)
    beside = asked(monkeypatch, dict.fromkeys(PROPOSERS, 1.0), 1200)
    assert sum(alone.values()) == 1200
    assert {name: beside[name] for name in genetics} == dict.fromkeys(genetics, 300)
    assert {name: beside[name] for name in OF_THE_MODEL} == {"prior": 300, "posterior": 300}


def test_without_genetic_steps_the_model_gives_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, {"prior": 1.0, "posterior": 3.0}, 1000) == {"prior": 325, "posterior": 675}
