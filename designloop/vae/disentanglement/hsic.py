"""Hilbert–Schmidt independence criterion: whether two things depend on each other, in any way, and given a third.

    HSIC = E k(x, x') l(y, y') + E k(x, x') E l(y, y') − 2 E [E k(x, x') E l(y, y')]       0 if and only if independent

k is Gaussian of median width for numbers, and "the same or not" for labels. Biased (all pairs, a V-statistic, ≥ 0) and
unbiased (distinct ones only, a U-statistic). Given labels s, the conditional one is the mean of the strata's own, and
its null is had by shuffling y within each stratum.

Sources: Gretton et al. 2005, "Measuring statistical dependence with Hilbert–Schmidt norms"; Song et al. 2012, "Feature
selection via dependence maximization", eq. 5 (unbiased).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from designloop.vae.errors import MissingContextError, ShapeError, VAEError
from designloop.vae.model import ForwardPass
from designloop.vae.training.losses import Term


def median_distance(x: Tensor) -> Tensor:
    """() median Euclidean distance of two different rows of (rows, width), without gradient.

    Raises:
        VAEError: more than half of the pairs are alike, so that it is 0.
    """
    middle = torch.pdist(x.detach()).median()
    if float(middle) <= 0:
        raise VAEError(
            f"the median distance among {len(x)} rows is 0, expected different ones; give a width, or integer labels"
        )
    return middle


def kernel(x: Tensor, width: float | Tensor | None = None) -> Tensor:
    """(rows, rows) exp(−‖x − x'‖²/(2 width²)) of numbers, True or False (the same or not) of labels.

    Args:
        x: (rows, width) or (rows,) floating point; integers or truth values (rows,) are labels.
        width: of the Gaussian, x's unit; None for the median distance. Rows that are all alike are so at any width.

    Raises:
        ShapeError: it is neither.
        VAEError: more than half of the pairs are alike, but not all, and there is no width.
    """
    if not x.is_floating_point():
        if x.ndim != 1:
            raise ShapeError("labels", x.shape, "(rows,)", "give one label a row, or numbers as floating point")
        return x.unsqueeze(1) == x
    x = x.unsqueeze(1) if x.ndim == 1 else x
    if x.ndim != 2:
        raise ShapeError("x", x.shape, "(rows, width)", "flatten it")
    if width is None:
        width = 1.0 if bool((x == x[:1]).all()) else median_distance(x)
    x = x - x.mean(0)  # far from 0 the squares below would cancel
    square = x.square().sum(1)
    apart = (square.unsqueeze(1) + square - 2 * x @ x.T).clamp_min(0)
    return (-0.5 * apart / width**2).exp()


def hsic_of(x: Tensor, y: Tensor, unbiased: bool = False, widths: Sequence[float | None] = (None, None)) -> Tensor:
    """() HSIC of two things that were seen together.

    Args:
        x, y: (rows, width) numbers or (rows,) labels, as for ``kernel``.
        unbiased: 0 in the mean for independent ones, at times below 0.
        widths: of the two Gaussians.

    Raises:
        ShapeError: not as many rows of both, or fewer than 4 where it is unbiased.
    """
    if len(x) != len(y) or len(x) < (4 if unbiased else 2):
        raise ShapeError("y", y.shape, f"({len(x)} rows as x, at least {4 if unbiased else 2}, …)", "pair the rows")
    return of_kernels(kernel(x, widths[0]), kernel(y, widths[1]), unbiased)


def of_kernels(k: Tensor, l: Tensor, unbiased: bool = False) -> Tensor:  # noqa: E741
    """() HSIC of two kernels (rows, rows), in the finer of their types and never in less than float32."""
    finer = torch.promote_types(torch.promote_types(k.dtype, l.dtype), torch.float32)
    n, k, l = len(k), k.to(finer), l.to(finer)  # noqa: E741
    if not unbiased:
        return (centre_kernel(k) * l).sum() / n**2
    k, l = k - k.diagonal().diag(), l - l.diagonal().diag()  # noqa: E741
    apart = k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k.sum(0) @ l.sum(1))
    value: Tensor = ((k * l).sum() + apart) / (n * (n - 3))
    return value


def centre_kernel(k: Tensor) -> Tensor:
    """(rows, rows) H K H, whose rows and columns sum to 0."""
    return k - k.mean(0) - k.mean(1, keepdim=True) + k.mean()


def conditional_hsic(
    x: Tensor, y: Tensor, given: Tensor, unbiased: bool = False, widths: Sequence[float | None] = (None, None)
) -> Tensor:
    """() HSIC of x and y given labels (rows,): the mean of the strata's own, each by its share of the rows.

    A stratum of fewer than 4 rows says nothing and is left out.

    Args:
        x, y, unbiased, widths: as for ``hsic_of``; medians are the stratum's own.

    Raises:
        VAEError: no stratum has as many as 4 rows.
    """
    total: Tensor | None = None
    for rows in strata(given):
        own = len(rows) / len(x) * hsic_of(x[rows], y[rows], unbiased, widths)
        total = own if total is None else total + own
    assert total is not None
    return total


@dataclass(frozen=True, slots=True)
class Independence:
    """HSIC beside its null."""

    value: Tensor
    """() biased HSIC, or its mean over the strata."""
    null: Tensor
    """(permutations,) the same with y shuffled, within each stratum."""

    @property
    def p_value(self) -> float:
        """Share of the null, the value itself included, that is as great."""
        return (1 + int((self.null >= self.value).sum())) / (1 + len(self.null))

    def above(self, level: float = 0.05) -> bool:
        """Whether the value lies above the null's 1 − level point: x and y depend on each other."""
        return float(self.value) > float(self.null.quantile(1 - level))


@torch.no_grad()
def independence(
    x: Tensor, y: Tensor, given: Tensor | None = None, *, permutations: int = 200,
    generator: torch.Generator | None = None, widths: Sequence[float | None] = (None, None),
) -> Independence:  # fmt: skip
    """HSIC of x and y, given labels if there are any, beside its permutation null.

    Args:
        x, y, widths: as for ``hsic_of``.
        given: (rows,) labels within which y is shuffled.
        permutations: of the null.
    """
    given = torch.zeros(len(x), dtype=torch.long) if given is None else given
    value, null = torch.zeros(()), torch.zeros(permutations)
    for rows in strata(given):
        k = kernel(x[rows], widths[0])
        n, k = len(rows), centre_kernel(k.to(torch.promote_types(k.dtype, torch.float32)))
        orders = torch.stack([torch.randperm(n, generator=generator) for _ in range(permutations)])
        orders = torch.cat([torch.arange(n).unsqueeze(0), orders])
        statistics = _sums_over_orders(k, y[rows], orders, widths[1]) / (
            n * len(x)
        )  # its own 1/n², times its share n / rows
        value, null = value.to(statistics) + statistics[0], null.to(statistics) + statistics[1:]
    return Independence(value, null)


def _sums_over_orders(k: Tensor, y: Tensor, orders: Tensor, width: float | None) -> Tensor:
    """(orders,) Σ k_ij l_ij with y in each of the orders (orders, rows)."""
    if not y.is_floating_point():  # l = Y Yᵀ with one-hot Y: a product of matrices in the place of one l an order
        one_hot = torch.nn.functional.one_hot(y.unique(return_inverse=True)[1]).to(k)
        shuffled = one_hot[orders]  # (orders, rows, labels)
        through = (k @ shuffled.transpose(0, 1).flatten(1)).unflatten(1, (len(orders), -1)).transpose(0, 1)
        sums: Tensor = (through * shuffled).sum((1, 2))
        return sums
    l = kernel(y, width).to(k)  # noqa: E741
    return torch.stack([(k * l[order][:, order]).sum() for order in orders])


def strata(given: Tensor) -> list[Tensor]:
    """Rows of each label of (rows,), those with at least 4.

    Raises:
        VAEError: there is none.
    """
    groups = [rows for label in given.unique() if len(rows := (given == label).nonzero().flatten()) >= 4]
    if not groups:
        raise VAEError(f"no stratum of {len(given)} rows has as many as 4; give larger batches or fewer labels")
    return groups


class HSIC(Term):
    """HSIC of some units' posterior means with an entry of the context, given labels if wanted; () a batch.

    Unbiased: the biased one of a small batch is far from 0 for independent things too, and its gradient would pull at
    the shape of the latent.

    Args:
        key: name of the entry that the units are to be independent of.
        units: of the latent; all by default.
        given: name of labels in the context within which they are to be independent.
        draws: look at the draws of z in the place of the means.
        widths: of the two Gaussians, of the units' and of the entry's, as for ``hsic_of``.
    """

    def __init__(
        self, key: str, units: Sequence[int] | None = None, given: str | None = None, draws: bool = False,
        widths: Sequence[float | None] = (None, None),
    ) -> None:  # fmt: skip
        super().__init__()
        self.key, self.units, self.given, self.draws, self.widths = key, units, given, draws, tuple(widths)

    @property
    def name(self) -> str:
        return f"hsic_{self.key}"

    def forward(self, out: ForwardPass) -> Tensor:
        """() of the batch; behind the first step, 0 of one too small to tell, as the last of an epoch may be.

        Raises:
            MissingContextError: the context lacks one of the entries.
            VAEError: the first batch has fewer than 4 rows, or of no stratum as many.
        """
        for name in (self.key, self.given):
            if name is not None and name not in out.context:
                raise MissingContextError("HSIC", name, list(out.context))
        z = out.z if self.draws else out.posterior.mean
        rows = len(z) // out.draws  # copies of a row are not independent of each other
        z = z[:rows] if self.units is None else z[:rows, list(self.units)]
        y = out.context[self.key][:rows]
        given = z.new_zeros(rows) if self.given is None else out.context[self.given][:rows]
        if int(self.step) and int(given.unique(return_counts=True)[1].max()) < 4:
            return 0 * z.sum()
        return (
            hsic_of(z, y, True, self.widths) if self.given is None else conditional_hsic(z, y, given, True, self.widths)
        )
