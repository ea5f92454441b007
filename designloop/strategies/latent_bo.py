"""Latent Bayesian optimization: a committee of surrogates, two of which see latents, votes for what is paid for.

One round: all that was paid for and ZINC, screened, are bred on, by genetic steps and by the model's own draws, from
what the committee votes for; and of all that is there it votes on what is paid for. Its members see latents,
fingerprints and whole-molecule numbers. Where a score is made of several properties, or goals are traded off, each has
a committee of its own. The model does not learn: latents keep their meaning. Chains and trust regions in latent space
write molecules beside, where a campaign asks for them.
For calls that are dear and few, some tens to some hundreds. It learns only from molecules that the model can write
(`designloop validate` says which of yours it can).
Sources: Tripp & Hernández-Lobato 2024 (fixed processes); Moss et al. 2025 (chains); Eriksson et al. 2019 (regions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from designloop.pieces import Spread, one_by_one
from designloop.randomness import generators_of, rng_of
from designloop.records import Candidate, State
from designloop.strategies.base import (
    NOTHING_TO_JUDGE,
    CampaignView,
    Formerly,
    JudgedShare,
    KnownObjective,
    RestartAfter,
    Strategy,
    Unfit,
    share_of_thought,
)
from designloop.strategies.learning.settings import NoiseRange
from designloop.strategies.search.trust_region import RegionSettings

_HOPE = 1.0
"""Standard deviations of doubt by which candidates of no expected gain are put in order."""


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: Literal["latent_bo"] = "latent_bo"
    acquisition: Literal["votes", "thompson", "qlogei", "qlognei", "ucb", "uniform"] = Field(
        "votes",
        description="votes: each choice by one surrogate, at a doubt drawn anew; thompson, qlogei, qlognei and ucb see "
        "the committee as one: joint draws, expected improvement of the batch over the best value or over whatever "
        "the noisy values say is best, upper bound; uniform, the control, chooses blindly of what the votes would "
        "choose from, whatever may fail",
    )
    surrogate: Literal["auto", "committee", "committees"] = Field(
        "auto",
        description="committee: GPs of one value, the score or that of a round's trade-off, with several kernels, each "
        "trusted by how well it foresaw, and where a score has several properties a composite of GPs of these; "
        "committees: such GPs for each property, through the objective or a trade-off; auto: committees where there "
        "are several properties and nothing that is asked for goes by one value, as chains and regions do",
    )
    trade_offs: Annotated[Literal["auto", "hypervolume", "chebyshev"], Formerly("chebyshev")] = Field(
        "auto",
        description="under `aggregate: pareto`: a batch is chosen for what it adds to the front's hypervolume, with a "
        "committee of each goal (qlogei, qlognei: expected over joint draws), or by a trade-off that is drawn anew "
        "each round (Chebyshev's scalarisation with random weights), with one committee of its values; auto: "
        "hypervolume, but chebyshev where thompson, ucb, chains or regions are asked for, which go by one value",
    )
    kappa: float = Field(1.0, ge=0, description="standard deviations of doubt in the upper bound of `ucb`")
    start: int = Field(
        10, ge=3, description="scored molecules before there is a surrogate; until then, candidates are not ranked"
    )
    effort: Literal["low", "normal", "high"] = Field(
        "normal",
        description="free molecules bred for each one paid for: 10, 40 (100 while `thorough`) or 100, fewer and fewer "
        "once 1,000 were paid for; and how much of ZINC is looked at",
    )
    thorough: Annotated[int, Formerly(0)] = Field(
        500,
        ge=0,
        description="molecules paid for that have a score, until which `effort: normal` breeds as many free ones as "
        "`effort: high` does, where a score has several properties and each is foreseen by itself",
    )
    screen: bool = Field(True, description="whether ZINC is looked through, beside what is bred")
    chains: float = Field(
        0,
        ge=0,
        description="molecules that chains in latent space (preconditioned Crank-Nicolson) write for each one wanted",
    )
    regions: RegionSettings = Field(
        RegionSettings(), description="trust regions in latent space that molecules are written in"
    )
    dimensions: int = Field(64, ge=1, description="axes of the latents that surrogates see, at most")
    elites: int = Field(200, ge=2, description="best molecules that chains start from and proposers are credited for")
    per_scaffold: float = Field(0.1, gt=0, le=1, description="largest share of the elites that one scaffold may hold")
    prior_noise: float = Field(6.0, gt=0, le=8, description="noise level at which the prior is sampled")
    posterior_noise: NoiseRange = Field((0.3, 1.3), description="range of the noise level around parents")
    temperature: float = Field(0.8, ge=0.001, description="of the decoder's draws; chains decode greedily")
    restart_after: RestartAfter = 500
    judged: JudgedShare = 0.1


def by_one_value(settings: Settings, objective: KnownObjective) -> str | None:
    """What of these settings goes by one value of a molecule, as the file says it; None where nothing does."""
    if settings.chains:
        return "chains"
    if settings.regions.decoded:
        return "regions"
    if objective.reference is None:
        return None
    if settings.acquisition in ("thompson", "ucb"):
        return f"acquisition: {settings.acquisition}"
    return "trade_offs: chebyshev" if settings.trade_offs == "chebyshev" else None


def surrogate_of(settings: Settings, objective: KnownObjective) -> str:
    """The surrogate of a campaign that is begun with these settings."""
    if settings.surrogate != "auto":
        return settings.surrogate
    return "committees" if len(objective.names) > 1 and by_one_value(settings, objective) is None else "committee"


def why_unfit(settings: Settings, objective: KnownObjective) -> Unfit | None:
    """What keeps these settings from serving an objective; None where nothing does."""
    asked = by_one_value(settings, objective)
    if objective.reference is not None and settings.trade_offs == "hypervolume":
        key, found, others = "trade_offs", "hypervolume", "auto or chebyshev"
        if asked is None and settings.surrogate == "committee":
            asked = "surrogate: committee"
    else:
        key, found, others = "surrogate", "committees", "auto or committee"
        asked = asked if settings.surrogate == found else None
    if asked is None:
        return None
    actual = f"{found} beside {asked}, which goes by one value of each molecule"
    return Unfit(key, actual, others, "or leave that out")


def why_never_thorough(settings: Settings, objective: KnownObjective) -> str | None:
    """Why these settings never breed more free molecules for the first ones paid for; None where they do."""
    if settings.effort != "normal":
        return f"it is for `effort: normal`, and here it is {settings.effort}"
    if objective.reference is not None or surrogate_of(settings, objective) != "committees":
        return "it is for a score of several properties, each of which a committee of its own foresees"
    return None


def idle_settings(settings: Settings, objective: KnownObjective) -> dict[str, str]:
    """Dotted key -> why it does nothing."""
    idle = dict[str, str]()
    if settings.acquisition != "ucb":
        idle["kappa"] = f"it is for `acquisition: ucb`, and here it is {settings.acquisition}"
    if objective.reference is None:
        idle["trade_offs"] = "it is for `objective.aggregate: pareto`"
    elif surrogate_of(settings, objective) == "committee":
        idle["judged"] = NOTHING_TO_JUDGE
    if (why := why_never_thorough(settings, objective)) is not None:
        idle["thorough"] = why
    if not settings.regions.decoded:
        others = [f"regions.{key}" for key in RegionSettings.model_fields if key != "decoded"]
        idle |= dict.fromkeys(others, "`regions.decoded` is 0, so there are no regions")
    if settings.restart_after and objective.reference is not None:
        idle["restart_after"] = "it is for one score, as no mean of ten says whether a front grows"
    return idle


def build(settings: Settings, campaign: CampaignView, state: State | None) -> Strategy:
    """Fresh, or as it was after its last round."""
    from designloop.strategies.acquisition.base import Acquisition
    from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement
    from designloop.strategies.acquisition.log_ei import LogExpectedImprovement
    from designloop.strategies.acquisition.log_nei import LogNoisyExpectedImprovement
    from designloop.strategies.acquisition.thompson import Thompson
    from designloop.strategies.acquisition.uniform import Uniform
    from designloop.strategies.acquisition.upper_bound import UpperBound
    from designloop.strategies.acquisition.votes import FITTED, WIDE
    from designloop.strategies.archive.archive import LIMIT, Archive, Member, by_front, by_score, parents_by_rank
    from designloop.strategies.archive.transcriber import Transcriber
    from designloop.strategies.learning.base import Learner
    from designloop.strategies.learning.feasibility import Feasibility
    from designloop.strategies.property_loss import EFFORT
    from designloop.strategies.proposers import graphs, latents, mixing, selfies
    from designloop.strategies.proposers.base import Proposer
    from designloop.strategies.proposers.weighted import Weighted, fewest_parents
    from designloop.strategies.search import chains, core, credit, judged, machine, pool, region_search, regions, saved
    from designloop.strategies.search.elections import (
        Directions,
        Electorate,
        GoalElectorate,
        KnownWorth,
        ScoreElectorate,
        TradeOffs,
    )
    from designloop.strategies.search.isomers import Isomers
    from designloop.strategies.search.restarts import Restarts
    from designloop.strategies.search.screen import ZincScreen
    from designloop.strategies.search.trade_offs import RandomTradeOffs
    from designloop.strategies.search.typical import Typical
    from designloop.strategies.search.voting import MOST_JOINT, BreedByVote
    from designloop.strategies.surrogates.calibration import Calibration
    from designloop.strategies.surrogates.committee import Committee
    from designloop.strategies.surrogates.committees import Committees
    from designloop.strategies.surrogates.kernels import KERNELS, Kernel, MeanOf
    from designloop.strategies.surrogates.latent_kernels import EncodedView, kernel_of_model
    from designloop.strategies.surrogates.views import FingerprintView

    objective, goals = campaign.objective, campaign.objective.reference
    standing = by_score if goals is None else by_front(objective.desirabilities)
    before = saved.Saved.read(state, LIMIT, saved.latent_bo_version_1, standing)
    part = surrogate_of(settings, objective)
    if settings.surrogate == "auto" and goals is None and state is not None and "committees" not in before.parts:
        part = "committee"  # it was begun when a score had one, whatever it is made of
    by_round = goals is not None and part == "committee"
    if state is not None and part not in before.parts:
        raise saved.of_another_search(f"the parts {', '.join(sorted(before.parts)) or 'none'}", part)
    vae, kept = campaign.load_model(), core.Core(campaign.keep)
    transcriber, view = (
        Transcriber(vae.codec, objective.names, as_standardised=True),
        EncodedView(campaign.standard_forms, vae),
    )

    def elites(archive: Archive) -> list[Member]:
        return archive.elites(settings.elites, settings.per_scaffold)

    prior = latents.PriorDraws(lambda: vae, settings.prior_noise, settings.temperature)
    proposers: dict[str, Proposer] = {
        "posterior": latents.PosteriorDraws(vae, settings.posterior_noise, settings.temperature),
        "mixing": mixing.LatentMixing(vae, settings.posterior_noise, settings.temperature),
        "mutation": selfies.SelfiesMutation(vae.codec),
        "crossover": selfies.SelfiesCrossover(vae.codec),
        "graph_mutation": graphs.GraphMutation(campaign.keep),
        "graph_crossover": graphs.GraphCrossover(campaign.keep),
    }
    if not campaign.keep:  # the prior hardly ever draws a core
        proposers["prior"] = prior
    earned = credit.Credit(tuple(proposers), elites, before.parts.get("credit"))

    def propose(parents: Sequence[Member], n: int, turn: pool.Turn, generation: int = 0) -> list[Candidate]:
        rng = generators_of(vae.device, turn.seed, turn.rounds_seen, turn.block, generation, "pool")
        asked = {name: proposer for name, proposer in proposers.items() if not (generation and name == "prior")}
        weighted = Weighted(asked, earned.credit, prior, fewest_parents(campaign.keep))
        return kept.holding(weighted.propose(parents, n, rng))

    def draw(archive: Archive, wanted: int, turn: pool.Turn) -> list[Candidate]:
        n, rng = int(1.5 * max(wanted, 16)), rng_of(turn.seed, turn.rounds_seen, "parents", turn.block)
        return propose(parents_by_rank(rng, elites(archive), n), n, turn)

    along = kernel_of_model(vae, campaign.load_replay(), settings.dimensions, rng_of(campaign.seed, "axes"))
    others: dict[str, Kernel] = {"latent": along, "latent_composition": MeanOf((along, KERNELS["composition"]))}
    kappas = FITTED if objective.noisy else WIDE
    acquisitions: dict[str, Acquisition] = {
        "thompson": Thompson(),
        "qlogei": LogExpectedImprovement(),
        "qlognei": LogNoisyExpectedImprovement(),
        "ucb": UpperBound(settings.kappa),
        "uniform": Uniform(),
    }
    committee: Committee | Committees
    electorate: Electorate
    if part == "committees":
        trade_offs: TradeOffs = KnownWorth(objective.aggregate)
        if goals is not None:
            front = HypervolumeImprovement(goals, _HOPE, objective.reference_moves)
            acquisitions |= dict.fromkeys(("qlogei", "qlognei"), front)
            trade_offs = Directions(front)
        electorate = GoalElectorate(trade_offs, kappas)
        committee = Committees(view, objective, before.parts.get(part), others=others, start=settings.start)
    else:
        electorate = ScoreElectorate(kappas)
        committee = Committee(
            view,
            objective,
            state=before.parts.get(part),
            # Of a round's trade-off the committee foresees the value, another one each round.
            bits=None if by_round else FingerprintView(campaign.standard_forms),
            others=others,
            start=settings.start,
            # Chains, regions and other acquisitions set scores beside what is believed.
            sees_faint=settings.acquisition in ("votes", "uniform") and by_one_value(settings, objective) is None,
        )
    calibration = Calibration(
        view,
        has_score=not by_round,
        has_properties=objective.noisy,  # a laboratory's, which alone are shown
        state=before.parts.get("calibration"),
    )
    foreseen = Feasibility(before.parts.get("feasibility"))
    isomers = Isomers.followed(campaign, state, before.parts.get("isomers"))
    # Of a round's trade-off nothing is foreseen that a score could be held against.
    judge = judged.Judged(0.0 if by_round else settings.judged, before.parts.get("judged"))
    learners: dict[str, Learner] = {
        "credit": earned,
        part: committee,
        "calibration": calibration,
        "feasibility": foreseen,
        "judged": judge,
    }
    if isomers is not None:
        learners["isomers"] = isomers
    sources: list[pool.Source] = []
    spread = spread_for(vae.device.type, campaign)
    if settings.chains:
        walk = chains.ChainWalk(vae=vae, view=view, core=kept)
        sources.append(chains.Chains(walk=walk, elites=elites, decoded=settings.chains, spread=spread))
    if settings.regions.decoded:
        learners["regions"] = trusted = regions.Regions(settings.regions, campaign.seed, before.parts.get("regions"))
        decoded, share = settings.regions.decoded, settings.regions.typical
        writer = region_search.RegionWriter(
            vae=vae,
            view=view,
            transcriber=transcriber,
            temperature=settings.temperature,
            core=kept,
            metric=settings.regions.metric,
            typical=Typical.of_corpus(vae, campaign.load_replay(), share, rng_of(campaign.seed, "typical"))
            if share < 1
            else None,
        )
        sources.append(region_search.RegionSearch(writer=writer, regions=trusted, decoded=decoded, spread=spread))
    thought, sees_measured = EFFORT[settings.effort], settings.acquisition == "qlognei"
    is_thorough = why_never_thorough(settings, objective) is None

    def share_now(archive: Archive) -> float:
        more = EFFORT["high"].free / thought.free if is_thorough and judge.paid < settings.thorough else 1.0
        return more * share_of_thought(judge.paid, len(archive))

    by_vote = BreedByVote(
        campaign=campaign,
        transcriber=transcriber,
        view=view,
        propose=propose,
        screen=ZincScreen(thought.screened, best=thought.best) if settings.screen else None,
        draws=thought.free,
        share=share_now,
        electorate=electorate,
        sources=sources,
        chooses=settings.acquisition == "votes",
        most=MOST_JOINT - LIMIT if sees_measured else MOST_JOINT,
        feasibility=foreseen,
        isomers=isomers,
    )
    restarts = None
    if settings.restart_after and goals is None:  # no mean of ten says whether a front grows
        # There is nothing to forget: the model does not learn.
        restarts = Restarts(settings.restart_after, lambda: None, Archive(limit=LIMIT), before.parts.get("restarts"))
    return machine.Search(
        campaign=campaign,
        transcriber=transcriber,
        draw=draw,
        surrogate=committee,
        breed=by_vote,
        acquisition=acquisitions.get(settings.acquisition, UpperBound(settings.kappa)),
        learners=learners,
        trade_offs=RandomTradeOffs(objective, campaign.seed) if by_round else None,
        sees_measured=sees_measured,
        restarts=restarts,
        calibration=calibration,
        judged=judge,
        isomers=isomers,
        saved=before,
    )


def spread_for(device: str, campaign: CampaignView) -> Spread:
    """Who does the pieces of latent search: the campaign's workers, but for those of a model on a GPU, which is one."""
    return campaign.spread if device == "cpu" else one_by_one
