"""The listings of what a campaign file may name, and the page of its keys: all is there, and examples can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from designloop import api
from designloop.loop import catalogue
from designloop.loop.campaign.campaign import Campaign, StartingSettings, load_campaign
from designloop.loop.campaign_page import _SECTIONS, EXAMPLE, to_markdown
from designloop.loop.config.setting_cards import PartCard, setting_cards
from designloop.loop.scoring.transforms import TRANSFORMS
from designloop.loop.screening.filters import Filters, switched_on
from designloop.strategies import base
from tests.commands import fails, succeeds

ROOT = Path(__file__).parent.parent.parent
KINDS = ["strategies", "filters", "transforms", "descriptors"]


def test_the_page_is_what_the_code_makes() -> None:
    page = (ROOT / "docs/campaign-file.md").read_text(encoding="utf-8")
    assert page == to_markdown(), "run: python -m designloop.loop.campaign_page > docs/campaign-file.md"


def leaves(model: type[BaseModel]) -> set[str]:
    """The last part of each key of a settings model and of those in it."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        nested = isinstance(inner, type) and issubclass(inner, BaseModel)
        keys |= leaves(inner) if nested else {name}  # type: ignore[arg-type]
    return keys


def test_the_page_has_every_key() -> None:
    page = to_markdown()
    models: list[type[BaseModel]] = [Campaign, Filters, *TRANSFORMS.values(), *map(base.settings_of, base.available())]
    keys = set().union(*map(leaves, models)) - {"name", "strategy", "properties", "transform"}
    assert [key for key in sorted(keys) if f"`{key}`" not in page and f".{key}`" not in page] == []


def test_every_key_says_what_may_stand_there_and_what_it_means() -> None:
    models: list[type[BaseModel]] = [
        Campaign,
        Filters,
        *TRANSFORMS.values(),
        StartingSettings,
        *map(base.settings_of, base.available()),
    ]
    cards = [
        card for model in models for card in setting_cards(model, leave_out=("name",) if model is not Campaign else ())
    ]
    assert [card.name for card in cards if not card.meaning] == []


@pytest.mark.parametrize("card", catalogue.transforms(), ids=lambda card: card.name)
def test_the_example_of_a_transform_can_be_read(card: PartCard) -> None:
    settings = yaml.safe_load(card.example)["transform"]
    assert settings.pop("type") == card.name
    TRANSFORMS[card.name].model_validate(settings)


@pytest.mark.parametrize("card", catalogue.filters(), ids=lambda card: card.name)
def test_the_example_of_a_filter_can_be_read(card: PartCard) -> None:
    settings = yaml.safe_load(card.example)["filters"]
    assert list(settings) == [card.name]
    assert card.name in switched_on(Filters.model_validate(settings)) or card.name == "radicals", "it refuses something"


@pytest.mark.parametrize("card", catalogue.strategies(), ids=lambda card: card.name)
def test_the_example_of_a_strategy_can_be_read(card: PartCard) -> None:
    settings = yaml.safe_load(card.example)["strategy"]
    assert settings["name"] == card.name
    read = base.settings_of(card.name).model_validate(settings)
    assert not settings.keys() & base.idle_settings(card.name, read, base.SCORE_ALONE).keys()
    assert card.description


def test_a_descriptor_is_told_in_words_and_not_by_the_signature_of_a_function() -> None:
    cards = {card.name: card for card in catalogue.descriptors()}
    assert cards["tpsa"].summary == "Topological polar surface area, in Å²."
    assert cards["NumSpiroAtoms"].summary.startswith("Returns the number of spiro atoms (atoms shared between rings")
    unsaid = {name for name, card in cards.items() if not card.summary}
    assert "C++" not in " ".join(card.description for card in cards.values())
    assert [name for name, card in cards.items() if "(Mol)" in card.description or "->" in card.description] == []
    assert all(name[0].isupper() for name in unsaid), "RDKit's own, of which RDKit says nothing"


def test_the_example_of_the_page_has_every_section_and_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "egfr.csv").write_text(
        '"Molecule ChEMBL ID";"Smiles";"Standard Relation";"pChEMBL Value"\n'
        '"CHEMBL1";"COc1cc2ncnc(Nc3cccc(Cl)c3)c2cc1OC";"\'=\'";"8.5"\n'
        '"CHEMBL2";"COc1cc2ncnc(Nc3cccc(Br)c3)c2cc1OC";"\'>\'";"4.0"\n'
    )
    (tmp_path / "egfr.py").write_text("class Potency:\n    def score(self, smiles):\n        return {}\n")
    (tmp_path / "egfr.yaml").write_text(EXAMPLE, encoding="utf-8")
    campaign = load_campaign(tmp_path / "egfr.yaml")
    assert [(own.name, own.known["potency"].mean) for own in campaign.starting()] == [("CHEMBL1", 8.5)]
    assert any("line 3: potency (pChEMBL Value) is '4.0' with '>'" in warning for warning in campaign.warnings)
    assert not any("does nothing" in warning for warning in campaign.warnings)
    assert set(_SECTIONS) <= yaml.safe_load(EXAMPLE).keys()


def test_the_example_of_a_descriptor_of_ours_can_be_read() -> None:
    cards = {card.name: card for card in catalogue.descriptors()}
    ours = list(cards)[: list(cards).index("MaxAbsEStateIndex")]
    assert len(ours) == 17
    for name, card in cards.items():
        settings = yaml.safe_load(card.example)["filters"]["descriptors"]
        assert list(settings) == [name]
        if name in ours:
            Filters.model_validate({"descriptors": settings})


def test_what_holds_of_molecules_together_is_no_filter_and_its_place_is_told() -> None:
    assert "`diversity: {per_scaffold: …}`" in fails(2, "filters", "max_per_scaffold")
    assert "`diversity: {min_distance: …}`" in fails(2, "filters", "min_distance")
    assert "`diversity:`" in succeeds("filters")


def test_a_default_stands_as_a_campaign_file_writes_it() -> None:
    cards = {card.name: card for card in setting_cards(Filters)}
    assert cards["elements"].default == "[H, C, N, O, F, P, S, Cl, Br, I]"
    assert cards["heavy_atoms"].default == "[10, 50]"
    assert cards["exclude"].default == "null"
    learning = {card.name: card for card in setting_cards(base.settings_of("property_loss"))}
    assert learning["learning.steps"].default == "2"
    transform = {card.name: card for card in setting_cards(TRANSFORMS["linear"])}
    assert transform["low"].default == "must be given"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed_and_each_part_told(kind: str) -> None:
    names = [card.name for card in api.parts(kind)]
    listed = succeeds(kind)
    assert all(name in listed for name in names)
    told = succeeds(kind, names[0])
    assert told.startswith(names[0])
    assert "In a campaign file" in told
    assert f"`designloop {kind}` lists them" in fails(2, kind, "zzzzzzzz")


def test_a_slip_is_answered_with_what_was_meant() -> None:
    assert "did you mean 'sigmoid'" in fails(2, "transforms", "sigmoyd")
    with pytest.raises(api.InputError, match="expected one of strategies"):
        api.parts("strategy")
