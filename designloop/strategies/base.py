"""What a strategy is, what it is given, and how one is found by name.

A strategy NAME is the file ``strategies/NAME.py`` with two names in it: ``Settings``, a frozen pydantic model of what a
campaign file may say under ``strategy:``, and ``build(settings, campaign, state)``, which gives the strategy.
Adding that file is all that a new strategy takes; what strategies are made of lies in the folders beside it.
This module and the ``Settings`` of each load no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Protocol, runtime_checkable

import numpy as np
from pydantic import BaseModel, Field

from designloop.parts import modules_in
from designloop.pieces import Spread, one_by_one
from designloop.randomness import seed_of
from designloop.records import Candidate, Scored, State

if TYPE_CHECKING:
    from designloop.molecules.sequence_vae import SequenceVAE
    from designloop.molecules.training_corpus import Corpus


class StateError(ValueError):
    """A strategy's state that cannot be gone on from; the message says why, and what to do."""


@runtime_checkable
class Strategy(Protocol):
    """Turns scores into the next candidates. The only object of the loop that has state."""

    def ask(self, wanted: int) -> Iterator[Candidate]:
        """A lazy stream of candidates, the best first, of which the loop takes until ``wanted`` are admitted.

        It may end (exhausted). Its randomness follows from (campaign seed, round) alone, and drawing from it changes
        nothing that a later round sees: what was drawn and not admitted is forgotten.
        """

    def tell(self, scored: Sequence[Scored]) -> Mapping[str, float]:
        """Learns from a round, starting molecules included; gives the round's metrics.

        Rows whose score is None failed: they are known, and never learned from as if they were bad.
        """

    def state(self) -> State:
        """All that ``build`` needs to go on exactly as this strategy would."""


@dataclass(frozen=True)
class Formerly:
    """Annotation of a setting that changes what a strategy does by its default, and that came when campaigns ran.

    A campaign that was begun before there was the setting goes on with ``value``, which is what was done then.
    """

    value: Any


LATE, LATE_SHARE, LEAST_SHARE = 1000, 0.5, 0.2
"""Molecules paid for, from which on a campaign thinks less of each further one: there one call is worth less, as there
are many. The share of its thought that is left to each where the search has begun anew, which climbs from far below and
not by itself; and what is left in the end to a search that goes on."""


def share_of_thought(paid: int, known: int) -> float:
    """The share of its thought that a campaign spends on a further molecule.

    Args:
        paid: molecules that were paid for.
        known: of these, as many as the search goes by; few of them where it has begun anew.
    """
    if paid < LATE:
        return 1.0
    return LATE_SHARE if known < LATE else min(LATE_SHARE, max(LATE / paid, LEAST_SHARE))


RestartAfter = Annotated[
    int,
    Formerly(0),
    Field(
        ge=0,
        description="calls in which the ten best gained nothing, after which the search begins anew, as the campaign "
        "began, and what it found is set aside; 0: it never does",
    ),
]
"""The setting of strategies that begin anew."""


JudgedShare = Annotated[
    float,
    Formerly(0.0),
    Field(
        ge=0,
        le=1,
        description="share of the molecules with a score that is not chosen but drawn uniformly from the better half "
        "of the free ones: by these `status` says how well scores are foreseen, which a chosen batch cannot show",
    ),
]
"""The setting of strategies that judge their own foresight."""


NOTHING_TO_JUDGE = "no score is foreseen here that it could be judged by: each round has a trade-off of its own"
"""Why that setting does nothing where several goals are sought by one value that is drawn anew each round."""


PROPOSER_SHARE = "proposer_share_"
"""What the metric of a proposer's share of the pool begins with; its name follows."""

Foreseen = Mapping[str, tuple[float, float]]
"""Property, and ``score`` -> the mean and standard deviation of what would be measured."""


@runtime_checkable
class Foreseeing(Protocol):
    """What a strategy may be, too: one that says what it expects of molecules before they are paid for."""

    def foresee(self, candidates: Sequence[Candidate], *, has_properties: bool = True) -> Sequence[Foreseen]:
        """What it expects of each, by what it was told; of one that it knows too little to say anything of, nothing.

        Args:
            candidates: in standard form.
            has_properties: whether more than the score is wanted; properties may take fits of their own.
        """


@runtime_checkable
class Explaining(Protocol):
    """What a strategy may be, too: one that says why it gave out what it did."""

    def why(self, candidate: Candidate) -> str:
        """By what it chose a candidate that it gave out since it was last told anything, in a few words."""


PROPOSING = ("fit", "breed", "choose")
"""Parts of proposing whose seconds are told of each round: the surrogate's fit, breeding, the choice of a batch."""


@runtime_checkable
class Timed(Protocol):
    """What a strategy may be, too: one that says what its proposing took."""

    def seconds(self) -> Mapping[str, float]:
        """Part of proposing, such as ``fit`` -> seconds of it since it was last told anything."""


def unchanged(desirability: np.ndarray) -> np.ndarray:
    """The transform of what is a desirability already; what a surrogate expects outside 0..1 is brought in."""
    return np.asarray(np.clip(desirability, 0.0, 1.0))


@dataclass(frozen=True)
class KnownObjective:
    """How a campaign makes a score of what its oracles give: known beforehand, so no surrogate need learn it."""

    names: tuple[str, ...]
    """The properties that count."""
    transforms: tuple[Callable[[np.ndarray], np.ndarray], ...]
    """Of each: its values, in any shape, to desirabilities in 0..1."""
    aggregate: Callable[[np.ndarray], np.ndarray]
    """(n, properties) desirabilities to (n,) scores."""
    reference: tuple[float, ...] | None = None
    """Where trade-offs are sought, the hypervolume's reference point in desirabilities; None: the score counts."""
    noisy: bool = False
    """Whether a value that is taken again is another one: surrogates then ask how noisy what they learn from is."""
    reference_moves: bool = False
    """Whether the search's own reference point follows the front by rule, from ``reference`` upwards."""

    def desirabilities(self, values: np.ndarray) -> np.ndarray:
        """(n, properties) desirabilities of (n, properties) values."""
        columns = [transform(values[:, k]) for k, transform in enumerate(self.transforms)]
        return np.column_stack(columns).reshape(len(values), len(self.names))


SCORE_ALONE = KnownObjective(("score",), (unchanged,), lambda desirabilities: desirabilities[:, 0])
"""For a strategy that is told nothing of the objective, or wants to know nothing: the score as its one property."""


@dataclass(frozen=True, kw_only=True)
class CampaignView:
    """What a strategy may know of the campaign it serves."""

    seed: int
    allowed: Callable[[Sequence[Candidate]], list[Candidate]]
    """Those of some candidates that could be admitted now, in standard form and in the given order."""
    standard_forms: Callable[[Sequence[str]], Sequence[str | None]]
    """The campaign's standard forms of some SMILES; None where there is none."""
    load_model: Callable[[], SequenceVAE]
    """Loads the campaign's pretrained model, a new object each time."""
    load_replay: Callable[[], Corpus]
    """The model's own training corpus and its held-out rows."""
    keep: tuple[str, ...] = ()
    """SMARTS that every molecule must hold: steps that would break them need not be tried."""
    objective: KnownObjective = SCORE_ALONE
    """What the score is made of."""
    resolve: Callable[[str], str] = str
    """A path of the campaign file, made absolute."""
    keeps_stereo: bool = False
    """Whether each stereoisomer is a molecule of its own."""
    pending: tuple[Candidate, ...] = ()
    """What was given out and is not told yet: it is not to be given out again, nor is its like."""
    spread: Spread = one_by_one
    """Does pieces of work that need nothing of each other, over the workers of the campaign where it has some."""

    @property
    def stream_seed(self) -> int:
        """The seed of what is drawn: the campaign's, or another one where more is wanted before the rest is told."""
        return seed_of(self.seed, "pending", len(self.pending)) if self.pending else self.seed


def available() -> list[str]:
    """Names of the strategies there are, sorted: the modules of this folder, but for this one."""
    return [name for name in modules_in("designloop.strategies") if name != "base"]


def settings_of(name: str) -> type[BaseModel]:
    """The settings model of a strategy.

    Raises:
        KeyError: no strategy of that name; the message lists those there are.
        TypeError: the module of that name is no strategy; the message names its file and what it lacks.
    """
    if name not in available():
        raise KeyError(f"no strategy {name!r}; there are {', '.join(available())}")
    module = import_module(f"designloop.strategies.{name}")
    if lacks := [part for part in ("Settings", "build") if not hasattr(module, part)]:
        raise TypeError(
            f"{module.__file__} is no strategy: found no {' and no '.join(lacks)}, expected Settings and build as each "
            "file beside base.py has; a part goes into a folder of its kind"
        )
    model: type[BaseModel] = module.Settings
    return model


def check_files(name: str, settings: BaseModel, resolve: Callable[[str], str]) -> None:
    """Returns if the files that a strategy's settings name can be used; a strategy that names some has such a function.

    Args:
        name: of the strategy.
        settings: its own.
        resolve: makes a path of the campaign file absolute.
    Raises:
        MoleculeError: a file of molecules cannot be used.
    """
    check = getattr(import_module(f"designloop.strategies.{name}"), "check_files", None)
    if check is not None:
        check(settings, resolve)


@dataclass(frozen=True)
class Unfit:
    """A setting with which a strategy cannot serve an objective."""

    key: str
    actual: str
    """What it says, and what that cannot do."""
    expected: str
    hint: str
    """What to do."""


def why_unfit(name: str, settings: BaseModel, objective: KnownObjective) -> Unfit | None:
    """What keeps a strategy of these settings from serving an objective; None where nothing does.

    A strategy that cannot serve all, or not with all settings, has a function of this name, without ``name``.
    """
    why: Callable[[BaseModel, KnownObjective], Unfit | None] | None
    why = getattr(import_module(f"designloop.strategies.{name}"), "why_unfit", None)
    return None if why is None else why(settings, objective)


def idle_settings(name: str, settings: BaseModel, objective: KnownObjective) -> Mapping[str, str]:
    """Dotted key -> why it does nothing, of the settings that do nothing beside the others, or for this objective.

    A strategy that has such settings has a function of this name, without ``name``.
    """
    idle: Callable[[BaseModel, KnownObjective], Mapping[str, str]] | None
    idle = getattr(import_module(f"designloop.strategies.{name}"), "idle_settings", None)
    return {} if idle is None else idle(settings, objective)


def build(name: str, settings: BaseModel, campaign: CampaignView, state: State | None = None) -> Strategy:
    """The strategy ``name``, fresh or as ``state`` left it."""
    strategy: Strategy = import_module(f"designloop.strategies.{name}").build(settings, campaign, state)
    return strategy
