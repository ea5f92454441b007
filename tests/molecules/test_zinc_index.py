"""The fingerprints of ZINC that ship."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from designloop.molecules import neighbours, zinc_index
from designloop.molecules.corpus import zinc
from designloop.molecules.zinc_index import decode, encode


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1), st.integers(1, 600), st.sampled_from([0.0, 0.002, 0.5, 1.0]))
def test_what_is_packed_is_unpacked_the_same(seed: int, rows: int, density: float) -> None:
    bits = np.random.default_rng(seed).random((rows, zinc_index.BITS)) < density
    library = np.packbits(bits, axis=1, bitorder="little").view(np.uint64)
    assert np.array_equal(decode(encode(library)), library)


def test_a_damaged_file_is_none_and_its_damage_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray(encode(np.arange(64, dtype=np.uint64).reshape(2, 32)))
    monkeypatch.setattr(zinc_index, "FILE", tmp_path / "index.xz")
    assert zinc_index.shipped() is None
    zinc_index.FILE.write_bytes(content)
    assert zinc_index.shipped() is not None
    content[len(content) // 2] ^= 4
    zinc_index.FILE.write_bytes(content)
    with pytest.raises(lzma.LZMAError):
        decode(bytes(content))
    assert zinc_index.shipped() is None


def test_what_ships_is_small_and_row_for_row_what_rdkit_makes_of_zinc() -> None:
    assert zinc_index.FILE.stat().st_size < 8_000_000
    library = zinc_index.shipped()
    assert library is not None
    assert library.shape == (249_456, 32)
    rows = np.random.default_rng(1).choice(len(zinc()), 300, replace=False)
    assert np.array_equal(neighbours._of_chunk([zinc()[row] for row in rows]), library[rows])
