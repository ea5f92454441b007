"""Draws from the prior, or from a file in random order: the control that every other strategy has to beat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from designloop.randomness import generators_of, rng_of
from designloop.records import Candidate, Scored, State
from designloop.strategies.base import CampaignView, KnownObjective, StateError

if TYPE_CHECKING:
    from designloop.molecules.reading import ReadMolecules

_NO_FILES = ("prior", "zinc")
"""Sources that are no file."""

_LOGGER = logging.getLogger("designloop")


class Settings(BaseModel):
    """What a campaign file may say."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: Literal["random"] = "random"
    source: str = Field("prior", description="prior, zinc (the ZINC 250k molecules), or a file of molecules")
    skip_bad: bool = Field(False, description="leave out lines of the file that hold no molecule; they are told")
    temperature: float = Field(0.8, ge=0.001, description="of the decoder's draws")
    noise: float = Field(6.0, gt=0, le=8, description="noise level at which the prior is sampled")


def idle_settings(settings: Settings, objective: KnownObjective) -> dict[str, str]:
    """Key -> why it does nothing."""
    idle = dict[str, str]()
    if settings.source != "prior":
        idle |= dict.fromkeys(("temperature", "noise"), f"it is for `source: prior`, and here it is {settings.source}")
    if settings.source in _NO_FILES:
        idle["skip_bad"] = f"it is for a file, and the source is {settings.source}"
    return idle


class RandomDraws:
    """The strategy; its only state is how many rounds it has seen."""

    def __init__(self, settings: Settings, campaign: CampaignView, rounds_seen: int) -> None:
        self.settings, self.campaign, self.rounds_seen = settings, campaign, rounds_seen
        self.model = campaign.load_model() if settings.source == "prior" else None
        self._smiles = () if self.model is not None else _smiles_of(settings, campaign.resolve)

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """Draws without end from the prior; a file's molecules once each."""
        key, model = (self.campaign.stream_seed, self.rounds_seen), self.model
        if model is not None:
            from designloop.strategies.proposers.latents import PriorDraws

            rng = generators_of(model.device, *key, "prior")
            prior = PriorDraws(lambda: model, self.settings.noise, self.settings.temperature)
            while True:
                yield from prior.propose((), max(wanted, 32), rng)
        for row in rng_of(*key, "order").permutation(len(self._smiles)):
            yield Candidate(smiles=self._smiles[row], proposer="file")

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        """Counts the round."""
        self.rounds_seen += 1
        return {}

    def state(self) -> State:
        return State(data={"version": 2, "rounds_seen": self.rounds_seen})


def check_files(settings: Settings, resolve: Callable[[str], str]) -> None:
    """Returns if the molecules of the source can be used.

    Raises:
        MoleculeError: there is no such file, or a line of it holds no molecule.
    """
    if settings.source not in _NO_FILES:
        _read_file(settings, resolve)


def _smiles_of(settings: Settings, resolve: Callable[[str], str]) -> Sequence[str]:
    """The molecules that are drawn from where the model draws none; says which lines of a file are left out."""
    if settings.source == "zinc":
        from designloop.molecules.corpus import zinc

        return zinc()
    from designloop.molecules.reading import left_out

    read = _read_file(settings, resolve)
    if read.problems:
        lines = [(problem.line, f"{problem.text!r}, {problem.reason}") for problem in read.problems]
        _LOGGER.warning("%s", left_out("strategy.source", lines))
    return read.smiles


def _read_file(settings: Settings, resolve: Callable[[str], str]) -> ReadMolecules:
    from designloop.molecules.reading import bad_lines, read_molecules

    path = resolve(settings.source)
    read = read_molecules(Path(path))
    if read.problems and not settings.skip_bad:
        raise bad_lines(
            path, read.problems, "strategy.source: mend or delete them, or leave them out by skip_bad: true"
        )
    return read


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
