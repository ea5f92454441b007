"""Property loss: the VAE is fine-tuned on the best molecules so far, and proposes beside genetic steps.

One round: a pool of free candidates (draws from the prior, from the posterior of elites, SELFIES mutations and
crossovers), bred on from what a surrogate ranks best, and of all that the best by the surrogate; then the scores come
back, the proposers' shares follow what each brought, and decoder and likelihood learn from the elites.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from designloop.randomness import rng_of, torch_generator
from designloop.records import Candidate, Scored, State
from designloop.strategies.base import SCORE_ALONE, Surroundings

if TYPE_CHECKING:
    import torch

    from designloop.molecules.training_corpus import Corpus
    from designloop.strategies.composite import CompositeSurrogate
    from designloop.strategies.proposers import Elite
    from designloop.vae.priors.learned import LearnedPrior

Proposer = Literal["prior", "posterior", "mutation", "crossover", "graph_mutation", "graph_crossover"]
PROPOSERS: tuple[Proposer, ...] = get_args(Proposer)

OF_THE_MODEL: frozenset[Proposer] = frozenset({"prior", "posterior"})
"""Proposers that decode latents; the others are genetic steps."""


class Learning(BaseModel):
    """How the VAE is fine-tuned after each round."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    steps: int = Field(2, ge=0, description="gradient steps a round; 0 leaves the pretrained model as it is")
    batch: int = Field(100, ge=2, description="molecules a step, half of them elites, half of the training corpus")
    learning_rate: float = Field(3e-4, gt=0)
    kept: float = Field(
        0.8,
        ge=0,
        le=1,
        description="share of what earlier rounds taught that a round begins with: the rest is forgotten",
    )
    kl_weight: float = Field(0.1, ge=0, description="weight of the KL to the pretrained model, per nat a molecule")
    clean: float = Field(0.3, ge=0, le=1, description="share of rows at noise level 0")
    noise: tuple[float, float] = Field((0.3, 8.0), description="range of the other rows' noise levels, log-uniform")
    tolerance: float = Field(
        0.05, ge=0, le=1, description="fall of held-out reconstruction at which a round's learning is rolled back"
    )


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Literal["property_loss"] = "property_loss"
    proposers: tuple[Proposer, ...] = Field(PROPOSERS, min_length=1)
    elites: int = Field(200, ge=2, description="best molecules that are bred, encoded and learned from")
    per_scaffold: float = Field(0.1, gt=0, le=1, description="largest share of the elites that one scaffold may hold")
    pool: float = Field(
        2.5,
        ge=1,
        description="genetic steps of a generation for each molecule wanted; the model proposes on top of them",
    )
    generations: int = Field(
        4, ge=1, description="free generations a round: each after the first is bred from what ranks best"
    )
    surrogate: Literal["composite", "score", "none"] = Field(
        "composite", description="a GP a property, through the objective; one GP of the score; or candidates as drawn"
    )
    parents: int = Field(40, ge=2, description="free candidates that each generation after the first is bred from")
    parents_per_scaffold: int = Field(3, ge=1, description="most of these that share a scaffold")
    kappa: float = Field(1.0, ge=0, description="standard deviations of doubt added to the mean when ranking")
    prior: Literal["standard_normal", "learned", "refitted"] = Field(
        "standard_normal",
        description="what latents are drawn from: the model's own prior; a Gaussian fitted to its corpus; that one "
        "fitted again to the elites, round after round",
    )
    prior_noise: float = Field(6.0, gt=0, le=8, description="noise level at which the prior is sampled")
    temperature: float = Field(0.8, gt=0, description="of the decoder's draws; below 1 they are more like its corpus")
    posterior_noise: tuple[float, float] = Field((0.3, 1.3), description="range of the noise level around elites")
    refine: int = Field(
        0, ge=0, description="most gradient steps on an elite's latent that decodes to another molecule; some ms each"
    )
    learning: Learning = Learning()


FIRST_CREDIT = 20.0
"""Elites a round that a proposer is believed to bring, had it the pool to itself."""

_EMPTY_BLOCKS = 10
"""So many blocks running without a candidate end the stream."""


class PropertyLoss:
    """The strategy. Its state: what was told (bounded), the proposers' credit, the learned weights."""

    def __init__(self, settings: Settings, surroundings: Surroundings, state: State | None) -> None:
        from designloop.strategies.learning import HeldOutMolecules, reconstruction
        from designloop.strategies.memory import Memory

        self.settings, self.around = settings, surroundings
        self.vae = surroundings.load_model()
        self.sampler = self.vae  # its parts, under the prior that is drawn from
        self.corpus_prior: LearnedPrior | None = None
        self.reference = surroundings.load_model()
        self.replay: Corpus = surroundings.load_replay()
        self.told, self.model_round = 0, 0
        self.objective = surroundings.objective if settings.surrogate == "composite" else SCORE_ALONE
        self.memory = Memory(self.vae.codec, self.objective.names)
        self.credit: dict[str, float] = dict.fromkeys(settings.proposers, FIRST_CREDIT)
        self.held_out = HeldOutMolecules.of(self.reference, self.replay)
        if state is None:
            self.reconstruction = self.pretrained_reconstruction = reconstruction(self.reference, self.held_out)
        else:
            self._restore(state)
        self._take_prior()

    # ---- ask

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """Blocks of candidates, each ranked by the surrogate; draws from the prior before it has data.

        It ends when the proposers give nothing more.
        """
        surrogate = self._fit_surrogate()
        elites = self.elites()
        empty = 0
        for block in count():
            if surrogate is None or len(elites) < 2:
                candidates = iter(self._drawn(elites, int(1.5 * max(wanted, 16)), (block, 0)))
            else:
                candidates = self._ranked(surrogate, elites, wanted, block)
            first = next(candidates, None)
            empty = empty + 1 if first is None else 0
            if empty == _EMPTY_BLOCKS:
                return
            if first is not None:
                yield first
                yield from candidates

    def _ranked(
        self, surrogate: CompositeSurrogate, elites: Sequence[Elite], wanted: int, block: int
    ) -> Iterator[Candidate]:
        from designloop.strategies.breeding import bred

        how, n = self.settings, int(self.settings.pool * max(wanted, 16))
        return bred(
            lambda parents, generation: self._drawn(parents, n, (block, generation), bred=generation > 0),
            elites,
            surrogate,
            self.memory,
            self.around,
            generations=how.generations,
            parents=how.parents,
            per_scaffold=how.parents_per_scaffold,
            kappa=how.kappa,
            most=4 * wanted,
        )

    def _fit_surrogate(self) -> CompositeSurrogate | None:
        from designloop.strategies.composite import CompositeSurrogate

        memory = self.memory
        if self.settings.surrogate == "none" or len(memory) < 10:
            return None
        bits = memory.features([one.smiles for one in memory.seen])
        return CompositeSurrogate.fit(bits, memory.values, self.objective)

    def _drawn(self, elites: Sequence[Elite], n: int, where: tuple[int, int], bred: bool = False) -> list[Candidate]:
        """About ``n`` free candidates; ``where``, block and generation, seeds them."""
        from designloop.strategies.pool import draw

        key = (self.around.seed, self.told, *where, "pool")
        rng, generator = rng_of(*key), torch_generator(self.vae.device, *key)
        credit = {name: value for name, value in self.credit.items() if not (bred and name == "prior")}
        keep = self.around.keep
        refine = 0 if bred else self.settings.refine  # what is only bred from is not worth the time
        return draw(self.sampler, self.settings, credit, elites, n, rng, generator, keep, self.model_round, refine)

    def _take_prior(self) -> None:
        """Draws are from the wanted prior from now on; the learned ones know the corpus, or the elites of the day."""
        if self.settings.prior == "standard_normal":
            return
        from designloop.strategies.learned_prior import corpus_prior, refitted

        if self.corpus_prior is None:
            self.corpus_prior = corpus_prior(self.vae, self.replay, rng_of(self.around.seed, "corpus prior"))
        prior, elites = self.corpus_prior, self.elites()
        if self.settings.prior == "refitted" and len(elites) >= 2:
            prior = refitted(prior, self.vae.latents([one.selfies for one in elites]), float(prior.latent))
        self.sampler = self.vae.with_prior(prior)

    # ---- tell

    def elites(self) -> list[Elite]:
        """The best molecules so far, best first, the earlier one first among equals; no scaffold holds them all."""
        most = max(int(self.settings.per_scaffold * self.settings.elites), 1)
        return self.memory.best(self.settings.elites, most)

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        """Takes the scores in, moves the proposers' shares and fine-tunes the model."""
        good = [row for row in scored if row.score is not None]
        self.memory.take_in(good)
        elites = self.elites()
        metrics = self._give_credit(good, elites)
        self.told += 1
        if self.settings.learning.steps and len(elites) >= 20:
            metrics |= self._learn(elites)
        self._take_prior()
        return {**metrics, "reconstruction": self.reconstruction, **self._prior_samples()}

    def _give_credit(self, good: Sequence[Scored], elites: Sequence[Elite]) -> dict[str, float]:
        """A proposer's credit is a running mean of the elites it brought a round, over its share of the pool.

        Over its share, because one that is hardly asked cannot bring many, however good what it brings.
        """
        from designloop.strategies.proposers import shares

        share = shares(self.credit)
        chosen = {e.smiles for e in elites[: max(len(elites) // 2, 1)]}
        metrics: dict[str, float] = {}
        for name in self.credit:
            brought = sum(row.candidate.proposer == name and row.smiles in chosen for row in good)
            if self.told:
                self.credit[name] = 0.8 * self.credit[name] + 0.2 * brought / share[name]
            metrics[f"elites_by_{name}"] = float(brought)
        return metrics

    def _learn(self, elites: Sequence[Elite]) -> dict[str, float]:
        """Fine-tunes the model; undone where held-out reconstruction fell too far, or the loss stopped being finite."""
        from designloop.strategies.learning import fine_tune, forget, reconstruction
        from designloop.vae.errors import VAEError

        how = self.settings.learning
        before = {name: value.clone() for name, value in self._learned().items()}
        try:
            forget(self._learned(), self.reference, 1 - how.kept)
            metrics = fine_tune(self.vae, self.reference, elites, self.replay, how, self.around.seed, self.told)
            now = reconstruction(self.vae, self.held_out)
            keep = now >= self.pretrained_reconstruction - how.tolerance
        except VAEError:
            metrics, now, keep = {}, 0.0, False
        if keep:
            self.model_round, self.reconstruction = self.told, now
        else:
            self.vae.load_state_dict(before, strict=False)
            metrics["reconstruction_rolled_back"] = now
        return {**metrics, "rolled_back": float(not keep)}

    def _prior_samples(self, n: int = 50) -> dict[str, float]:
        """How the model's own samples do: share that the campaign allows, and their mean SA score."""
        from designloop.molecules.chemistry import parse_all, sa_score
        from designloop.strategies.proposers import from_prior

        generator = torch_generator(self.vae.device, self.around.seed, self.told, "health")
        drawn = from_prior(
            self.sampler, n, generator, self.settings.prior_noise, self.model_round, self.settings.temperature
        )
        scores = [sa_score(mol) for mol in parse_all([c.smiles for c in drawn]) if mol is not None]
        metrics = {"prior_allowed": len(self.around.allowed(drawn)) / n}
        return metrics | ({"prior_sa": float(np.mean(scores))} if scores else {})

    # ---- state

    def _learned(self) -> dict[str, torch.Tensor]:
        """The weights that learning changes, by name."""
        return {n: v for n, v in self.vae.state_dict().items() if n.startswith(("decoder.", "likelihood."))}

    def state(self) -> State:
        # Copies: what is learned later must not change a state that was given away.
        arrays = {n: v.detach().cpu().numpy().copy() for n, v in self._learned().items()} if self.model_round else {}
        data: dict[str, Any] = {
            "told": self.told,
            "model_round": self.model_round,
            "credit": dict(self.credit),
            "pretrained_reconstruction": self.pretrained_reconstruction,
            "reconstruction": self.reconstruction,
            "seen": self.memory.to_json(),
        }
        return State(arrays, data)

    def _restore(self, state: State) -> None:
        import torch

        from designloop.strategies.memory import Memory

        data = state.data
        self.told, self.model_round = int(data["told"]), int(data["model_round"])
        self.credit = dict(data["credit"])
        self.pretrained_reconstruction = float(data["pretrained_reconstruction"])
        self.reconstruction = float(data["reconstruction"])
        self.memory = Memory.from_json(self.vae.codec, self.objective.names, data["seen"])
        if state.arrays:
            weights = {
                name: torch.from_numpy(np.array(value)).to(self.vae.device) for name, value in state.arrays.items()
            }
            self.vae.load_state_dict(weights, strict=False)


def build(settings: Settings, surroundings: Surroundings, state: State | None) -> PropertyLoss:
    """Fresh, or as it was after its last round."""
    return PropertyLoss(settings, surroundings, state)
