"""What is printed of oracles, and of what a model makes of molecules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from designloop.display.tables import grid, say

if TYPE_CHECKING:
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
                ", ".join(one.name + ("" if one.required else "?") for one in card.parameters),
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
                (one.name, one.kind, "must be given" if one.required else repr(one.default), one.meaning)
                for one in card.parameters
            ],
        )
    if card.outputs:
        say("\nOutputs")
        grid(("output", "unit"), list(card.outputs.items()))
    if card.source:
        say(f"\nSource: {card.source}")
    say("\nAn entry of `objective: properties:`\n")
    say(card.example)


def reconstructions(found: Sequence[Reconstruction]) -> None:
    """Prints what ``reconstruct`` found."""
    grid(
        ("exact", "similarity", "molecule", "decoded"),
        [(one.exact, one.similarity, one.smiles, one.decoded or one.error) for one in found],
    )
    say(f"{sum(one.exact for one in found):,} of {len(found):,} came back exactly")
