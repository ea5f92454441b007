"""A campaign that trades two properties off: what its table, its rounds, its pictures and the command line say."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import designloop
from designloop import api
from designloop.loop.config.problems import CampaignError
from designloop.molecules.corpus import zinc
from designloop.pareto import hypervolume, pareto_ranks
from designloop.tables import QueryError, open_candidates
from designloop.testing.small_campaign import write_campaign, write_tiny_model
from tests.commands import succeeds

GOALS = [
    {"name": "carbons", "oracle": "./my_oracle.py:score", "transform": {"type": "linear", "low": 0, "high": 3}},
    {"name": "tpsa", "oracle": "tpsa", "transform": {"type": "linear", "low": 20, "high": 120}},
    {"name": "qed", "oracle": "qed", "transform": {"type": "linear", "low": 0, "high": 1}, "weight": 0},
]
PARETO = {
    "objective.aggregate": "pareto",
    "objective.properties": GOALS,
    "objective.reference_point": {"tpsa": 0.1},
    "starting_molecules": ["CCO", "CC(=O)Oc1ccccc1C(=O)O"],
    "filters": {"heavy_atoms": [6, 60]},
}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pareto")
    path = write_campaign(folder, write_tiny_model(folder / "tiny.pt"), PARETO)
    first = designloop.load_campaign(path, {"budget.rounds": 1})
    designloop.run(first)  # the second run takes the front up from the table
    designloop.run(designloop.load_campaign(path))
    return path


def columns(path: Path) -> dict[str, np.ndarray]:
    table = open_candidates(path.with_suffix("")).to_arrow()
    return {name: np.array(table[name].to_pylist(), dtype=object) for name in table.column_names}


def points(rows: dict[str, np.ndarray]) -> np.ndarray:
    return np.column_stack([rows["carbons_desirability"], rows["tpsa_desirability"]]).astype(float)


def test_the_view_ranks_what_is_allowed_by_what_counts(campaign: Path) -> None:
    rows = columns(campaign)
    allowed = rows["allowed"].astype(bool)
    assert not allowed[0]
    assert rows["pareto_rank"][0] is None
    assert rows["pareto_rank"][allowed].tolist() == pareto_ranks(points(rows)[allowed]).tolist()
    np.testing.assert_allclose(rows["score"].astype(float), points(rows).mean(1))


def test_each_round_tells_the_hypervolume_of_all_up_to_it(campaign: Path) -> None:
    rows, summary = columns(campaign), designloop.status(campaign)
    assert summary.goals == {"carbons": 0.0, "tpsa": 0.1}
    for info in summary.rounds:
        so_far = rows["allowed"].astype(bool) & (rows["round"] <= info.number)
        ranks = pareto_ranks(points(rows)[so_far])
        volume = hypervolume(points(rows)[so_far], (0.0, 0.1))
        assert info.metrics["hypervolume"] == pytest.approx(volume, rel=1e-12)
        assert info.metrics["front_size"] == (ranks == 1).sum()
    assert len(summary.rounds) > 2
    assert summary.hypervolume == summary.rounds[-1].metrics["hypervolume"]


def test_status_and_top_show_the_front(campaign: Path) -> None:
    rows = columns(campaign)
    shown = succeeds("status", campaign)
    summary = designloop.status(campaign)
    assert f"hypervolume {summary.hypervolume:.3f} of a front of {summary.front_size} molecules" in shown
    assert "(carbons 0, tpsa 0.1)" in shown
    best, _ = api.top(campaign, 100, pareto=True)
    front = rows["smiles"][np.array([rank == 1 for rank in rows["pareto_rank"]])]
    assert {molecule.smiles for molecule in best} == set(front)
    assert {molecule.pareto_rank for molecule in best} == {1}
    assert "pareto: 1 where" in succeeds("top", campaign, "--pareto")


def test_the_picture_has_every_molecule_once_the_front_apart(campaign: Path) -> None:
    rows, picture = columns(campaign), ET.parse(campaign.with_suffix("") / "front.svg")
    dots = {path.get("class"): (path.get("d") or "").count("h0") for path in picture.iter(f"{SVG}path")}
    ranked = [rank for rank in rows["pareto_rank"] if rank is not None]
    assert dots["front"] == ranked.count(1)
    assert dots["front"] + dots["molecules"] + dots.get("starting", 0) == len(ranked)
    corners = next(path.get("d") or "" for path in picture.iter(f"{SVG}path") if path.get("class") == "steps")
    assert corners.count("H") <= ranked.count(1)


def test_one_score_has_no_front(tmp_path: Path) -> None:
    path = write_campaign(tmp_path, write_tiny_model(tmp_path / "tiny.pt"), {"budget.oracle_calls": 5})
    designloop.run(designloop.load_campaign(path))
    with pytest.raises(QueryError, match="maximises one score, so it has no front"):
        api.top(path, pareto=True)
    assert set(columns(path)["pareto_rank"]) == {None}
    summary = designloop.status(path)
    assert (summary.hypervolume, summary.goals) == (None, {})
    assert not (path.with_suffix("") / "front.svg").exists()


def test_settings_that_see_one_score_are_refused(tmp_path: Path) -> None:
    strategy = {"strategy": {"name": "property_loss", "surrogate": "committee"}}
    path = write_campaign(tmp_path, write_tiny_model(tmp_path / "tiny.pt"), PARETO | strategy)
    with pytest.raises(CampaignError, match="found committee, which foresees one score"):
        designloop.load_campaign(path)


def test_hypervolume_beside_what_goes_by_one_value_is_refused(tmp_path: Path) -> None:
    strategy = {"strategy": {"name": "latent_bo", "trade_offs": "hypervolume", "acquisition": "ucb"}}
    path = write_campaign(tmp_path, write_tiny_model(tmp_path / "tiny.pt"), PARETO | strategy)
    refused = "found hypervolume beside acquisition: ucb, which goes by one value of each molecule, expected auto or"
    with pytest.raises(CampaignError, match=refused):
        designloop.load_campaign(path)


@pytest.mark.parametrize("strategy", [{"name": "latent_bo"}, {"name": "property_loss", "trade_offs": "chebyshev"}])
def test_both_strategies_take_a_campaign_that_trades_off(strategy: dict[str, Any], tmp_path: Path) -> None:
    path = write_campaign(tmp_path, write_tiny_model(tmp_path / "tiny.pt"), PARETO | {"strategy": strategy})
    assert designloop.load_campaign(path).objective.goals == {"carbons": 0.0, "tpsa": 0.1}


STRATEGIES: dict[str, dict[str, Any]] = {
    "hypervolume": {"name": "property_loss"},
    "chebyshev": {"name": "property_loss", "trade_offs": "chebyshev"},
    "latent_bo": {"name": "latent_bo", "effort": "low"},
    "latent_bo, a trade-off a round": {"name": "latent_bo", "effort": "low", "trade_offs": "chebyshev"},
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_that_is_gone_on_with_gives_the_table_of_one_that_was_not_interrupted(
    strategy: str, tmp_path: Path
) -> None:
    start = [smiles for smiles in zinc()[:60] if "+" not in smiles and "-]" not in smiles][:12]
    changes = PARETO | {"strategy": STRATEGIES[strategy], "batch_size": 6, "budget.oracle_calls": 24}
    changes |= {
        "starting_molecules": start,
        "filters": {"heavy_atoms": [1, 90], "known_rings": None, "known_groups": None},
    }
    path, digests = write_campaign(tmp_path, write_tiny_model(tmp_path / "tiny.pt"), changes), []
    runs: dict[str, list[dict[str, Any]]] = {"whole": [{}], "parts": [{"budget.rounds": 1}, {}]}
    for name, parts in runs.items():
        places = {"output": str(tmp_path / name), "ledger": str(tmp_path / f"{name}.sqlite")}
        for part in parts:
            summary = designloop.run(designloop.load_campaign(path, {**places, **part})).summary
        assert summary.calls == 24
        digests.append(summary.digest)
    assert digests[0] == digests[1]
    volumes = list(summary.metric("hypervolume").values())
    assert volumes == sorted(volumes)
    assert volumes[-1] > volumes[0]


def test_a_reference_point_by_rule_is_told_above_0(tmp_path: Path) -> None:
    changes = PARETO | {"objective.reference_point": "nadir", "budget.oracle_calls": 20}
    path = write_campaign(tmp_path, write_tiny_model(tmp_path / "tiny.pt"), changes)
    designloop.run(designloop.load_campaign(path))
    assert designloop.status(path).goals == {"carbons": 0.0, "tpsa": 0.0}
    assert "(carbons 0, tpsa 0); the search's own reference point follows the front" in succeeds("status", path)


def test_the_best_are_those_of_the_front_and_campaigns_compare_by_it(campaign: Path) -> None:
    best, _ = api.top(campaign, 30)
    ranks = [molecule.pareto_rank or 0 for molecule in best]
    assert ranks == sorted(ranks)
    assert [molecule.id for molecule in best] == open_candidates(campaign.with_suffix("")).top(30)["id"].to_pylist()
    scores = [molecule.score for molecule in best if molecule.pareto_rank == 1]
    assert scores == sorted(scores, reverse=True)
    summary, (standing,) = designloop.status(campaign), api.compare([campaign])
    assert (standing.hypervolume, standing.front_size) == (summary.hypervolume, summary.front_size)
    shown = succeeds("compare", campaign)
    assert f"{summary.hypervolume:.3f}" in shown
    assert "hypervolume: of the front" in shown
    assert "hypervolume against oracle calls" in (campaign.with_suffix("") / "progress.svg").read_text()
