"""Latent Bayesian optimization: a GP on the pretrained model's latents, in a trust region around the best molecule.

One round: latents drawn in the region are decoded several times each, what comes out is encoded again (the decoder maps
many latents to one molecule, and seldom to the one meant), and a batch is taken by Thompson sampling or qLogEI at the
latents that the molecules have. The model does not learn: latents keep their meaning. What is decoded seldom holds a
core that the campaign demands, so there genetic steps on graphs, which keep it, propose beside the region.
For calls that are dear and few, some tens to some hundreds, of a score that changes smoothly with the molecule; it
learns from nothing but latents, so it needs molecules that the model writes again (`designloop validate` says which of
yours it does).
Source: Eriksson et al. 2019, "Scalable global optimization via local Bayesian optimization" (TuRBO).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from designloop.randomness import generators_of, rng_of
from designloop.records import Candidate, State
from designloop.strategies.base import SCORE_ALONE, CampaignView, Strategy
from designloop.strategies.search.trust_region import RegionSettings


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Literal["latent_bo"] = "latent_bo"
    acquisition: Literal["thompson", "qlogei"] = Field(
        "thompson",
        description="how a batch is chosen: each molecule is the best by a draw of the GP; or by expected improvement",
    )
    start: int = Field(20, ge=3, description="scored molecules before the GP is fitted; until then, the prior")
    prior_noise: float = Field(4.0, gt=0, le=8, description="noise level at which the prior is sampled")
    points: int = Field(80, ge=1, description="latents drawn in the region in each generation")
    decodes: int = Field(4, ge=1, description="molecules decoded from each")
    generations: int = Field(2, ge=1, description="of free molecules, each drawn around the GP's favourites so far")
    temperature: float = Field(1.0, gt=0, description="of the decoder")
    dimensions: int = Field(64, ge=1, description="axes of the latents that the GP sees")
    remembered: int = Field(1000, ge=20, le=1000, description="molecules in the GP: the best half, the latest")
    graph_steps: bool | None = Field(
        None, description="whether genetic steps on graphs propose, too; unless said, where require_smarts names a core"
    )
    region: RegionSettings = RegionSettings()


def build(settings: Settings, campaign: CampaignView, state: State | None) -> Strategy:
    """Fresh, or as it was after its last round."""
    from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
    from designloop.strategies.acquisition.thompson import Thompson
    from designloop.strategies.archive.archive import Archive, by_front, by_score
    from designloop.strategies.archive.transcriber import Transcriber
    from designloop.strategies.proposers.base import Proposer
    from designloop.strategies.proposers.graphs import GraphCrossover, GraphMutation
    from designloop.strategies.proposers.latents import PriorDraws
    from designloop.strategies.proposers.weighted import interleave
    from designloop.strategies.search.machine import Search
    from designloop.strategies.search.pool import Turn
    from designloop.strategies.search.region import RegionSearch
    from designloop.strategies.search.saved import Saved, latent_bo_version_1
    from designloop.strategies.search.trade_offs import RandomTradeOffs
    from designloop.strategies.surrogates.latent_gp import LatentSurrogate, axes_of_model
    from designloop.strategies.surrogates.views import LatentView

    vae = campaign.load_model()
    has_goals = campaign.objective.reference is not None
    standing = by_front(campaign.objective.desirabilities) if has_goals else by_score
    saved = Saved.read(state, settings.remembered, lambda old: latent_bo_version_1(old, vae.codec), standing)
    names = campaign.objective.names if has_goals else SCORE_ALONE.names
    transcriber, view = Transcriber(vae.codec, names, encoder=vae), LatentView(vae)
    graph_steps: dict[str, Proposer] = {}
    if settings.graph_steps or (settings.graph_steps is None and campaign.keep):
        graph_steps["graph_mutation"] = GraphMutation(campaign.keep)
        graph_steps["graph_crossover"] = GraphCrossover(campaign.keep)
    region = RegionSearch(
        settings=settings.region,
        vae=vae,
        transcriber=transcriber,
        view=view,
        points=settings.points,
        decodes=settings.decodes,
        generations=settings.generations,
        temperature=settings.temperature,
        others=graph_steps,
        state_before=saved.parts.get("region"),
    )
    prior = PriorDraws(lambda: vae, settings.prior_noise)

    def draw(archive: Archive, wanted: int, turn: Turn) -> list[Candidate]:
        rng = generators_of(vae.device, turn.seed, turn.rounds_seen, "prior", turn.block)
        drawn, n = prior.propose((), max(wanted, 32), rng), max(wanted, 32) // 2
        parents = archive.best(settings.start, settings.start) if graph_steps else []
        return interleave([drawn, *(step.propose(parents, n, rng) for step in graph_steps.values())])

    axes = axes_of_model(vae, campaign.load_replay(), settings.dimensions, rng_of(campaign.seed, "axes"))
    return Search(
        campaign=campaign,
        transcriber=transcriber,
        draw=draw,
        surrogate=LatentSurrogate(view, axes, settings.start),
        breed=region.breed,
        acquisition=Thompson() if settings.acquisition == "thompson" else LogExpectedImprovement(),
        learners={"region": region},
        trade_offs=RandomTradeOffs(campaign.objective, campaign.seed) if has_goals else None,
        foresight=True,
        saved=saved,
    )
