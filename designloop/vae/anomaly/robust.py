"""A detector for rows some of which are anomalous: an average over robust VAEs of closed form.

    z ~ N(0, I_q),   v | z ~ N(W z + b, σ² I)                            v a view of x
    s(x) = mean over members of (−log p(v) − median) / (interquartile range)

1. A table has two views: features in units of standard deviations about their means, and of median absolute deviations
   about their medians. Neither bends a feature: a bend learnt from contaminated rows pulls in the anomalies' tail.
2. In each view PPCA of q units is fitted to the half of the rows nearest the coordinatewise median, then to the 80 % of
   greatest evidence, and so on: concentration that starts from few anomalies stays with few. A second start leaves out
   the densest rows, among them anomalies at one place close by; it is taken where rows are likelier by far under it.
3. q is 0, 2, 8 and 16, but none above a tenth of the rows kept. No q is chosen, since what held-out rows say of it they
   say of the anomalies among them as well; each member's score is in units of its own spread over the rows.

Where entries are missing, PPCA is that of the observed ones, and a row's −log p has nats added for what is missing
(``LinearGaussian`` knows how far it is expected to lie), so that no row is odder for what nobody measured. Sources:
Tipping & Bishop 1999; Rousseeuw & Van Driessen 1999 (concentration steps); Hubert, Rousseeuw & Verdonck 2012 (several
starts that are not drawn); Hampel 1974 (median absolute deviation).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from designloop.vae.anomaly.observed import deviation_of, fill, largest_of, mean_of, quantile_of, spread_of, variance_of
from designloop.vae.anomaly.scores import Score, anomaly_score, negative_evidence
from designloop.vae.errors import VAEError
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence, ppca
from designloop.vae.linear.linear_vae import as_vae, exact_vae
from designloop.vae.linear.missing_entries import ppca_of_observed

UNITS = (0, 2, 8, 16)
"""Of the members, where rows and rank allow."""

ROWS_A_UNIT = 10
"""Rows kept, at least, for each unit."""

KEEP = 0.8
CONCENTRATIONS = 5

SHARE = 0.1
"""Of the rows, that are of another kind where some are."""

MARGIN = 30.0
"""Nats by which rows have to be likelier for another start than the usual one: few rows cannot tell."""

DISTANCES_AT_ONCE = 2**23
"""Of rows from each other, that are held in memory."""

EM_STEPS = 30
"""Of expectation maximisation at each fit to rows with missing entries; concentration fits often."""


class Member(nn.Module):
    """One VAE of closed form in one view of the rows.

    Args:
        features: of a view. units: q; a model of none has one without effect. rows: learnt from.
    """

    centre: Tensor
    scale: Tensor
    weights: Tensor
    offset: Tensor
    variance: Tensor
    reference: Tensor
    """(rows, features) views of rows learnt from, in whose scores the unit of a score is."""
    reference_mask: Tensor
    typical: Tensor
    """Squared distance, in the model's unit, that an entry of a row usually adds; 1 for a normal."""

    def __init__(self, features: int, units: int, rows: int) -> None:
        super().__init__()
        shapes = {"centre": (features,), "scale": (features,), "weights": (features, max(units, 1))}
        shapes |= {"offset": (features,), "variance": (1,), "reference": (rows, features), "typical": ()}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.ones(shape, dtype=torch.float64))
        self.register_buffer("reference_mask", torch.ones(rows, features, dtype=torch.bool))

    @classmethod
    def of(cls, seen: Tensor, centre: Tensor, scale: Tensor, model: LinearGaussian, mask: Tensor | None) -> Member:
        """That of a fitted model.

        Args:
            seen: (rows, features) views of all rows. centre, scale: (features,) of the view.
            mask: (rows, features) True where observed.
        """
        result = cls(seen.shape[1], model.weights.shape[1], len(seen))
        result.centre, result.scale, result.reference = centre, scale, seen
        result.weights, result.offset, result.variance = model.weights, model.offset, model.variance
        if mask is not None:
            result.reference_mask = mask
            result.typical = typical_distance(model, seen, mask)
        return result

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Features, units and rows, from which one of the same shape is made."""
        return (*self.weights.shape, len(self.reference))

    @property
    def model(self) -> LinearGaussian:
        """Of q units."""
        return LinearGaussian(self.weights, self.offset, self.variance)

    def view(self, x: Tensor) -> Tensor:
        """(batch, features) of levels, in the precision of the model: float64, unless ``to`` has changed it."""
        return ((x.double() - self.centre) / self.scale).to(self.weights)

    def score(self, x: Tensor, score: Score = anomaly_score, mask: Tensor | None = None) -> Tensor:
        """(batch,) how many interquartile ranges a row's score lies above the median.

        Args:
            x: (batch, features) levels. mask: True where observed.
        """
        learnt = None if bool(self.reference_mask.all()) else self.reference_mask
        ours, others = self._raw(self.view(x), score, mask), self._raw(self.reference, score, learnt)
        low, middle, high = others.quantile(others.new_tensor([0.25, 0.5, 0.75]))
        above: Tensor = (ours - middle) / (high - low).clamp_min(torch.finfo(others.dtype).eps)
        return above

    def _raw(self, views: Tensor, score: Score, mask: Tensor | None) -> Tensor:
        if score in (anomaly_score, negative_evidence):  # which need no draws here
            return surprise(self.model, views, mask, self.typical)
        if mask is None:
            return score(as_vae(self.model).double(), views)
        return score(exact_vae(self.model).double(), fill(views, mask), mask)


def surprise(model: LinearGaussian, x: Tensor, mask: Tensor | None, typical: Tensor | float = 1.0) -> Tensor:
    """(batch,) −log p of rows in nats, missing entries counted as far off as an entry usually is.

    For a normal, ``typical`` = 1, it is −E log p(x) over what is missing given what is observed.

    Args:
        x: (batch, features). mask: True where observed. typical: squared distance that a missing entry adds.
    """
    if mask is None:
        return -log_evidence(model, x)
    at_best = -log_evidence(model, model.offset.unsqueeze(0))
    return at_best + 0.5 * (squared_distance(model, x, mask) + typical * (~mask).sum(1))


def typical_distance(model: LinearGaussian, x: Tensor, mask: Tensor) -> Tensor:
    """() the median over rows of the squared distance that an observed entry adds."""
    return (squared_distance(model, x, mask) / mask.sum(1)).quantile(0.5)


def squared_distance(model: LinearGaussian, x: Tensor, mask: Tensor | None) -> Tensor:
    """(batch,) squared Mahalanobis distance of the observed entries."""
    at_best = log_evidence(model, model.offset.unsqueeze(0) if mask is None else model.offset.expand_as(x), mask)
    return 2 * (at_best - log_evidence(model, x, mask))


def fit_members(x: Tensor, mask: Tensor | None = None) -> tuple[list[Member], Tensor]:
    """The members, and (rows,) True for the rows that most of them keep.

    Args:
        x: (rows, features) of which some may be anomalous. mask: True where observed.

    Raises:
        VAEError: x varies in fewer than two directions.
    """
    members, kept = [], []
    for centre, scale in views_of(x, mask):
        seen = fill((x.double() - centre) / scale, mask)
        starts = list(starts_of(seen, mask))
        for units in units_of(seen):
            model, inside = robust_ppca(seen, units, mask, starts)
            members.append(Member.of(seen, centre, scale, model, mask))
            kept.append(inside)
    return members, torch.stack(kept).double().mean(0) >= 0.5


def views_of(x: Tensor, mask: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Centres and units: means and standard deviations; medians and median absolute deviations, where not 0."""
    x = x.double()
    spread = spread_of(x, mask)
    constant = spread <= 1e-6 * largest_of(x, mask)
    if int((~constant).sum()) < 2:
        raise VAEError(
            f"x varies in {int((~constant).sum())} directions, expected at least 2 of {x.shape[1]}; "
            "leave out features that are constant or copies of others"
        )
    spread = torch.where(constant, torch.ones_like(spread), spread)
    yield mean_of(x, mask), spread
    middle = quantile_of(x, 0.5, mask)
    deviation = deviation_of(x, middle, mask)
    # A feature of which half is one value has no such deviation.
    yield middle, torch.where(deviation > 1e-6 * spread, deviation, spread)


def units_of(views: Tensor) -> list[int]:
    """The q of ``UNITS`` that rows and rank allow; at least 0.

    Args:
        views: (rows, features), their centre where an entry is missing.
    """
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


def isotropic_or_ppca(x: Tensor, units: int, mask: Tensor | None = None) -> LinearGaussian:
    """PPCA of so many units, fewer where x has not the rank; of none, one variance about the mean."""
    centre = mean_of(x, mask)
    if mask is not None:
        centre = torch.where(mask.any(0), centre, torch.zeros_like(centre))  # observed in none of these rows
    centred = fill(x - centre, mask)
    values = torch.linalg.eigvalsh(centred.T @ centred / len(x))
    rank = int((values > 1e-9 * values[-1].clamp_min(1e-300)).sum())
    units = min(units, rank - 1)
    if units >= 1 and mask is None:
        return ppca(x, units)
    if units >= 1 and mask is not None and bool(mask.any(0).all()):
        return ppca_of_observed(x, mask, units, steps=EM_STEPS)
    variance = variance_of(centred, mask).mean() if mask is None else centred.square().sum() / mask.sum()
    return LinearGaussian(x.new_zeros(x.shape[1], 1), centre, variance.clamp_min(1e-12).reshape(1))


def robust_ppca(
    x: Tensor, units: int, mask: Tensor | None = None, starts: Iterable[Tensor] | None = None
) -> tuple[LinearGaussian, Tensor]:
    """PPCA of the rows kept by concentration, and (rows,) True for them.

    Of the starts the first is taken, unless rows are likelier by ``MARGIN`` nats in all under another.

    Args:
        x: (rows, features) in float64. units: q. mask: True where observed.
        starts: those of ``starts_of``, where they are known.
    """
    starts = starts_of(x, mask) if starts is None else starts
    searches = [_concentrate(x, units, start, mask) for start in starts]
    gains = [_evidence_of_two(model, x, mask) for model, _ in searches]
    gains[0] += MARGIN
    return searches[gains.index(max(gains))]


def starts_of(x: Tensor, mask: Tensor | None = None) -> Iterator[Tensor]:
    """(rows,) True for half of the rows, those nearest the coordinatewise median; then the same without the densest.

    Anomalies at one place need be no farther off than other rows, but they lie closer together than these.
    """
    half = max(4, math.ceil(len(x) / 2))
    yield least(_from_median(x, mask), half)
    near = max(2, math.ceil(SHARE / 2 * len(x)))
    densest = int(_distance_to(x, min(near + 1, len(x))).argmin())
    rest = ~least((x - x[densest]).norm(dim=1), math.ceil(SHARE * len(x)))
    from_rest = _from_median(x, mask, rest)
    yield least(torch.where(rest, from_rest, torch.full_like(from_rest, math.inf)), min(half, int(rest.sum())))


def _distance_to(x: Tensor, number: int) -> Tensor:
    """(rows,) from each row to the one that is nearest to it but for ``number`` − 1, itself among them.

    What is missing lies at the centre of its view.
    """
    parts = x.split(max(1, DISTANCES_AT_ONCE // len(x)))
    return torch.cat([torch.cdist(part, x).kthvalue(number, dim=1).values for part in parts])


def _from_median(x: Tensor, mask: Tensor | None, of: Tensor | None = None) -> Tensor:
    """(rows,) mean squared distance of observed entries from the median of some rows, or of all."""
    some, seen = (x, mask) if of is None else (x[of], None if mask is None else mask[of])
    squares = (x - quantile_of(some, 0.5, seen).nan_to_num()).square()
    return squares.sum(1) if mask is None else fill(squares, mask).sum(1) / mask.sum(1)


def _concentrate(x: Tensor, units: int, kept: Tensor, mask: Tensor | None) -> tuple[LinearGaussian, Tensor]:
    for _ in range(CONCENTRATIONS):
        model = isotropic_or_ppca(x[kept], units, None if mask is None else mask[kept])
        now = least(far_off(model, x, mask), max(4, math.ceil(KEEP * len(x))))
        if torch.equal(now, kept):
            break
        kept = now
    return isotropic_or_ppca(x[kept], units, None if mask is None else mask[kept]), kept


def _evidence_of_two(model: LinearGaussian, x: Tensor, mask: Tensor | None) -> float:
    """Nats of rows that are a core or, a share of them, at the place of those that suit it least."""
    core = scaled(model, x, mask)
    inside = log_evidence(core, x, mask) + math.log(1 - SHARE)
    return float(torch.logaddexp(inside, log_evidence(place_of_far(core, x, mask), x, mask) + math.log(SHARE)).sum())


def place_of_far(core: LinearGaussian, x: Tensor, mask: Tensor | None) -> LinearGaussian:
    """One variance about the mean of the ``SHARE`` of rows that suit a model least."""
    far = least(-far_off(core, x, mask), max(2, math.ceil(SHARE * len(x))))
    return isotropic_or_ppca(x[far], 0, None if mask is None else mask[far])


def scaled(core: LinearGaussian, x: Tensor, mask: Tensor | None) -> LinearGaussian:
    """The core, as wide as makes the median distance of rows that of a normal of as many features."""
    degrees = x.new_full((len(x),), x.shape[1]) if mask is None else mask.sum(1)
    factor = (squared_distance(core, x, mask) / _chi2_medians(degrees)).quantile(0.5).clamp(1.0, 10.0)
    return LinearGaussian(factor.sqrt() * core.weights, core.offset, factor * core.variance)


def _chi2_medians(degrees: Tensor) -> Tensor:
    from scipy.stats import chi2

    different, which = degrees.unique(return_inverse=True)
    return torch.from_numpy(chi2.median(different.numpy(force=True))).to(degrees.device)[which]


def far_off(model: LinearGaussian, x: Tensor, mask: Tensor | None) -> Tensor:
    """(rows,) ``surprise``, what is missing as far off as an entry of these rows usually is."""
    return surprise(model, x, mask, 1.0 if mask is None else typical_distance(model, x, mask))


def least(values: Tensor, many: int) -> Tensor:
    """(rows,) True for so many rows of least value."""
    kept = torch.zeros(len(values), dtype=torch.bool, device=values.device)
    return kept.index_fill(0, values.topk(min(many, len(values)), largest=False).indices, True)
