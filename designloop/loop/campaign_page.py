"""``docs/campaign-file.md``, made of the code: ``python -m designloop.loop.campaign_page > docs/campaign-file.md``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from designloop.loop import catalogue
from designloop.loop.campaign.campaign import Budget, Campaign, EvaluationSettings, StartingSettings
from designloop.loop.config.setting_cards import PartCard, SettingCard, setting_cards
from designloop.loop.scoring.objective import AGGREGATES, Objective, Property
from designloop.loop.screening.diversity import Diversity

_PAGE = """\
# The campaign file

Made of the code: `python -m designloop.loop.campaign_page > docs/campaign-file.md`. `designloop init` writes a file to
start from; `designloop strategies`, `filters`, `transforms`, `descriptors` and `oracles` list what can be named, and
with a NAME behind them say all about one.

A key with a dot stands inside another: `region.length` is written `region: {{length: 0.8}}`.

## Keys

{campaign}

## `starting_molecules`, as a mapping

{starting}

With `values` the file is a table such as an assay leaves: `{{file: assay.csv, values: {{potency: pIC50}}}}` reads
the property `potency` of its column `pIC50`. What is read is knowledge: it is learned from whatever the filters say, no
call is charged, and no oracle asked for it. Values are taken as they stand, so a column of IC50 in nM is to be made one
of pIC50 beforehand, or the transform made for nM. What the file does not say of a molecule is computed or, where a
laboratory measures it, told by `designloop tell`. A molecule of which it says nothing is a starting molecule like any
other.

## `objective`

{objective}

### `objective.properties`, each

{property}

### `objective.aggregate`

{aggregates}

## Transforms

A transform makes a desirability from 0 (useless) to 1 (as good as it gets) of a property's value.

How to choose one: where more is better up to a point, `linear` from what is useless to what is enough, or `sigmoid`
where the ends are soft; where less is better, `linear` with `low` above `high`, or `reverse_sigmoid`; for a window,
`double_sigmoid`, or `gaussian` around one value; for a limit that is met or not, `step`. A step says nothing of how far
off a molecule is, so nothing can be learned below it: take a slope where you can. Put 0 where today's molecules are and
1 where you would stop: where most molecules of a round reach 1, the objective no longer tells them apart.
`designloop score` shows value and desirability of molecules that you know.

{transforms}

## Strategies

{strategies}

## `filters`

What a molecule must be before any oracle is asked of it; asked in this order. `null`, or an empty list,
switches one off.

{filters}

Descriptors that `filters.descriptors` takes: {descriptors}, and RDKit's own under RDKit's names
(`designloop descriptors`).

## `diversity`

How unlike each other the molecules paid for have to be. Distance is 1 - ECFP4 similarity; stereoisomers have 0.
It holds for every strategy: what a strategy proposes passes through it, in the strategy's own order.

{diversity}

## `evaluation`

{evaluation}

## `budget`

{budget}
"""

_SECTIONS = ("objective", "strategy", "filters", "diversity", "evaluation", "budget")


def to_markdown() -> str:
    """The page."""
    keys = [card for card in setting_cards(Campaign) if card.name.partition(".")[0] not in _SECTIONS]
    keys[0] = replace(keys[0], default="the file's name")
    descriptors = [f"`{card.name}`" for card in catalogue.descriptors() if card.name.islower()]
    return _PAGE.format(
        campaign=_table(keys),
        starting=_table(setting_cards(StartingSettings)),
        objective=_table([card for card in setting_cards(Objective) if card.name != "properties"]),
        property=_table(setting_cards(Property)),
        aggregates=_aggregates(),
        transforms="\n\n".join(map(_part, catalogue.transforms())),
        strategies="\n\n".join(map(_part, catalogue.strategies())),
        filters=_table([card for part in catalogue.filters() for card in part.settings]),
        descriptors=", ".join(descriptors),
        diversity=_table(setting_cards(Diversity)),
        evaluation=_table(setting_cards(EvaluationSettings)),
        budget=_table(setting_cards(Budget)),
    )


def _aggregates() -> str:
    texts = {name: " ".join((function.__doc__ or "").split()) for name, function in AGGREGATES.items()}
    return "\n".join(f"- `{name}`: {text}" for name, text in texts.items())


def _part(card: PartCard) -> str:
    example = card.example if "\n" in card.example else card.example.removeprefix("transform: ")
    return f"### `{card.name}`\n\n{card.description}\n\n{_table(card.settings)}\n\n```yaml\n{example}\n```"


def _table(settings: Sequence[SettingCard]) -> str:
    rows = [
        f"| `{card.name}` | {_cell(card.expected)} | {_default(card.default)} | {_cell(card.meaning)} |"
        for card in settings
    ]
    return "\n".join(["| key | what may stand there | default | meaning |", "|---|---|---|---|", *rows])


def _default(text: str) -> str:
    return text if text == "must be given" else f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(to_markdown())
