"""A strategy is a wiring of parts: a third one takes the proposers of both others, and another acquisition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from designloop.api import query, run
from designloop.randomness import generators_of
from designloop.records import Candidate, State
from designloop.strategies import base
from designloop.strategies.acquisition.thompson import Thompson
from designloop.strategies.acquisition.upper_bound import UpperBound
from designloop.strategies.archive.archive import Archive, Member
from designloop.strategies.archive.transcriber import Transcriber
from designloop.strategies.base import CampaignView, Strategy
from designloop.strategies.proposers.base import Proposer
from designloop.strategies.proposers.graphs import GraphCrossover, GraphMutation
from designloop.strategies.proposers.latents import PosteriorDraws, PriorDraws
from designloop.strategies.proposers.mixing import LatentMixing
from designloop.strategies.proposers.selfies import SelfiesCrossover, SelfiesMutation
from designloop.strategies.proposers.weighted import Weighted
from designloop.strategies.search.breeding import BreedByBound
from designloop.strategies.search.credit import Credit
from designloop.strategies.search.machine import Search
from designloop.strategies.search.pool import Turn
from designloop.strategies.search.saved import Saved
from designloop.strategies.surrogates.composite import CompositeSurrogate
from designloop.strategies.surrogates.views import FingerprintView
from designloop.testing import check_strategy
from tests.tiny import tiny_corpus, tiny_vae


def build(settings: Any, campaign: CampaignView, state: State | None) -> Strategy:
    saved, vae, view = Saved.read(state, 500), campaign.load_model(), FingerprintView(campaign.standard_forms)
    prior, writer = PriorDraws(lambda: vae, 4.0), Transcriber(vae.codec, campaign.objective.names)
    proposers: dict[str, Proposer] = {
        "prior": prior,
        "posterior": PosteriorDraws(vae, (0.3, 1.3)),
        "mixing": LatentMixing(vae, (0.3, 1.3)),
        "mutation": SelfiesMutation(vae.codec),
        "crossover": SelfiesCrossover(vae.codec),
        "graph_mutation": GraphMutation(campaign.keep),
        "graph_crossover": GraphCrossover(campaign.keep),
    }

    def elites(archive: Archive) -> list[Member]:
        return archive.best(100, 10)

    credit = Credit(tuple(proposers), elites, saved.parts.get("credit"))

    def propose(parents: Sequence[Member], n: int, turn: Turn, generation: int = 0) -> list[Candidate]:
        rng = generators_of(vae.device, turn.seed, turn.rounds_seen, turn.block, generation, "pool")
        return Weighted(proposers, credit.credit, prior).propose(parents, n, rng)

    return Search(
        campaign=campaign,
        transcriber=writer,
        draw=lambda archive, wanted, turn: propose(elites(archive), 2 * wanted, turn),
        surrogate=CompositeSurrogate(view, campaign.objective),
        breed=BreedByBound(
            campaign=campaign, transcriber=writer, view=view, propose=propose, elites=elites, bound=UpperBound(1.0)
        ),
        acquisition=Thompson(),
        learners={"credit": credit},
        saved=saved,
    )


def test_the_third_strategy_passes_the_suite(tmp_path: Path) -> None:
    tiny_vae().save(tmp_path / "tiny.safetensors", {"corpus": "small molecules"})
    tiny_corpus().save(tmp_path / "tiny.corpus.npz")
    check_strategy(build, None, model=tmp_path / "tiny.safetensors", wanted=8)


def test_the_third_strategy_runs_a_campaign(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "build", lambda name, settings, view, state=None: build(settings, view, state))
    (tmp_path / "third.yaml").write_text(
        f"name: third\nseed: 1\nmodel: {tiny_model}\nbatch_size: 12\nbudget: {{oracle_calls: 48}}\n"
        "starting_molecules: [CC(=O)Nc1ccc(O)cc1, CC(C)Cc1ccc(cc1)C(C)C(=O)O, CCOC(=O)c1ccccc1C]\n"
        "strategy: {name: random}\nevaluation: {backend: inline}\n"
        "objective: {properties: [{name: qed, oracle: qed, transform: {type: linear, low: 0, high: 1}}]}\n"
    )
    run(tmp_path / "third.yaml")
    rows = query("SELECT proposer, model_round FROM candidates", [tmp_path / "third.yaml"]).to_pylist()
    assert len(rows) == 48
    assert {row["proposer"] for row in rows} > {"graph_mutation", "mutation"}
    assert {row["model_round"] for row in rows} == {0}
