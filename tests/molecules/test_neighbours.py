"""The nearest ZINC molecules, on a part of ZINC."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from designloop.molecules import neighbours, zinc_index
from designloop.molecules.chemistry import fingerprints, standard_forms, tanimoto
from designloop.molecules.corpus import zinc
from designloop.molecules.neighbours import highest_zinc_similarity, nearest_zinc


@pytest.fixture(autouse=True)
def part_of_zinc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, ...]:
    part = zinc()[:300]
    monkeypatch.setattr(neighbours, "zinc", lambda: part)
    monkeypatch.setattr(neighbours, "CHUNK", 100)
    monkeypatch.setattr(neighbours, "_make_elsewhere", neighbours.make)  # where that part is all there is
    monkeypatch.setattr(zinc_index, "shipped", lambda: None)
    monkeypatch.setenv("DESIGNLOOP_CACHE", str(tmp_path))
    return part


def test_the_nearest_is_that_of_comparing_with_all(part_of_zinc: tuple[str, ...]) -> None:
    queries = ["CC(=O)Oc1ccccc1C(=O)O", "CCN(CC)CCOc1ccccc1", "O=C(Nc1ccccc1)C1CCNCC1"]
    forms = [form for form in standard_forms(part_of_zinc) if form is not None]
    similarity = tanimoto(fingerprints(queries), fingerprints(forms))
    nearest = nearest_zinc(queries)
    assert [neighbour.similarity for neighbour in nearest] == pytest.approx(similarity.max(1))
    assert [neighbour.smiles for neighbour in nearest] == [forms[row] for row in similarity.argmax(1)]


def test_the_highest_similarity_is_that_to_the_rows_asked_for(part_of_zinc: tuple[str, ...]) -> None:
    queries = ["CC(=O)Oc1ccccc1C(=O)O", "CCN(CC)CCOc1ccccc1"]
    rows = np.arange(0, 300, 7)
    forms = [form or "C" for form in standard_forms(part_of_zinc)]
    similarity = tanimoto(fingerprints(queries), fingerprints(forms))
    np.testing.assert_allclose(highest_zinc_similarity(queries), similarity.max(1))
    np.testing.assert_allclose(highest_zinc_similarity(queries, rows), similarity[:, rows].max(1))


def test_a_charged_molecule_of_zinc_is_found_by_its_neutral_form(part_of_zinc: tuple[str, ...]) -> None:
    charged = [molecule for molecule in part_of_zinc if "[NH+]" in molecule or "[NH2+]" in molecule][:3]
    neutral = [form for form in standard_forms(charged) if form is not None]
    assert [neighbour.similarity for neighbour in nearest_zinc(neutral)] == [1.0] * 3


def test_the_fingerprints_are_made_once_and_said_so(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        nearest_zinc(["CCO"], said.append)
    assert said == [
        "Making the fingerprints of ZINC 250k, once, as those that ship are not this RDKit's …",
        *(f"fingerprints of ZINC 250k: {share}" for share in ("33%", "67%", "100%")),
    ]
    (kept,) = tmp_path.glob("*.npy")
    assert np.load(kept).shape == (300, 32)
    assert Path(f"{kept}").stat().st_size > 300 * 32 * 8
    kept.write_bytes(kept.read_bytes()[:-1])
    neighbours._mapped.clear()
    nearest_zinc(["CCO"], said.append)
    assert said[4] == f"{kept} is damaged or of an earlier version, and is made anew"


@pytest.mark.parametrize(("as_shipped", "is_used"), [(True, True), (False, False)])
def test_what_ships_is_used_where_this_rdkit_makes_the_same(
    part_of_zinc: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, as_shipped: bool, is_used: bool
) -> None:
    library = neighbours._of_chunk(part_of_zinc)
    if not as_shipped:
        library[::2, 3] ^= np.uint64(1 << 17)
    monkeypatch.setattr(zinc_index, "shipped", lambda: library)
    said: list[str] = []
    assert nearest_zinc([form for form in standard_forms(part_of_zinc[7:8]) if form], said.append)[0].similarity == 1.0
    assert (said == []) is is_used
    monkeypatch.setattr(zinc_index, "shipped", lambda: library[1:])
    assert neighbours._shipped() is None, "another ZINC"


def test_a_process_that_cannot_make_them_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(subprocess.CalledProcessError):
        neighbours._make_elsewhere(tmp_path / "no folder" / "x.npy", lambda line: None, module="designloop.nothing")
