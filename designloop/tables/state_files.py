"""A strategy's state as two files: arrays in safetensors, everything else in JSON. No pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from designloop.records import State
from designloop.tables.durable import Piece
from designloop.tables.errors import TableError

_NAMES = {
    np.dtype(kind): name
    for kind, name in {
        "f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "i4": "I32", "i2": "I16", "i1": "I8",
        "u8": "U64", "u4": "U32", "u2": "U16", "u1": "U8", "?": "BOOL",
    }.items()
}  # fmt: skip


def state_pieces(state: State) -> tuple[list[Piece], bytes]:
    """Content of the safetensors file, as pieces that share the arrays' memory, and of the JSON file.

    The library's own writer copies every array twice, which costs more than writing twenty megabytes; the layout is
    eight bytes of header length, a JSON header, and the arrays' bytes.

    Raises:
        TableError: something in the state would not come back as it was.
    """
    header: dict[str, Any] = {}
    pieces: list[Piece] = []
    end = 0
    # The widest types first, as in the library: with a header of a multiple of eight bytes each array is aligned.
    for name, array in sorted(state.arrays.items(), key=lambda item: -getattr(item[1], "itemsize", 0)):
        flat = _bytes_of(name, array)
        start, end = end, end + flat.nbytes
        header[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("=")],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
        pieces.append(flat.data)
    _refuse_unfaithful(state.data, "state.data")
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return [len(text).to_bytes(8, "little") + text, *pieces], json.dumps(dict(state.data)).encode()


def state_from(arrays: bytes, data: bytes) -> State:
    """The state in the content of its two files; its arrays are the caller's own.

    Raises:
        TableError: the content is not that of a state.
    """
    try:
        return State(load(arrays), json.loads(data))
    except (SafetensorError, ValueError) as problem:
        raise TableError(
            f"the strategy's state cannot be read ({problem}). Use the release of designloop that wrote it."
        ) from problem


def _bytes_of(name: str, array: object) -> np.ndarray:
    """The array's bytes in C order and little-endian, without a copy where they are so already."""
    if not isinstance(array, np.ndarray) or array.dtype.newbyteorder("=") not in _NAMES:
        kind = f"numpy {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
        raise TableError(
            f"state.arrays[{name!r}] is {kind}, expected a numpy array of floats, integers or booleans. "
            "Convert it in the strategy's state(), or put it into state.data."
        )
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8)


def _refuse_unfaithful(value: Any, where: str) -> None:
    """Raises for what JSON would not give back equal: tuples, sets, keys that are no strings, numpy integers."""
    if value is None or isinstance(value, str | bool | int | float):
        return
    if isinstance(value, list):
        for place, item in enumerate(value):
            _refuse_unfaithful(item, f"{where}[{place}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TableError(
                    f"{where} has the key {key!r} of type {type(key).__name__}, expected text: JSON knows no other."
                )
            _refuse_unfaithful(item, f"{where}[{key!r}]")
    else:
        raise TableError(
            f"{where} is a {type(value).__name__}, which JSON would not give back as it was. "
            "Write None, bool, int, float, str, list or dict in the strategy's state()."
        )
