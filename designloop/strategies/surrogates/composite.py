"""What a score is believed to be before it is paid for: a Gaussian process a property, through the known objective.

    score(x) = g(h_1(x), …, h_K(x)),    h_k ~ GP,    g = the campaign's transforms and its aggregate

Properties are smoother in the molecule than the score is (a weight is a sum over groups; a score is 0 wherever any one
property is), and a molecule without any score worth the name still tells of each.
Source: Astudillo & Frazier 2019, "Bayesian optimization of composite functions".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from designloop.strategies.archive.archive import Archive
from designloop.strategies.base import KnownObjective, unchanged
from designloop.strategies.surrogates.base import Goals, Moments, Posterior
from designloop.strategies.surrogates.fingerprint_gp import (
    JITTER,
    FingerprintGP,
    Kernels,
    counts_of,
    covariances_of,
    mean_square,
)
from designloop.strategies.surrogates.views import FingerprintView

_LEAST_SCALE = 1e-9
"""Standard deviation that values are taken to have at least."""

_OUTLYING = 6.0
"""Robust standard deviations from the median at which a value is cut before a GP sees it: one docking gone wrong must
not be all that it learns."""


def cut(values: np.ndarray) -> np.ndarray:
    """(n, k) values, the outlying ones brought in column by column; a column that is mostly one value stays."""
    middle = np.median(values, 0)
    spread = 1.4826 * np.median(np.abs(values - middle), 0)
    reach = np.where(spread > 0, _OUTLYING * spread, np.inf)
    return np.asarray(np.clip(values, middle - reach, middle + reach))


@dataclass(frozen=True)
class PropertyModel:
    """One property: its GP, fitted on standardised targets, and how a draw of it becomes a desirability."""

    gp: FingerprintGP
    centre: float
    scale: float
    to_desirability: Callable[[np.ndarray], np.ndarray]

    def leave_one_out_error(self, targets: np.ndarray, desirable: np.ndarray) -> float:
        """Mean square error of the desirabilities (n,) that the other molecules foresee, of its own targets (n,)."""
        foreseen = self.to_desirability(self.centre + self.scale * self.gp.leave_one_out(targets))
        return float(np.square(foreseen - desirable).mean())

    def desirability(self, draws: np.ndarray) -> np.ndarray:
        """Of draws of the GP, in any shape."""
        return self.to_desirability(self.centre + self.scale * draws)


@dataclass(frozen=True)
class CompositeModel:
    """Fitted GPs of all properties that count, and the objective that makes a score of them."""

    train_x: np.ndarray
    """(n, d) rows of the molecules paid for."""
    linear_scale: float
    """What the kernel's linear term is divided by."""
    properties: tuple[PropertyModel, ...]
    aggregate: Callable[[np.ndarray], np.ndarray]
    best: float
    """Greatest score among the molecules paid for."""
    paid: np.ndarray
    """(n, properties) desirabilities of these; those that are expected of them where they are noisy."""
    values: Mapping[str, PropertyModel]
    """Property -> its GP as that of its own value, whether that foresees its desirability better or not."""

    @classmethod
    def fit(
        cls, train_x: np.ndarray, values: np.ndarray, objective: KnownObjective, readings: np.ndarray | None = None
    ) -> CompositeModel:
        """Fits each property twice, as its value and as its desirability, and keeps what foresees the latter better.

        Mostly the value: the transform's bend is then known, not learned. A value spread over decades is better learned
        bent. Better is the smaller leave-one-out error.

        Args:
            train_x: (n, d) rows of bits.
            values: (n, properties) in the order of the objective.
            readings: (n, properties) that each value is the mean of; None: each is one.
        """
        linear_scale = mean_square(train_x)
        kernels = Kernels.between(train_x, train_x, linear_scale)
        desirable = objective.desirabilities(values)
        raw = np.column_stack([cut(values), desirable])
        centre, scale = raw.mean(0), np.maximum(raw.std(0), _LEAST_SCALE)
        targets = (raw - centre) / scale
        transforms = [*objective.transforms, *[unchanged] * values.shape[1]]
        twice = None if readings is None else np.column_stack([readings, readings])
        fitted = FingerprintGP.fit(kernels, targets, twice), centre.tolist(), scale.tolist(), transforms
        models = [PropertyModel(*parts) for parts in zip(*fitted, strict=True)]
        wanted = np.column_stack([desirable, desirable])
        errors = [m.leave_one_out_error(*known) for m, *known in zip(models, targets.T, wanted.T, strict=True)]
        n = values.shape[1]
        kept = tuple(models[k + n if errors[k + n] < errors[k] else k] for k in range(n))
        best = float(objective.aggregate(desirable).max())
        own = dict(zip(objective.names, models[:n], strict=True))
        model = cls(train_x, linear_scale, kept, objective.aggregate, best, desirable, own)
        if objective.noisy:  # a front of measurements is one of lucky measurements
            return replace(model, paid=model(train_x).goal_moments()[0])
        return model

    def __call__(self, features: np.ndarray) -> Posterior:
        """The posterior over candidates, of rows (m, d) of bits."""
        test_x, gps = features.astype(np.float32), [model.gp for model in self.properties]
        k_test_train, diagonal = self._kernels(test_x)
        return Posterior(
            [gp.predict(k_test_train) for gp in gps],
            lambda: covariances_of(gps, k_test_train, diagonal),
            lambda: covariances_of(gps, k_test_train, Kernels.between(test_x, test_x, self.linear_scale)),
            [(gp.noise + JITTER) * gp.variance for gp in gps],
            self.best,
            self.scores,
            Goals(self.desirabilities, self.paid),
        )

    def property_moments(self, features: np.ndarray) -> Moments:
        """(m,) means and standard deviations of new measurements of each property, of rows (m, d) of bits."""
        k_test_train, diagonal = self._kernels(features.astype(np.float32))
        moments = {}
        for name, model in self.values.items():
            gp = model.gp
            variance = np.maximum(gp.covariance(k_test_train, diagonal), 0.0) + gp.noise * gp.variance
            # Of values that are all alike nothing says how far others may lie: then it is by 1, in the property's unit.
            is_constant = model.scale <= _LEAST_SCALE
            deviations = np.ones(len(variance)) if is_constant else model.scale * np.sqrt(variance)
            moments[name] = (model.centre + model.scale * gp.predict(k_test_train), deviations)
        return moments

    def _kernels(self, test_x: np.ndarray) -> tuple[Kernels, Kernels]:
        """Of rows (m, d) with those that it was fitted on, and with themselves."""
        diagonal = Kernels(np.ones(len(test_x)), np.square(counts_of(test_x)).sum(1) / self.linear_scale)
        return Kernels.between(test_x, self.train_x, self.linear_scale), diagonal

    def scores(self, draws: Sequence[np.ndarray]) -> np.ndarray:
        """(draws, m) scores, of draws (draws, m) of each property's GP."""
        desirable = self.desirabilities(draws)
        return self.aggregate(desirable.reshape(-1, len(self.properties))).reshape(desirable.shape[:2])

    def desirabilities(self, draws: Sequence[np.ndarray]) -> np.ndarray:
        """(draws, m, properties) desirabilities, of draws (draws, m) of each property's GP."""
        return np.stack([model.desirability(d) for model, d in zip(self.properties, draws, strict=True)], -1)


@dataclass(frozen=True)
class CompositeSurrogate:
    """The kind of belief: a GP a property on fingerprints, through an objective."""

    view: FingerprintView
    objective: KnownObjective
    start: int = 10
    """Scored molecules before it is fitted."""

    def fit(self, archive: Archive, seed: int) -> CompositeModel | None:
        """The belief after what an archive holds; it follows from the archive alone. None of too few molecules."""
        if len(archive) < self.start:
            return None
        self.view.forget_all_but(archive.smiles)
        train_x = self.view.features_of(archive.members).astype(np.float32)
        return CompositeModel.fit(train_x, archive.values, self.objective, archive.readings)
