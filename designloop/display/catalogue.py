"""What is printed of oracles and other parts, and of what a model makes of molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from designloop.display.tables import grid, say

if TYPE_CHECKING:
    from designloop.loop.config.setting_cards import PartCard
    from designloop.molecules.reconstruction import Reconstruction
    from designloop.oracles import OracleCard


def oracles(cards: Sequence[OracleCard]) -> None:
    """Prints the oracles there are."""
    grid(
        ("oracle", "unit", "parameters", "what it gives"),
        [
            (
                card.name,
                card.unit,
                ", ".join(parameter.name + ("" if parameter.required else "?") for parameter in card.parameters),
                card.summary,
            )
            for card in cards
        ],
    )
    say("\n`designloop oracles NAME` tells all about one; a parameter with ? may be left out.")
    say("Your own: oracle: ./my_oracle.py:score (a file beside the campaign) or my_module:my_function")


def oracle(card: OracleCard) -> None:
    """Prints all about one oracle."""
    say(f"{card.name}  (version {card.version}{', ' + card.unit if card.unit else ''})\n")
    say(card.description)
    if card.parameters:
        say("\nParameters")
        grid(
            ("name", "kind", "default", "meaning"),
            [
                (
                    parameter.name,
                    parameter.kind,
                    "must be given" if parameter.required else repr(parameter.default),
                    parameter.meaning,
                )
                for parameter in card.parameters
            ],
        )
    if card.outputs:
        say("\nOutputs")
        grid(("output", "unit"), list(card.outputs.items()))
    if card.source:
        say(f"\nSource: {card.source}")
    say("\nAn entry of `objective: properties:`\n")
    say(card.example)


def parts(kind: str, cards: Sequence[PartCard]) -> None:
    """Prints the parts of a kind that there are."""
    grid((kind, "what it is"), [(card.name, card.summary.partition("\n")[0]) for card in cards])
    say(f"\n`designloop {kind} NAME` tells all about one.")
    if kind == "filters":
        say("How unlike each other molecules have to be stands under `diversity:`, not here.")


def part(card: PartCard) -> None:
    """Prints all about one part."""
    say(f"{card.name}\n\n{card.description}")
    if card.settings:
        say("\nSettings")
        rows = [(item.name, item.expected, item.default, item.meaning) for item in card.settings]
        grid(("name", "expected", "default", "meaning"), rows)
    say(f"\nIn a campaign file:\n\n{card.example}")


def reconstructions(results: Sequence[Reconstruction]) -> None:
    """Prints what ``reconstruct`` found."""
    grid(
        ("exact", "similarity", "molecule", "decoded"),
        [(result.exact, result.similarity, result.smiles, result.decoded or result.error) for result in results],
    )
    say(f"{sum(result.exact for result in results):,} of {len(results):,} came back exactly")
