"""Free candidates: valid, marked, from the elites they name, and the same again from the same seeds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from designloop.molecules.chemistry import parse
from designloop.randomness import generators_of
from designloop.strategies.archive.archive import Member, draw_by_rank, rank_weights
from designloop.strategies.proposers.base import Proposer
from designloop.strategies.proposers.latents import PosteriorDraws, PriorDraws
from designloop.strategies.proposers.mixing import LatentMixing
from designloop.strategies.proposers.selfies import SelfiesCrossover, SelfiesMutation, symbol_chances
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from tests.tiny import small_molecules, tiny_vae

VAE = tiny_vae()
ELITES = [Member(text, VAE.codec.to_selfies(text), 1.0 - row / 100) for row, text in enumerate(small_molecules(30))]

PROPOSERS: dict[str, Proposer] = {
    "prior": PriorDraws(lambda: VAE, 4.0, 0.8),
    "posterior": PosteriorDraws(VAE, (0.2, 1.0)),
    "mixing": LatentMixing(VAE, (0.2, 1.0)),
    "mutation": SelfiesMutation(VAE.codec),
    "crossover": SelfiesCrossover(VAE.codec),
}


@pytest.mark.parametrize("name", PROPOSERS)
def test_candidates_are_valid_marked_and_repeatable(name: str) -> None:
    first, again, other = (PROPOSERS[name].propose(ELITES, 60, generators_of("cpu", seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len({candidate.smiles for candidate in first}) == len(first) > 5
    known = {elite.smiles for elite in ELITES}
    for candidate in first:
        assert parse(candidate.smiles) is not None
        assert candidate.selfies is not None
        assert VAE.codec.to_smiles(candidate.selfies) == candidate.smiles
        assert candidate.proposer == name
        assert candidate.model_round == 0, "it is the search that stamps it"
        assert len(candidate.parents) == {"prior": 0, "crossover": 2, "mixing": 2}.get(name, 1)
        assert set(candidate.parents) <= known


@pytest.mark.parametrize("name", sorted(set(PROPOSERS) - {"prior"}))
def test_children_of_free_molecules_name_the_ancestor_where_there_is_one(name: str) -> None:
    free = [replace(elite, ancestor="CCO") for elite in ELITES]
    drawn = PROPOSERS[name].propose(free, 40, generators_of("cpu", 0))
    assert {parent for candidate in drawn for parent in candidate.parents} == {"CCO"}


def test_posterior_draws_have_the_shape_of_the_elites_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    latents: list[torch.Tensor] = []
    asked: list[int] = []
    mean, scale = torch.linspace(-1, 1, 8).unsqueeze(0), torch.linspace(0.1, 0.8, 8).unsqueeze(0)

    def posteriors(selfies: list[str], refine: int) -> DiagonalNormal:
        asked.append(refine)
        return DiagonalNormal(mean, scale)

    def write(z: torch.Tensor, noise: torch.Tensor, *_: object) -> list[str]:
        latents.append((z - mean) / noise.unsqueeze(1))
        return ["[C][O]"] * len(z)

    monkeypatch.setattr(VAE, "posteriors", posteriors)
    monkeypatch.setattr(VAE, "write", write)
    drawn = PosteriorDraws(VAE, (0.2, 1.0), refine=5).propose(ELITES[:1], 8000, generators_of("cpu", 0))
    assert [candidate.smiles for candidate in drawn] == ["CO"]
    assert asked == [5]
    wanted = scale[0] / scale.square().mean().sqrt()
    assert torch.allclose(latents[0].std(0), wanted, rtol=0.05)  # six standard errors
    assert latents[0].mean(0).abs().max() < 0.08


def test_crossover_takes_the_start_of_one_and_the_end_of_the_other() -> None:
    import selfies

    long = Member("CCCCCCCC", VAE.codec.to_selfies("CCCCCCCC"), 1.0)
    other = Member("FNNNNNNO", "[F][N][N][N][N][N][N][O]", 0.9)
    for child in SelfiesCrossover(VAE.codec).propose([long, other], 60, generators_of("cpu", 0)):
        symbols = list(selfies.split_selfies(child.selfies))
        first, second = (long, other) if child.parents[0] == long.smiles else (other, long)
        head, tail = list(selfies.split_selfies(first.selfies)), list(selfies.split_selfies(second.selfies))
        assert any(symbols == head[:a] + tail[b:] for a in range(9) for b in range(9))


def test_one_elite_alone_cannot_be_crossed() -> None:
    assert SelfiesCrossover(VAE.codec).propose(ELITES[:1], 10, generators_of("cpu", 0)) == []


def test_better_elites_are_picked_more_often() -> None:
    weights = rank_weights(50, 0.02)
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights / weights[0], (0.02 * 50 + 1) / (0.02 * 50 + np.arange(50) + 1))
    counts = np.bincount(draw_by_rank(np.random.default_rng(0), ELITES, 20_000), minlength=30)
    expected = 20_000 * rank_weights(30)
    # chi-square with 29 degrees of freedom: 63 is passed once in 4,000 seeds
    assert ((counts - expected) ** 2 / expected).sum() < 63


def test_symbols_are_drawn_as_often_as_zinc_has_them() -> None:
    chances = symbol_chances(VAE.codec)
    assert chances.sum() == pytest.approx(1.0)
    assert chances[:2].tolist() == [0.0, 0.0]
    assert (chances[2:] > 0).all()
    names = dict(zip(VAE.codec.symbols, chances[2:], strict=True))
    assert names["[C]"] == max(names.values()) > 0.2
