"""Draws from the prior, or from a file in random order: the control that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from designloop.randomness import generators_of, rng_of
from designloop.records import Candidate, Scored, State
from designloop.strategies.base import CampaignView, StateError


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Literal["random"] = "random"
    source: str = Field("prior", description="prior, zinc (the ZINC 250k molecules), or a file of molecules")
    temperature: float = Field(0.8, gt=0, description="of the decoder's draws")
    noise: float = Field(6.0, gt=0, le=8, description="noise level at which the prior is sampled")


class RandomDraws:
    """The strategy; its only state is how many rounds it has seen."""

    def __init__(self, settings: Settings, campaign: CampaignView, rounds_seen: int) -> None:
        self.settings, self.campaign, self.rounds_seen = settings, campaign, rounds_seen
        self.model = campaign.load_model() if settings.source == "prior" else None

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """Draws without end from the prior; a file's molecules once each."""
        key, model = (self.campaign.seed, self.rounds_seen), self.model
        if model is not None:
            from designloop.strategies.proposers.latents import PriorDraws

            rng = generators_of(model.device, *key, "prior")
            prior = PriorDraws(lambda: model, self.settings.noise, self.settings.temperature)
            while True:
                yield from prior.propose((), max(wanted, 32), rng)
        smiles = self._molecules()
        for row in rng_of(*key, "order").permutation(len(smiles)):
            yield Candidate(smiles=smiles[row], proposer="file")

    def _molecules(self) -> Sequence[str]:
        from designloop.molecules import corpus

        if self.settings.source == "zinc":
            return corpus.zinc()
        return corpus.read_molecules(self.campaign.resolve(self.settings.source)).smiles

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        """Counts the round."""
        self.rounds_seen += 1
        return {}

    def state(self) -> State:
        return State(data={"version": 2, "rounds_seen": self.rounds_seen})


def build(settings: Settings, campaign: CampaignView, state: State | None) -> RandomDraws:
    """Fresh, or as it was after its last round; version 1 of the state called the rounds ``told``."""
    data = state.data if state else {"rounds_seen": 0}
    rounds_seen = data.get("rounds_seen", data.get("told"))
    if rounds_seen is None or data.get("version", 1) not in (1, 2):
        raise StateError(
            f"the strategy's state holds {', '.join(data) or 'nothing'}, expected rounds_seen in version 1 or 2: "
            "another strategy or a later designloop wrote it. Go on with that one, or begin anew with --fresh"
        )
    return RandomDraws(settings, campaign, int(rounds_seen))
