"""The verbs about what a campaign file may name, beside oracles: strategies, filters, transforms, descriptors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from designloop.api.inputs import InputError
from designloop.loop import catalogue
from designloop.loop.config.setting_cards import PartCard
from designloop.loop.screening.diversity import Diversity
from designloop.words import did_you_mean, listed

KINDS: Mapping[str, Callable[[], list[PartCard]]] = {
    "strategies": catalogue.strategies,
    "filters": catalogue.filters,
    "transforms": catalogue.transforms,
    "descriptors": catalogue.descriptors,
}


def parts(kind: str) -> list[PartCard]:
    """Returns a card for each part of a kind: strategies, filters, transforms or descriptors.

    Raises:
        InputError: there is no such kind.
    """
    if kind not in KINDS:
        raise InputError(f"found {kind!r}, expected one of {listed(list(KINDS))}; choose one of them")
    return KINDS[kind]()


def part(kind: str, name: str) -> PartCard:
    """Returns the card of one part.

    Raises:
        InputError: there is none of that name; the message gives the nearest.
    """
    cards = {card.name: card for card in parts(kind)}
    if name not in cards and kind == "filters" and name in (*Diversity.model_fields, "max_per_scaffold"):
        key = "per_scaffold" if name == "max_per_scaffold" else name
        raise InputError(
            f"{name} is no filter of single molecules; write `diversity: {{{key}: …}}` in the campaign file"
        )
    if name not in cards:
        hint = did_you_mean(name, cards) or f"`designloop {kind}` lists them"
        raise InputError(f"{kind} holds no {name!r}; {hint}")
    return cards[name]
