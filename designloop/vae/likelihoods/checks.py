"""What every likelihood asks of its data before it computes: widths that match, and counts that are counts.

The values of x are looked at in eager mode only: a compiled graph, or one that is mapped by ``torch.func``, cannot
branch on them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from designloop.vae.errors import MissingContextError, ShapeError, VAEError
from designloop.vae.likelihoods.base import Context


def values_can_be_read(*tensors: Tensor) -> bool:
    """Whether code may branch on the values: neither compiled nor mapped."""
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    return not torch.compiler.is_compiling() and not any(wrapped(tensor) for tensor in tensors)


def require_rows(x: Tensor, mask: Tensor | None = None) -> None:
    """Nothing, if x is numbers wherever it is observed, and every row observes something.

    Args:
        x: (batch, …).
        mask: Of the same shape, True where an entry is observed.

    Raises:
        ShapeError: The mask has another shape.
        VAEError: It is not boolean, some rows observe nothing, or an observed entry is NaN or infinite.
    """
    if mask is not None:
        if mask.shape != x.shape:
            raise ShapeError("mask", mask.shape, f"{tuple(x.shape)} as x has", "expand it to the shape of x")
        if mask.dtype != torch.bool:
            raise VAEError(f"mask is of {mask.dtype}, expected torch.bool, True where observed; give mask.bool()")
        if values_can_be_read(mask):
            blind = ~mask.flatten(1).any(1)
            if bool(blind.any()):
                rows = blind.nonzero().flatten().tolist()
                named = ", ".join(map(str, rows[:5])) + (", …" if len(rows) > 5 else "")
                raise VAEError(
                    f"mask observes nothing of {len(rows)} rows of {len(x)} ({named}); leave those rows out, or draw "
                    "from the prior by vae.sample"
                )
    if x.is_floating_point() and values_can_be_read(x):
        wrong = ~x.isfinite() if mask is None else ~x.isfinite() & mask
        if bool(wrong.any()):
            row = int(wrong.flatten(1).any(1).nonzero()[0])
            raise VAEError(
                f"x has {int(wrong.sum())} entries that are NaN or infinite, the first in row {row}; give a mask that "
                "is False where x is missing, or clean the data"
            )


def require_width(params: Tensor, x: Tensor, per_entry: int = 1) -> None:
    """Nothing, if ``params`` (..., batch, …) has ``per_entry`` numbers for each entry of a row of ``x`` (batch, …).

    Raises:
        ShapeError: it has another width, or other axes, which would broadcast into rows that nobody has.
    """
    if params.shape[-1] != per_entry * x.shape[-1]:
        wanted = f"{per_entry} × {x.shape[-1]} = {per_entry * x.shape[-1]}" if per_entry > 1 else f"{x.shape[-1]}"
        raise ShapeError(
            "params", params.shape, f"(…, {wanted}) for x of {tuple(x.shape)}", "give the decoder as many outputs"
        )
    if x.ndim < 2:
        return
    rows, *axes = x.shape[:-1]
    given = params.shape[-x.ndim : -1]
    if len(given) < x.ndim - 1 or [*given[1:]] != axes or (given[0] != rows and 1 not in (given[0], rows)):
        wanted = ", ".join(map(str, x.shape[:-1]))
        raise ShapeError("params", params.shape, f"(…, {wanted}, any) for x of {tuple(x.shape)}", "keep rows and axes")


def require_counts(x: Tensor) -> None:
    """Nothing, if all entries are 0, 1, 2, …; what is masked has to be replaced before.

    Raises:
        VAEError: some are negative, fractions, infinite or NaN.
    """
    if not values_can_be_read(x):
        return
    wrong = ~((x >= 0) & x.isfinite() & (x == x.floor()) if x.is_floating_point() else x >= 0)
    if bool(wrong.any()):
        raise VAEError(
            f"x has {int(wrong.sum())} entries that are no counts, the first is {x[wrong][0].item():g}; give raw "
            "counts 0, 1, 2, …, neither normalised nor logarithms, or mask what is missing"
        )


def require_shares(x: Tensor) -> None:
    """Nothing, if all entries are between 0 and 1; what is masked has to be replaced before.

    Raises:
        VAEError: some are not.
    """
    if not values_can_be_read(x):
        return
    wrong = ~((x >= 0) & (x <= 1))
    if bool(wrong.any()):
        raise VAEError(
            f"x has {int(wrong.sum())} entries that are not between 0 and 1, the first is {x[wrong][0].item():g}; "
            "scale the data, mask what is missing, or take another likelihood: Gaussian for numbers, Poisson for counts"
        )


def require_labels(labels: Tensor, classes: int, name: str) -> None:
    """Nothing, if the context's entry ``name`` is integers (batch,), each from 0 to ``classes`` − 1.

    Raises:
        ShapeError: It has other axes.
        VAEError: It is not of an integer type, or some labels are out of range.
    """
    if labels.ndim != 1:
        raise ShapeError(f"context[{name!r}]", labels.shape, "(batch,)", "give one label a row, not one-hot")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise VAEError(f"context[{name!r}] is of {labels.dtype}, expected integer labels; give labels.long()")
    if values_can_be_read(labels):
        wrong = (labels < 0) | (labels >= classes)
        if bool(wrong.any()):
            raise VAEError(
                f"context[{name!r}] has the label {int(labels[wrong][0])}, expected 0 to {classes - 1}; "
                "number the labels from 0, or build the model for more"
            )


def require_known(network: object, labels: Tensor, name: str) -> None:
    """Nothing, unless a network begins with a table of labels, and some of the entry ``name`` are not in it.

    Raises:
        VAEError: so it is, or they are no labels.
    """
    table = network[0] if isinstance(network, nn.Sequential) and len(network) else network
    if isinstance(table, nn.Embedding) and labels.ndim == 1:
        require_labels(labels, table.num_embeddings, name)


def log_size(
    name: str | None, part: object, context: Context | None, params: Tensor, axes: int | None = None
) -> Tensor:
    """(batch, 1, …) logarithm of each row's size from the context, or () zero where no size is read.

    Args:
        name: Entry of the context, (batch,) or (batch, 1, …), positive; None reads nothing.
        part: The likelihood that asks.
        params: (..., batch, …) what the size is to stand beside.
        axes: How many a row has; None for one where ``params`` are (draws, batch, features), else for all but one.

    Raises:
        MissingContextError: The context has no such entry.
        ShapeError: There is not one size a row.
        VAEError: Some sizes are not positive.
    """
    if name is None:
        return params.new_zeros(())
    if context is None or name not in context:
        raise MissingContextError(type(part).__name__, name, list(context or ()))
    size = context[name]
    if size.ndim:  # mapped by torch.func, a row and its size come alone
        if axes is None:  # (draws, batch, features), or all of a row's axes behind the batch
            axes = 1 if params.ndim == 3 and len(size) == params.shape[1] else params.ndim - 1
        rows = params.shape[-1 - axes]
        if size.numel() != len(size) or (len(size) != rows and 1 not in (len(size), rows)):
            raise ShapeError(f"context[{name!r}]", size.shape, f"({rows},)", "give one size a row")
        size = size.reshape(-1, *[1] * axes)
    if values_can_be_read(size) and not bool((size > 0).all()):
        raise VAEError(f"context[{name!r}] has sizes that are not positive; leave out rows without any count")
    # Never in less than single precision: bfloat16 tells sizes apart to 1 %, and their logarithms to 3 % of a size.
    exact = torch.promote_types(params.dtype, torch.float32)
    return size.to(exact).log()


def noise_level(context: Context | None) -> Tensor | None:
    """(batch, 1) the level of noise of each row, the context's entry ``noise``; None where it has none.

    Args:
        context: the entry is (batch,) or (batch, 1): as it stands, the latter would broadcast over the rows of others.

    Raises:
        ShapeError: there is not one level a row.
    """
    if context is None or "noise" not in context:
        return None
    level = context["noise"]
    if not level.ndim:  # mapped by torch.func, a row and its level come alone
        return level.unsqueeze(-1)
    if level.numel() != len(level):
        raise ShapeError("context['noise']", level.shape, "(batch,)", "give one level a row")
    return level.reshape(-1, 1)
