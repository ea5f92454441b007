"""The one door through which data come in: tensors of the model's precision and device, or a word of what is expected.

Arrays, data frames, nested lists and sparse matrices become tensors; floating-point numbers take the precision of the
model's weights, integers stay integers. Every call of a fitted VAE takes its rows through here (``VAE.take_rows``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from designloop.vae.errors import ShapeError, VAEError
from designloop.vae.likelihoods.checks import require_rows, values_can_be_read


def as_tensor(value: Any, like: Tensor | None, name: str = "x") -> Tensor:
    """The tensor that a tensor, array, data frame, sparse matrix or nested list of numbers is.

    Args:
        value: what was given.
        like: whose device it takes, and whose precision if it is floating point; None leaves both.
        name: of the argument, for the error.

    Raises:
        VAEError: it is none of these, or holds what is no number.
    """
    tensor = value if isinstance(value, Tensor) else _of_array(_array(value, name), name)
    if like is None:
        return tensor
    return tensor.to(like.device, like.dtype if tensor.is_floating_point() else tensor.dtype)


def as_numbers(value: Any, like: Tensor | None, name: str) -> Tensor:
    """``as_tensor`` of what can be any number, such as a latent: whole numbers take the precision of ``like`` too."""
    tensor = as_tensor(value, like, name)
    if tensor.is_floating_point():
        return tensor
    return tensor.to(torch.get_default_dtype() if like is None else like.dtype)


def take(
    like: Tensor | None, x: Any, mask: Any | None, context: Mapping[str, Any] | None
) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
    """Rows, their mask and their context as tensors that go together.

    Args:
        like: of the model's precision and device.
        x: (batch, …). mask: of the same shape, True where observed. context: name -> (batch, …).

    Raises:
        ShapeError: a context has not one entry a row, x has no axis of rows, or the mask has another shape.
        VAEError: something is no number, is NaN or infinite where observed, or a row observes nothing.
    """
    x = as_tensor(x, like)
    if x.ndim < 2:
        raise ShapeError("x", x.shape, "(batch, …)", "give rows, x[None] of a single one")
    if x.dtype == torch.bool:
        x = x.to(torch.get_default_dtype() if like is None else like.dtype)
    mask = None if mask is None else as_tensor(mask, like, "mask")
    require_rows(x, mask)
    return x, mask, take_context(like, context, len(x))


def take_context(
    like: Tensor | None, context: Mapping[str, Any] | None, rows: int, name: str = "context"
) -> dict[str, Tensor]:
    """What is known of as many rows, as tensors.

    Raises:
        ShapeError: an entry has not one value a row.
    """
    taken = {key: as_tensor(value, like, f"{name}[{key!r}]") for key, value in (context or {}).items()}
    for key, value in taken.items():
        if value.ndim == 0 or len(value) != rows:
            raise ShapeError(f"{name}[{key!r}]", value.shape, f"({rows}, …)", "give one value a row")
    return taken


def take_weights(like: Tensor | None, weights: Any | None, rows: int) -> Tensor | None:
    """(rows,) non-negative weights; None stays None.

    Raises:
        ShapeError: there is not one a row: (rows, 1) would broadcast over the rows of the others.
        VAEError: some are negative or no numbers.
    """
    if weights is None:
        return None
    taken = as_tensor(weights, like, "weights")
    if taken.shape != (rows,):
        raise ShapeError("weights", taken.shape, f"({rows},)", "give one number a row; weights.flatten() of a column")
    if values_can_be_read(taken) and not bool((taken >= 0).all()):
        raise VAEError("weights has entries that are negative or no numbers; give 0 for rows that teach nothing")
    return taken


def _array(value: Any, name: str) -> np.ndarray:
    if hasattr(value, "toarray"):  # a sparse matrix
        value = value.toarray()
    elif hasattr(value, "to_numpy"):  # a data frame or a column of one
        value = value.to_numpy()
    if not isinstance(value, np.ndarray | np.generic | list | tuple | int | float | bool):
        raise VAEError(
            f"{name} is of type {type(value).__name__}, expected a tensor, an array, a data frame or lists of numbers, "
            "(batch, …); convert it"
        )
    if isinstance(value, list | tuple) and value and all(isinstance(row, Tensor) for row in value):
        raise VAEError(f"{name} is a {type(value).__name__} of tensors, expected one tensor; give torch.stack({name})")
    try:
        return np.asarray(value)
    except ValueError as error:
        raise VAEError(
            f"{name} has rows of different lengths ({error}); make them one length and mask the rest"
        ) from None


def _of_array(array: np.ndarray, name: str) -> Tensor:
    if array.dtype == object:  # columns of several kinds: numbers if all of them are
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            bad = next(each for each in array.ravel() if not isinstance(each, int | float | np.number | None))
            raise VAEError(
                f"{name} holds {bad!r}, expected numbers; number what is text (label_codes) and mask what is missing, "
                "or let tables.MixedTable read a table of mixed kinds"
            ) from None
    if array.dtype.kind not in "fiub":
        first = array.ravel()[:1].tolist()
        raise VAEError(
            f"{name} holds {first} of type {array.dtype}, expected numbers; number what is text (label_codes), "
            "or let tables.MixedTable read a table of mixed kinds"
        )
    if array.dtype.kind == "u":
        array = array.astype(np.int64)
    elif array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(np.array(array))  # a copy: what comes in is never written to


def is_missing(value: Any) -> bool:
    """Whether a value stands for none: None, NaN, pandas' NaT and NA, which is not even equal or unequal to itself."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        return True


def label_codes(labels: Any) -> tuple[Tensor, list[Any]]:
    """Labels of any kind as numbers (rows,) from 0, and the labels that they stand for, sorted.

        codes, names = label_codes(["T cell", "B cell", "T cell"])        # [1, 0, 1], ["B cell", "T cell"]

    Raises:
        VAEError: they are no one column, or some are missing.
    """
    if hasattr(labels, "to_numpy"):
        labels = labels.to_numpy()
    column = np.asarray(labels.detach().cpu() if isinstance(labels, Tensor) else labels)
    if column.ndim != 1:
        raise ShapeError("labels", column.shape, "(rows,)", "give one label a row")
    given = labels if isinstance(labels, list | tuple) else column.tolist()  # of texts and a NaN numpy makes texts
    missing = [row for row, label in enumerate(given) if is_missing(label)]
    if missing:
        raise VAEError(f"labels has none in row {missing[0]}; leave such rows out, or give them a label of their own")
    names, codes = np.unique(column.astype(str) if column.dtype == object else column, return_inverse=True)
    return torch.from_numpy(codes.astype(np.int64)), names.tolist()
