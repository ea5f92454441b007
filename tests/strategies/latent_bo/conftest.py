from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from designloop.molecules.corpus import TokenRows, zinc_codec
from designloop.molecules.sequence_vae import SequenceVAE, load
from designloop.molecules.training_corpus import Corpus
from tests.strategies.latent_bo.small_loop import SOME, Campaign, Make


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    codec = zinc_codec()
    rows = TokenRows.of_flat(np.concatenate([codec.tokens(codec.to_selfies(smiles)) for smiles in SOME]))
    return Corpus(rows, np.arange(len(SOME) - 3), np.arange(len(SOME) - 3, len(SOME)))


@pytest.fixture(scope="module")
def vae(tiny_model: Path) -> SequenceVAE:
    return load(tiny_model)


@pytest.fixture
def campaign(vae: SequenceVAE, corpus: Corpus) -> Make:
    return lambda **settings: Campaign(vae, corpus, **settings)
