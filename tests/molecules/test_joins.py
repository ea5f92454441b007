"""Joins of ZINC's molecules: what they are made of, that they follow from a seed, and how a run learns from them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designloop.molecules import corpus, joins
from designloop.molecules.chemistry import canonical, require
from designloop.molecules.corpus import TokenRows
from designloop.molecules.errors import MoleculeError
from designloop.molecules.joins import draw_joins, join_graphs, joined_rows, splice
from designloop.molecules.pretrain import batches, pretrain_corpus, take_weights
from designloop.molecules.recipe import JOINS, MORE_JOINS, Phase, Recipe
from designloop.molecules.sequence_networks import Architecture
from designloop.molecules.sequence_vae import load, training_record
from designloop.molecules.training_corpus import Corpus
from tests.tiny import ARCHITECTURE, tiny_codec, tiny_corpus, tiny_vae


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DESIGNLOOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_joins_are_canonical_molecules_whose_tokens_say_them() -> None:
    codec = corpus.zinc_codec()
    drawn = list(islice(draw_joins(codec, np.random.default_rng(0)), 60))
    for smiles, tokens in drawn:
        assert smiles == canonical(smiles)
        assert "." not in smiles
        assert codec.selfies_of(tokens[None]) == [codec.to_selfies(smiles)]
    sizes = [require(smiles).GetNumHeavyAtoms() for smiles, _ in drawn]
    assert sum(size > 30 for size in sizes) > 25
    assert max(sizes) <= 75


def test_bound_parts_have_about_the_size_that_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    molecules = corpus.training_smiles()[:200]
    for size in (25, 40, 60):
        bound = [smiles for _ in range(20) if (smiles := join_graphs(molecules, size, rng)) is not None]
        sizes = [require(smiles).GetNumHeavyAtoms() for smiles in bound]
        assert len(bound) > 5
        assert min(sizes) >= size - 4
        assert abs(np.mean(sizes) - size) < 4


def test_a_splice_begins_as_its_first_molecule_does() -> None:
    codec = tiny_codec()
    rows = corpus.tokenise(["CCCCCCCC", "OCCCCCCO"], codec, processes=1)
    for seed in range(10):
        made = splice(rows, np.array([0]), codec, np.random.default_rng(seed))
        assert made is not None
        assert set(made) == {"C"}  # of the rows to be used alone


def test_rows_follow_from_the_seed_are_distinct_and_are_made_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = corpus.zinc_codec()
    rows, other = joined_rows(12, codec, 3), joined_rows(12, codec, 4)
    strings = codec.selfies_of(rows.take(np.arange(12)))
    assert len(set(strings)) == len(rows) == 12
    assert not np.array_equal(rows.flat, other.flat)
    files = sorted(cache.iterdir())
    files[0].unlink()
    files[1].unlink()
    assert np.array_equal(joined_rows(12, codec, 3).flat, rows.flat)
    monkeypatch.setattr(joins, "draw_joins", None)  # which would fail
    assert np.array_equal(joined_rows(12, codec, 3).flat, rows.flat)
    monkeypatch.setattr("designloop.molecules.cache.version", lambda name: "9.9.9")
    with pytest.raises(TypeError):  # made again under another release
        joined_rows(12, codec, 3)


def test_held_out_and_repeated_molecules_are_no_joins(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = corpus.zinc_codec()
    drawn = [corpus.held_out_smiles()[0], "CCO", "CCO", "CCN"]
    monkeypatch.setattr(
        joins, "draw_joins", lambda *_: iter([(smiles, codec.tokens(codec.to_selfies(smiles))) for smiles in drawn])
    )
    rows = joined_rows(2, codec, 0)
    assert codec.selfies_of(rows.take(np.arange(2))) == ["[C][C][O]", "[C][C][N]"]


def test_a_corpus_with_joins_trains_on_them_and_holds_out_what_it_did() -> None:
    before = tiny_corpus(codec=corpus.zinc_codec())
    after = before.with_joins(5, corpus.zinc_codec(), 0)
    assert len(after.rows) == len(before.rows) + 5
    assert after.joined == 5
    assert after.train.tolist() == [*before.train, *range(60, 65)]
    assert np.array_equal(after.held_out, before.held_out)
    first = np.arange(60)
    assert np.array_equal(after.rows.take(first), before.rows.take(first))


def test_joins_are_learned_at_low_noise_alone() -> None:
    flat = np.tile(np.array([2, 3, 1], np.uint8), 2000)
    rows, targets = TokenRows.of_flat(flat), np.arange(2000, dtype=np.float32).reshape(-1, 1)
    recipe = Recipe((Phase(7, 1e-3, clean=0.2),), joined_noise=0.7)
    noise, numbers = [], []
    for batch in batches(rows, np.arange(2000), recipe, 0, targets, joined=800):
        noise.append(batch.context["noise"].numpy())
        numbers.append(batch.targets["fingerprint"][:, 0].numpy())
    level, joined = np.concatenate(noise), np.concatenate(numbers) >= 1200
    assert level[joined].max() <= 0.7 < level[~joined].max()
    for part in (level[joined], level[~joined]):
        assert abs((part == 0).mean() - 0.2) < 4 * (0.16 / len(part)) ** 0.5
    assert abs(np.log(level[joined & (level > 0)]).mean() - np.log([0.2, 0.7]).mean()) < 0.1


def test_a_run_with_a_parent_begins_with_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = tmp_path / "parent.safetensors"
    codec = corpus.zinc_codec()
    tiny_vae(5, codec=codec).save(parent)
    monkeypatch.setattr(Corpus, "zinc", classmethod(lambda cls: tiny_corpus(codec=codec)))
    recipe = Recipe((Phase(1, 1e-9),), batch=16, parent=str(parent), joined=4, fingerprint_components=0)
    made = pretrain_corpus(tmp_path / "out", None, recipe, architecture=replace(ARCHITECTURE, reader=6))
    began = load(parent).state_dict()
    for name, value in load(made).state_dict().items():
        if name in began:
            assert np.allclose(value, began[name], atol=1e-3), name  # rounded to half
    told = training_record(made)["recipe"]
    assert isinstance(told, dict)
    assert (told["parent"], told["joined"]) == (str(parent), 4)


@pytest.mark.parametrize(
    ("architecture", "length", "message"),
    [
        (replace(ARCHITECTURE, width=30), 24, r"parent old has architecture .*'width': 32.*differs in shape"),
        (ARCHITECTURE, 25, "its alphabet is another one|differs in shape"),
    ],
)
def test_a_parent_of_other_widths_is_refused(architecture: Architecture, length: int, message: str) -> None:
    vae = tiny_vae(architecture=architecture, codec=tiny_codec(length))
    with pytest.raises(MoleculeError, match=message):
        take_weights(vae, tiny_vae(), "old")


def test_the_recipes_of_joins_are_what_the_shipped_model_says_of_itself() -> None:
    recorded: dict[str, Any] = training_record("zinc250k-joins")
    assert {**recorded["recipe"], "parent": None} == json.loads(json.dumps(asdict(MORE_JOINS)))
    assert recorded["before"]["recipe"] == json.loads(json.dumps(asdict(JOINS)))
    assert JOINS.parent == "zinc250k"
    for recipe in (JOINS, MORE_JOINS):
        assert recipe.noise == Recipe().noise
        assert recipe.fingerprint_components == Recipe().fingerprint_components
