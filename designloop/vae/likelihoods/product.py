"""Likelihoods side by side: a row is blocks of columns, numbers beside counts beside classes, each with its own.

    p(x | params) = Π_m p_m(x_m | params_m)

A block is a modality (the RNA of a cell, its open peaks) or the columns of one kind of a mixed table. That a row lacks
a whole block is a mask like any other, so that evidence, imputation and geometry are what they are for one likelihood.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from designloop.vae.capabilities import MadeOf, require, require_base
from designloop.vae.doors import as_tensor
from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.base import Context, Likelihood
from designloop.vae.likelihoods.entrywise import Entrywise


@dataclass(frozen=True, slots=True)
class Block:
    """Columns of a row that one likelihood explains."""

    name: str
    likelihood: Entrywise
    columns: slice
    """Of x."""
    params: slice
    """Of the decoder's output."""

    @property
    def features(self) -> int:
        """Width of it in x."""
        return int(self.columns.stop - self.columns.start)


class Product(Likelihood, MadeOf):
    """Blocks of columns, each with a likelihood of its own; they are independent given the decoder's output.

    likelihood = Product({"rna": (NegativeBinomial(50, size=None), 50), "atac": (Bernoulli(), 60)})
    x, mask = likelihood.join({"rna": counts, "atac": peaks}, {"atac": was_sequenced})

    ``params`` are those of the blocks one behind the other, as the columns of x are. It offers what all of its blocks
    offer: a mean unless one of them is of classes.

    Args:
        blocks: name -> likelihood and number of columns, in the order of the columns.

    Raises:
        VAEError: there are no blocks, one has no columns, or a likelihood is not ``Entrywise``.
    """

    def __init__(self, blocks: Mapping[str, tuple[Likelihood, int]]) -> None:
        super().__init__()
        if not blocks:
            raise VAEError("blocks is empty, expected name -> (likelihood, number of columns); give at least one")
        self.blocks: dict[str, Block] = {}
        column = param = 0
        for name, (likelihood, features) in blocks.items():
            require_base(likelihood, Entrywise)
            assert isinstance(likelihood, Entrywise)
            if features < 1:
                raise VAEError(f"block {name!r} has {features} columns, expected at least one; leave it out")
            wide = features * likelihood.params_per_entry
            columns, params = slice(column, column + features), slice(param, param + wide)
            self.blocks[name] = Block(name, likelihood, columns, params)
            column, param = columns.stop, params.stop
        self.features, self.params = column, param
        self.parts = nn.ModuleList([block.likelihood for block in self.blocks.values()])  # so that they are trained

    def __getitem__(self, name: str) -> Block:
        """The block of a name.

        Raises:
            VAEError: there is none.
        """
        if name not in self.blocks:
            raise VAEError(f"there is no block {name!r}, there are {', '.join(self.blocks)}; give one of them")
        return self.blocks[name]

    def made_of(self) -> Mapping[str, object]:
        """The likelihoods by the names of their blocks."""
        return {name: block.likelihood for name, block in self.blocks.items()}

    def split(self, rows: Tensor) -> dict[str, Tensor]:
        """Name -> (..., columns of the block), of rows or masks (..., features)."""
        return {name: rows[..., block.columns] for name, block in self.blocks.items()}

    def join(self, blocks: Mapping[str, Any], masks: Mapping[str, Any] | None = None) -> tuple[Tensor, Tensor]:
        """Rows (batch, features) and their mask, of blocks that lie apart.

        Args:
            blocks: name -> (batch, columns), whatever the doors take. A block that is left out is observed in no row.
            masks: name -> (batch,) True for rows that have the block, or (batch, columns) True for entries; a block
                without one is observed wherever it is not NaN.

        Raises:
            ShapeError: a block or a mask has other rows or columns.
            VAEError: a name is none of a block, or no block is given.
        """
        masks = masks or {}
        for name in (*blocks, *masks):
            self[name]
        if not blocks or set(masks) - set(blocks):
            raise VAEError(f"blocks are {list(blocks)}, masks {list(masks)}; give at least one block, masks to those")
        given = {name: as_tensor(value, None, name) for name, value in blocks.items()}
        rows = len(next(iter(given.values())))
        columns, observed = [], []
        for name, block in self.blocks.items():
            shape = (rows, block.features)
            values = given.get(name, torch.zeros(shape))
            if values.shape != shape:
                raise ShapeError(f"block {name!r}", values.shape, f"{shape}", "give one row a datum, in one order")
            if values.dtype == torch.bool:
                values = values.to(torch.get_default_dtype())
            mask = as_tensor(masks[name], None, f"masks[{name!r}]") if name in masks else ~values.isnan()
            if mask.shape == (rows,):
                mask = mask.unsqueeze(1).expand(shape)
            if mask.shape != shape or mask.dtype != torch.bool:
                wanted = f"{shape} or {shape[:1]} of torch.bool, it is of {mask.dtype}"
                raise ShapeError(f"masks[{name!r}]", mask.shape, wanted, "give True where it is observed")
            columns.append(values.masked_fill(~mask, 0))
            observed.append(mask if name in given else torch.zeros_like(mask))
        return torch.cat(columns, 1), torch.cat(observed, 1)

    def entry_log_prob(
        self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(..., batch, features) log-probability of each entry in nats, 0 where masked. Arguments as ``log_prob``."""
        self._require_width("params", params, self.params)
        self._require_width("x", x, self.features)
        by_block = [
            block.likelihood.entry_log_prob(
                params[..., block.params], x[..., block.columns], None if mask is None else mask[..., block.columns],
                context,
            )
            for block in self.blocks.values()
        ]  # fmt: skip
        return torch.cat(by_block, -1)

    def log_prob(self, params: Tensor, x: Tensor, mask: Tensor | None = None, context: Context | None = None) -> Tensor:
        """(..., batch) log-probability in nats of each row, the sum over its observed entries.

        Args:
            params: (..., batch, params) decoder output.
            x: (batch, features) data.
            mask: (batch, features) True where observed.

        Raises:
            ShapeError: params or x are of another width.
            VAEError: some observed entries are none of their block's likelihood's.
        """
        return self.entry_log_prob(params, x, mask, context).sum(-1)

    def sample(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) one draw a row."""
        return self._beside(block.likelihood.sample(own, generator, context) for block, own in self._apart(params))

    def mean(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the expected data.

        Raises:
            CapabilityError: a block has none.
        """
        require(self, "mean")
        return self._beside(block.likelihood.mean(own, context) for block, own in self._apart(params))

    def variance(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the variance of each entry.

        Raises:
            CapabilityError: a block has none.
        """
        require(self, "variance")
        return self._beside(block.likelihood.variance(own, context) for block, own in self._apart(params))

    def mean_of_missing(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the expected data where they are missing, as each block says of its own.

        Raises:
            CapabilityError: a block has no mean.
        """
        require(self, "mean")
        return self._beside(block.likelihood.mean_of_missing(own, context) for block, own in self._apart(params))

    def variance_of_missing(self, params: Tensor, context: Context | None = None) -> Tensor:
        """(batch, features) the variance of each entry where it is missing.

        Raises:
            CapabilityError: a block has no variance.
        """
        require(self, "variance")
        return self._beside(block.likelihood.variance_of_missing(own, context) for block, own in self._apart(params))

    def sample_missing(
        self, params: Tensor, generator: torch.Generator | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, features) one draw a row of the data as they are where they are missing."""
        drawn = (block.likelihood.sample_missing(own, generator, context) for block, own in self._apart(params))
        return self._beside(drawn)

    def fisher(
        self, params: Tensor, tangents: Tensor, x: Tensor | None = None, context: Context | None = None
    ) -> Tensor:
        """(batch, k, k) the sum of the blocks' quadratic forms on tangents (batch, k, params).

        Raises:
            CapabilityError: a block has none.
        """
        require(self, "fisher")
        forms = [
            block.likelihood.fisher(
                own, tangents[..., block.params], None if x is None else x[..., block.columns], context
            )
            for block, own in self._apart(params)
        ]
        return torch.stack(forms).sum(0)

    def view(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """The blocks' views one behind the other, (batch, width), and which of it is observed."""
        views = [
            block.likelihood.view(x[..., block.columns], None if mask is None else mask[..., block.columns])
            for block in self.blocks.values()
        ]
        seen = None if mask is None else torch.cat([own for _, own in views if own is not None], -1)
        return torch.cat([values for values, _ in views], -1), seen

    def _apart(self, params: Tensor) -> Iterator[tuple[Block, Tensor]]:
        self._require_width("params", params, self.params)
        return ((block, params[..., block.params]) for block in self.blocks.values())

    def _beside(self, by_block: Iterator[Tensor]) -> Tensor:
        return torch.cat(list(by_block), -1)

    def _require_width(self, name: str, value: Tensor, wide: int) -> None:
        if value.shape[-1] != wide:
            blocks = " + ".join(
                f"{block.features if name == 'x' else block.params.stop - block.params.start} {each}"
                for each, block in self.blocks.items()
            )
            raise ShapeError(name, value.shape, f"(…, {wide}): {blocks}", "join the blocks by likelihood.join")
