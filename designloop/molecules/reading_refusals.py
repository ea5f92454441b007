"""What a file is that is none of molecules, so that a message can say so: what it begins with, and what it is not."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from pathlib import Path

from designloop.molecules.errors import MoleculeError

_HEAD = 1024
"""Bytes that are looked at."""

_BEGINNINGS = (
    (b"PK\x03\x04", "is a zip archive, as an Excel workbook is; save the sheet as CSV, or unpack it"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook; save the sheet as CSV"),
    (b"\x1f\x8b", "is packed with gzip; unpack it, or write .gz behind its name"),
    (b"BZh", "is packed with bzip2; unpack it"),
    (b"\xfd7zXZ", "is packed with xz; unpack it"),
    (b"\x28\xb5\x2f\xfd", "is packed with zstd; unpack it"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it"),
    (b"%PDF", "is a PDF; give the table that it was made of"),
    (b"PAR1", "is a Parquet file; call it .parquet"),
    (b"{\\rtf", "is an RTF document; save it as plain text"),
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself; run `git lfs pull`"),
)
"""First bytes -> what the file is, and what to do."""

_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|\?xml)", re.IGNORECASE)

_EXPECTED = {".parquet": b"PAR1"}
"""Ending -> first bytes that belong to it."""


DAMAGED_PACKING = (gzip.BadGzipFile, EOFError, zlib.error)
"""What unpacking raises."""


def not_unpacked(path: Path, error: Exception) -> MoleculeError:
    """The error of a packed file that is damaged, or is none."""
    return MoleculeError(f"{path} cannot be unpacked ({error}); pack it again")


def what_file(path: Path) -> str | None:
    """Says what a file is that is no text, and what to do; None for text, Parquet by that name, and what is not known.

    Raises:
        OSError: it cannot be read.
    """
    packed = path.suffix.lower() == ".gz"
    if packed:
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(_HEAD)
        except DAMAGED_PACKING:
            return None  # its reader says what is wrong with it
    else:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    inside = "holds, unpacked, what " if packed else ""
    for beginning, words in _BEGINNINGS:
        if head.startswith(beginning) and _EXPECTED.get(path.suffix.lower()) != beginning:
            return inside + words
    if head.count(0) > len(head) // 4 and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{inside}is no text of UTF-8: of its first {len(head)} bytes {head.count(0)} are zero; save it as UTF-8"
    if _MARKUP.match(head):
        return f"{inside}is a page of HTML or XML, as a download that failed leaves it; download it again"
    return None


def line_not_utf8(path: Path) -> int:
    """Number of the first line that is not UTF-8: a reader's own error counts from where its buffer starts.

    Raises:
        MoleculeError: the file is packed, and damaged.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    except DAMAGED_PACKING as error:
        raise not_unpacked(path, error) from error
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1
