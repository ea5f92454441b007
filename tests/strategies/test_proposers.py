"""Free candidates: valid, marked, from the elites they name, and the same again from the same seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from designloop.molecules.chemistry import parse
from designloop.records import Candidate
from designloop.strategies import proposers
from designloop.strategies.proposers import Elite
from designloop.vae.posteriors.diagonal_normal import DiagonalNormal
from tests.tiny import small_molecules, tiny_vae

VAE = tiny_vae()
ELITES = [Elite(one, VAE.codec.to_selfies(one), 1.0 - at / 100) for at, one in enumerate(small_molecules(30))]


def prior(seed: int) -> list[Candidate]:
    return proposers.from_prior(VAE, 40, torch.Generator().manual_seed(seed), 4.0, 3, 0.8)


def posterior(seed: int) -> list[Candidate]:
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    return proposers.from_posterior(VAE, ELITES, 40, rng, generator, (0.2, 1.0), 3)


def mutation(seed: int) -> list[Candidate]:
    return proposers.mutated(VAE.codec, ELITES, 40, np.random.default_rng(seed), 3)


def crossover(seed: int) -> list[Candidate]:
    return proposers.crossed(VAE.codec, ELITES, 40, np.random.default_rng(seed), 3)


@pytest.mark.parametrize("propose", [prior, posterior, mutation, crossover])
def test_candidates_are_valid_marked_and_repeatable(propose) -> None:
    found = propose(1)
    assert found == propose(1)
    assert found != propose(2)
    assert len({one.smiles for one in found}) == len(found) > 5
    known = {one.smiles for one in ELITES}
    for one in found:
        assert parse(one.smiles) is not None
        assert VAE.codec.to_smiles(one.selfies) == one.smiles
        assert one.proposer == propose.__name__
        assert one.model_round == 3
        assert len(one.parents) == {"prior": 0, "posterior": 1, "mutation": 1, "crossover": 2}[propose.__name__]
        assert set(one.parents) <= known


def test_posterior_draws_have_the_shape_of_the_elites_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    asked: list[int] = []
    mean, scale = torch.linspace(-1, 1, 8).unsqueeze(0), torch.linspace(0.1, 0.8, 8).unsqueeze(0)

    def posteriors(selfies: list[str], refine: int) -> DiagonalNormal:
        asked.append(refine)
        return DiagonalNormal(mean, scale)

    def write(z: torch.Tensor, noise: torch.Tensor, *_: object) -> list[str]:
        seen.append((z - mean) / noise.unsqueeze(1))
        return ["[C][O]"] * len(z)

    monkeypatch.setattr(VAE, "posteriors", posteriors)
    monkeypatch.setattr(VAE, "write", write)
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    found = proposers.from_posterior(VAE, ELITES[:1], 8000, rng, generator, (0.2, 1.0), 3, refine=5)
    assert [one.smiles for one in found] == ["CO"]
    assert asked == [5]
    wanted = scale[0] / scale.square().mean().sqrt()
    assert torch.allclose(seen[0].std(0), wanted, rtol=0.05)  # six standard errors
    assert seen[0].mean(0).abs().max() < 0.08


def test_crossover_takes_the_start_of_one_and_the_end_of_the_other() -> None:
    import selfies

    long = Elite("CCCCCCCC", VAE.codec.to_selfies("CCCCCCCC"), 1.0)
    other = Elite("FNNNNNNO", "[F][N][N][N][N][N][N][O]", 0.9)
    for child in proposers.crossed(VAE.codec, [long, other], 60, np.random.default_rng(0)):
        symbols = list(selfies.split_selfies(child.selfies))
        first, second = (long, other) if child.parents[0] == long.smiles else (other, long)
        head, tail = list(selfies.split_selfies(first.selfies)), list(selfies.split_selfies(second.selfies))
        assert any(symbols == head[:a] + tail[b:] for a in range(9) for b in range(9))


def test_one_elite_alone_cannot_be_crossed() -> None:
    assert proposers.crossed(VAE.codec, ELITES[:1], 10, np.random.default_rng(0)) == []


def test_better_elites_are_picked_more_often() -> None:
    weights = proposers.rank_weights(50, 0.02)
    assert weights.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(weights / weights[0], (0.02 * 50 + 1) / (0.02 * 50 + np.arange(50) + 1))
    counts = np.bincount(proposers.pick(np.random.default_rng(0), ELITES, 20_000), minlength=30)
    expected = 20_000 * proposers.rank_weights(30)
    # chi-square with 29 degrees of freedom: 63 is passed once in 4,000 seeds
    assert ((counts - expected) ** 2 / expected).sum() < 63


def test_symbols_are_drawn_as_often_as_zinc_has_them() -> None:
    chances = proposers.symbol_chances(VAE.codec)
    assert chances.sum() == pytest.approx(1.0)
    assert chances[:2].tolist() == [0.0, 0.0]
    assert (chances[2:] > 0).all()
    names = dict(zip(VAE.codec.symbols, chances[2:], strict=True))
    assert names["[C]"] == max(names.values()) > 0.2


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=6))
def test_shares_add_up_and_keep_a_floor(credit) -> None:
    found = proposers.shares({str(at): value for at, value in enumerate(credit)}, floor=0.3)
    assert sum(found.values()) == pytest.approx(1.0)
    assert min(found.values()) >= 0.3 / len(credit) - 1e-12
