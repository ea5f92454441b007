"""What a campaign file may name, as cards: strategies, transforms, filters, descriptors. Read from their own code."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Mapping
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


DESCRIPTOR_MEANINGS: Mapping[str, tuple[str, str]] = {
    "molecular_weight": ("Average molecular weight, g/mol.", "[200, 500]"),
    "logp": ("Octanol-water partition coefficient, Crippen's logP.", "[1, 4]"),
    "tpsa": ("Topological polar surface area, Å².", "[40, 120]"),
    "qed": ("Drug-likeness from 0 to 1 (QED).", "[0.5, null]"),
    "hbd": ("Donors of hydrogen bonds.", "[null, 3]"),
    "hba": ("Acceptors of hydrogen bonds.", "[null, 8]"),
    "rotatable_bonds": ("Rotatable bonds, amides and esters left out.", "[null, 7]"),
    "rings": ("Rings (smallest set of smallest rings).", "[1, 4]"),
    "aromatic_rings": ("Aromatic rings.", "[null, 3]"),
    "heavy_atoms": ("Atoms but hydrogen.", "[15, 35]"),
    "formal_charge": ("Charge in standard form: what no proton can neutralise.", "[0, 0]"),
    "fraction_csp3": ("Share of the carbon atoms that are sp3.", "[0.3, null]"),
    "sa_score": ("Synthetic accessibility, from 1 (easy) to 10 (hard).", "[null, 4]"),
    "esol": ("Solubility in water, log10 of mol/L (ESOL).", "[-5, null]"),
    "largest_ring": ("Atoms in the largest ring.", "[null, 7]"),
    "stereo_centers": ("Tetrahedral stereocentres, marked or not.", "[null, 2]"),
    "undefined_stereo": ("Stereocentres and double bonds without a stereo mark.", "[null, 1]"),
}
"""Meaning of each descriptor of a short name, and a range such as people take; a test holds that each is there."""

_SIGNATURE = re.compile(r"^\w+\(.*?\) -> \w+ :\s*", re.DOTALL)
"""How RDKit's C++ functions begin what they say of themselves."""


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
    cards = []
    for name, function in DESCRIPTORS.items():
        usual = "[null, 1]" if name.startswith("fr_") else "[LOWEST, HIGHEST]"
        meaning, span = DESCRIPTOR_MEANINGS.get(name, (_in_rdkits_words(function), usual))
        summary = meaning.partition(". ")[0].partition("\n\n")[0]
        example = f"filters:\n  descriptors: {{{name}: {span}}}"
        cards.append(PartCard(name, " ".join(summary.split()), meaning, (), example))
    return cards


def _in_rdkits_words(function: Callable[..., float]) -> str:
    """What RDKit says of a descriptor, without the signature in Python and in C++."""
    text = _SIGNATURE.sub("", inspect.getdoc(function) or "").partition("C++ signature")[0].strip()
    return textwrap.dedent(text) or "One of RDKit's, which says no more of it."


def _card(name: str, text: str | None, settings: list[SettingCard] | tuple[()], example: str) -> PartCard:
    description = textwrap.dedent(text or "").strip()
    return PartCard(name, " ".join(description.partition("\n\n")[0].split()), description, settings, example)
