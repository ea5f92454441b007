"""A committee for each property that a score is made of, or that is traded off against others.

Each foresees the desirability of its own property, and each of its members is trusted by how well it foresaw that one:
a similarity is best foreseen by parts, a polar surface by whole-molecule numbers, and a front has need of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from designloop.records import Scored, State
from designloop.strategies.archive.archive import Archive
from designloop.strategies.base import KnownObjective
from designloop.strategies.surrogates.base import Belief, Goals, Moments, View
from designloop.strategies.surrogates.calibration import SeenRound
from designloop.strategies.surrogates.committee import (
    Committee,
    CommitteeModel,
    CommitteePosterior,
    Member,
)
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import Kernel

NARROWED = 0.2
"""Part of the wide doubt that is near the errors that are made; what is shown is calibrated from there."""


@dataclass(frozen=True)
class CommitteesModel:
    """Fitted committees, one a property, and what makes a score of what they foresee."""

    parts: Sequence[CommitteeModel]
    """Of each property, of its desirability."""
    desirable: np.ndarray
    """(n, properties) desirabilities of the molecules that it was fitted on, as they were measured."""
    expected: np.ndarray
    """(n, properties) those that are expected of them: the same, where these are not noisy."""
    aggregate: Callable[[np.ndarray], np.ndarray]
    properties: Sequence[str]
    """Whose committees these are."""
    width: float = 1.0
    """Of the doubt in what is shown of a score, over that of the members."""

    @property
    def names(self) -> list[str]:
        """Of the members of all committees, with the property that each foresees."""
        return [
            f"{name} ({goal})" for goal, part in zip(self.properties, self.parts, strict=True) for name in part.names
        ]

    @property
    def members(self) -> list[Member]:
        """Of all committees, one after another."""
        return [member for part in self.parts for member in part.members]

    @property
    def processes(self) -> list[FixedGP]:
        """By which a large stock is screened, one a property."""
        return [part.process_of_bank for part in self.parts]

    def paid(self, member: int) -> np.ndarray:
        """(n,) what a member would have foreseen of the molecules that it was fitted on."""
        goals = [goal for goal, part in enumerate(self.parts) for _ in part.members]
        return np.asarray(self.desirable[:, goals[member]])

    def draw_members(self, rng: np.random.Generator, n: int) -> list[tuple[int, ...]]:
        """N times the number of a member of each committee, drawn by shares."""
        first, drawn = 0, []
        for part in self.parts:
            drawn.append(first + rng.choice(len(part.members), n, p=part.shares))
            first += len(part.members)
        return [tuple(row) for row in np.stack(drawn, -1).tolist()]

    def property_moments(self, features: np.ndarray) -> Moments:
        """(m,) means and standard deviations of new measurements of each property."""
        return {name: own for part in self.parts for name, own in part.property_moments(features).items()}

    def __call__(self, features: np.ndarray) -> CommitteePosterior:
        """The posterior over candidates, of (m,) features: a mixture for each property, through the objective."""
        return self._through_objective([part(features) for part in self.parts])

    def shown(self, features: np.ndarray) -> CommitteePosterior:
        """The same with a part of the doubt.

        A desirability ends at 0 and 1, where a doubt that is wide by design is cut off, and draws what is expected to
        the middle.
        """
        return self._through_objective([part.narrowed(self.width, features) for part in self.parts])

    def _through_objective(self, parts: Sequence[CommitteePosterior]) -> CommitteePosterior:
        """Posteriors of each property as one of the score."""
        shares = np.concatenate([part.shares for part in parts]) / len(parts)
        return CommitteePosterior(
            [part.means[0] for part in parts],
            lambda: [part.variances()[0] for part in parts],
            lambda: [part.covariances()[0] for part in parts],
            [part.noises[0] for part in parts],
            float(self.aggregate(self.desirable).max()),
            self._scores,
            Goals(_desirabilities, self.expected),
            members=[member for part in parts for member in part.members],
            shares=shares,
        )

    def _scores(self, draws: Sequence[np.ndarray]) -> np.ndarray:
        desirable = _desirabilities(draws)
        return self.aggregate(desirable.reshape(-1, len(self.parts))).reshape(desirable.shape[:-1])


def _desirabilities(draws: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(np.clip(np.stack(draws, -1), 0.0, 1.0))


@dataclass(frozen=True)
class _JudgedRound:
    belief: Belief | None
    news: Sequence[Scored]
    firsts: Callable[[Sequence[Scored]], list[Scored]]


class Committees:
    """The kind of belief: a committee a property.

    Args:
        view: how candidates are seen.
        objective: whose properties these are.
        state: what earlier committees of this campaign gave.
        others: further members' kernels for each property, by name.
        start: scored molecules before they are fitted.
    """

    def __init__(
        self,
        view: View,
        objective: KnownObjective,
        state: State | None = None,
        *,
        others: Mapping[str, Kernel] = MappingProxyType({}),
        start: int = 10,
    ) -> None:
        self.view, self._objective, self._start = view, objective, start
        self._committees = {
            name: Committee(
                view,
                KnownObjective((name,), (transform,), lambda desirable: desirable[:, 0], noisy=objective.noisy),
                state=None if state is None else State(data=state.data[name]),
                others=others,
                start=start,
                sees_faint=False,  # each property is seen by itself, and a score is made of what it is expected to be
            )
            for name, transform in zip(objective.names, objective.transforms, strict=True)
        }

    def fit(self, archive: Archive, seed: int) -> CommitteesModel | None:
        """The belief after what an archive holds; None of too few molecules."""
        if len(archive) < self._start:
            return None
        molecules = self.view.features_of(archive.members).tolist()  # once for all: latents have to be encoded
        similarities = next(iter(self._committees.values())).similarities(molecules)
        desirable, parts = self._objective.desirabilities(archive.values), list[CommitteeModel]()
        for goal, committee in enumerate(self._committees.values()):
            scores = desirable[:, goal].tolist()
            members = [
                replace(
                    member,
                    score=score,
                    values=member.values[goal : goal + 1],
                    readings=member.readings[goal : goal + 1],
                )
                for member, score in zip(archive.members, scores, strict=True)
            ]
            parts.append(committee.fit_seen(replace(archive, members=tuple(members)), molecules, similarities, seed))
        expected = desirable
        if self._objective.noisy:  # a front of measurements is one of lucky measurements
            expected = _desirabilities([part.expected for part in parts])
        similarities.forget()
        width = 1.0 if self._objective.noisy else NARROWED  # of noisy values the doubt is fitted
        return CommitteesModel(parts, desirable, expected, self._objective.aggregate, self._objective.names, width)

    def learn(self, told_round: SeenRound) -> Mapping[str, float]:
        """Moves each committee's record by what its members foresaw of a round; tells the members' shares."""
        metrics, belief = dict[str, float](), told_round.belief
        parts = belief.parts if isinstance(belief, CommitteesModel) else [None] * len(self._committees)
        for (name, committee), part in zip(self._committees.items(), parts, strict=True):
            news = [replace(row, score=row.desirability[name]) for row in told_round.news]
            shares = committee.learn(_JudgedRound(part, news, told_round.firsts))
            metrics |= {f"{key}_{name}": share for key, share in shares.items()}
        return metrics

    def state(self) -> State:
        """Each committee's record."""
        return State(data={name: dict(committee.state().data) for name, committee in self._committees.items()})
