"""What a campaign file may name, as cards: strategies, transforms, filters, descriptors. Read from their own code."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping
from importlib import import_module

from designloop.loop.config.setting_cards import PartCard, SettingCard, setting_cards
from designloop.loop.scoring.transforms import TRANSFORMS
from designloop.loop.screening.filters import Filters
from designloop.molecules.chemistry import DESCRIPTORS
from designloop.strategies import base as strategy_base

TRANSFORM_EXAMPLES: Mapping[str, str] = {
    "linear": "{type: linear, low: 5, high: 2.5}",
    "sigmoid": "{type: sigmoid, low: -5, high: -2}",
    "reverse_sigmoid": "{type: reverse_sigmoid, low: 2, high: 5}",
    "double_sigmoid": "{type: double_sigmoid, low: 60, high: 90}",
    "gaussian": "{type: gaussian, mean: 75, sd: 15}",
    "step": "{type: step, low: 0, high: 5}",
}
"""An example of each; a test holds that each is there and can be read."""

FILTER_EXAMPLES: Mapping[str, str] = {
    "largest_ring": "7",
    "exclude": "made_already.smi",
    "forbid_smarts": "['[N+](=O)[O-]']",
    "require_smarts": "['c1ccc2ncncc2c1']",
    "undefined_stereo": "2",
    "descriptors": "{logp: [1, 4], tpsa: [null, 90]}",
}
"""An example of each filter whose default says nothing."""


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
        _card(name, inspect.getdoc(kind), setting_cards(kind), f"transform: {TRANSFORM_EXAMPLES[name]}")
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
            f"filters:\n  {card.name}: {FILTER_EXAMPLES.get(card.name, card.default)}",
        )
        for card in setting_cards(Filters)
    ]


def descriptors() -> list[PartCard]:
    """A card for each descriptor that a filter may take: short names first, then RDKit's own."""
    return [
        _card(
            name,
            inspect.getdoc(function) or "",
            (),
            f"filters:\n  descriptors: {{{name}: [0, 1]}}",
        )
        for name, function in DESCRIPTORS.items()
    ]


def _card(name: str, text: str | None, settings: list[SettingCard] | tuple[()], example: str) -> PartCard:
    description = textwrap.dedent(text or "").strip()
    return PartCard(name, " ".join(description.partition("\n\n")[0].split()), description, settings, example)
