"""Files of the user's cache folder that say their own checksum: a damaged one is as good as none, and is made again.

The checksum stands behind the content, where readers of ``.npy`` files do not look; so an array can still be mapped.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from importlib.metadata import version
from pathlib import Path

_MARK = b"designloop-crc32:"
_TRAILER = len(_MARK) + 8

UNREADABLE = (
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy raises for an ``.npz`` file that is damaged, whose parts have checksums of their own."""


def releases() -> tuple[str, str]:
    """Of RDKit and SELFIES, under which a molecule may be read and written in another way: part of a copy's key."""
    return version("rdkit"), version("selfies")


def seal(path: Path) -> None:
    """Puts the checksum of its content behind the content of a file."""
    content_sum = _sum_of(path, path.stat().st_size)
    with path.open("ab") as file:
        file.write(_MARK + f"{content_sum:08x}".encode())


def is_whole(path: Path) -> bool:
    """Whether a file is there and matches the checksum at its end; 64 MB take a twentieth of a second."""
    try:
        size = path.stat().st_size - _TRAILER
        if size < 0:
            return False
        with path.open("rb") as file:
            file.seek(size)
            trailer = file.read()
        return trailer == _MARK + f"{_sum_of(path, size):08x}".encode()
    except OSError:
        return False


def _sum_of(path: Path, size: int) -> int:
    """CRC-32 of the first ``size`` bytes."""
    checksum, left = 0, size
    with path.open("rb") as file:
        while left > 0 and (piece := file.read(min(left, 1 << 20))):
            checksum, left = zlib.crc32(piece, checksum), left - len(piece)
    return checksum
