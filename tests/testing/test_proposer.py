"""The suite of proposers: all of ours pass it, and one that breaks a rule fails the check of that rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designloop.randomness import Generators
from designloop.records import Candidate
from designloop.strategies.archive.archive import Member
from designloop.strategies.proposers.base import Proposer
from designloop.strategies.proposers.graphs import GraphCrossover, GraphMutation
from designloop.strategies.proposers.latents import PosteriorDraws, PriorDraws
from designloop.strategies.proposers.mixing import LatentMixing
from designloop.strategies.proposers.selfies import SelfiesCrossover, SelfiesMutation
from designloop.testing import NonConformance, check_proposer
from tests.tiny import tiny_vae

VAE = tiny_vae()

OURS: dict[str, Proposer] = {
    "prior": PriorDraws(lambda: VAE, 4.0),
    "posterior": PosteriorDraws(VAE, (0.3, 1.3)),
    "mixing": LatentMixing(VAE, (0.3, 1.3)),
    "mutation": SelfiesMutation(VAE.codec),
    "crossover": SelfiesCrossover(VAE.codec),
    "graph_mutation": GraphMutation(),
    "graph_crossover": GraphCrossover(),
}

Propose = Callable[[Sequence[Member], int, Generators], list[Candidate]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    VAE.save(path, {"corpus": "small molecules"})
    return path


@pytest.mark.parametrize("name", OURS)
def test_ours_pass(name: str, model: Path) -> None:
    assert len(check_proposer(OURS[name], model=model).passed) == 7


class Altered:
    """Chains whose length is drawn, with one rule broken."""

    def __init__(self, propose: Propose) -> None:
        self.propose = propose


def chains(parents: Sequence[Member], n: int, rng: Generators, least: int = 1) -> list[Candidate]:
    lengths = sorted({int(length) for length in rng.numpy.integers(least, 200, n)})
    return [Candidate("C" * length, "chain", parents=tuple(p.name for p in parents[:1])) for length in lengths]


def marked(parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
    first, *others = chains(parents, n, rng)
    return [Candidate(first.smiles, "another"), *others]


def renamed(parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
    return [Candidate(child.smiles, "chain", parents=("CCCCl",)) for child in chains(parents, n, rng)] + [
        Candidate("CBr", "chain", parents=("C1CC1",))
    ]


def popped(parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
    made = chains(parents, n, rng)
    if isinstance(parents, list) and parents:
        parents.pop()
    return made


def blind(parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
    return [Candidate(c.smiles, "chain", parents=tuple(p.smiles for p in parents[:1])) for c in chains((), n, rng)]


def in_a_tuple(parents: Sequence[Member], n: int, rng: Generators) -> Any:
    return tuple(chains(parents, n, rng))


def of_the_first(parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
    return chains([parents[0]], n, rng)


def from_globals(parents: Sequence[Member], n: int, rng: Generators) -> list[Candidate]:
    return [Candidate("C" * int(np.random.randint(1, 10_000)), "chain")]  # noqa: NPY002


BROKEN: dict[str, tuple[Propose, str, str]] = {
    "gives a tuple": (in_a_tuple, "proposes", "gave a tuple"),
    "gives nothing": (lambda parents, n, rng: [], "proposes", "gave nothing"),
    "gives too many": (lambda parents, n, rng: 70 * chains(parents, n, rng), "proposes", "60 were wanted"),
    "gives no molecule": (lambda parents, n, rng: [Candidate("C1CC", "chain")], "candidates", "is no molecule"),
    "has two names": (marked, "candidates", "marked another, chain"),
    "repeats itself": (lambda parents, n, rng: 2 * chains(parents, 9, rng), "distinct", "comes 2 times"),
    "names a stranger": (renamed, "parents", "which is no parent's name"),
    "takes a parent away": (popped, "parents", "was changed"),
    "knows no ancestors": (blind, "ancestors", "parent.name"),
    "needs a parent": (of_the_first, "few_parents", "IndexError"),
    "draws from elsewhere": (from_globals, "repeats", "global generator of numpy.random"),
    "never draws": (lambda parents, n, rng: [Candidate("CCCCC", "chain")], "repeats", "other generators give the same"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_rule_is_named(fault: str, model: Path) -> None:
    propose, check, sentence = BROKEN[fault]
    with pytest.raises(NonConformance) as caught:
        check_proposer(Altered(propose), model=model)
    assert check in caught.value.problems
    assert any(sentence in problem for problem in caught.value.problems[check])


def test_chains_pass(model: Path) -> None:
    check_proposer(Altered(chains), model=model)
