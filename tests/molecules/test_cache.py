"""What is damaged in a cache or a model is made again or named, and never used."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from designloop.molecules import corpus, neighbours, zinc_index
from designloop.molecules.cache import is_whole, seal
from designloop.molecules.corpus import tokenised_file
from designloop.molecules.errors import MoleculeError
from designloop.molecules.pretrain import _read_checkpoint, pretrain
from designloop.molecules.recipe import Recipe
from designloop.molecules.sequence_vae import codec_of, load
from designloop.molecules.training_corpus import CORPUS_ENDING, Corpus
from designloop.testing.damage import KINDS
from tests.tiny import small_molecules, tiny_codec, tiny_corpus, tiny_vae


def test_an_array_with_its_checksum_is_still_an_array(tmp_path: Path) -> None:
    path, array = tmp_path / "a.npy", np.arange(12).reshape(3, 4)
    np.save(path, array)
    assert not is_whole(path), "one of an earlier version, without a checksum, is made again"
    seal(path)
    assert is_whole(path)
    assert np.array_equal(np.load(path, mmap_mode="r"), array)
    assert not is_whole(tmp_path / "absent.npy")
    assert not is_whole(tmp_path)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_damage_to_a_sealed_file_goes_unseen(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.arange(100))
    seal(path)
    whole = path.read_bytes()
    for seed in range(30):
        path.write_bytes(spoilt := KINDS[kind](whole, random.Random(seed)))
        assert is_whole(path) == (spoilt == whole)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_damaged_tokens_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setenv("DESIGNLOOP_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mine.smi"
    file.write_text("\n".join([*small_molecules(20), "[Xe]"]))
    rows = tokenised_file(file, tiny_codec())
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    for seed in range(10):
        kept.write_bytes(KINDS[kind](whole, random.Random(seed)))
        again = tokenised_file(file, tiny_codec())
        assert np.array_equal(again.flat, rows.flat)
        assert again.problems == rows.problems
    assert corpus.cache_folder() == kept.parent


def test_damaged_fingerprints_of_zinc_are_made_again_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESIGNLOOP_CACHE", str(tmp_path))
    monkeypatch.setattr(neighbours, "zinc", lambda: ("CCO", "c1ccccc1"))
    monkeypatch.setattr(neighbours, "_make_elsewhere", neighbours.make)
    monkeypatch.setattr(zinc_index, "shipped", lambda: None)
    said: list[str] = []
    monkeypatch.setattr(neighbours, "_mapped", {})
    assert neighbours.nearest_zinc(["c1ccccc1"], said.append)[0].similarity == 1
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    for content in (whole, KINDS["one_bit"](whole, random.Random(0))):
        kept.write_bytes(content)
        monkeypatch.setattr(neighbours, "_mapped", {})
        assert neighbours.nearest_zinc(["c1ccccc1"], said.append)[0].similarity == 1
    assert [line for line in said if "damaged" in line] == [
        f"{kept} is damaged or of an earlier version, and is made anew"
    ]
    assert [line for line in said if "once" in line] == [said[0], said[3]]


def read_model(folder: Path) -> object:
    model = load(folder / "model.safetensors")
    return [codec_of(folder / "model.safetensors").to_json(), *(v.tolist() for v in model.state_dict().values())]


def read_run(folder: Path) -> object:
    metadata, tensors = _read_checkpoint(folder / "checkpoint.safetensors")
    return [metadata, *(tensors[name].tolist() for name in sorted(tensors))]


def read_corpus(folder: Path) -> object:
    read = Corpus.load(folder / f"model{CORPUS_ENDING}")
    return [part.tolist() for part in (read.rows.flat, read.train, read.held_out)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training of two steps."""
    folder = tmp_path_factory.mktemp("trained")
    data = tiny_corpus()
    recipe = Recipe(batch=8, fingerprint_components=0).scale(2)
    pretrain(tiny_vae(), data.rows, data.train, data.held_out, recipe, folder)
    data.save(folder / f"model{CORPUS_ENDING}")
    return folder


@pytest.mark.parametrize(
    ("name", "read"),
    [("model.safetensors", read_model), ("checkpoint.safetensors", read_run), (f"model{CORPUS_ENDING}", read_corpus)],
)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_damaged_model_is_named_or_as_it_was(
    trained: Path, tmp_path: Path, name: str, read: Callable[[Path], object], kind: str
) -> None:
    whole = (trained / name).read_bytes()
    expected = read(trained)
    for seed in range(5):
        (tmp_path / name).write_bytes(KINDS[kind](whole, random.Random(seed)))
        try:
            content = read(tmp_path)
        except MoleculeError as error:
            content, said = expected, str(error)
            if name not in said:
                pytest.fail(f"does not name the file: {said}")
        assert content == expected
