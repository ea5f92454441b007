"""Whether some rows are of another kind: a question to unlabelled rows, answered in evidence held out."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from designloop.vae.anomaly.bends import Standard, best_powers, yeo_johnson
from designloop.vae.anomaly.observed import fill
from designloop.vae.anomaly.robust import (
    SHARE,
    isotropic_or_ppca,
    place_of_far,
    robust_ppca,
    scaled,
    units_of,
    views_of,
)
from designloop.vae.linear.linear_gaussian import LinearGaussian, log_evidence

FOLDS = 5
SEED = 7919
"""Of the folds: rows are dealt in an order that is always the same and has nothing to do with how they stand."""

MOST_ASKED = 8
"""Units at most of the models that are asked."""

WIDER = 3.0
"""Standard deviations of the wide component in one of all rows."""


def contamination_evidence(x: Tensor, mask: Tensor | None = None) -> float:
    """Nats a row, held out, by which "some rows are of another kind" is likelier than "all rows are of one kind".

    Each hypothesis is fitted to four fifths of the rows and asked about the others. One kind: PPCA of all rows. Another
    kind: PPCA of the rows that concentration keeps, rescaled so that its median distance is that of all rows, and a
    share of ``SHARE`` that is ``WIDER`` times as wide as all rows are, or lies where the rows of least evidence do. All
    may see features as they are or bent towards a normal, so that a skewed margin alone is no contamination; another
    kind may also see them bent by its core alone, since rows of another kind pull a bend towards themselves.

    Args:
        x: (rows, features). mask: True where observed; the evidence is that of observed entries.
    """
    centre, scale = next(iter(views_of(x, mask)))
    rows = fill((x.double() - centre) / scale, mask)
    units = [q for q in units_of(rows) if q <= MOST_ASKED][-1]
    fold = folds_of(len(rows)).to(x.device)
    totals = rows.new_zeros(3, 3)  # plain, bent by all rows or by the core; one kind, some wider, or some elsewhere
    for number in range(FOLDS):
        learnt, held = rows[fold != number], rows[fold == number]
        learnt_mask, held_mask = (None, None) if mask is None else (mask[fold != number], mask[fold == number])
        evidences, core = _three_evidences(learnt, held, units, learnt_mask, held_mask)
        totals[0] += evidences
        for line, some in ((1, torch.ones_like(core)), (2, core)):
            bend = _Bend(learnt[some], None if learnt_mask is None else learnt_mask[some])
            totals[line] += _three_evidences(bend(learnt), bend(held), units, learnt_mask, held_mask)[0]
            totals[line] += bend.log_slope(held, held_mask).sum()
    same, others = totals[:2, 0].max(), totals[:, 1:].max()
    return float(others - same) / len(rows)


def folds_of(rows: int) -> Tensor:
    """(rows,) numbers of folds, each of as many rows as any other or one fewer."""
    return torch.randperm(rows, generator=torch.Generator().manual_seed(SEED)) % FOLDS


def _three_evidences(
    learnt: Tensor, held: Tensor, units: int, learnt_mask: Tensor | None, held_mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """What rows held out say, and which of those learnt are the core.

    Returns:
        (3,) log evidence if all rows are of one kind, some wider, or some at a place of their own; (learnt,) True for
        the rows that concentration keeps.
    """
    same = isotropic_or_ppca(learnt, units, learnt_mask)
    model, kept = robust_ppca(learnt, units, learnt_mask)
    core = scaled(model, learnt, learnt_mask)
    wide = LinearGaussian(WIDER * same.weights, same.offset, WIDER**2 * same.variance)
    apart = place_of_far(core, learnt, learnt_mask)
    inside = log_evidence(core, held, held_mask) + math.log(1 - SHARE)
    some = [torch.logaddexp(inside, log_evidence(of, held, held_mask) + math.log(SHARE)).sum() for of in (wide, apart)]
    return torch.stack([log_evidence(same, held, held_mask).sum(), *some]), kept


class _Bend:
    """Features bent towards a normal (Yeo & Johnson) and standardised."""

    def __init__(self, x: Tensor, mask: Tensor | None) -> None:
        self.powers = best_powers(x, mask)
        self.standard = Standard.of(yeo_johnson(x, self.powers), mask)

    def __call__(self, x: Tensor) -> Tensor:
        bent: Tensor = self.standard(yeo_johnson(x, self.powers))
        return bent

    def log_slope(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(batch,) log of the Jacobian's determinant, over observed entries."""
        slopes = (self.powers - 1) * x.sign() * x.abs().log1p() - self.standard.scale.log()
        return fill(slopes, mask).sum(1)
