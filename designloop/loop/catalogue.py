"""What a campaign file may name, as cards: strategies, transforms, filters, descriptors. Read from their own code."""

from __future__ import annotations

import inspect
import textwrap
from importlib import import_module

from designloop.loop.config.setting_cards import PartCard, SettingCard, flow, setting_cards
from designloop.loop.scoring.transforms import TRANSFORMS
from designloop.loop.screening.filters import Filters, example_of
from designloop.molecules.chemistry import DESCRIPTORS, descriptor_meaning, descriptor_range
from designloop.strategies import base as strategy_base


def strategies() -> list[PartCard]:
    """A card for each strategy, with its options."""
    cards = []
    for name in strategy_base.available():
        settings = setting_cards(strategy_base.settings_of(name), leave_out=("name",))
        first = next((card for card in settings if "." not in card.name and card.default != "null"), None)
        example = f"strategy:\n  name: {name}" + (f"\n  {first.name}: {first.default}" if first else "")
        cards.append(_card(name, import_module(f"designloop.strategies.{name}").__doc__, settings, example))
    return cards


def transforms() -> list[PartCard]:
    """A card for each transform, with its settings."""
    return [
        _card(name, inspect.getdoc(kind), setting_cards(kind), f"transform: {flow({'type': name, **kind.example})}")
        for name, kind in TRANSFORMS.items()
    ]


def filters() -> list[PartCard]:
    """A card for each filter, in the order in which they are asked; its settings are one value."""
    return [
        PartCard(
            card.name,
            card.meaning,
            card.meaning,
            [card],
            f"filters:\n  {card.name}: {flow(example_of(card.name))}",
        )
        for card in setting_cards(Filters)
    ]


def descriptors() -> list[PartCard]:
    """A card for each descriptor that a filter may take: short names first, then RDKit's own."""
    return [
        _card(name, descriptor_meaning(name), (), f"filters:\n  descriptors: {{{name}: {descriptor_range(name)}}}")
        for name in DESCRIPTORS
    ]


def _card(name: str, text: str | None, settings: list[SettingCard] | tuple[()], example: str) -> PartCard:
    description = textwrap.dedent(text or "").strip()
    return PartCard(name, " ".join(description.partition("\n\n")[0].split()), description, settings, example)
