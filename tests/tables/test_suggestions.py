"""Suggestions come back as they were given, with where a model wrote each from."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from designloop.records import UNIFORM, Candidate, Origin
from designloop.tables import durable
from designloop.tables.suggestions import FILE, Suggestion, read_suggestions, write_suggestions

pytestmark = pytest.mark.usefixtures("quick_disk")

LATENT = np.array([0.1, -2.5, 3e-8, 1e30], dtype=np.float32)
FULL = Candidate(
    "CCO", "posterior", "[C][C][O]", ("CCC", "CCN"), 7, "OCC", False, UNIFORM, 0.5, 0.25, origin=Origin(LATENT, 0.3)
)


def through_file(folder: Path, candidate: Candidate) -> Candidate:
    write_suggestions(folder, "abc", [Suggestion("M0001", candidate, 1)])
    (item,) = read_suggestions(folder, "abc")
    return item.candidate


def test_every_field_of_a_candidate_comes_back(tmp_path: Path) -> None:
    plain, again = Candidate("", ""), through_file(tmp_path, FULL)
    for name in (field.name for field in fields(Candidate) if field.name != "origin"):
        assert getattr(again, name) == getattr(FULL, name) != getattr(plain, name), name
    assert again.origin is not None
    assert again.origin.latent.dtype == np.float32
    assert again.origin.latent.tolist() == LATENT.tolist()
    assert again.origin.noise == 0.3


@given(npst.arrays(np.float32, st.integers(0, 200), elements=st.floats(width=32, allow_nan=False)), st.floats(0, 8))
def test_latents_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, latent: np.ndarray, noise: float
) -> None:
    again = through_file(tmp_path_factory.mktemp("s"), Candidate("CCO", "prior", origin=Origin(latent, noise)))
    assert again.origin is not None
    assert (again.origin.latent.tobytes(), again.origin.noise) == (latent.tobytes(), noise)


def test_a_latent_takes_six_bytes_a_number_and_none_takes_nothing(tmp_path: Path) -> None:
    def written(origin: Origin | None) -> bytes:
        through_file(tmp_path, Candidate("CCO", "prior", origin=origin))
        return (tmp_path / FILE).read_bytes()

    assert b"origin" not in written(None)
    assert len(written(Origin(np.zeros(128, np.float32), 1.0))) - len(written(None)) < 6 * 128


def test_a_file_that_knows_no_origins_is_read(tmp_path: Path) -> None:
    through_file(tmp_path, FULL)
    body = durable.read_json(tmp_path / FILE)
    del body["suggestions"][0]["candidate"]["origin"]
    durable.publish_json(tmp_path / FILE, body)
    (item,) = read_suggestions(tmp_path, "abc")
    assert item.candidate == FULL  # origins are not compared
    assert item.candidate.origin is None
