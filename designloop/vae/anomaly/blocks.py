"""Kinds of rows that are no plain numbers: classes, and columns of several kinds side by side.

classes    codes from 0           categorical          logits          zeros and a one, standardised
mixed      blocks of any kinds    their product        each its own    each its own, side by side
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from designloop.vae.anomaly.kinds import KINDS, Kind
from designloop.vae.anomaly.observed import fill
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.likelihoods.product import Product
from designloop.vae.linear.linear_gaussian import LinearGaussian
from designloop.vae.tables import MixedTable


class Classes(Kind):
    """Codes of classes from 0; the columns of one block have as many classes.

    Args:
        features: columns. classes: of each.
    """

    name = "classes"
    is_discrete = True
    share: Tensor

    def __init__(self, features: int, classes: int) -> None:
        super().__init__(features)
        self.classes = classes
        self._likelihood = Categorical(classes)
        self.register_buffer("share", torch.full((features * classes,), 1 / classes))

    @classmethod
    def of(cls, x: Tensor, mask: Tensor | None = None, classes: int | None = None) -> Self:
        """The shares of the classes, with one row more of equal parts; as many classes as there are codes, or told."""
        codes = fill(x, mask)
        result = cls(x.shape[1], classes or int(codes.max()) + 1)
        seen = result.unbent(codes)
        often = seen.new_full((seen.shape[1],), len(x))
        if (observed := result.view_mask(mask)) is not None:
            seen, often = seen * observed, observed.sum(0).to(seen)
        result.share = (seen.sum(0) + 1 / result.classes) / (often + 1)
        return result

    @property
    def width(self) -> int:
        """Features of a view: a column a class."""
        return self.features * self.classes

    @property
    def about(self) -> dict[str, Any]:
        """JSON values from which ``kind_from`` makes one of the same shape."""
        return {**super().about, "classes": self.classes}

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, features · classes) zeros and a one."""
        self._likelihood.require_values(x)
        return functional.one_hot(x.long(), self.classes).flatten(1).to(x)

    def view(self, x: Tensor) -> Tensor:
        """(batch, features · classes) zeros and a one, standardised."""
        return (self.unbent(x) - self.share) / (self.share * (1 - self.share)).sqrt()

    def view_mask(self, mask: Tensor | None) -> Tensor | None:
        """(batch, features · classes) True where a view is observed."""
        return None if mask is None else self._likelihood.mask_of_params(mask)

    def likelihood(self, start: LinearGaussian) -> Categorical:
        """It has no parameters."""
        return Categorical(self.classes)

    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """Logits whose slope in z is PPCA's: dp = p d log p, up to what all logits of a column share."""
        slope = ((1 - self.share) / self.share).sqrt().unsqueeze(1)
        return slope * start.weights, self.share.log()


class Mixed(Kind):
    """Columns of several kinds: blocks side by side, each scaled and explained as its own kind is.

    Args:
        parts: name -> kind of a block, in the order of the columns.
    """

    name = "mixed"

    def __init__(self, parts: Mapping[str, Kind]) -> None:
        super().__init__(sum(part.features for part in parts.values()))
        self.names = tuple(parts)
        self.parts = nn.ModuleList(parts.values())

    @classmethod
    def of(cls, x: Tensor, mask: Tensor | None = None, table: MixedTable | None = None) -> Self:
        """That of rows as a table gives them (``MixedTable.rows``)."""
        assert table is not None
        parts: dict[str, Kind] = {}
        for name, block in table.likelihood().blocks.items():
            rows, observed = x[:, block.columns], None if mask is None else mask[:, block.columns]
            if isinstance(block.likelihood, Categorical):
                parts[name] = Classes.of(rows, observed, block.likelihood.classes)
            else:
                parts[name] = KINDS[name].of(rows, observed)
        return cls(parts)

    @property
    def kinds(self) -> Iterator[Kind]:
        """The blocks' kinds, in the order of the columns."""
        for part in self.parts:
            assert isinstance(part, Kind)
            yield part

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether all blocks are."""
        return all(part.is_discrete for part in self.kinds)

    @property
    def width(self) -> int:
        """Features of a view."""
        return sum(part.width for part in self.kinds)

    @property
    def about(self) -> dict[str, Any]:
        """JSON values from which ``kind_from`` makes one of the same shape."""
        return {
            "kind": self.name,
            "parts": {name: part.about for name, part in zip(self.names, self.kinds, strict=True)},
        }

    def prepare(self, x: Tensor) -> Tensor:
        """(batch, features) what the likelihoods explain."""
        return torch.cat([part.prepare(block) for part, block in self._blocks(x)], 1)

    def unbent(self, x: Tensor) -> Tensor:
        """(batch, width) what robust closed forms see."""
        return torch.cat([part.unbent(block) for part, block in self._blocks(x)], 1)

    def view(self, x: Tensor) -> Tensor:
        """(batch, width) what the encoder sees of prepared rows."""
        return torch.cat([part.view(block) for part, block in self._blocks(x)], 1)

    def view_mask(self, mask: Tensor | None) -> Tensor | None:
        """(batch, width) True where a view is observed."""
        if mask is None:
            return None
        return torch.cat([seen for part, block in self._blocks(mask) if (seen := part.view_mask(block)) is not None], 1)

    def likelihood(self, start: LinearGaussian) -> Product:
        """The blocks' own, side by side."""
        own = zip(self.names, self.kinds, self._starts(start), strict=True)
        return Product({name: (part.likelihood(of_part), part.features) for name, part, of_part in own})

    def decoder(self, start: LinearGaussian) -> tuple[Tensor, Tensor]:
        """The blocks' own, one below the other."""
        maps = [part.decoder(of_part) for part, of_part in zip(self.kinds, self._starts(start), strict=True)]
        return torch.cat([weights for weights, _ in maps]), torch.cat([offset for _, offset in maps])

    def _blocks(self, x: Tensor) -> Iterator[tuple[Kind, Tensor]]:
        return zip(self.kinds, x.split([part.features for part in self.kinds], 1), strict=True)

    def _starts(self, start: LinearGaussian) -> Iterator[LinearGaussian]:
        """PPCA of each block's views."""
        widths = [part.width for part in self.kinds]
        pairs = zip(start.weights.split(widths), start.offset.split(widths), strict=True)
        return (LinearGaussian(weights, offset, start.variance) for weights, offset in pairs)


def kind_from(about: Mapping[str, Any]) -> Kind:
    """A kind of the shape of the one whose ``about`` this is, its weights to be loaded."""
    if about["kind"] == Mixed.name:
        return Mixed({name: kind_from(part) for name, part in about["parts"].items()})
    if about["kind"] == Classes.name:
        return Classes(about["features"], about["classes"])
    return KINDS[about["kind"]](about["features"])
