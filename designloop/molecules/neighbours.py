"""The nearest ZINC 250k molecule of any molecule, by ECFP4: whether it is new, or in the library already.

The fingerprints of all 249,456 are made once and kept in the user's cache folder (64 MB); a search then takes a
fraction of a second.
"""

from __future__ import annotations

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

from designloop.molecules.cache import is_whole, seal
from designloop.molecules.chemistry import fingerprint, fingerprints, standard_form, standard_forms
from designloop.molecules.corpus import cache_folder, zinc

CHUNK = 5000


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
        say: told when the fingerprints have to be made first, which takes about a minute.
    Raises:
        MoleculeError: when a SMILES is invalid.
    """
    library = _library(say)
    of_library = np.bitwise_count(library).sum(1, dtype=np.int32)
    neighbours = []
    for query in _packed(fingerprints(smiles)):
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
    return np.array([_similarities(query, library, of_library).max() for query in _packed(fingerprints(smiles))])


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
            why = f"anew, since {kept} is damaged or of an earlier version" if kept.exists() else "once"
            say(f"Making the fingerprints of ZINC 250k, {why}; this takes about a minute …")
            kept.parent.mkdir(parents=True, exist_ok=True)
            _make_elsewhere(kept)
        _mapped[kept] = np.asarray(np.load(kept, mmap_mode="r"))
    return _mapped[kept]


_mapped: dict[Path, np.ndarray] = {}
"""What was checked and mapped by this process."""


def _make_elsewhere(path: Path) -> None:
    """Makes the library in a process of its own: a pool would import the caller's script again, guarded or not."""
    subprocess.run([sys.executable, "-m", __name__, str(path)], check=True)


def make(path: Path) -> None:
    """Writes the library to a file, made on all cores."""
    chunks = [zinc()[start : start + CHUNK] for start in range(0, len(zinc()), CHUNK)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("forkserver")) as pool:
        library = np.concatenate(list(pool.map(_of_chunk, chunks)))
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
    return _packed(prints)


def _packed(prints: Sequence[ExplicitBitVect]) -> np.ndarray:
    """(n, 32) uint64: 2,048 bits a molecule."""
    rows = [np.frombuffer(DataStructs.BitVectToBinaryText(vector), dtype=np.uint64) for vector in prints]
    return np.stack(rows) if rows else np.zeros((0, 32), np.uint64)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
