"""The data that flows round the loop: Candidate -> Evaluation -> Scored -> Round.

All four are frozen; none knows a model, an oracle or a file. A failure is a status, never a number: a molecule whose
oracle failed has no value, no desirability and no score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Status = Literal["ok", "not_run", "failed", "timeout"]
"""How an oracle run ended. A row's status is the worst of its oracles': timeout > failed > not_run > ok."""

RoundKind = Literal["start", "round", "amendment"]

START = "start"
"""The proposer of a starting molecule of which nothing is known: its oracles are asked, and it is charged."""

MEASURED = "measured"
"""The proposer of a starting molecule whose values the user gave: it is knowledge, and charged to no budget."""

STARTING = frozenset({START, MEASURED})
"""The proposers of what a campaign begins with."""

Chosen = Literal["acquisition", "uniform"]
"""How a molecule came into its batch."""

ACQUISITION: Chosen = "acquisition"
"""It was worth most of what there was."""

UNIFORM: Chosen = "uniform"
"""It was drawn from the better half of what there was, each as likely as any other: foresight is judged by these."""

_SEVERITY: Mapping[str, int] = {"ok": 0, "not_run": 1, "failed": 2, "timeout": 3}


def worst(statuses: Sequence[Status]) -> Status:
    """The worst of some statuses (timeout > failed > not_run > ok); ok of none."""
    return max(statuses, key=_SEVERITY.__getitem__, default="ok")


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a model wrote a molecule from."""

    latent: np.ndarray
    """(latent,) float32, noise included."""
    noise: float
    """Level of the noise in it, as the decoder was told."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proposed molecule, not yet scored."""

    smiles: str
    """Standard form once screened: what oracles see and what identity means. Before screening, any valid SMILES."""
    proposer: str
    """The part of a strategy that it came from: prior, posterior, mutation, crossover, screen, file, start, …"""
    selfies: str | None = None
    """What the model wrote (its own protonation kept); None for a molecule that the alphabet cannot express."""
    parents: tuple[str, ...] = ()
    """Standard forms of the molecules it was made from."""
    model_round: int = 0
    """Number of the round after whose learning the proposing model stood; 0 is the pretrained model."""
    written: str | None = None
    """The user's own string, for starting molecules only."""
    allowed: bool = True
    """Whether the filters allow it: they bind what is proposed, so only a starting molecule may be one they refuse."""
    chosen: Chosen | None = None
    """How it came into its batch; None where nothing ranked it: of draws as they come, and of starting molecules."""
    predicted_mean: float | None = None
    """Score that the strategy expected of it before it was paid for; None where it said nothing."""
    predicted_sd: float | None = None
    """Standard deviation of that, as it is shown."""
    origin: Origin | None = field(default=None, compare=False, repr=False)
    """Where the model wrote it from, where one did; kept with what is suggested, and not in the table."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one property's oracle gave for one molecule."""

    value: float | None
    """The raw property, in the oracle's own unit; None unless ``status`` is ok."""
    status: Status = "ok"
    error: str | None = None
    """One line for a person: why there is no value."""
    seconds: float = 0.0
    """The oracle's own time on this molecule (a chunk's time shared equally)."""
    attempt: int = 1
    """Number of the run; 0 where nothing was run, since the user gave the value."""
    readings: int = 0
    """Of an assay, that its value is the mean of; 0 where it was computed, or is none."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A candidate and what each property's oracle gave for it."""

    candidate: Candidate
    results: Mapping[str, Result]
    """Property name -> result, one for every property of the objective."""

    @property
    def status(self) -> Status:
        """The worst status among the oracles."""
        return worst([result.status for result in self.results.values()])


@dataclass(frozen=True, slots=True)
class Scored:
    """An evaluation, its desirabilities and the one number that is maximised."""

    evaluation: Evaluation
    desirability: Mapping[str, float | None]
    """Property name -> 0..1; None where the property has no value."""
    score: float | None
    """0..1; None where the status is not ok."""
    told_before: bool = False
    """Whether it is of an amendment: its molecule was told, and charged, in an earlier round."""
    scored_before: bool = False
    """Whether its molecule had a score then, which this corrects."""

    @property
    def candidate(self) -> Candidate:
        return self.evaluation.candidate

    @property
    def is_charged(self) -> bool:
        """Whether it counts against the budget, as all do but what the user gave values of, or was charged before."""
        return self.candidate.proposer != MEASURED and not self.told_before

    @property
    def smiles(self) -> str:
        return self.evaluation.candidate.smiles

    @property
    def status(self) -> Status:
        return self.evaluation.status


@dataclass(frozen=True, slots=True)
class State:
    """What a strategy needs to go on after a restart: named arrays and JSON, no pickle."""

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Written as safetensors."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """JSON values only; floats survive exactly."""


@dataclass(frozen=True, slots=True)
class Round:
    """One pass ask -> screen -> evaluate -> score -> tell: what is committed, as one atom."""

    number: int
    scored: Sequence[Scored]
    """Rows in the order they were admitted."""
    metrics: Mapping[str, float | str] = field(default_factory=dict)
    state: State = field(default_factory=State)
    kind: RoundKind = "round"
