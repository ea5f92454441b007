"""Draws from the prior, or from a file in random order: the control that every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from designloop.randomness import rng_of, torch_generator
from designloop.records import Candidate, Scored, State
from designloop.strategies.base import Surroundings


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Literal["random"] = "random"
    source: str = Field("prior", description="prior, zinc (the ZINC 250k molecules), or a file of molecules")
    temperature: float = Field(0.8, gt=0, description="of the decoder's draws")
    noise: float = Field(6.0, gt=0, le=8, description="noise level at which the prior is sampled")


class RandomDraws:
    """The strategy; its only state is how many rounds it has seen."""

    def __init__(self, settings: Settings, surroundings: Surroundings, told: int) -> None:
        self.settings, self.surroundings, self.told = settings, surroundings, told
        self.model = surroundings.load_model() if settings.source == "prior" else None

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """Draws without end from the prior; a file's molecules once each."""
        seed = self.surroundings.seed
        if self.model is not None:
            from designloop.strategies.proposers import from_prior

            generator = torch_generator(self.model.device, seed, self.told, "prior")
            while True:
                yield from from_prior(
                    self.model, max(wanted, 32), generator, self.settings.noise, 0, self.settings.temperature
                )
        smiles = self._molecules()
        for row in rng_of(seed, self.told, "order").permutation(len(smiles)):
            yield Candidate(smiles=smiles[row], proposer="file")

    def _molecules(self) -> Sequence[str]:
        from designloop.molecules import corpus

        if self.settings.source == "zinc":
            return corpus.zinc()
        return corpus.read_molecules(self.surroundings.resolve(self.settings.source)).smiles

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        """Counts the round."""
        self.told += 1
        return {}

    def state(self) -> State:
        return State(data={"told": self.told})


def build(settings: Settings, surroundings: Surroundings, state: State | None) -> RandomDraws:
    """Fresh, or as it was after its last round."""
    return RandomDraws(settings, surroundings, int(state.data["told"]) if state else 0)
