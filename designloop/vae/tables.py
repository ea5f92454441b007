"""Tables of mixed kinds: numbers, counts, yes or no, and classes side by side, with entries missing anywhere.

    table = MixedTable.of(frame)                      # or MixedTable.of(frame, {"visits": "counts"})
    x, mask = table.rows(frame)
    vae = table.vae(latent=4)                         # its likelihood is a Product of the kinds
    fit_epochs(vae, ELBO(), Batch(x, mask), epochs=200)
    whole = table.fill(vae, frame, k=200)             # what is missing, given what is observed of the row
    drawn = [table.columns_of(rows) for rows in sample_missing(vae, x, mask, n=5, k=200)]

Numbers are standardised on the way in and given back in their unit; labels may be any texts. A kind is what the values
say: labels are classes, two of them binary; whole numbers from 0 are counts, unless all are multiples of a number above
1 (tens, or halves that were doubled) or they vary less about their mean than a Poisson's would (years, ages), which no
likelihood of counts can say; all else are numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from designloop.vae.doors import is_missing, label_codes
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.inference.expectations import expectations
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.bernoulli import Bernoulli
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.gaussian import Gaussian
from designloop.vae.likelihoods.negative_binomial import NegativeBinomial
from designloop.vae.likelihoods.product import Product
from designloop.vae.model import VAE
from designloop.vae.networks import FullEncoder, MLPDecoder
from designloop.vae.posteriors.base import Posterior
from designloop.vae.priors.standard_normal import StandardNormal

Kind = Literal["numbers", "counts", "binary", "classes"]

LEAST_SPREAD = 0.8
"""Variance over mean below which whole numbers are taken for numbers: a Poisson's is 1, a negative binomial's more."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, and what it was when the table was read."""

    name: Any
    kind: Kind
    centre: float = 0.0
    """Mean of numbers, which are seen in units of ``scale`` about it."""
    scale: float = 1.0
    labels: tuple[Any, ...] = ()
    """Of classes and binary columns, in the order of their codes."""
    start: tuple[float, ...] = (0.0,)
    """Params of the likelihood that knows nothing but this column's margin."""

    @property
    def block(self) -> str:
        """Of the likelihood: the columns of one kind stand in one."""
        return f"{len(self.labels)} classes" if self.kind == "classes" else self.kind


@dataclass(frozen=True, slots=True)
class MixedTable:
    """What is known of a table's columns; made by ``MixedTable.of``."""

    columns: tuple[Column, ...]
    """In the order of x: by blocks, and within them as the table has them."""

    @classmethod
    def of(cls, frame: Any, kinds: Mapping[Any, Kind] | None = None) -> MixedTable:
        """Reads the kinds, units and labels of a table's columns.

        Args:
            frame: a data frame, or name -> column. NaN and None are missing.
            kinds: of columns that are not what their values look like.

        Raises:
            VAEError: ``kinds`` names no column or no kind, or a column is constant, empty, or not of its kind.
            ShapeError: the columns have different lengths.
        """
        kinds, given = kinds or {}, _columns(frame)
        for name, kind in kinds.items():
            if name not in given or kind not in get_args(Kind):
                known = f"columns {', '.join(map(str, given))}; kinds {', '.join(get_args(Kind))}"
                raise VAEError(f"kinds says {name!r}: {kind!r}, expected one of the {known}")
        read = [_read(name, *column, kinds.get(name)) for name, column in given.items()]
        order = ["numbers", "counts", "binary"]
        read.sort(key=lambda column: order.index(column.kind) if column.kind in order else 3 + len(column.labels))
        return cls(tuple(read))

    def likelihood(self) -> Product:
        """Gaussian, negative binomial, Bernoulli and categorical blocks, as far as there are columns of them."""
        blocks: dict[str, tuple[Likelihood, int]] = {}
        for column in self.columns:
            many = sum(other.block == column.block for other in self.columns)
            parts: Mapping[str, Any] = {
                "numbers": lambda many=many: Gaussian(many, per_feature=True),
                "counts": lambda many=many: NegativeBinomial(many, size=None),
                "binary": Bernoulli,
                "classes": lambda column=column: Categorical(len(column.labels)),
            }
            blocks.setdefault(column.block, (parts[column.kind](), many))
        return Product(blocks)

    def rows(self, frame: Any) -> tuple[Tensor, Tensor]:
        """(rows, columns) x as the likelihood explains it, and its mask, True where observed.

        Args:
            frame: with the columns that the table was read from, in any order.

        Raises:
            VAEError: a column is missing, or holds a label or a number that cannot be.
        """
        given = _columns(frame)
        x, mask = [], []
        for column in self.columns:
            if column.name not in given:
                raise VAEError(f"the table has no column {column.name!r}, it has {', '.join(map(str, given))}")
            values, observed = given[column.name]
            x.append(torch.from_numpy(_codes(column, values, observed)))
            mask.append(torch.from_numpy(observed))
        return torch.stack(x, 1).to(torch.get_default_dtype()), torch.stack(mask, 1)

    def columns_of(self, x: Tensor) -> dict[Any, np.ndarray]:
        """Name -> column of rows (rows, columns) of the likelihood: numbers in their unit, labels by name.

        Raises:
            ShapeError: x has another width.
        """
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            raise ShapeError("x", x.shape, f"(rows, {len(self.columns)})", "give rows as the table's rows gives them")
        return {column.name: _decoded(column, x[:, place]) for place, column in enumerate(self.columns)}

    def vae(self, latent: int, hidden: Sequence[int] = (64,)) -> VAE:
        """A VAE of such rows: an encoder that sees classes as zeros and a one, and what is missing; N(0, I) as prior.

        Its decoder starts at the margins of the columns.
        """
        likelihood = self.likelihood()
        decoder = MLPDecoder(latent, likelihood.params, tuple(reversed(hidden)))
        last = decoder.net[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([number for column in self.columns for number in column.start]))
        return VAE(TableEncoder(likelihood, latent, hidden), decoder, likelihood, StandardNormal(latent))

    def fill(self, vae: VAE, frame: Any, *, k: int, generator: torch.Generator | None = None) -> dict[Any, np.ndarray]:
        """Name -> column with what is missing filled in: its mean given what is observed, or its likeliest label.

        Args:
            vae: of such rows. k: draws of the posterior a row.

        Raises:
            VAEError: as ``rows``, or the model's likelihood has no blocks.
        """
        x, mask = self.rows(frame)
        likelihood = vae.likelihood
        if not isinstance(likelihood, Product) or likelihood.features != len(self.columns):
            raise VAEError(
                f"the model explains other rows than this table's {len(self.columns)} columns; fit table.vae"
            )

        def best(params: Tensor, context: Context | None) -> list[Tensor]:
            return [
                block.likelihood.probabilities(params[..., block.params])
                if isinstance(block.likelihood, Categorical)
                else block.likelihood.mean_of_missing(params[..., block.params], context)
                for block in likelihood.blocks.values()
            ]

        parts, _ = expectations(vae, best, x, mask, k=k, generator=generator)
        parts = [part.cpu() for part in parts]  # where the table's own rows are
        filled = torch.cat([part.argmax(-1).to(x) if part.ndim == 3 else part for part in parts], 1)
        is_binary = torch.tensor([column.kind == "binary" for column in self.columns])
        filled = torch.where(is_binary, (filled > 0.5).to(x), filled)
        return self.columns_of(torch.where(mask, x, filled))


class TableEncoder(nn.Module):
    """A ``FullEncoder`` of rows as their likelihood has networks see them, told what is missing.

    Args:
        likelihood: of the rows. latent: width of z. hidden: widths between.
    """

    def __init__(self, likelihood: Product, latent: int, hidden: Sequence[int] = ()) -> None:
        super().__init__()
        self.view = likelihood.view
        self.encoder = FullEncoder(
            self.view(torch.zeros(1, likelihood.features))[0].shape[-1], latent, hidden, reads_mask=True
        )

    def forward(self, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Posterior:
        """(batch, features) -> (batch, latent) posterior."""
        posterior: Posterior = self.encoder(*self.view(x, mask), context)
        return posterior


Given = tuple[np.ndarray, np.ndarray]
"""Values of a column, and True where they are observed; (rows,) each."""


def _columns(frame: Any) -> dict[Any, Given]:
    if not hasattr(frame, "items"):
        raise VAEError(f"the table is a {type(frame).__name__}, expected a data frame or name -> column")
    given: dict[Any, Given] = {}
    for name, column in frame.items():
        values = np.asarray(column.detach().cpu() if isinstance(column, Tensor) else column)
        if values.ndim != 1 or (given and len(values) != len(next(iter(given.values()))[0])):
            rows = f"({len(next(iter(given.values()))[0])},)" if given else "(rows,)"
            raise ShapeError(f"column {name!r}", values.shape, rows, "give one value a row")
        if values.dtype.kind in "fiub":
            given[name] = values, ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
        else:
            # Of texts and a NaN numpy makes texts.
            cells = column if isinstance(column, list | tuple) else values.tolist()
            missing = column.isna() if hasattr(column, "isna") else [is_missing(cell) for cell in cells]
            given[name] = values, ~np.asarray(missing, bool)
    if not given:
        raise VAEError("the table has no columns; give at least one")
    return given


def _numbers(values: np.ndarray, observed: np.ndarray) -> np.ndarray | None:
    """(observed,) the values as numbers; None if they are labels."""
    seen = values[observed]
    if seen.dtype == bool or any(isinstance(value, str | bool) for value in seen.tolist()):
        return None
    try:
        return np.asarray(seen.astype(float))
    except (TypeError, ValueError):
        return None


def _read(name: Any, values: np.ndarray, observed: np.ndarray, kind: Kind | None) -> Column:
    numbers = _numbers(values, observed)
    if not observed.any() or len(set(values[observed].tolist())) < 2:
        raise VAEError(f"column {name!r} has fewer than two different values; leave it out")
    if numbers is not None and not np.isfinite(numbers).all():
        raise VAEError(f"column {name!r} has infinite values; make them missing")
    kind = kind or _kind_of(numbers, len(set(values[observed].tolist())))
    if kind in ("binary", "classes"):
        codes, labels = label_codes(values[observed] if numbers is None else numbers)
        if kind == "binary" and len(labels) != 2:
            raise VAEError(f"column {name!r} is binary and has {len(labels)} labels; expected two: say it is classes")
        shares = (torch.bincount(codes, minlength=len(labels)) + 0.5).double()
        logs = (shares / shares.sum()).log()
        start = tuple(logs.tolist()) if kind == "classes" else (float(logs[1] - logs[0]),)
        return Column(name, kind, labels=tuple(labels), start=start)
    if numbers is None:
        raise VAEError(f"column {name!r} holds labels and is said to be {kind}; expected numbers: say it is classes")
    if kind == "counts":
        _require_counts(name, numbers)
        return Column(name, kind, start=(float(np.log(numbers.mean())),))
    return Column(name, kind, float(numbers.mean()), float(numbers.std()))


def _kind_of(numbers: np.ndarray | None, different: int) -> Kind:
    if numbers is None:
        return "binary" if different == 2 else "classes"
    if set(numbers.tolist()) == {0.0, 1.0}:
        return "binary"
    whole = bool(((numbers >= 0) & (numbers == np.floor(numbers))).all())
    if not whole or unit_of(numbers) > 1 or numbers.var() < LEAST_SPREAD * numbers.mean():
        return "numbers"
    return "counts"


def unit_of(numbers: np.ndarray) -> int:
    """The greatest number that all of these whole numbers are multiples of: 2 of halves that were doubled."""
    return math.gcd(*(int(number) for number in np.unique(numbers)))  # of any size, where int64 ends


def _require_counts(name: Any, numbers: np.ndarray) -> None:
    if not ((numbers >= 0) & (numbers == np.floor(numbers))).all():
        raise VAEError(f"column {name!r} is of counts and holds what is none; expected 0, 1, 2, …: say it is numbers")


def _codes(column: Column, values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """(rows,) what stands in x, 0 where missing."""
    result, seen = np.zeros(len(values)), values[observed]
    numbers = _numbers(values, observed)
    if column.labels:
        codes = {label: float(code) for code, label in enumerate(column.labels)}
        labels = [*(seen if numbers is None else numbers).tolist()]
        unknown = [label for label in labels if label not in codes and str(label) not in codes]
        if unknown:
            known = ", ".join(map(repr, column.labels[:10]))
            raise VAEError(f"column {column.name!r} has the label {unknown[0]!r}, expected one of {known}; mask it")
        result[observed] = [codes[label] if label in codes else codes[str(label)] for label in labels]
        return result
    if numbers is None or not np.isfinite(numbers).all():
        raise VAEError(f"column {column.name!r} is of {column.kind} and holds what is no number; make it missing")
    if column.kind == "counts":
        _require_counts(column.name, numbers)
    result[observed] = (numbers - column.centre) / column.scale
    return result


def _decoded(column: Column, values: Tensor) -> np.ndarray:
    if column.labels:
        return np.asarray(np.asarray(column.labels)[values.round().long().cpu().numpy()])
    return np.asarray(values.detach().cpu().double().numpy() * column.scale + column.centre)
