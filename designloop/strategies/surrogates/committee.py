"""Several surrogates of one score, and how far each is trusted: by how well it foresaw what was then paid for.

A member's weight is its discounted log predictive density of the scores that it had not seen, with a floor. The
densities are taken after each member's doubt is rescaled to the errors that it makes, for it is wide by design.
Source: Dawid 1984, "Present position and potential developments: the prequential approach".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from designloop.molecules.count_prints import KIND
from designloop.records import State
from designloop.strategies.archive.archive import Archive
from designloop.strategies.base import KnownObjective
from designloop.strategies.surrogates.base import Moments, Posterior, View
from designloop.strategies.surrogates.calibration import SeenRound
from designloop.strategies.surrogates.composite import CompositeSurrogate
from designloop.strategies.surrogates.faint import told_apart, translated
from designloop.strategies.surrogates.fixed_gp import FixedGP
from designloop.strategies.surrogates.kernels import KERNELS, Kernel, MoleculeFeatures, Similarities
from designloop.strategies.surrogates.noise import LEAST
from designloop.strategies.surrogates.views import FingerprintView

FLOOR = 0.1
"""Share of the choices that all members have alike, however poorly they foresee."""

_KEPT = 0.98
"""Of a member's record, for each molecule paid for since."""

Member = Callable[[Sequence[MoleculeFeatures]], Posterior]
"""A fitted surrogate of a committee."""


@dataclass(frozen=True)
class CommitteePosterior(Posterior):
    """The members' posteriors; taken as one, it has the mean and the variance of their mixture."""

    members: Sequence[Posterior] = ()
    shares: Sequence[float] | np.ndarray = ()
    """Of the choices, by member."""


@dataclass(frozen=True)
class CommitteeModel:
    """Fitted members, and the share of the choices that each has."""

    members: Sequence[Member]
    shares: np.ndarray
    """(members,) that add to 1."""
    scores: np.ndarray
    """(n,) of the molecules that it was fitted on."""
    processes: Mapping[str, FixedGP]
    """Those of its members that are fixed processes, which come first, by the names of their kernels."""
    values: Mapping[str, np.ndarray]
    """Property -> (n,) values of the molecules that it was fitted on."""
    names: Sequence[str] = ()
    """Of the members; none where they have none."""
    readings: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Property -> (n,) readings that each of its values is the mean of; nothing where each is one."""
    ranks: np.ndarray | None = None
    """(n,) what its members were told instead of scores that all are faint; None: the scores."""

    @property
    def targets(self) -> np.ndarray:
        """(n,) what its members were told of the molecules that it was fitted on."""
        return self.scores if self.ranks is None else self.ranks

    def paid(self, member: int) -> np.ndarray:
        """(n,) what a member would have foreseen of the molecules that it was fitted on: what it was told."""
        return self.targets

    @property
    def expected(self) -> np.ndarray:
        """(n,) what its processes expect of the molecules that it was fitted on, in view of how noisy scores are."""
        shares = self.shares[: len(self.processes)]
        means = [process.expected for process in self.processes.values()]
        return np.asarray(shares @ np.array(means) / shares.sum())

    def property_moments(self, features: np.ndarray) -> Moments:
        """(m,) means and standard deviations of new measurements of each property, each member trusted by its share."""
        moments = {}
        shares = self.shares[: len(self.processes)] / self.shares[: len(self.processes)].sum()
        for name, values in self.values.items():
            # Of values that are all alike nothing says how far others may lie: then it is by 1, in the property's unit.
            centre, scale = values.mean(), float(values.std()) if np.ptp(values) > 0 else 1.0
            # How noisy a property is, is asked also where scores are exact: the sd shown is that of a measurement.
            standard, readings = (values - centre) / scale, self.readings.get(name)
            processes = [it.refitted(standard, noisy=True, readings=readings) for it in self.processes.values()]
            own = [process(features.tolist()) for process in processes]
            means = np.array([posterior.means[0] for posterior in own])
            variances = np.array([posterior.variances()[0] + posterior.noises[0] for posterior in own])
            mean = shares @ means
            deviation = np.sqrt(shares @ (variances + np.square(means - mean)))
            moments[name] = (centre + scale * mean, scale * deviation)
        return moments

    @property
    def process_of_bank(self) -> FixedGP:
        """The process of the fingerprint which ZINC has, by whose means all of it is screened.

        Raises:
            ValueError: the committee has no kernel of that fingerprint.
        """
        if KIND not in self.processes:
            raise ValueError(
                f"found the kernels {', '.join(self.processes)}, expected {KIND} among them to screen ZINC by"
            )
        return self.processes[KIND]

    def only(self, numbers: Sequence[int]) -> CommitteeModel:
        """A committee of some of its members, in this order, in which fixed processes come first here, too."""
        shares, fixed = self.shares[list(numbers)], list(self.processes.items())
        members, names = [self.members[number] for number in numbers], [self.names[n] for n in numbers if self.names]
        processes = dict(fixed[number] for number in numbers if number < len(fixed))
        return replace(self, members=members, shares=shares / shares.sum(), processes=processes, names=names)

    def __call__(self, features: np.ndarray) -> CommitteePosterior:
        """The posterior over candidates, of (m,) features."""
        return self.narrowed(1.0, features)

    @property
    def doubts_ranks(self) -> bool:
        """Whether its members were told ranks instead of scores."""
        return self.ranks is not None

    def shown(self, features: np.ndarray) -> CommitteePosterior:
        """The same, but that means are scores where ranks were told; its doubt is that of ranks, for it is rescaled."""
        posterior = self(features)
        return replace(posterior, means=[translated(posterior.means[0], self.targets, self.scores)])

    def narrowed(self, width: float, features: np.ndarray) -> CommitteePosterior:
        """The same, taken as one with each member's standard deviation times a width; the members' own stays."""
        members = [member(features.tolist()) for member in self.members]
        moments = [member.moments() for member in members]
        mean = sum(share * own for share, (own, _) in zip(self.shares, moments, strict=True))
        apart = [own - mean for own, _ in moments]
        variance = sum(
            share * (np.square(width * doubt) + np.square(gap))
            for share, (_, doubt), gap in zip(self.shares, moments, apart, strict=True)
        )

        def covariance() -> list[np.ndarray]:
            joint = (member.joint()[1] for member in members)
            rows = zip(self.shares, joint, apart, strict=True)
            return [np.asarray(sum(share * (width**2 * own + np.outer(gap, gap)) for share, own, gap in rows))]

        noise = float(np.mean([member.noise for member in members]))
        return CommitteePosterior(
            [mean],
            lambda: [variance],
            covariance,
            [noise],
            float(self.targets.max()),
            members=members,
            shares=self.shares,
        )


class Committee:
    """The kind of belief: fixed processes of several kernels, and where a score has parts, the composite of these.

    Args:
        view: how candidates are seen.
        objective: what the score is made of; a composite is made where it has several properties.
        kernels: names of the members' kernels.
        state: what an earlier committee of this campaign gave.
        bits: how the composite sees candidates; None: there is none.
        others: further members' kernels, by name.
        start: scored molecules before it is fitted.
        sees_faint: whether scores that all are faint are told apart by their ranks; beside a composite, which foresees
            scores, they are not.
    """

    def __init__(
        self,
        view: View,
        objective: KnownObjective,
        kernels: Sequence[str] = tuple(KERNELS),
        state: State | None = None,
        *,
        bits: FingerprintView | None = None,
        others: Mapping[str, Kernel] = MappingProxyType({}),
        start: int = 10,
        sees_faint: bool = True,
    ) -> None:
        self.view, self._start, self._noisy, self._properties = view, start, objective.noisy, objective.names
        self._kernels = {name: KERNELS[name] for name in kernels} | dict(others)
        self._bits = bits if bits is not None and len(objective.names) > 1 else None
        self._composite = CompositeSurrogate(self._bits, objective, start) if self._bits is not None else None
        self._sees_faint = sees_faint and self._composite is None
        self.names = (*self._kernels, *(["composite"] if self._composite is not None else []))
        known: Mapping[str, Sequence[float]] = state.data["record"] if state is not None else {}
        self._log_density = np.array([known.get(name, (0.0, 1.0))[0] for name in self.names])
        self._scale = np.array([known.get(name, (0.0, 1.0))[1] for name in self.names])

    @property
    def shares(self) -> np.ndarray:
        """(members,) of the choices, that add to 1."""
        density = np.exp(self._log_density - self._log_density.max())
        return np.asarray(FLOOR / len(density) + (1 - FLOOR) * density / density.sum())

    def fit(self, archive: Archive, seed: int) -> CommitteeModel | None:
        """The belief after what an archive holds; None of too few molecules."""
        if len(archive) < self._start:
            return None
        molecules = self.view.features_of(archive.members).tolist()
        similarities = self.similarities(molecules)
        model = self.fit_seen(archive, molecules, similarities, seed)
        similarities.forget()
        return model

    def similarities(self, molecules: Sequence[MoleculeFeatures]) -> Similarities:
        """Those of the fixed processes' kernels, of others with some molecules."""
        return Similarities(self._kernels, molecules)

    def fit_seen(
        self, archive: Archive, molecules: Sequence[MoleculeFeatures], similarities: Similarities, seed: int
    ) -> CommitteeModel:
        """The belief after what an archive holds, of enough molecules that were seen already.

        Args:
            similarities: with these molecules.
        """
        scores, noisy, of_scores = archive.scores, self._noisy, archive.score_readings
        # An assay's ranks would be its noise's.
        targets = told_apart(scores) if self._sees_faint and not noisy else scores
        processes = {
            name: FixedGP.fit(kernel, molecules, targets, noisy, of_scores, similarities[name])
            for name, kernel in self._kernels.items()
        }
        members: list[Member] = [*processes.values()]
        if self._composite is not None and self._bits is not None:
            composite, bits = self._composite.fit(archive, seed), self._bits
            if composite is not None:
                members.append(lambda rows: composite(bits.features([row.smiles for row in rows])))
        values = dict(zip(self._properties, archive.values.T, strict=True))
        readings = dict(zip(self._properties, archive.readings.T, strict=True))
        names = self.names[: len(members)]
        ranks = None if targets is scores else targets
        return CommitteeModel(members, self.shares, scores, processes, values, names, readings, ranks)

    def learn(self, told_round: SeenRound) -> Mapping[str, float]:
        """Moves the record by what each member foresaw of a round; tells the members' shares.

        A correction says nothing of foresight: the members were fitted on the molecule.
        """
        news = told_round.firsts(told_round.news)
        if told_round.belief is not None and news:
            posterior = told_round.belief(self.view.features([row.smiles for row in news]))
            if isinstance(posterior, CommitteePosterior):
                moments = [member.moments() for member in posterior.members]
                scores = np.array([row.score for row in news], dtype=float)
                if isinstance(told_round.belief, CommitteeModel):  # judged in the terms in which it was told
                    scores = translated(scores, told_round.belief.scores, told_round.belief.targets)
                noises = np.array([member.noise for member in posterior.members])
                self._judge(np.array([m for m, _ in moments]), np.array([d for _, d in moments]), scores, noises)
        return {f"surrogate_share_{name}": float(share) for name, share in zip(self.names, self.shares, strict=True)}

    def _judge(self, means: np.ndarray, doubts: np.ndarray, scores: np.ndarray, noises: np.ndarray) -> None:
        """Takes in (members, n) means and standard deviations of (n,) scores, one molecule after another.

        The scale takes in an error before its density is told, so that one error without precedent, which no scale
        from before could foresee, costs a member some nats and not all its credit.

        Args:
            noises: (members,) variances that each takes the scores to have.
        """
        for mean, doubt, score in zip(means.T, doubts.T, scores, strict=True):
            variance = np.maximum(np.square(doubt) + noises, LEAST)  # a score at its bound may be doubted by nothing
            error = np.square(score - mean)
            self._scale = _KEPT * self._scale + (1 - _KEPT) * error / variance
            expected = self._scale * variance
            self._log_density = _KEPT * self._log_density - 0.5 * (np.log(expected) + error / expected)

    def state(self) -> State:
        """Each member's record."""
        rows = zip(self.names, self._log_density.tolist(), self._scale.tolist(), strict=True)
        return State(data={"record": {name: [density, scale] for name, density, scale in rows}})
