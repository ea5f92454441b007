"""Fingerprints and their similarities."""

from __future__ import annotations

import numpy as np
import pytest

from designloop.molecules.chemistry import (
    FINGERPRINTS,
    MoleculeError,
    count_fingerprints,
    fingerprint,
    fingerprints,
    require,
    tanimoto,
)
from designloop.molecules.corpus import zinc

SOME = list(zinc()[:40])


@pytest.mark.parametrize("kind", FINGERPRINTS)
def test_kinds(kind):
    vectors = fingerprints(SOME, kind)
    assert [len(vector) for vector in vectors] == [167 if kind == "maccs" else 2048] * len(SOME)
    assert all(vector.GetNumOnBits() for vector in vectors)
    assert fingerprint(require(SOME[0]), kind) == vectors[0]


@pytest.mark.parametrize("kind", FINGERPRINTS)
def test_stereo_is_not_seen(kind):
    left, right = fingerprints(["C[C@H](O)c1ccccc1/C=C/C", "C[C@@H](O)c1ccccc1/C=C\\C"], kind)
    assert left == right


def test_features_do_not_tell_halogens_apart_and_a_larger_radius_tells_more():
    smiles = ["Clc1ccc(CCN)cc1", "Brc1ccc(CCN)cc1"]
    ecfp4, ecfp6, fcfp4, fcfp6 = (
        tanimoto(*[[bits] for bits in fingerprints(smiles, kind)])[0, 0]
        for kind in ("ecfp4", "ecfp6", "fcfp4", "fcfp6")
    )
    assert fcfp4 == fcfp6 == 1.0
    assert ecfp6 < ecfp4 < 1.0


def test_tanimoto_is_the_share_of_common_bits():
    a, b = fingerprints(SOME[:5]), fingerprints(SOME[5:8])
    similarities = tanimoto(a, b)
    assert similarities.shape == (5, 3)
    for row, left in enumerate(a):
        for column, right in enumerate(b):
            on, also = set(left.GetOnBits()), set(right.GetOnBits())
            assert similarities[row, column] == pytest.approx(len(on & also) / len(on | also))
    assert np.diag(tanimoto(a, a)) == pytest.approx(1.0)


def test_tanimoto_of_nothing():
    assert tanimoto([], fingerprints(SOME[:2])).shape == (0, 2)
    assert tanimoto(fingerprints(SOME[:2]), []).shape == (2, 0)


@pytest.mark.parametrize("kind", [kind for kind in FINGERPRINTS if kind != "maccs"])
def test_counts(kind):
    counts = count_fingerprints(SOME, kind, 1024)
    assert counts.shape == (40, 1024)
    assert counts.dtype == np.float32
    assert counts.max() > 1
    if kind not in ("atom_pair", "feature_pair"):  # their bits encode counts too
        on = [set(fp.GetOnBits()) for fp in fingerprints(SOME, kind)]
        assert [set(np.flatnonzero(row)) for row in count_fingerprints(SOME, kind, 2048)] == on or kind == "rdkit"


def test_no_molecules():
    assert fingerprints([]) == []
    assert count_fingerprints([], size=64).shape == (0, 64)


def test_wrong_words():
    with pytest.raises(MoleculeError, match=r"found fingerprint 'ecfp5'.*did you mean 'ecfp[46]'"):
        fingerprints(["C"], "ecfp5")
    with pytest.raises(MoleculeError, match="maccs keys have no counts"):
        count_fingerprints(["C"], "maccs")
    with pytest.raises(MoleculeError, match="expected a valid SMILES"):
        fingerprints(["C", "C1CC"])
