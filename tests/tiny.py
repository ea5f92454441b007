"""Sequence VAEs and corpora as small as they can be: each does what a full one does, badly and fast."""

from __future__ import annotations

import numpy as np

from designloop.molecules import corpus
from designloop.molecules.codec import Codec
from designloop.molecules.pretrain import new_model
from designloop.molecules.sequence_networks import Architecture
from designloop.molecules.sequence_vae import SequenceVAE
from designloop.molecules.training_corpus import Corpus

ARCHITECTURE = Architecture(latent=8, embedding=12, features=6, channels=16, width=32, hidden=24)


def tiny_codec(greatest_length: int = 24) -> Codec:
    """The shipped alphabet, for short molecules."""
    return Codec(corpus.zinc_codec().symbols, greatest_length=greatest_length)


def tiny_vae(seed: int = 0, architecture: Architecture = ARCHITECTURE, codec: Codec | None = None) -> SequenceVAE:
    """A sequence VAE of random weights, ready to be used."""
    vae = new_model(codec or tiny_codec(), architecture, seed)
    vae.eval()
    return vae


def small_molecules(n: int = 60) -> list[str]:
    """Distinct SMILES of few atoms."""
    ends = ("O", "N", "F", "Cl", "C#N", "C=O", "OC", "NC", "C(=O)O", "S")
    return [f"{'C' * (1 + index // len(ends))}{ends[index % len(ends)]}" for index in range(n)]


def tiny_corpus(n: int = 60, held_out: int = 12, codec: Codec | None = None) -> Corpus:
    """Small molecules of which the last few are held out."""
    rows = corpus.tokenise(small_molecules(n), codec or tiny_codec(), processes=1)
    return Corpus(rows, np.arange(n - held_out), np.arange(n - held_out, n))
