"""Prices of molecules to be measured: where they come from, what is wrong with them, and what a sum buys."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from designloop import api
from designloop.api.inputs import InputError
from designloop.loop.campaign.campaign import Campaign, CampaignError, load_campaign
from designloop.loop.laboratory.pricing import PriceError, affordable, prices_of
from designloop.tables.ledger import Ledger
from tests.campaigns import write_campaign
from tests.commands import designloop_, fails, succeeds

POTENCY = {"name": "potency", "oracle": "measured", "transform": {"type": "linear", "low": 4, "high": 8}}
PRICER = """
def price(smiles):
    return {own: 10.0 * len(own) for own in smiles if "F" not in own}

def below(smiles):
    return {own: -1.0 for own in smiles}
"""


def write_priced(folder: Path, model: Path, prices: Mapping[str, Any] | None, **changes: Any) -> Path:
    """A campaign whose potency is measured, whose molecules have prices."""
    (folder / "prices.py").write_text(PRICER)
    path = write_campaign(folder, model, {"batch_size": 6, "budget.oracle_calls": 30, **changes})
    written = yaml.safe_load(path.read_text())
    written["objective"]["properties"] = [POTENCY]
    path.write_text(yaml.safe_dump(written | ({"prices": dict(prices)} if prices is not None else {})))
    return path


def priced(campaign: Campaign, *smiles: str) -> list[float | None]:
    return prices_of(campaign, Ledger(None), smiles)


# ---- what a sum buys


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.integers(0, 50)), min_size=1, max_size=8), st.integers(1, 4), st.integers(1, 80)
)
def test_the_batch_of_greatest_value_is_that_of_all_batches(prices: list[int | None], wanted: int, spend: int) -> None:
    def value(rows: tuple[int, ...] | list[int]) -> float:
        return sum(1 - row / len(prices) for row in rows)

    rows = affordable(prices, wanted, spend)
    known = [row for row, price in enumerate(prices) if price is not None]
    batches = [batch for size in range(wanted + 1) for batch in combinations(known, size)]
    best = max(value(batch) for batch in batches if sum(prices[row] or 0 for row in batch) <= spend)
    assert rows == sorted(set(rows))
    assert len(rows) <= wanted
    assert sum(prices[row] or 0 for row in rows) <= spend
    assert value(rows) == pytest.approx(best)


def test_a_favourite_is_forgone_for_others_that_cost_as_much_together_alone() -> None:
    assert affordable([100, 50, 50, 50], 2, 100) == [1, 2]
    assert affordable([100, 50, 60, 60], 2, 100) == [0]
    assert affordable([0.1] * 9, 9, 0.3) == [0, 1, 2]
    assert affordable([None, 101], 2, 100) == affordable([], 2, 100) == []


def test_what_is_bought_at_any_rate_leaves_less_of_the_sum_and_of_the_number() -> None:
    assert affordable([0.1] * 5, 9, 0.3, sure=[0.1]) == [0, 1]
    assert affordable([0.1] * 5, 2, 0.5, sure=[0.1]) == [0]
    assert affordable([0.1, 0.0], 9, 0.3, sure=[0.3]) == [1]
    assert affordable([0.1], 2, 0.3, sure=[0.0, 0.0]) == []
    assert affordable([60, 30, 30, 99], 3, 100, sure=[40]) == [1, 2]


# ---- where prices come from


def test_a_file_comes_before_the_oracle_and_the_oracle_before_what_is_said_of_all_others(
    tmp_path: Path, tiny_model: Path
) -> None:
    (tmp_path / "supplier.csv").write_text(
        "smiles,Price,name\nOCC,70,ethanol\nC(C)O,40,again\nCCCO,,\n[Na+].CC[O-],90,\n"
    )
    oracle = {"oracle": "./prices.py:price", "otherwise": 500}
    path = write_priced(tmp_path, tiny_model, {"file": "supplier.csv", **oracle})
    campaign = load_campaign(path)
    assert priced(campaign, "CCO", "CCCO", "CCF") == [40.0, 40.0, 500.0]
    alone = load_campaign(path, {"prices": {"file": "supplier.csv"}})
    assert priced(alone, "CCO", "CCCO") == [40.0, None]
    assert priced(load_campaign(path, {"prices": {"otherwise": 3}}), "CCO") == [3.0]
    assert priced(load_campaign(path, {"prices": None}), "CCO") == [None]
    computed = priced(load_campaign(path, {"prices": {"oracle": "sa_score"}}), "CCO")
    assert computed == [pytest.approx(1.98, abs=0.01)]


BAD_CELLS = {
    "-5": "line 3: price is '-5', expected a price of 0 or more",
    "nan": "line 3: price is 'nan', expected a finite number",
    "inf": "expected a finite number",
    "12 EUR": "the number alone, in the unit of all the others",
    '"12,50"': "write 12.50",
    "<5": "a bound and no value",
    "ask": "expected a finite number",
}


@pytest.mark.parametrize("cell", BAD_CELLS)
def test_a_price_that_is_none_is_told_with_its_line_before_anything_is_chosen(
    tmp_path: Path, tiny_model: Path, cell: str
) -> None:
    (tmp_path / "supplier.csv").write_text(f"smiles,price\nCCO,1\nCCN,{cell}\n")
    path = write_priced(tmp_path, tiny_model, {"file": "supplier.csv"})
    with pytest.raises(PriceError) as caught:
        priced(load_campaign(path), "CCO")
    assert BAD_CELLS[cell] in str(caught.value)
    assert f"{tmp_path / 'supplier.csv'}: 1 line cannot be used" in str(caught.value)


def test_every_line_that_is_wrong_is_told_and_so_is_a_file_without_prices(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "supplier.csv").write_text("smiles,price\nCCO,-1\nC1CC,2\nCCN,x\n" + "CCC,-2\n" * 10)
    path = write_priced(tmp_path, tiny_model, {"file": "supplier.csv", "spend": 10})
    assert "13 lines cannot be used" in designloop_("validate", path).stdout
    said = fails(2, "suggest", path)
    assert "13 lines cannot be used" in said
    assert "line 2: price is '-1'" in said
    assert "line 3: 'C1CC'" in said
    assert "and 3 more" in said
    (tmp_path / "supplier.csv").write_text("smiles,cost\nCCO,1\n")
    with pytest.raises(InputError, match=r"has no column 'price'; name that of the prices by prices\.column: "):
        api.suggest(path)
    assert priced(load_campaign(path, {"prices.column": "cost"}), "CCO") == [1.0]
    (tmp_path / "supplier.csv").write_text("\n")
    with pytest.raises(InputError, match=r"prices\.file: "):
        api.suggest(path)


def test_an_oracle_that_gives_a_price_below_0_is_told(tmp_path: Path, tiny_model: Path) -> None:
    path = write_priced(tmp_path, tiny_model, {"oracle": "./prices.py:below"})
    with pytest.raises(PriceError, match="gave -1 for CCO, expected 0 or more; mend "):
        priced(load_campaign(path), "CCO")


BAD_KEYS: tuple[tuple[Any, str], ...] = (
    ({}, "where prices come from: file, oracle, or otherwise"),
    ({"spend": 100}, "where prices come from"),
    ({"file": "none.csv"}, "'none.csv', which is no file in"),
    ({"oracle": "measured"}, "an oracle that a machine can run"),
    ({"oracle": "qedd"}, "qed"),
    ({"oracle": "sa_score", "params": {"scale": 2}}, "prices.params.scale"),
    ({"otherwise": -1}, "prices.otherwise"),
    ({"otherwise": float("nan")}, "prices.otherwise"),
    ({"otherwise": "12 EUR"}, "prices.otherwise"),
    ({"otherwise": 1, "spend": 0}, "prices.spend"),
    ({"otherwise": 1, "budget": 5}, "prices.budget"),
    ("supplier.csv", "prices"),
)


@pytest.mark.parametrize(("prices", "words"), BAD_KEYS, ids=[str(prices) for prices, _ in BAD_KEYS])
def test_settings_that_say_no_prices_are_told(tmp_path: Path, tiny_model: Path, prices: Any, words: str) -> None:
    path = write_priced(tmp_path, tiny_model, None)
    with pytest.raises(CampaignError) as caught:
        load_campaign(path, {"prices": prices})
    assert words in str(caught.value)
    assert "prices" in str(caught.value)


def test_a_property_may_not_be_called_price_beside_prices_and_no_laboratory_is_remarked(
    tmp_path: Path, tiny_model: Path
) -> None:
    path = write_priced(tmp_path, tiny_model, {"otherwise": 1})
    with pytest.raises(CampaignError, match="the name price for prices alone"):
        load_campaign(path, {"objective": {"properties": [POTENCY | {"name": "Price"}]}})
    computed = write_campaign(tmp_path, tiny_model)
    (remark,) = load_campaign(computed, {"prices": {"otherwise": 1}}).warnings
    assert remark.startswith("prices: only `designloop suggest` heeds them")


# ---- suggesting


def test_a_batch_is_chosen_within_the_sum_and_what_it_costs_is_told(tmp_path: Path, tiny_model: Path) -> None:
    prices = {"oracle": "./prices.py:price", "unit": "EUR", "spend": 900}
    path = write_priced(tmp_path, tiny_model, prices)
    todo = tmp_path / "todo.csv"
    printed = succeeds("suggest", path, "-n", 4, "--csv", todo)
    with todo.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["price"]) for row in rows] == [10.0 * len(row["smiles"]) for row in rows]
    cost = sum(float(row["price"]) for row in rows)
    assert 0 < cost <= 900
    assert f"They cost {cost:,.10g} EUR together." in printed
    assert not any("F" in row["smiles"] for row in rows), "what has no price is not suggested"
    again = tmp_path / "again.csv"
    assert f"They cost {cost:,.10g} EUR together." in succeeds("suggest", path, "--pending", "--csv", again)
    assert again.read_text() == todo.read_text()
    least = api.suggest(path, 4, spend=10)
    assert (least.suggestions, least.cost) == ([], None)
    assert "No more than 0 are chosen within 10 EUR" in least.remark


def test_starting_molecules_behind_those_that_are_too_dear_are_bought(tmp_path: Path, tiny_model: Path) -> None:
    own = ["C" * 30 + "O", "C" * 29 + "O", "C" * 8 + "O", "C" * 7 + "O"]
    free = {"heavy_atoms": None, "alerts": None, "unstable": False}
    path = write_priced(tmp_path, tiny_model, {"oracle": "./prices.py:price"}, starting_molecules=own, filters=free)
    bought = api.suggest(path, 2, spend=200)
    assert [item.candidate.smiles for item in bought.suggestions] == own[2:]


def test_without_a_sum_prices_are_shown_and_choose_nothing(tmp_path: Path, tiny_model: Path) -> None:
    for folder in ("with", "without"):
        (tmp_path / folder).mkdir()
    plain = api.suggest(write_priced(tmp_path / "without", tiny_model, None))
    with_prices = api.suggest(write_priced(tmp_path / "with", tiny_model, {"oracle": "./prices.py:price"}))
    forms = [[item.candidate.smiles for item in given.suggestions] for given in (plain, with_prices)]
    assert forms[0] == forms[1]
    assert {item.price for item in plain.suggestions} == {None}
    assert any(item.price is not None for item in with_prices.suggestions)
    assert plain.cost is None


def test_prices_may_change_between_two_suggestions(tmp_path: Path, tiny_model: Path) -> None:
    path = write_priced(tmp_path, tiny_model, {"otherwise": 5})
    first = api.suggest(path, 2, spend=10)
    path.write_text(path.read_text().replace("otherwise: 5", "otherwise: 7"))
    second = api.suggest(path, 2, spend=10)
    assert [item.price for item in (*first.suggestions, *second.suggestions)] == [5.0, 5.0, 7.0]
    assert load_campaign(path).fingerprint == load_campaign(path, {"prices": None}).fingerprint


@pytest.mark.parametrize("spend", [0, -1, float("nan"), float("inf"), "12 EUR", True])
def test_a_sum_that_is_none_is_refused(tmp_path: Path, tiny_model: Path, spend: Any) -> None:
    path = write_priced(tmp_path, tiny_model, {"otherwise": 1})
    with pytest.raises(InputError, match="expected a sum of money above 0, without its unit"):
        api.suggest(path, 2, spend=spend)
    done = designloop_("suggest", path, "--spend", spend)
    assert done.exit_code == 2
    assert "Traceback" not in done.output


def test_a_sum_without_prices_is_refused(tmp_path: Path, tiny_model: Path) -> None:
    path = write_priced(tmp_path, tiny_model, None)
    with pytest.raises(InputError, match="has no prices; say under `prices:` where they come from"):
        api.suggest(path, 2, spend=100)
