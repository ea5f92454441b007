"""What a sequence VAE is trained on: token rows, which of them are held out, and targets of its fingerprint head."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from designloop.molecules.cache import UNREADABLE, is_whole, releases, seal
from designloop.molecules.chemistry import count_fingerprints
from designloop.molecules.codec import Codec
from designloop.molecules.corpus import (
    TokenRows,
    cache_folder,
    held_out_rows,
    tokenised_file,
    training_rows,
    zinc_tokens,
)
from designloop.molecules.errors import MoleculeError
from designloop.molecules.joins import joined_rows
from designloop.molecules.pool import map_on_cores
from designloop.molecules.sequence_vae import find, training_record
from designloop.molecules.shipped import PRETRAINED

CORPUS_ENDING = ".corpus.npz"
"""What the corpus of a user's model is called beside its weights."""


@dataclass(frozen=True)
class Corpus:
    """Token rows and which of them are trained on."""

    rows: TokenRows
    train: np.ndarray
    held_out: np.ndarray
    joined: int = 0
    """How many of the last rows are joins of others, all of them to be trained on."""

    @classmethod
    def zinc(cls) -> Corpus:
        """ZINC 250k with the shipped split."""
        return cls(zinc_tokens(), training_rows(), held_out_rows())

    def with_joins(self, n: int, codec: Codec, seed: int) -> Corpus:
        """The same corpus and ``n`` joins of ZINC's training molecules behind it."""
        flat = np.concatenate([self.rows.flat, joined_rows(n, codec, seed).flat])
        train = np.concatenate([self.train, np.arange(len(self.rows), len(self.rows) + n)])
        return replace(self, rows=TokenRows.of_flat(flat), train=train, joined=n)

    @classmethod
    def of_file(cls, path: Path, codec: Codec, held_out: float = 0.02) -> Corpus:
        """A user's molecules; a share of them, 5,000 at most, is held out at random.

        Raises:
            MoleculeError: nothing in the file can be read, or fewer than 100 molecules can be expressed.
        """
        rows = tokenised_file(path, codec)
        if len(rows) < 100:
            raise MoleculeError(
                f"{path} holds {len(rows)} molecules that the alphabet can express, expected at least 100; add more"
            )
        order = np.random.default_rng(0).permutation(len(rows))
        cut = min(max(int(held_out * len(rows)), 10), 5000)
        return cls(rows, np.sort(order[cut:]), order[:cut])

    def save(self, path: Path) -> None:
        """Writes what a campaign's replay needs, beside a model's weights."""
        with path.open("wb") as file:
            np.savez_compressed(file, flat=self.rows.flat, train=self.train, held_out=self.held_out)

    @classmethod
    def load(cls, path: Path) -> Corpus:
        """What ``save`` wrote.

        Raises:
            MoleculeError: the file is damaged.
        """
        try:
            with path.open("rb") as file, np.load(file) as stored:  # which leaves a path open where it fails
                return cls(TokenRows.of_flat(stored["flat"]), stored["train"], stored["held_out"])
        except UNREADABLE as error:
            raise MoleculeError(
                f"{path} is damaged ({error}); restore it from a backup, or train the model again"
            ) from error

    @classmethod
    def of_model(cls, model: str | Path) -> Corpus:
        """The corpus of a model: ZINC for the shipped ones, else the file that ``pretrain`` left beside the weights.

        Raises:
            MoleculeError: there is none.
        """
        path = find(model)
        if path.parent == PRETRAINED:
            return cls.zinc()
        beside = path.with_name(path.stem + CORPUS_ENDING)
        if not beside.is_file():
            if training_record(path).get("corpus") == "zinc250k":
                return cls.zinc()
            raise MoleculeError(
                f"{path} has no {beside.name} beside it; copy it from the folder that `designloop pretrain` wrote"
            )
        return cls.load(beside)


@dataclass(frozen=True)
class _Counts:
    """Fingerprint counts of a chunk of token rows, for a pool."""

    codec: Codec

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        smiles = [self.codec.to_smiles(string) or "C" for string in self.codec.selfies_of(tokens)]
        return np.asarray(np.minimum(count_fingerprints(smiles, "ecfp4", 1024), 255).astype(np.uint8))


def fingerprint_targets(rows: TokenRows, codec: Codec, components: int, joined: int = 0) -> np.ndarray:
    """Targets of the fingerprint head, (len(rows), components) float16; made once for a corpus and kept.

    Args:
        joined: how many of the last rows have no say in what the components are.
    """
    asked = " ".join([str(components), str(joined), *releases()])
    key = hashlib.sha256(rows.flat.tobytes() + codec.to_json().encode() + asked.encode()).hexdigest()[:32]
    kept = cache_folder() / f"fingerprints-{key}.npy"
    if not is_whole(kept):
        chunks = [rows.take(part) for part in np.array_split(np.arange(len(rows)), max(len(rows) // 1000, 1))]
        counts = np.concatenate(list(map_on_cores(_Counts(codec), chunks)))
        kept.parent.mkdir(parents=True, exist_ok=True)
        aside = kept.with_suffix(f".{os.getpid()}.npy")
        np.save(aside, fingerprint_components(counts, components, len(rows) - joined))
        seal(aside)
        aside.replace(kept)
    targets: np.ndarray = np.load(kept)
    return targets


def fingerprint_components(counts: np.ndarray, components: int, fitted: int | None = None) -> np.ndarray:
    """Leading principal components of log(1 + count) fingerprints, scaled to mean square 1.

    Args:
        counts: (rows, size) counts.
        fitted: how many of the first rows say what the components and their scale are; None for all.

    Returns:
        (rows, components) float16.
    """
    rng = np.random.default_rng(0)
    fitted = len(counts) if fitted is None else fitted
    sample = np.log1p(counts[rng.permutation(fitted)[:40_000]].astype(np.float32))
    mean = sample.mean(0)
    _, vectors = np.linalg.eigh(np.cov(sample, rowvar=False))
    axes = vectors[:, ::-1][:, :components].astype(np.float32)
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(components)])  # the sign of an eigenvector is arbitrary
    out = np.concatenate([(np.log1p(part.astype(np.float32)) - mean) @ axes for part in np.array_split(counts, 50)])
    return np.asarray((out / np.sqrt((out[:fitted] ** 2).mean())).astype(np.float16))
