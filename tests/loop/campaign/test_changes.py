"""What a campaign is, and which changes of its file another campaign makes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from designloop.loop.campaign.campaign import Campaign, load_campaign
from designloop.loop.campaign.changes import (
    as_begun,
    changed_keys,
    changes,
    former_default_model,
    unknown_filters,
    unknown_settings,
)
from designloop.loop.screening.filters import FilterContext, Filters, build, switched_on
from designloop.molecules.shipped import DEFAULT_MODEL, shipped_models
from designloop.tables.manifest import read_campaign
from tests.loop.campaign.writing import ORACLE, Write, with_property


def test_a_dump_is_read_back_as_the_same_campaign(write: Write) -> None:
    campaign = load_campaign(
        write("starting_molecules: [CCO]\nreference: {x: CC}\nstrategy: {name: random, noise: 2}\n")
    )
    dump = campaign.dump()
    assert yaml.safe_load(yaml.safe_dump(dump)) == dump, "JSON values only"
    strategy = {"name": "random", "source": "prior", "skip_bad": False, "temperature": 0.8, "noise": 2.0}
    assert dump["strategy"] == strategy
    read = Campaign.model_validate({key: value for key, value in dump.items() if key not in ("files", "molecules")})
    assert {**read.dump(), "molecules": dump["molecules"]} == dump, "molecules are read with the file"
    assert changes(dump, campaign) == []


@pytest.mark.parametrize(
    ("override", "keys"),
    [
        ({"seed": 1}, ["seed"]),
        ({"batch_size": 5}, ["batch_size"]),
        ({"objective.properties.0.weight": 2.0}, ["objective.properties[qed].weight"]),
        ({"objective.properties.0.transform.low": 0.2}, ["objective.properties[qed].transform.low"]),
        ({"strategy.elites": 50}, ["strategy.elites"]),
        ({"filters.alerts": ["PAINS"]}, ["filters.alerts"]),
        ({"starting_molecules": ["CCO"]}, ["starting_molecules"]),
    ],
)
def test_what_decides_the_table_may_not_change(write: Write, override: dict[str, Any], keys: list[str]) -> None:
    path = write("strategy: {name: property_loss}\n")
    before, now = load_campaign(path), load_campaign(path, override)
    assert [change.key for change in changed_keys(before.dump(), now)] == keys
    assert now.fingerprint != before.fingerprint


@pytest.mark.parametrize(
    "override",
    [
        {"budget.oracle_calls": 1000, "budget.hours": 2.0, "budget.per_oracle": {"qed": 5}},
        {"evaluation": {"workers": 3, "backend": "inline", "chunk": 2, "timeout": 5, "retries": 0, "address": "auto"}},
    ],
)
def test_how_much_is_spent_and_how_fast_may_change(write: Write, override: dict[str, Any]) -> None:
    path = write()
    before, now = load_campaign(path), load_campaign(path, override)
    assert changed_keys(before.dump(), now) == []
    assert [change for change in changes(before.dump(), now) if change.allowed]
    assert now.fingerprint == before.fingerprint


def test_the_content_of_a_file_of_molecules_is_part_of_the_campaign(write: Write) -> None:
    before = load_campaign(write("starting_molecules: mine.smi\n", mine__smi="CC\n"))
    dump, fingerprint = before.dump(), before.fingerprint
    now = load_campaign(write("starting_molecules: mine.smi\n", mine__smi="CCC\n"))
    assert [change.key for change in changed_keys(dump, now)] == ["files.mine.smi"]
    assert now.fingerprint != fingerprint


MINE = "CC ethane\nCCO\n"


@pytest.mark.parametrize(
    "key", ["starting_molecules: {}", "filters: {{exclude: {}}}", "strategy: {{name: random, source: {}}}"]
)
@pytest.mark.parametrize("written", ["# mine\n\nCC ethane\n  CCO\n", "CC ethane\r\nCCO", "\ufeffCC ethane\rCCO\r"])
@pytest.mark.parametrize("is_old", [False, True])
def test_how_a_file_of_molecules_is_written_is_no_change(write: Write, key: str, written: str, is_old: bool) -> None:
    before = load_campaign(write(key.format("mine.smi") + "\n", mine__smi=MINE))
    dump, fingerprint = before.dump(), before.fingerprint
    if is_old:  # from before digests of what files say were kept
        del dump["molecules"]
    path = write(key.format("mine.smi") + "\n")
    (path.parent / "mine.smi").write_bytes(written.encode())
    now = load_campaign(path)
    assert changes(dump, now) == []
    assert now.fingerprint == fingerprint
    (path.parent / "mine.smi").write_bytes((written + "\nCCN").encode())
    assert [change.key for change in changed_keys(dump, load_campaign(path))] == ["files.mine.smi"]


@pytest.mark.parametrize("now", ["starting_molecules: [C(C), 'OCC']\n", "starting_molecules: other.smi\n"])
def test_the_same_starting_molecules_in_other_words_or_places_are_no_change(write: Write, now: str) -> None:
    before = load_campaign(write("starting_molecules: mine.smi\n", mine__smi=MINE))
    dump, fingerprint = before.dump(), before.fingerprint
    after = load_campaign(write(now, other__smi="CC\nOCC\n"))
    assert changed_keys(dump, after) == []
    assert after.fingerprint == fingerprint
    turned = load_campaign(write("starting_molecules: [CCO, CC]\n"))
    assert {"starting_molecules"} <= {change.key for change in changed_keys(dump, turned)}, (
        "their order is that of round 0"
    )


@pytest.mark.parametrize("reference", ["reference: [CCN]\n", "reference: theirs.smi\n", ""])
def test_references_may_come_and_go(write: Write, reference: str) -> None:
    before = load_campaign(write("reference: mine.smi\n", mine__smi=MINE))
    dump, fingerprint = before.dump(), before.fingerprint
    now = load_campaign(write(reference, theirs__smi="CCCN\n"))
    assert changed_keys(dump, now) == []
    assert now.fingerprint == fingerprint


def test_the_oracles_are_part_of_the_fingerprint_and_not_of_the_keys(write: Write) -> None:
    path = write(with_property("- {name: x, oracle: './mine.py:chiral', transform: {type: step, low: 1}}"))
    before = load_campaign(path)
    dump = before.dump()
    (path.parent / "mine.py").write_text(ORACLE.replace('"@"', '"@@"'))
    now = load_campaign(path)
    assert changed_keys(dump, now) == []
    assert now.fingerprint != before.fingerprint


def test_a_key_that_an_older_version_did_not_know_is_at_its_default(write: Write) -> None:
    campaign = load_campaign(write())
    old = campaign.dump()
    del old["stereo"], old["objective"]["aggregate"]
    assert changes(old, campaign) == []
    old["key_of_a_later_version"] = 1
    assert "key_of_a_later_version" in [change.key for change in changed_keys(old, campaign)]


@pytest.mark.parametrize("name", switched_on(Filters()))
def test_a_filter_that_an_older_version_did_not_know_is_off_on_resume(write: Write, name: str) -> None:
    campaign = load_campaign(write())
    old = campaign.dump()
    del old["filters"][name]
    resumed = as_begun(old, campaign)
    assert unknown_filters(old, campaign) == [name]
    assert name not in [rule.name for rule in build(resumed.filters, FilterContext(campaign.folder))]
    assert changes(old, resumed) == changes(resumed.dump(), resumed) == []


@pytest.mark.parametrize("name", sorted(Filters.model_fields.keys() - switched_on(Filters())))
def test_a_filter_that_is_off_by_default_may_be_unknown_to_an_older_version(write: Write, name: str) -> None:
    campaign = load_campaign(write())
    old = campaign.dump()
    del old["filters"][name]
    assert unknown_filters(old, campaign) == []
    assert as_begun(old, campaign) is campaign
    assert changes(old, campaign) == []


def test_a_filter_that_the_file_names_is_a_change_where_the_campaign_was_begun_without_it(write: Write) -> None:
    campaign = load_campaign(write("filters: {known_rings: 1}\n"))
    old = campaign.dump()
    del old["filters"]["known_rings"]
    assert as_begun(old, campaign) is campaign
    assert [str(change) for change in changed_keys(old, campaign)] == ["filters.known_rings: found 1, expected nothing"]


def test_a_campaign_that_was_begun_with_another_default_model_goes_on_with_it(write: Write) -> None:
    campaign = load_campaign(write())
    assert former_default_model(campaign.dump(), campaign) is None
    old = campaign.dump() | {"model": next(name for name in shipped_models() if name != DEFAULT_MODEL)}
    assert former_default_model(old, campaign) == old["model"]
    resumed = as_begun(old, campaign)
    assert resumed.model == old["model"]
    assert changes(old, resumed) == changes(resumed.dump(), resumed) == []


@pytest.mark.parametrize(("said", "then"), [(f"model: {DEFAULT_MODEL}\n", "zinc250k"), ("", "mine.safetensors")])
def test_a_model_that_the_file_names_or_that_is_the_users_own_is_a_change(write: Write, said: str, then: str) -> None:
    campaign = load_campaign(write(said))
    old = campaign.dump() | {"model": then}
    assert as_begun(old, campaign) is campaign
    assert [change.key for change in changed_keys(old, campaign)] == ["model"]


def test_a_setting_that_an_older_version_did_not_know_is_what_was_done_then(write: Write) -> None:
    """Else a campaign would learn by another loss in mid-course, and forget what its model had learned."""
    campaign = load_campaign(write("strategy: {name: property_loss, learning: {steps: 4}}\n"))
    old = campaign.dump()
    assert unknown_settings(old, campaign) == {}
    assert old["strategy"]["learning"].pop("loss") == "property"
    assert unknown_settings(old, campaign) == {"strategy.learning.loss": "likelihood"}
    resumed = as_begun(old, campaign)
    assert (
        resumed.strategy.settings.model_dump()["learning"] | {"loss": "property"}
        == (campaign.strategy.settings.model_dump()["learning"])
    )
    assert resumed.strategy.settings.model_dump()["learning"]["loss"] == "likelihood"
    assert changes(old, resumed) == changes(resumed.dump(), resumed) == []


def test_a_campaign_that_was_begun_before_there_were_restarts_goes_on_without(write: Write) -> None:
    campaign = load_campaign(write("strategy: {name: property_loss}\n"))
    old = campaign.dump()
    assert old["strategy"].pop("restart_after") == 500
    assert unknown_settings(old, campaign) == {"strategy.restart_after": 0}
    assert as_begun(old, campaign).strategy.settings.model_dump()["restart_after"] == 0


def test_latent_bo_that_was_begun_before_it_was_thorough_goes_on_as_quickly(write: Write) -> None:
    campaign = load_campaign(write("strategy: {name: latent_bo}\n"))
    old = campaign.dump()
    assert old["strategy"].pop("thorough") == 500
    assert unknown_settings(old, campaign) == {"strategy.thorough": 0}
    assert as_begun(old, campaign).strategy.settings.model_dump()["thorough"] == 0


def test_a_campaign_that_was_begun_before_scaffolds_were_bounded_goes_on_learning_without(write: Write) -> None:
    campaign = load_campaign(write("strategy: {name: property_loss}\n"))
    old = campaign.dump()
    for key in ("per_scaffold", "crowding"):
        del old["strategy"]["learning"]["property"][key]
    former = {"per_scaffold": 1.0, "crowding": 0.0}
    assert unknown_settings(old, campaign) == {
        f"strategy.learning.property.{key}": value for key, value in former.items()
    }
    resumed = as_begun(old, campaign)
    learning = resumed.strategy.settings.model_dump()["learning"]["property"]
    assert {key: learning[key] for key in former} == former
    assert changes(old, resumed) == changes(resumed.dump(), resumed) == []


@pytest.mark.parametrize("name", ["property_loss", "latent_bo"])
def test_a_campaign_that_was_begun_before_foresight_was_judged_goes_on_without(write: Write, name: str) -> None:
    campaign = load_campaign(write(f"strategy: {{name: {name}}}\n"))
    old = campaign.dump()
    assert old["strategy"].pop("judged") == 0.1
    assert unknown_settings(old, campaign) == {"strategy.judged": 0.0}
    assert as_begun(old, campaign).strategy.settings.model_dump()["judged"] == 0.0


def test_goals_that_latent_bo_traded_off_a_round_at_a_time_are_traded_off_so_on(write: Write) -> None:
    campaign = load_campaign(write("strategy: {name: latent_bo}\n"))
    old = campaign.dump()
    assert old["strategy"].pop("trade_offs") == "auto"
    assert unknown_settings(old, campaign) == {"strategy.trade_offs": "chebyshev"}
    resumed = as_begun(old, campaign)
    assert resumed.strategy.settings.model_dump()["trade_offs"] == "chebyshev"
    assert changes(old, resumed) == []


def test_a_strategy_without_such_settings_or_of_another_name_stays_as_it_is(write: Write) -> None:
    old = load_campaign(write("strategy: {name: random}\n")).dump()
    for strategy in ("{name: random}", "{name: property_loss}"):
        campaign = load_campaign(write(f"strategy: {strategy}\n"))
        assert unknown_settings(old, campaign) == {}
        assert as_begun(old, campaign) is campaign


def test_a_setting_that_the_file_names_is_a_change_where_the_campaign_was_begun_without_it(write: Write) -> None:
    campaign = load_campaign(write("strategy: {name: property_loss, learning: {loss: property}}\n"))
    old = campaign.dump()
    del old["strategy"]["learning"]["loss"]
    assert as_begun(old, campaign) is campaign
    assert [str(change) for change in changed_keys(old, campaign)] == [
        'strategy.learning.loss: found "property", expected "likelihood"'
    ]


def test_a_campaign_of_schema_1_goes_on_without_the_filters_that_it_does_not_know(write: Write) -> None:
    stored = read_campaign(Path(__file__).parents[2] / "data/campaign_schema_1/aspirin")
    assert stored is not None
    campaign = load_campaign(write())
    unknown = unknown_filters(stored.openings[-1].dump, campaign)
    assert {"reactive", "known_rings", "known_groups"} <= set(unknown)
    assert build(as_begun(stored.openings[-1].dump, campaign).filters, FilterContext(campaign.folder)) == []


def test_a_change_says_what_is_there_and_what_was_as_a_file_would_write_it(write: Write) -> None:
    before = load_campaign(write("seed: 3\nstarting_molecules: [CCO]\n"))
    now = load_campaign(write(f"starting_molecules: [{', '.join('C' * (n + 1) for n in range(30))}]\n"))
    seed, molecules = map(str, changed_keys(before.dump(), now))
    assert seed == "seed: found 0, expected 3"
    assert re.fullmatch(
        r'starting_molecules: found \["C", "CC", .{47}… \(\d+ characters\), expected \["CCO"\]', molecules
    )
