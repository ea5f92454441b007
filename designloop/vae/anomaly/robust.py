"""A detector for rows some of which are anomalous: an average over robust VAEs of closed form.

    z ~ N(0, I_q),   v | z ~ N(W z + b, σ² I)                            v a view of x
    s(x) = mean over members of (−log p(v) − median) / (interquartile range)

1. A table has two views: features in units of standard deviations about their means, and of median absolute deviations
   about their medians. Neither bends a feature: a bend learnt from contaminated rows pulls in the anomalies' tail.
2. In each view PPCA of q units is fitted to the half of the rows nearest the coordinatewise median, then to the 80 % of
   greatest evidence, and so on: concentration that starts from few anomalies stays with few.
3. q is 0, 2, 8 and 16, but none above a tenth of the rows kept. No q is chosen, since what held-out rows say of it they
   say of the anomalies among them as well; each member's score is in units of its own spread over the rows.

``contamination_evidence`` tells whether rows ask for it. Sources: Tipping & Bishop 1999; Rousseeuw & Van Driessen 1999
(concentration steps); Hampel 1974 (median absolute deviation); Box & Tiao 1968 (a share of rows with a wider spread).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.anomaly.kinds import best_powers, yeo_johnson
from designloop.vae.anomaly.scores import Score, anomaly_score, negative_evidence
from designloop.vae.errors import VAEError
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence, ppca
from designloop.vae.linear.linear_vae import as_vae

UNITS = (0, 2, 8, 16)
"""Of the members, where rows and rank allow."""

ROWS_A_UNIT = 10
"""Rows kept, at least, for each unit."""

KEEP = 0.8
CONCENTRATIONS = 5
MAD = 1.4826
"""Median absolute deviations in a standard deviation, of a normal."""

FOLDS = 5
STRIDE = 7919
"""A prime: folds take rows from everywhere, in whatever order they stand."""
MOST_ASKED = 8
"""Units at most of the models that are asked about contamination."""
SHARE = 0.1
"""Of the rows, that the contaminated hypothesis gives to the wide component."""

WIDER = 3.0
"""Standard deviations of the wide component in one of all rows."""


@dataclass(frozen=True, slots=True)
class View:
    """Features about a centre in a unit: (x − centre) / scale."""

    centre: Tensor
    scale: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """(batch, features) in float64."""
        return (x.double() - self.centre) / self.scale


@dataclass(frozen=True, slots=True)
class Member:
    """One VAE of closed form in one view."""

    view: View
    model: LinearGaussian
    """Of q units; one without effect where q is 0."""
    reference: Tensor
    """(rows, features) views of rows learnt from, in whose scores the unit of a score is."""

    def score(self, x: Tensor, score: Score = anomaly_score) -> Tensor:
        """(batch,) how many interquartile ranges a row's score lies above the median."""
        ours, others = self._raw(self.view(x), score), self._raw(self.reference, score)
        low, middle, high = others.quantile(others.new_tensor([0.25, 0.5, 0.75]))
        above: Tensor = (ours - middle) / (high - low).clamp_min(torch.finfo(others.dtype).eps)
        return above

    def _raw(self, views: Tensor, score: Score) -> Tensor:
        if score in (anomaly_score, negative_evidence):  # which need no draws here
            return -log_evidence(self.model, views)
        return score(as_vae(self.model).double(), views)


def fit_members(x: Tensor) -> tuple[tuple[Member, ...], Tensor]:
    """The members, and (rows,) True for the rows that most of them keep.

    Args:
        x: (rows, features) of which some may be anomalous.

    Raises:
        VAEError: x varies in fewer than two directions.
    """
    members, kept = [], []
    for view in views_of(x):
        seen = view(x)
        for units in units_of(seen):
            model, inside = robust_ppca(seen, units)
            members.append(Member(view, model, seen))
            kept.append(inside)
    return tuple(members), torch.stack(kept).double().mean(0) >= 0.5


def views_of(x: Tensor) -> Iterator[View]:
    """Means and standard deviations; medians and median absolute deviations, where these are not 0."""
    x = x.double()
    spread = x.std(0, correction=0)
    constant = spread <= 1e-6 * x.abs().amax(0)
    if int((~constant).sum()) < 2:
        raise VAEError(
            f"x varies in {int((~constant).sum())} directions, expected at least 2 of {x.shape[1]}; "
            "leave out features that are constant or copies of others"
        )
    spread = torch.where(constant, torch.ones_like(spread), spread)
    yield View(x.mean(0), spread)
    middle = x.quantile(0.5, dim=0)
    deviation = MAD * (x - middle).abs().quantile(0.5, dim=0)
    # A feature of which half is one value has no such deviation.
    yield View(middle, torch.where(deviation > 1e-6 * spread, deviation, spread))


def units_of(views: Tensor) -> list[int]:
    """The q of ``UNITS`` that rows and rank allow; at least 0."""
    centred = views - views.mean(0)
    values = torch.linalg.eigvalsh(centred.T @ centred / len(views))
    rank = int((values > 1e-6 * values[-1]).sum())
    if rank < 2:
        raise VAEError(
            f"x varies in {rank} directions, expected at least 2 of {views.shape[1]}; "
            "leave out features that are constant or copies of others"
        )
    most = min(math.ceil(KEEP * len(views)) // ROWS_A_UNIT, rank - 1)
    return [units for units in UNITS if units <= most]


def isotropic_or_ppca(x: Tensor, units: int) -> LinearGaussian:
    """PPCA of so many units, fewer where x has not the rank; of none, one variance about the mean."""
    centred = x - x.mean(0)
    values = torch.linalg.eigvalsh(centred.T @ centred / len(x))
    rank = int((values > 1e-9 * values[-1].clamp_min(1e-300)).sum())
    units = min(units, rank - 1)
    if units >= 1:
        return ppca(x, units)
    variance = centred.square().mean().clamp_min(1e-12).reshape(1)
    return LinearGaussian(x.new_zeros(x.shape[1], 1), x.mean(0), variance)


def robust_ppca(x: Tensor, units: int) -> tuple[LinearGaussian, Tensor]:
    """PPCA of the rows kept by concentration, and (rows,) True for them.

    Args:
        x: (rows, features) in float64. units: q.
    """
    distance = (x - x.quantile(0.5, dim=0)).square().sum(1)
    kept = _least(distance, max(4, math.ceil(len(x) / 2)))
    for _ in range(CONCENTRATIONS):
        now = _least(-log_evidence(isotropic_or_ppca(x[kept], units), x), max(4, math.ceil(KEEP * len(x))))
        if torch.equal(now, kept):
            break
        kept = now
    return isotropic_or_ppca(x[kept], units), kept


def contamination_evidence(x: Tensor) -> float:
    """Nats a row, held out, by which "some rows are of another kind" is likelier than "all rows are of one kind".

    Each hypothesis is fitted to four fifths of the rows and asked about the others. One kind: PPCA of all rows. Another
    kind: PPCA of the rows that concentration keeps, rescaled so that its median distance is that of all rows, and a
    share of ``SHARE`` that is ``WIDER`` times as wide as all rows are, or lies where the rows of least evidence do. All
    may see features as they are or bent towards a normal, so that a skewed margin alone is no contamination.

    Args:
        x: (rows, features)
    """
    rows = next(iter(views_of(x)))(x)
    units = [q for q in units_of(rows) if q <= MOST_ASKED][-1]
    fold = torch.arange(len(rows), device=x.device) * STRIDE % len(rows) % FOLDS
    totals = rows.new_zeros(2, 3)  # plain or bent; one kind, some wider, or some at a place of their own
    for number in range(FOLDS):
        learnt, held = rows[fold != number], rows[fold == number]
        totals[0] += _three_evidences(learnt, held, units)
        bend = _Bend(learnt)
        totals[1] += _three_evidences(bend(learnt), bend(held), units) + bend.log_slope(held).sum()
    same, wider, apart = totals.amax(0).tolist()
    return float(max(wider, apart) - same) / len(rows)


def _three_evidences(learnt: Tensor, held: Tensor, units: int) -> Tensor:
    """(3,) log evidence of the rows held out if all are of one kind, some wider, or some at a place of their own."""
    same = isotropic_or_ppca(learnt, units)
    core = _scaled(robust_ppca(learnt, units)[0], learnt)
    wide = LinearGaussian(WIDER * same.weights, same.offset, WIDER**2 * same.variance)
    far = _least(log_evidence(core, learnt), max(2, math.ceil(SHARE * len(learnt))))
    apart = isotropic_or_ppca(learnt[far], 0)
    inside = log_evidence(core, held) + math.log(1 - SHARE)
    some = [torch.logaddexp(inside, log_evidence(of, held) + math.log(SHARE)).sum() for of in (wide, apart)]
    return torch.stack([log_evidence(same, held).sum(), *some])


class _Bend:
    """Features bent towards a normal (Yeo & Johnson) and standardised."""

    def __init__(self, x: Tensor) -> None:
        self.powers = best_powers(x)
        bent = yeo_johnson(x, self.powers)
        spread = bent.std(0, correction=0)
        self.centre, self.scale = bent.mean(0), torch.where(spread > 1e-6, spread, torch.ones_like(spread))

    def __call__(self, x: Tensor) -> Tensor:
        return (yeo_johnson(x, self.powers) - self.centre) / self.scale

    def log_slope(self, x: Tensor) -> Tensor:
        """(batch,) log of the Jacobian's determinant."""
        return ((self.powers - 1) * x.sign() * x.abs().log1p()).sum(1) - self.scale.log().sum()


def _scaled(core: LinearGaussian, x: Tensor) -> LinearGaussian:
    """The core, as wide as makes the median distance of rows that of a normal of as many features."""
    quadratic = -2 * log_evidence(core, x) - _log_normaliser(core)
    factor = (quadratic.quantile(0.5) / _chi2_median(x.shape[1])).clamp(1.0, 10.0)
    return LinearGaussian(factor.sqrt() * core.weights, core.offset, factor * core.variance)


def _log_normaliser(model: LinearGaussian) -> Tensor:
    return -2 * log_evidence(model, model.offset.unsqueeze(0)).squeeze(0)


def _chi2_median(degrees: int) -> float:
    from scipy.stats import chi2

    return float(chi2.median(degrees))


def _least(values: Tensor, many: int) -> Tensor:
    """(rows,) True for so many rows of least value."""
    kept = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    return kept.index_fill(0, values.topk(min(many, len(values)), largest=False).indices, True)
