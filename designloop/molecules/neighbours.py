"""The nearest ZINC 250k molecule of any molecule, by ECFP4: whether it is new, or in the library already.

The fingerprints of all 249,456 ship with the package (``zinc_index``) and are kept unpacked in the user's cache folder
(64 MB); a search then takes a fraction of a second. An RDKit whose fingerprints are others makes them anew, once.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import rdkit
from rdkit import Chem, DataStructs
from rdkit.DataStructs import ExplicitBitVect

from designloop.molecules import zinc_index
from designloop.molecules.cache import is_whole, seal
from designloop.molecules.chemistry import fingerprint, fingerprints, standard_form, standard_forms
from designloop.molecules.corpus import cache_folder, zinc

CHUNK = 5000

COMPARED = 200
"""Rows of the library that ships that are made again, to see that this RDKit's fingerprints are the same."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A molecule of the library."""

    smiles: str
    """Its standard form."""
    similarity: float
    """ECFP4 Tanimoto."""


def nearest_zinc(smiles: Sequence[str], say: Callable[[str], None] = lambda line: None) -> list[Neighbour]:
    """The nearest ZINC molecule of each, both in standard form.

    Args:
        smiles: standard forms.
        say: told when the fingerprints have to be made first, which takes minutes, and how far that is.
    Raises:
        MoleculeError: when a SMILES is invalid.
    """
    library = _library(say)
    of_library = np.bitwise_count(library).sum(1, dtype=np.int32)
    neighbours = []
    for query in _pack(fingerprints(smiles)):
        similarity = _similarities(query, library, of_library)
        row = int(similarity.argmax())
        neighbours.append(Neighbour(standard_form(zinc()[row]), float(similarity[row])))
    return neighbours


def highest_zinc_similarity(
    smiles: Sequence[str], rows: np.ndarray | None = None, say: Callable[[str], None] = lambda line: None
) -> np.ndarray:
    """(n,) ECFP4 Tanimoto of each molecule to the nearest of ZINC 250k, the same molecule included.

    Args:
        smiles: standard forms.
        rows: row numbers of the ZINC molecules to look among; None for all.
        say: told when the fingerprints have to be made first.
    Raises:
        MoleculeError: when a SMILES is invalid.
    """
    library = _library(say) if rows is None else _library(say)[rows]
    of_library = np.bitwise_count(library).sum(1, dtype=np.int32)
    return np.array([_similarities(query, library, of_library).max() for query in _pack(fingerprints(smiles))])


def _similarities(query: np.ndarray, library: np.ndarray, of_library: np.ndarray) -> np.ndarray:
    """(library,) Tanimoto of one packed fingerprint to many, whose bits were counted."""
    common = np.bitwise_count(library & query).sum(1, dtype=np.int32)
    similarities: np.ndarray = common / (of_library + np.bitwise_count(query).sum() - common)
    return similarities


def _library(say: Callable[[str], None]) -> np.ndarray:
    """(249456, 32) uint64, from the cache where this RDKit made it before."""
    key = hashlib.sha256("\n".join(zinc()).encode() + rdkit.__version__.encode()).hexdigest()[:32]
    kept = cache_folder() / f"zinc250k-ecfp4-{key}.npy"
    if kept not in _mapped:
        if not is_whole(kept):
            if kept.exists():
                say(f"{kept} is damaged or of an earlier version, and is made anew")
            kept.parent.mkdir(parents=True, exist_ok=True)
            if (shipped := _shipped()) is not None:
                _write(kept, shipped)
            else:
                say("Making the fingerprints of ZINC 250k, once, as those that ship are not this RDKit's …")
                _make_elsewhere(kept, say)
        _mapped[kept] = np.asarray(np.load(kept, mmap_mode="r"))
    return _mapped[kept]


_mapped: dict[Path, np.ndarray] = {}
"""What was checked and mapped by this process."""


def _shipped() -> np.ndarray | None:
    """The library that ships, where it is what this RDKit would make: on some rows, all over ZINC, it is compared."""
    library = zinc_index.shipped()
    if library is None or len(library) != len(zinc()):
        return None
    rows = np.linspace(0, len(zinc()) - 1, COMPARED).astype(int)
    return library if np.array_equal(_of_chunk([zinc()[row] for row in rows]), library[rows]) else None


def _make_elsewhere(path: Path, say: Callable[[str], None], module: str = __name__) -> None:
    """Makes the library in a process of its own: a pool would import the caller's script again, guarded or not."""
    command = [sys.executable, "-m", module, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            say(line.rstrip())
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def make(path: Path, say: Callable[[str], None]) -> None:
    """Writes the library to a file, made on all cores; says at each tenth how far it is."""
    chunks = [zinc()[start : start + CHUNK] for start in range(0, len(zinc()), CHUNK)]
    parts: list[np.ndarray] = []
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("forkserver")) as pool:
        for part in pool.map(_of_chunk, chunks):
            parts.append(part)
            if 10 * len(parts) // len(chunks) > 10 * (len(parts) - 1) // len(chunks):
                say(f"fingerprints of ZINC 250k: {len(parts) / len(chunks):.0%}")
    _write(path, np.concatenate(parts))


def _write(path: Path, library: np.ndarray) -> None:
    aside = path.with_suffix(f".{os.getpid()}.npy")
    np.save(aside, library)
    seal(aside)
    aside.replace(path)


def _of_chunk(smiles: Sequence[str]) -> np.ndarray:
    """(n, 32) fingerprints of the standard forms.

    Most of ZINC is written in standard form but for the charges, and an ECFP of what RDKit itself wrote needs no
    sanitising, which is nine tenths of the time.
    """
    charged = [molecule for molecule in smiles if "+" in molecule or "-]" in molecule]
    neutral = dict(zip(charged, standard_forms(charged), strict=True))
    prints = []
    for molecule in smiles:
        mol = Chem.MolFromSmiles(neutral.get(molecule) or molecule, sanitize=False)
        mol.UpdatePropertyCache(strict=False)
        Chem.FastFindRings(mol)
        prints.append(fingerprint(mol))
    return _pack(prints)


def _pack(prints: Sequence[ExplicitBitVect]) -> np.ndarray:
    """(n, 32) uint64: 2,048 bits a molecule."""
    rows = [np.frombuffer(DataStructs.BitVectToBinaryText(vector), dtype=np.uint64) for vector in prints]
    return np.stack(rows) if rows else np.zeros((0, 32), np.uint64)


if __name__ == "__main__":
    make(Path(sys.argv[1]), functools.partial(print, flush=True))
