from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from ray import cloudpickle
from scipy.stats import norm
from torch import Tensor

from designloop.molecules.chemistry import standard_forms
from designloop.molecules.sequence_networks import on_sphere
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.pieces import P, R, S, Spread, one_by_one
from designloop.randomness import generators_of
from designloop.records import Candidate
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import SCORE_ALONE
from designloop.strategies.proposers.mixing import LatentMixing
from designloop.strategies.search.chains import PROPOSER as CHAIN
from designloop.strategies.search.chains import Chains, ChainWalk, log_chance
from designloop.strategies.search.core import Core
from designloop.strategies.search.pool import Source, Turn
from designloop.strategies.search.region_search import RegionSearch, RegionWriter
from designloop.strategies.search.regions import PROPOSER, Regions
from designloop.strategies.search.trust_region import RegionSettings
from designloop.strategies.surrogates.base import Posterior
from designloop.strategies.surrogates.committee import Committee, CommitteePosterior
from designloop.strategies.surrogates.latent_kernels import EncodedView, LatentMatern
from tests.strategies.latent_bo.small_loop import score_of
from tests.strategies.plain_axes import plain_axes
from tests.tiny import small_molecules, tiny_vae


def believed(mean: list[float], doubt: list[float]) -> Posterior:
    variance = np.square(doubt)
    return Posterior([np.array(mean)], lambda: [variance], lambda: [np.diag(variance)], [1e-4], 1.0)


def test_the_chance_is_that_of_the_mixture() -> None:
    members = [believed([0.2, 0.9], [0.1, 0.5]), believed([0.4, 0.1], [0.3, 1e-12])]
    mixed = CommitteePosterior([np.zeros(2)], lambda: [], lambda: [], [1e-4], 1.0, members=members, shares=(0.3, 0.7))
    expected = 0.3 * norm.sf(0.6, [0.2, 0.9], [0.1, 0.5]) + 0.7 * norm.sf(0.6, [0.4, 0.1], [0.3, 1e-9])
    assert np.exp(log_chance(mixed, 0.6)) == pytest.approx(expected)
    assert log_chance(members[0], 0.6) == pytest.approx(norm.logsf(0.6, [0.2, 0.9], [0.1, 0.5]))


SMILES = small_molecules(30)


class Table(SequenceVAE):
    """A model whose decoder knows some molecules, and writes the one whose latent is nearest."""

    def write(
        self,
        z: Tensor,
        noise: Tensor | float = 0.0,
        generator: torch.Generator | None = None,
        temperature: float = 0.0,
        batch: int = 512,
    ) -> list[str]:
        known, latents = written_by_table()
        return [known[row] for row in torch.cdist(on_sphere(z.float()), latents).argmin(1).tolist()]


@cache
def written_by_table() -> tuple[list[str], Tensor]:
    vae = tiny_vae()
    known = [vae.codec.to_selfies(name) for name in small_molecules(150)]
    return known, vae.latents(known)


def search(
    core: tuple[str, ...] = (), decoded: float = 6, spread: Spread = one_by_one
) -> tuple[list[Source], Archive, Committee]:
    """Chains and regions, what was paid for, and who votes."""
    vae = tiny_vae()
    vae.__class__ = Table
    view = EncodedView(standard_forms, vae)
    members = tuple(Member(name, vae.codec.to_selfies(name), score_of(name), (score_of(name),)) for name in SMILES)
    others = {"latent": LatentMatern(plain_axes(8), 4.0)}
    chains = Chains(
        walk=ChainWalk(vae=vae, view=view, core=Core(core)),
        elites=lambda archive: archive.best(20, 20),
        decoded=decoded,
        spread=spread,
    )
    writer = RegionWriter(vae=vae, view=view, transcriber=Transcriber(vae.codec), temperature=1.0, core=Core(core))
    regions = RegionSearch(
        writer=writer,
        regions=Regions(RegionSettings(count=2, length=0.02, shortest=0.01), seed=0),
        decoded=decoded,
        spread=spread,
    )
    return [chains, regions], Archive(members), Committee(view, SCORE_ALONE, ("ecfp6",), others=others)


def propose(
    wanted: int = 10,
    seed: int = 0,
    core: tuple[str, ...] = (),
    decoded: float = 6,
    spread: Spread = one_by_one,
) -> list[Candidate]:
    sources, archive, committee = search(core, decoded, spread)
    belief = committee.fit(archive, 0)
    assert belief is not None
    return [candidate for source in sources for candidate in source.propose(archive, belief, wanted, Turn(seed, 3))]


def test_chains_and_regions_write_molecules_that_name_where_they_come_from() -> None:
    drawn = propose()
    assert {candidate.proposer for candidate in drawn} == {CHAIN, PROPOSER}
    centres = {candidate.parents for candidate in drawn if candidate.proposer == PROPOSER}
    assert len(centres) == 2
    assert all(len(candidate.parents) == 1 and candidate.parents[0] in SMILES for candidate in drawn)
    assert all(candidate.selfies and candidate.origin is not None for candidate in drawn)
    levels = {candidate.proposer: candidate.origin.noise for candidate in drawn if candidate.origin}
    assert levels == {CHAIN: 0.0, PROPOSER: pytest.approx(0.02)}, "chains decode greedily, without noise"


def test_what_chains_give_is_what_their_latents_decode_to() -> None:
    vae = tiny_vae()
    vae.__class__ = Table
    written = [candidate for candidate in propose() if candidate.proposer == CHAIN]
    latents = np.stack([candidate.origin.latent for candidate in written if candidate.origin])
    assert len({candidate.smiles for candidate in written}) == len(written) > 5
    assert vae.write(torch.from_numpy(latents)) == [candidate.selfies for candidate in written]


def test_it_follows_from_the_turn() -> None:
    assert propose(seed=1) == propose(seed=1)
    assert propose(seed=1) != propose(seed=2)


class Elsewhere:
    """Does pieces in copies of what is sent, the last one first, as another process may."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    def __call__(self, work: Callable[[S, P], R], shared: S, pieces: Sequence[P]) -> list[R]:
        self.counts.append(len(pieces))
        torch.rand(3)  # a process of its own stands elsewhere in the global generators
        done = [pickle.loads(cloudpickle.dumps((work, shared, piece))) for piece in reversed(pieces)]
        return [theirs(given, piece) for theirs, given, piece in done][::-1]


def test_it_is_the_same_wherever_and_in_whatever_order_the_pieces_are_done() -> None:
    elsewhere = Elsewhere()
    spread, here = propose(wanted=20, decoded=8, spread=elsewhere), propose(wanted=20, decoded=8)
    assert spread == here
    assert all(
        theirs.origin and ours.origin and np.array_equal(theirs.origin.latent, ours.origin.latent)
        for theirs, ours in zip(spread, here, strict=True)
    )
    assert elsewhere.counts == [3, 2], "20 chains are three pieces, and each region is one"


def test_about_as_many_are_decoded_as_are_to_be() -> None:
    assert len(propose(wanted=1, decoded=5)) < len(propose(wanted=30, decoded=5)) <= 360


def test_what_lacks_the_core_is_neither_walked_to_nor_kept() -> None:
    drawn = propose(core=("O",))
    assert all("O" in candidate.smiles.upper() for candidate in drawn)
    assert propose(core=("[Au]",)) == []


def test_without_a_process_on_latents_nothing_is_written_in_regions() -> None:
    (_, regions), archive, committee = search()
    belief = Committee(committee.view, SCORE_ALONE, ("ecfp6",)).fit(archive, 0)
    assert belief is not None
    assert regions.propose(archive, belief, 10, Turn(0, 3)) == []


def test_without_two_elites_no_chain_begins() -> None:
    (chains, _), archive, committee = search()
    belief = committee.fit(archive, 0)
    assert belief is not None
    assert chains.propose(replace(archive, members=archive.members[:1]), belief, 10, Turn(0, 3)) == []


def test_the_core() -> None:
    core = Core(("c1ccccc1", "O"))
    assert core.holds("Oc1ccccc1")
    assert not core.holds("CO")
    assert not core.holds("not a molecule")
    assert core.holding([Candidate("CO", ""), Candidate("Oc1ccccc1", "")]) == [Candidate("Oc1ccccc1", "")]
    assert Core(()).holds("C")


# ---- mixing


@pytest.fixture
def parents(vae: SequenceVAE) -> list[Member]:
    return [Member(name, vae.codec.to_selfies(name), score_of(name)) for name in SMILES]


def test_mixed_children_name_both_parents_and_where_they_were_written_from(
    vae: SequenceVAE, parents: list[Member]
) -> None:
    mixing = LatentMixing(vae, (0.3, 0.5), 0.8)
    drawn = mixing.propose(parents, 20, generators_of("cpu", 0, "mixing"))
    assert drawn
    assert all(len(set(candidate.parents)) == 2 and candidate.proposer == "mixing" for candidate in drawn)
    assert all(candidate.origin and 0.3 <= candidate.origin.noise <= 0.5 for candidate in drawn)
    assert mixing.propose(parents[:1], 5, generators_of("cpu", 0, "mixing")) == []
    assert mixing.propose(parents[:1] * 2, 0, generators_of("cpu", 0, "mixing")) == []


def test_half_of_the_shares_are_of_whole_latents_and_half_of_units() -> None:
    shares = LatentMixing._shares(200, 16, generators_of("cpu", 0, "mixing")).numpy()
    by_unit = np.isin(shares, (0.0, 1.0)).all(1)
    assert 60 < by_unit.sum() < 140
    assert all(np.ptp(row) == 0 and 0.1 <= row[0] <= 0.9 for row in shares[~by_unit])
    assert 0.3 < shares[by_unit].mean() < 0.7
