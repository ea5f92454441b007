"""The molecules a model is trained on: the shipped ZINC 250k, or a user's own file, as token rows.

Tokens are made once: those of ZINC ship with the package, a user's are kept in the user's cache folder under a key of
file bytes and ending, alphabet, and the releases that read and write molecules.
"""

from __future__ import annotations

import hashlib
import lzma
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from designloop.molecules.cache import UNREADABLE, releases
from designloop.molecules.codec import END, PAD, Codec
from designloop.molecules.errors import MoleculeError
from designloop.molecules.pool import map_on_cores
from designloop.molecules.reading import LineProblem, read_molecules
from designloop.molecules.reading_formats import file_ending
from designloop.paths import is_file

__all__ = ["LineProblem", "TokenRows", "read_molecules", "tokenise", "training_rows", "zinc", "zinc_tokens"]

DATA = Path(__file__).parent / "data"


@cache
def zinc() -> tuple[str, ...]:
    """The 249,456 SMILES of ZINC 250k, in the order of their row numbers."""
    with lzma.open(DATA / "zinc250k.smi.xz", "rt", encoding="ascii") as file:
        return tuple(file.read().split())


@cache
def held_out_rows() -> np.ndarray:
    """(5000,) row numbers that no shipped model is trained on, in the order they were drawn."""
    rows = np.loadtxt(DATA / "held_out.txt", dtype=np.int64)
    rows.flags.writeable = False
    return rows


def training_rows() -> np.ndarray:
    """(244456,) row numbers of ZINC that are not held out, ascending."""
    keep = np.ones(len(zinc()), dtype=bool)
    keep[held_out_rows()] = False
    return np.flatnonzero(keep)


def held_out_smiles() -> list[str]:
    """The 5,000 held-out SMILES, in the order they were drawn."""
    lines = zinc()
    return [lines[row] for row in held_out_rows()]


def training_smiles() -> list[str]:
    """The 244,456 training SMILES."""
    lines = zinc()
    return [lines[row] for row in training_rows()]


@dataclass(frozen=True)
class TokenRows:
    """Token rows of different lengths, end to end."""

    flat: np.ndarray
    """uint8 tokens, each row ended by the end mark."""
    starts: np.ndarray = field(repr=False)
    """(rows + 1,) where each row starts in ``flat``."""
    problems: tuple[LineProblem, ...] = ()
    """What could not be tokenised, by line."""

    @classmethod
    def of_flat(cls, flat: np.ndarray, problems: Sequence[LineProblem] = ()) -> TokenRows:
        """Rows found by their end marks."""
        return cls(flat, np.concatenate([[0], np.flatnonzero(flat == END) + 1]), tuple(problems))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) tokens of each row, end mark included."""
        return np.diff(self.starts)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), longest) int64, padded at the end."""
        starts, lengths = self.starts[rows], self.lengths[rows]
        columns = np.arange(int(lengths.max()))
        places = np.minimum(starts[:, None] + columns, len(self.flat) - 1)
        return np.where(columns < lengths[:, None], self.flat[places], PAD).astype(np.int64)


@cache
def zinc_tokens() -> TokenRows:
    """Tokens of all ZINC rows under the shipped alphabet, row for row.

    Raises:
        MoleculeError: the two shipped files are not of the same rows.
    """
    with lzma.open(DATA / "zinc250k.tokens.xz") as file:
        flat = np.frombuffer(file.read(), dtype=np.uint8)
    rows = TokenRows.of_flat(flat)
    if len(rows) != len(zinc()):
        raise MoleculeError(
            f"zinc250k.tokens.xz holds {len(rows)} rows, zinc250k.smi.xz {len(zinc())}; reinstall the package"
        )
    return rows


def zinc_codec() -> Codec:
    """The codec under which the shipped tokens were made."""
    return Codec.from_json((DATA / "zinc250k.codec.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class _Tokenise:
    """One chunk of SMILES to tokens, for a pool."""

    codec: Codec

    def __call__(self, chunk: Sequence[str]) -> list[np.ndarray | str]:
        out: list[np.ndarray | str] = []
        for smiles in chunk:
            try:
                out.append(self.codec.tokens(self.codec.to_selfies(smiles), of=smiles))
            except MoleculeError as error:
                out.append(str(error))
        return out


def tokenise(
    smiles: Sequence[str], codec: Codec, processes: int | None = None, on_done: Callable[[int], None] | None = None
) -> TokenRows:
    """Token rows of many SMILES, made in a process pool; what cannot be expressed is left out and named.

    Args:
        smiles: line i is molecule i.
        processes: defaults to the number of cores.
        on_done: called with the number of molecules done so far.
    """
    chunks = [smiles[start : start + 1000] for start in range(0, len(smiles), 1000)]
    workers = processes or os.cpu_count() or 1
    rows: list[np.ndarray] = []
    problems: list[LineProblem] = []
    line = 0
    if workers == 1 or len(chunks) == 1:
        results = map(_Tokenise(codec), chunks)
        for chunk, done in zip(chunks, results, strict=True):
            line = _gather(chunk, done, line, rows, problems)
            if on_done is not None:
                on_done(line)
    else:
        for chunk, done in zip(chunks, map_on_cores(_Tokenise(codec), chunks, workers), strict=True):
            line = _gather(chunk, done, line, rows, problems)
            if on_done is not None:
                on_done(line)
    return TokenRows.of_flat(np.concatenate(rows) if rows else np.zeros(0, np.uint8), problems)


def _gather(
    chunk: Sequence[str], done: list[np.ndarray | str], line: int, rows: list[np.ndarray], problems: list[LineProblem]
) -> int:
    for smiles, result in zip(chunk, done, strict=True):
        line += 1
        if isinstance(result, str):
            problems.append(LineProblem(line, smiles, result))
        else:
            rows.append(result)
    return line


def cache_folder() -> Path:
    """Where token rows lie: ``$DESIGNLOOP_CACHE``, else ``designloop`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    if named := os.environ.get("DESIGNLOOP_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "designloop"


def tokenised_file(path: Path, codec: Codec, on_done: Callable[[int], None] | None = None) -> TokenRows:
    """Token rows of a user's file, from the cache where the same bytes were tokenised under the same alphabet before.

    Raises:
        MoleculeError: no such file, or nothing in it can be read or expressed.
    """
    if not is_file(path):
        raise MoleculeError(f"{path} is not a file; give a .smi, .csv or .parquet file of molecules")
    reading = "\0".join([file_ending(path), *releases(), codec.to_json()])  # the ending decides how bytes are read
    kept = cache_folder() / f"tokens-{hashlib.sha256(path.read_bytes() + reading.encode()).hexdigest()[:32]}.npz"
    if (stored := _read_copy(kept)) is not None:
        return stored
    read = read_molecules(path)
    rows = tokenise(read.smiles, codec, on_done=on_done)
    # Problems of tokenise are counted along what was read; a person wants the line of the file.
    tokens_lines = [LineProblem(read.lines[p.line - 1], p.text, p.reason) for p in rows.problems]
    rows = TokenRows(rows.flat, rows.starts, tuple(sorted([*read.problems, *tokens_lines], key=lambda p: p.line)))
    if not len(rows):
        raise MoleculeError(
            f"{path}: none of its {len(read.smiles)} molecules can be expressed by the model's alphabet"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    aside = kept.with_suffix(f".{os.getpid()}.npz")
    problems = np.array([(str(p.line), p.text, p.reason) for p in rows.problems], dtype=np.str_).reshape(-1, 3)
    np.savez_compressed(aside, flat=rows.flat, problems=problems)
    aside.replace(kept)
    return rows


def _read_copy(path: Path) -> TokenRows | None:
    """What the cache holds; None where it holds nothing, or a copy that was damaged and has to be made again."""
    try:
        with path.open("rb") as file, np.load(file) as stored:
            problems = [LineProblem(int(line), str(text), str(why)) for line, text, why in stored["problems"]]
            return TokenRows.of_flat(stored["flat"], problems)
    except UNREADABLE:
        return None
