"""What a model is trained on: rows, their split, the file beside the weights, fingerprint targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import PCA

from designloop.molecules import corpus, sequence_vae, training_corpus
from designloop.molecules.chemistry import count_fingerprints
from designloop.molecules.errors import MoleculeError
from designloop.molecules.training_corpus import Corpus, fingerprint_components, fingerprint_targets
from tests.tiny import tiny_codec, tiny_corpus, tiny_vae


def written(folder: Path, lines: int) -> Path:
    path = folder / "mine.smi"
    path.write_text("\n".join(corpus.zinc()[:lines]) + "\n")
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESIGNLOOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_zinc_has_the_shipped_split() -> None:
    zinc = Corpus.zinc()
    assert len(zinc.rows) == len(zinc.train) + len(zinc.held_out) == 249_456
    assert np.array_equal(zinc.held_out, corpus.held_out_rows())


def test_a_share_of_a_users_file_is_held_out(tmp_path: Path) -> None:
    path = written(tmp_path, 600)
    mine = Corpus.of_file(path, corpus.zinc_codec())
    assert len(mine.held_out) == 12  # 2 %
    assert np.array_equal(np.sort(np.concatenate([mine.train, mine.held_out])), np.arange(600))
    again = Corpus.of_file(path, corpus.zinc_codec())
    assert np.array_equal(mine.held_out, again.held_out)
    assert len(Corpus.of_file(path, corpus.zinc_codec(), held_out=0.5).held_out) == 300
    assert len(Corpus.of_file(path, corpus.zinc_codec(), held_out=0.0).held_out) == 10


def test_too_few_molecules_are_told(tmp_path: Path) -> None:
    assert len(Corpus.of_file(written(tmp_path, 100), corpus.zinc_codec()).train) == 90
    with pytest.raises(
        MoleculeError, match=r"mine\.smi holds 99 molecules .* express, expected at least 100; add more"
    ):
        Corpus.of_file(written(tmp_path, 99), corpus.zinc_codec())


def test_a_corpus_comes_back_from_its_file(tmp_path: Path) -> None:
    small, path = tiny_corpus(), tmp_path / "m.corpus.npz"
    small.save(path)
    again = Corpus.load(path)
    for name in ("train", "held_out"):
        assert np.array_equal(getattr(again, name), getattr(small, name))
    assert np.array_equal(again.rows.take(again.train), small.rows.take(small.train))


def test_the_corpus_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vae, model = tiny_vae(), tmp_path / "m.safetensors"
    vae.save(model, {"corpus": "mine.smi"})
    with pytest.raises(MoleculeError, match=r"m\.safetensors has no m\.corpus\.npz beside it; copy it from the folder"):
        Corpus.of_model(model)
    tiny_corpus().save(tmp_path / "m.corpus.npz")
    assert len(Corpus.of_model(model).rows) == 60
    vae.save(tmp_path / "z.safetensors", {"corpus": "zinc250k"})
    assert len(Corpus.of_model(tmp_path / "z.safetensors").rows) == 249_456
    for module in (sequence_vae, training_corpus):
        monkeypatch.setattr(module, "PRETRAINED", tmp_path)
    assert len(Corpus.of_model("m").rows) == 249_456  # shipped ones have the shipped corpus


def test_components_are_the_principal_ones_at_mean_square_one() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.outer(rng.gamma(2.0, size=300), rng.gamma(0.5, size=40))).astype(np.uint8)
    components = fingerprint_components(counts, 6).astype(float)
    assert components.shape == (300, 6)
    assert (components**2).mean() == pytest.approx(1.0, abs=2e-3)
    wanted = PCA(6, svd_solver="full").fit_transform(np.log1p(counts.astype(float)))
    wanted /= np.sqrt((wanted**2).mean())
    signs = np.sign((components * wanted).sum(0))
    np.testing.assert_allclose(components, wanted * signs, atol=0.01)
    assert fingerprint_components(counts, 6).dtype == np.float16
    assert np.array_equal(fingerprint_components(counts, 6), fingerprint_components(counts, 6))


def test_rows_without_a_say_are_projected_on_the_components_of_the_others() -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(np.outer(rng.gamma(2.0, size=300), rng.gamma(0.5, size=40))).astype(np.uint8)
    odd = rng.poisson(4.0, (50, 40)).astype(np.uint8)
    components = fingerprint_components(np.concatenate([counts, odd]), 6, fitted=300).astype(float)
    fitted = PCA(6, svd_solver="full").fit(np.log1p(counts.astype(float)))
    scale = np.sqrt((fitted.transform(np.log1p(counts.astype(float))) ** 2).mean())
    wanted = fitted.transform(np.log1p(np.concatenate([counts, odd]).astype(float))) / scale
    np.testing.assert_allclose(components, wanted * np.sign((components * wanted).sum(0)), atol=0.02)


def test_targets_are_made_once_for_a_corpus_and_follow_its_rows(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, codec = tiny_corpus().rows, tiny_codec()
    targets = fingerprint_targets(rows, codec, 5)
    smiles = [codec.to_smiles(string) or "" for string in codec.selfies_of(rows.take(np.arange(len(rows))))]
    wanted = fingerprint_components(count_fingerprints(smiles, "ecfp4", 1024).astype(np.uint8), 5)
    np.testing.assert_array_equal(targets, wanted)
    assert len(list(cache.iterdir())) == 1

    def no_pool(*args: object, **more: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(training_corpus, "map_on_cores", no_pool)
    assert np.array_equal(fingerprint_targets(rows, codec, 5), targets)
    with pytest.raises(AssertionError, match="made again"):
        fingerprint_targets(rows, codec, 4)
    monkeypatch.setattr("designloop.molecules.cache.version", lambda name: "9.9.9")
    with pytest.raises(AssertionError, match="made again"):
        fingerprint_targets(rows, codec, 5)
