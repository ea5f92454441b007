"""A search in latent space that is spread over workers: the table is the one that a single process gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import designloop
from designloop.loop.evaluation.ray.spreading import RaySpread
from designloop.loop.summary import Summary
from designloop.molecules.corpus import zinc
from tests.campaigns import write_campaign

CARBONS = {
    "name": "carbons",
    "oracle": "./my_oracle.py:score",
    "transform": {"type": "linear", "low": 0, "high": 3},
}

WEIGHT = {"name": "weight", "oracle": "molecular_weight", "transform": {"type": "linear", "low": 0, "high": 500}}

SMALL: dict[str, Any] = {
    "objective": {"aggregate": "geometric_mean", "properties": [CARBONS, WEIGHT]},  # so that a composite is sent, too
    "strategy": {"name": "latent_bo", "effort": "low", "screen": False, "dimensions": 4},
    "starting_molecules": [smiles for smiles in zinc()[:60] if "+" not in smiles and "-]" not in smiles][:12],
    "filters": {"heavy_atoms": [1, 90], "known_rings": None, "known_groups": None},
    "batch_size": 4,
    "budget.oracle_calls": 24,
}

SEARCHED = SMALL | {
    "strategy": {
        **SMALL["strategy"],
        "chains": 20,
        "regions": {"decoded": 5, "count": 2, "length": 0.005, "shortest": 0.002},
    },
}
"""With ten chains in two pieces, and two regions."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the pieces that were done elsewhere; who can do them is waited for, which need not be."""
    numbers, welcome, heard = list[int](), RaySpread._welcome, RaySpread._heard

    def welcome_all(self: RaySpread) -> None:
        import ray

        if self._starting:
            ray.wait([*self._starting], num_returns=len(self._starting), timeout=120)
        welcome(self)

    def heard_of(self: RaySpread, patient: bool) -> Iterator[tuple[int, bytes | None]]:
        for number, result in heard(self, patient):
            numbers.extend([number] if result is not None else [])
            yield number, result

    monkeypatch.setattr(RaySpread, "_welcome", welcome_all)
    monkeypatch.setattr(RaySpread, "_heard", heard_of)
    return numbers


def run(path: Path, name: str, backend: str, workers: int, rounds: int | None = None) -> Summary:
    """Goes on with a campaign of this name for so many rounds in all; None for all that there are."""
    changes: dict[str, Any] = {
        "output": str(path.parent / name),
        "ledger": str(path.parent / f"{name}.sqlite"),
        "evaluation": {"backend": backend, "workers": workers},
        **({} if rounds is None else {"budget.rounds": rounds}),
    }
    return designloop.run(designloop.load_campaign(path, changes)).summary


@pytest.mark.xdist_group("ray")  # one after the other: each Ray believes that it has all cores
def test_the_table_is_the_same_on_any_workers_and_through_restarts(
    tmp_path: Path, tiny_model: Path, elsewhere: list[int]
) -> None:
    path = write_campaign(tmp_path, tiny_model, SEARCHED)
    whole = run(path, "whole", "inline", 1)
    assert [info.rows for info in whole.rounds] == [12, 4, 4, 4]
    assert elsewhere == []
    run(path, "parts", "ray", 2, rounds=2)
    spread = len(elsewhere)
    assert spread >= 4, "some of the chains, and a region, in either round"
    parts = run(path, "parts", "ray", 1)
    assert len(elsewhere) == spread, "one worker is this process"
    assert parts.digest == whole.digest
    rows = [designloop.open_candidates(tmp_path / name).to_arrow().to_pylist() for name in ("whole", "parts")]
    told = ("smiles", "score", "proposer", "parents", "round")
    assert [[row[key] for key in told] for row in rows[0]] == [[row[key] for key in told] for row in rows[1]]
