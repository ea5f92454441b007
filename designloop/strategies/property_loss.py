"""Property loss: the VAE is fine-tuned by the scores of what was paid for, and proposes beside genetic steps.

One round: a pool of free candidates (draws from the prior, from the posterior of elites, steps on SELFIES and on
graphs, molecules of ZINC), bred further from what a committee of surrogates votes for; of all these, what it votes for
is paid for. Then the scores come back, the proposers' and the surrogates' shares follow how each did, and decoder and
likelihood learn from all of them, good and bad, by the property loss. A search that stands still begins anew, and what
it found is set aside until the next one stands still as well. Where one score is made of several properties, a process
of each takes the place of the committee, unless another `surrogate` is asked for: what is bred and chosen has the
highest bound, and ZINC is not screened.
The one to begin with: it takes one score or several properties, a core to keep, a Pareto front, measured values, and
molecules that do not come back from the model's latent space, from which its genetic steps breed; what the model's
alphabet lacks is scored, and not learned from. Thinking between the calls takes its time;
where calls cost next to nothing and there are many, `effort: low` takes less (fewer `generations` do where one score is
made of several properties).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from designloop.randomness import generators_of, rng_of
from designloop.records import Candidate, State
from designloop.strategies.base import (
    NOTHING_TO_JUDGE,
    SCORE_ALONE,
    CampaignView,
    JudgedShare,
    KnownObjective,
    RestartAfter,
    Strategy,
    Unfit,
    share_of_thought,
)
from designloop.strategies.learning.settings import FineTuning, NoiseRange

ProposerName = Literal["prior", "posterior", "mutation", "crossover", "graph_mutation", "graph_crossover", "screen"]
PROPOSERS: tuple[ProposerName, ...] = get_args(ProposerName)


@dataclass(frozen=True)
class Thought:
    """What is thought before a molecule is paid for."""

    free: float
    """Free molecules for each one paid for, of the first thousand."""
    screened: int | None
    """Molecules of ZINC that are looked through; None: all."""
    best: int
    """Of these, so many of highest mean are bred from."""


VOTING = ("committee", "committees")
"""Surrogates whose members vote."""

EFFORT = {"low": Thought(10, 50_000, 100), "normal": Thought(40, None, 300), "high": Thought(100, None, 300)}


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: Literal["property_loss"] = "property_loss"
    proposers: tuple[ProposerName, ...] = Field(
        PROPOSERS,
        min_length=1,
        description="what proposes: the model's draws (prior, and posterior around elites), genetic steps on SELFIES "
        "and on graphs, each with a share by what it brought; and ZINC, screened by a committee (committee, "
        "committees), of which the 300 best (100 under `effort: low`) and 100 at random stand beside them, once 1,000 "
        "were paid for not each time",
    )
    elites: int = Field(
        200,
        ge=2,
        description="best molecules that proposers are credited for; bred from (composite, score, none), and learned "
        "from under `learning.loss: likelihood`",
    )
    per_scaffold: float = Field(0.1, gt=0, le=1, description="largest share of the elites that one scaffold may hold")
    pool: float = Field(
        2.5,
        ge=1,
        description="genetic steps of a generation for each molecule wanted; the model proposes on top of them "
        "(composite, score)",
    )
    generations: int = Field(
        4,
        ge=1,
        description="free generations a round: each after the first is bred from what ranks best (composite, score; "
        "committees breed five)",
    )
    surrogate: Literal["auto", "committee", "committees", "composite", "score", "none"] = Field(
        "auto",
        description="committee: GPs of the score with several kernels, each trusted by how well it foresaw; "
        "committees: one for each property, through the objective or a trade-off; composite: a fitted GP of each "
        "property, likewise; score: one fitted GP; none: candidates as drawn; auto: committees under "
        "`aggregate: pareto`, else the composite where the objective has several properties, else the committee",
    )
    effort: Literal["low", "normal", "high"] = Field(
        "normal",
        description="free molecules that are thought of for each one paid for (committee, committees): 10, 40 or 100, "
        "fewer and fewer once 1,000 were paid for; and how much of ZINC is screened once there is much to screen it "
        "by: 50,000 molecules or all",
    )
    parents: int = Field(40, ge=2, description="what each generation after the first is bred from (composite, score)")
    parents_per_scaffold: int = Field(3, ge=1, description="most of these that share a scaffold (composite, score)")
    kappa: float = Field(
        1.0,
        ge=0,
        description="standard deviations of doubt added to the mean when ranking (composite, score; the voters of "
        "committees draw theirs)",
    )
    trade_offs: Literal["hypervolume", "chebyshev"] = Field(
        "hypervolume",
        description="under `aggregate: pareto`: a batch is chosen for what it adds to the front's hypervolume, or by a "
        "trade-off that is drawn anew each round (Chebyshev's scalarisation with random weights)",
    )
    prior: Literal["standard_normal", "learned", "refitted"] = Field(
        "standard_normal",
        description="what latents are drawn from: the model's own prior; a Gaussian fitted to its corpus; that one "
        "fitted again to the elites, round after round",
    )
    prior_noise: float = Field(6.0, gt=0, le=8, description="noise level at which the prior is sampled")
    temperature: float = Field(
        0.8, ge=0.001, description="of the decoder's draws; below 1 they are more like its corpus"
    )
    posterior_noise: NoiseRange = Field((0.3, 1.3), description="range of the noise level around elites")
    refine: int = Field(
        0, ge=0, description="most gradient steps on an elite's latent that decodes to another molecule; some ms each"
    )
    restart_after: RestartAfter = 500
    judged: JudgedShare = 0.1
    learning: FineTuning = FineTuning()


def surrogate_of(settings: Settings, objective: KnownObjective) -> str:
    """The surrogate of a campaign that is begun with these settings."""
    if settings.surrogate != "auto":
        return settings.surrogate
    if objective.reference is not None:
        return "committees"
    return "composite" if len(objective.names) > 1 else "committee"


def why_unfit(settings: Settings, objective: KnownObjective) -> Unfit | None:
    """What keeps these settings from serving an objective; None where nothing does."""
    kind, trades_off = surrogate_of(settings, objective), objective.reference is not None
    if trades_off and kind in ("committee", "score"):
        actual = f"{kind}, which foresees one score: take auto, committees, composite or none"
        return Unfit("surrogate", actual, "what serves `objective.aggregate: pareto`", "or another aggregate")
    if set(settings.proposers) == {"screen"} and kind not in VOTING:
        asked = f"surrogate: {kind}" if settings.surrogate == kind else f"{kind}, the surrogate of several properties,"
        actual = f"screen alone: ZINC is screened by committees, and {asked} does not screen it"
        other = "committees" if trades_off or len(objective.names) > 1 else "committee"
        return Unfit("proposers", actual, "another proposer beside it", f"or say surrogate: {other}")
    return None


def judges_nothing(settings: Settings, objective: KnownObjective) -> bool:
    """Whether the surrogate foresees a trade-off of each round, and no score."""
    by_value = settings.trade_offs == "chebyshev" and surrogate_of(settings, objective) == "composite"
    return by_value and objective.reference is not None


def idle_settings(settings: Settings, objective: KnownObjective) -> dict[str, str]:
    """Dotted key -> why it does nothing."""
    kind, trades_off = surrogate_of(settings, objective), objective.reference is not None
    by_bound, learns_by = ("composite", "score"), settings.learning.learns_by()
    idle = dict[str, str]()
    if kind not in by_bound:
        of_bound = ("pool", "generations", "parents", "parents_per_scaffold", "kappa")
        idle |= dict.fromkeys(of_bound, f"it is for the surrogates {' and '.join(by_bound)}, and here it is {kind}")
    if kind not in VOTING:
        idle["effort"] = why = f"it is for the surrogates {' and '.join(VOTING)}, and here it is {kind}"
        if "screen" in settings.proposers:
            idle["proposers"] = f"screen, that is; {why}"
    if not trades_off:
        idle["trade_offs"] = "it is for `objective.aggregate: pareto`"
    elif kind == "none":
        idle["trade_offs"] = "it is for a surrogate, and here there is none"
    if kind == "none":
        idle["judged"] = "it is for a surrogate, and here there is none"
    elif judges_nothing(settings, objective):
        idle["judged"] = NOTHING_TO_JUDGE
    if settings.restart_after and trades_off:
        idle["restart_after"] = "it is for one score, as no mean of ten says whether a front grows"
    elif settings.restart_after and set(settings.proposers) == {"screen"}:
        idle["restart_after"] = "it is for what is bred, and here there is only the screen"
    if "posterior" not in settings.proposers:
        idle["posterior_noise"] = "it is for the proposer posterior"
        if learns_by != "property":
            idle["refine"] = "it is for the proposer posterior and for `learning.loss: property`"
    return idle | {f"learning.{key}": why for key, why in settings.learning.idle().items()}


def build(settings: Settings, campaign: CampaignView, state: State | None) -> Strategy:
    """Fresh, or as it was after its last round."""
    from designloop.molecules.corpus import zinc
    from designloop.strategies.acquisition.hypervolume import HypervolumeImprovement, nearness
    from designloop.strategies.acquisition.upper_bound import UpperBound
    from designloop.strategies.acquisition.votes import FITTED, WIDE
    from designloop.strategies.archive.archive import LIMIT, Archive, Member, by_front, by_score, parents_by_rank
    from designloop.strategies.archive.transcriber import Transcriber
    from designloop.strategies.learning import base, fine_tuning, learned_prior, property_learning, replay, tuned_model
    from designloop.strategies.learning.diversity import ScaffoldsDrawn
    from designloop.strategies.learning.feasibility import Feasibility
    from designloop.strategies.proposers import graphs, latents, selfies
    from designloop.strategies.proposers.base import Proposer
    from designloop.strategies.proposers.weighted import Weighted, fewest_parents
    from designloop.strategies.search import breeding, credit, elections, health, judged, machine, pool, saved
    from designloop.strategies.search.isomers import Isomers
    from designloop.strategies.search.restarts import Restarts
    from designloop.strategies.search.screen import PROPOSER as SCREEN
    from designloop.strategies.search.screen import ZincScreen
    from designloop.strategies.search.voting import BreedByVote
    from designloop.strategies.surrogates.base import Surrogate
    from designloop.strategies.surrogates.calibration import Calibration
    from designloop.strategies.surrogates.committee import Committee
    from designloop.strategies.surrogates.committees import Committees
    from designloop.strategies.surrogates.composite import CompositeSurrogate
    from designloop.strategies.surrogates.scalarised import ScalarisedSurrogate
    from designloop.strategies.surrogates.views import FingerprintView, MoleculeView

    goals = campaign.objective.reference
    standing = by_score if goals is None else by_front(campaign.objective.desirabilities)
    before = saved.Saved.read(state, LIMIT, saved.property_loss_version_1, standing)
    vae, reference, corpus = campaign.load_model(), campaign.load_model(), campaign.load_replay()
    kind = surrogate_of(settings, campaign.objective)
    if settings.surrogate == "auto" and goals is not None and state is not None and "committees" not in before.parts:
        kind = "composite"  # it was begun when there were no committees
    has_parts = goals is not None or kind in ("committee", "committees", "composite")
    objective = campaign.objective if has_parts else SCORE_ALONE
    transcriber, view = Transcriber(vae.codec, objective.names), FingerprintView(campaign.standard_forms)

    def elites(archive: Archive) -> list[Member]:
        return archive.elites(settings.elites, settings.per_scaffold)

    rate = 0.0 if judges_nothing(settings, campaign.objective) else settings.judged
    judge = judged.Judged(rate, before.parts.get("judged"))

    def share(archive: Archive) -> float:
        return share_of_thought(judge.paid, len(archive))

    generators = tuple(name for name in settings.proposers if name != "screen")
    steps: dict[str, Proposer] = {
        "graph_mutation": graphs.GraphMutation(campaign.keep),
        "graph_crossover": graphs.GraphCrossover(campaign.keep),
    }
    earned = credit.Credit(generators, elites, before.parts.get("credit"))
    tuned: base.ModelLearner
    learned_by = "property" if settings.learning.learns_by() == "property" else "model"
    if learned_by == "property":
        traded_off = None if goals is None else campaign.objective
        reader = replay.Reader(vae, settings.learning.property.noise, settings.refine, traded_off)
        drawn = ScaffoldsDrawn(vae, settings.prior_noise, settings.temperature, campaign.standard_forms)
        tuned = property_learning.PropertyLearner(
            vae, reference, corpus, settings.learning.property,
            reader=reader, drawn=drawn, breeders=[steps[name].propose for name in generators if name in steps],
            share=share, worth=None if goals is None else partial(nearness, reference=goals),
            seed=campaign.seed, state=before.parts.get("property"),
        )  # fmt: skip
    else:
        tuner = fine_tuning.FineTuner(vae, reference, corpus, settings.learning)
        tuned = tuned_model.TunedModel(tuner, campaign.seed, elites, before.parts.get("model"))
    learners: dict[str, base.Learner] = {"credit": earned, learned_by: tuned}
    prior = latents.PriorDraws(lambda: vae, settings.prior_noise, settings.temperature)
    if settings.prior != "standard_normal":
        fitted = learned_prior.corpus_prior(reference, corpus, rng_of(campaign.seed, "corpus prior"))
        followed = elites if settings.prior == "refitted" else None
        learned = learners["prior"] = learned_prior.CampaignPrior(vae, fitted, followed, before.archive)
        prior = latents.PriorDraws(lambda: learned.model, settings.prior_noise, settings.temperature)
    learners["health"] = health.SampleHealth(campaign, prior, share)

    def proposers(bred: bool) -> dict[str, Proposer]:
        refine = 0 if bred else settings.refine  # what is only bred from is not worth the time
        all_there_are: dict[str, Proposer] = {
            "prior": prior,
            "posterior": latents.PosteriorDraws(vae, settings.posterior_noise, settings.temperature, refine),
            "mutation": selfies.SelfiesMutation(vae.codec),
            "crossover": selfies.SelfiesCrossover(vae.codec),
            **steps,
        }
        return {name: all_there_are[name] for name in generators if not (bred and name == "prior")}

    def propose(parents: Sequence[Member], n: int, turn: pool.Turn, generation: int = 0) -> list[Candidate]:
        rng = generators_of(vae.device, turn.seed, turn.rounds_seen, turn.block, generation, "pool")
        fewest = fewest_parents(campaign.keep)
        return Weighted(proposers(generation > 0), earned.credit, prior, fewest).propose(parents, n, rng)

    def draw(archive: Archive, wanted: int, turn: pool.Turn) -> list[Candidate]:
        n = int(1.5 * max(wanted, 16))
        if generators:
            rng = rng_of(turn.seed, turn.rounds_seen, "parents", turn.block)
            return propose(parents_by_rank(rng, elites(archive), n), n, turn)
        # What only screens begins with any molecules of ZINC, until there is something to screen by.
        rows = rng_of(turn.seed, turn.rounds_seen, "zinc", turn.block).integers(len(zinc()), size=n)
        return [Candidate(zinc()[row], SCREEN) for row in dict.fromkeys(rows.tolist())]

    bound: UpperBound | HypervolumeImprovement
    surrogate: Surrogate | None
    bound, surrogate = UpperBound(settings.kappa), CompositeSurrogate(view, objective)
    if goals is not None and settings.trade_offs == "hypervolume":
        bound = HypervolumeImprovement(goals, settings.kappa, campaign.objective.reference_moves)
    elif goals is not None:
        surrogate = ScalarisedSurrogate(surrogate)
    foreseen = Feasibility(before.parts.get("feasibility"))
    isomers = Isomers.followed(campaign, state, before.parts.get("isomers"))
    breed: pool.Breed = breeding.BreedByBound(
        campaign=campaign,
        transcriber=transcriber,
        view=view,
        propose=propose,
        elites=elites,
        bound=bound,
        draws=settings.pool,
        generations=settings.generations,
        parents=settings.parents,
        per_scaffold=settings.parents_per_scaffold,
        feasibility=foreseen,
        isomers=isomers,
    )
    if kind in VOTING:
        seen, thought = MoleculeView(campaign.standard_forms), EFFORT[settings.effort]
        kappas = FITTED if objective.noisy else WIDE
        electorate: elections.Electorate
        if kind == "committee":
            committee = Committee(seen, objective, state=before.parts.get("committee"), bits=view)
            surrogate, learners["committee"] = committee, committee
            electorate = elections.ScoreElectorate(kappas)
        else:
            committees = Committees(seen, objective, before.parts.get("committees"))
            surrogate, learners["committees"] = committees, committees
            trade_offs: elections.TradeOffs = elections.KnownWorth(objective.aggregate)
            if isinstance(bound, HypervolumeImprovement):
                trade_offs = elections.Directions(bound)
            elif goals is not None:
                trade_offs = elections.RoundsChebyshev()
            electorate = elections.GoalElectorate(trade_offs, kappas)
        breed = BreedByVote(
            campaign=campaign,
            transcriber=transcriber,
            view=seen,
            propose=propose,
            screen=ZincScreen(thought.screened, best=thought.best) if "screen" in settings.proposers else None,
            breeds=bool(generators),
            draws=thought.free,
            share=share,
            electorate=electorate,
            feasibility=foreseen,
            isomers=isomers,
        )
    if kind != "none":  # nothing is chosen there
        learners["feasibility"] = foreseen
    if isomers is not None:
        learners["isomers"] = isomers
    restarts = None
    # No mean of ten says whether a front grows; and a strategy that only screens has nothing to begin anew from.
    if settings.restart_after and goals is None and generators:
        empty = Archive(limit=LIMIT)
        restarts = Restarts(settings.restart_after, tuned.forget, empty, before.parts.get("restarts"))
    learners["calibration"] = calibration = Calibration(
        surrogate.view,
        has_properties=campaign.objective.noisy,  # a laboratory's, which alone are shown
        state=before.parts.get("calibration"),
    )
    learners["judged"] = judge
    return machine.Search(
        campaign=campaign,
        transcriber=transcriber,
        draw=draw,
        surrogate=None if kind == "none" else surrogate,
        breed=breed,
        acquisition=bound,
        learners=learners,
        model_round=lambda: tuned.model_round,
        restarts=restarts,
        calibration=calibration,
        judged=judge,
        isomers=isomers,
        saved=before,
    )
