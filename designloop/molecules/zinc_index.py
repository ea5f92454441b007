"""The ECFP4 of ZINC 250k as they ship: 7 MB, of which their 64 MB of bits are made in seconds, not minutes.

Of each bit the file has the gaps between the rows that set it. Where the ECFP of RDKit or the standard form have
changed, it is written anew by ``python -m designloop.molecules.zinc_index FINGERPRINTS.npy``, and these are made by
``python -m designloop.molecules.neighbours FINGERPRINTS.npy``.
"""

from __future__ import annotations

import lzma
import struct
import sys

import numpy as np

from designloop.molecules.corpus import DATA

FILE = DATA / "zinc250k.ecfp4.xz"

BITS = 2048

_HEAD = struct.Struct("<QQ")
_ESCAPE = 255
"""A gap from here on is this byte, and a number of four bytes among the long ones."""


def encode(library: np.ndarray) -> bytes:
    """The file's content.

    Args:
        library: (n, 32) uint64 fingerprints.
    """
    counts, gaps = [], []
    for word in range(BITS // 64):
        for rows in _rows_of_bits(library[:, word]):
            counts.append(len(rows))
            gaps.append(np.diff(rows, prepend=-1) - 1)
    flat = np.concatenate(gaps)
    long = flat[flat >= _ESCAPE].astype("<u4")
    parts = [
        _HEAD.pack(len(library), len(long)),
        np.array(counts, "<u4").tobytes(),
        np.minimum(flat, _ESCAPE).astype(np.uint8).tobytes(),
        long.tobytes(),
    ]
    return lzma.compress(b"".join(parts), preset=9)


def decode(content: bytes) -> np.ndarray:
    """(n, 32) uint64 fingerprints.

    Raises:
        lzma.LZMAError: the content is damaged, by its own checksum.
    """
    data = lzma.decompress(content)
    row_count, long_count = _HEAD.unpack_from(data)
    counts = np.frombuffer(data, "<u4", BITS, _HEAD.size)
    total = int(counts.sum())
    start = _HEAD.size + counts.nbytes
    gaps = np.frombuffer(data, np.uint8, total, start).astype(np.int64)
    gaps[gaps == _ESCAPE] = np.frombuffer(data, "<u4", long_count, start + total)
    ends = np.cumsum(counts)
    library = np.zeros((row_count, BITS // 64), np.uint64)
    for word in range(BITS // 64):
        bits = np.zeros((row_count, 64), bool)
        for bit in range(64):
            column = 64 * word + bit
            rows = np.cumsum(gaps[ends[column] - counts[column] : ends[column]] + 1) - 1
            bits[rows, bit] = True
        library[:, word] = np.packbits(bits, axis=1, bitorder="little").view("<u8")[:, 0]
    return library


def shipped() -> np.ndarray | None:
    """(249456, 32) uint64, row for row as ZINC; None where the file is not there or damaged."""
    try:
        return decode(FILE.read_bytes())
    except (OSError, lzma.LZMAError):
        return None


def _rows_of_bits(words: np.ndarray) -> list[np.ndarray]:
    """(64,) for each bit of a column of words, the rows that set it, ascending."""
    octets = np.ascontiguousarray(words).astype("<u8").view(np.uint8).reshape(-1, 8)
    bits = np.unpackbits(octets, axis=1, bitorder="little")
    return [np.flatnonzero(bits[:, bit]) for bit in range(64)]


if __name__ == "__main__":
    FILE.write_bytes(encode(np.load(sys.argv[1])))
