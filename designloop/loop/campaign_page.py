"""``docs/campaign-file.md``, made of the code: ``python -m designloop.loop.campaign_page > docs/campaign-file.md``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

from designloop.loop import catalogue
from designloop.loop.campaign.campaign import Budget, Campaign, EvaluationSettings, StartingSettings
from designloop.loop.campaign.prices import Prices
from designloop.loop.config.setting_cards import PartCard, SettingCard, setting_cards
from designloop.loop.scoring.objective import AGGREGATES, Objective, Property
from designloop.loop.screening.diversity import Diversity
from designloop.molecules.corpus import zinc_codec
from designloop.molecules.shipped import DEFAULT_MODEL

_PAGE = """\
# The campaign file

Made of the code: `python -m designloop.loop.campaign_page > docs/campaign-file.md`. `designloop init` writes a file to
start from; `designloop strategies`, `filters`, `transforms`, `descriptors` and `oracles` list what can be named, and
with a NAME behind them say all about one.

A key with a dot stands inside another: `regions.length` is written `regions: {{length: 0.8}}`.

## An example

Every section is here, and most of it may be left out: only `objective` and `budget.oracle_calls` must be given.

```yaml
{example}```

## What one molecule is

- **Protonation.** Molecules are uncharged as far as protons can do it, whatever pH you have in mind: a carboxylate
  becomes the acid, an ammonium the amine, a zwitterion neither charged. A salt loses its counterion, isotopes and
  atom numbers are dropped. That is `standardize: parent`; `uncharge` keeps fragments, isotopes and labels, `none`
  keeps all as written. An oracle that needs the state at pH 7.4 (docking, say) protonates what it is given. The
  filters `strong_acid`, `acid` and `base` say what would be charged.
- **Tautomers are not merged.** 2-hydroxypyridine and 2-pyridone are two molecules and two calls, and no tautomer is
  preferred. If yours must be, write starting molecules in the form you want, and refuse the other by
  `forbid_smarts`.
- **Stereo.** Stereoisomers are one molecule, the first of them that comes, unless an oracle declares that it sees
  stereo or the file says `stereo: keep`. Oracles get the stereo marks that are written; what is not marked is not
  guessed.
- **What the model can write.** The model `{model}` writes at most {longest} SELFIES symbols of {symbols} kinds;
  its corpus, ZINC 250k, has 6 to 38 heavy atoms, and what is much larger or of another kind seldom comes back from
  its latent space as it went in ([benchmarks.md](benchmarks.md#sequence-vae) has the shares by length). `designloop
  validate` says how many of your own molecules do, `designloop reconstruct mine.smi --no-refine` which. What does not
  come back is scored and learned from all the same, and genetic steps breed from it; what cannot be written is only
  scored.

## Keys

{campaign}

## `starting_molecules`, as a mapping

{starting}

With `values` the file is a table such as an assay leaves: `{{file: assay.csv, values: {{potency: pIC50}}}}` reads
the property `potency` of its column `pIC50`. What is read is knowledge: it is learned from whatever the filters
say, no call is charged, and no oracle asked for it. Values are taken as they stand, so a column of IC50 in nM is to
be made one of pIC50 beforehand, or the transform made for nM; `designloop validate` says what range was read, and
where the transform tells values not apart. What the file does not say of a molecule is computed or, where a
laboratory measures it, told by `designloop tell`. A molecule of which it says nothing is a starting molecule like
any other.

A download from ChEMBL is read as it is: `{{file: egfr.csv, skip_bad: true, values: {{potency: pChEMBL Value}}}}`.
The separator is recognised, names are taken from `Molecule ChEMBL ID`, rows of one compound are replicates. A sign
in a column of its own (`Standard Relation`, `relation`, or `X relation`, `X qualifier` beside a column `X`) makes a
bound of the value. Values under several `Standard Type`, `Standard Units` or targets are remarked: keep rows that
compare.

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

Begin with `property_loss`; take `latent_bo` for few and dear calls, and `random` to see what either is worth.

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

## `prices`

Where a property is measured in a laboratory, molecules must be bought or made first, and `designloop suggest` can
choose within a sum: `designloop suggest assay.yaml -n 24 --spend 5000`, or `spend` here. The batch that is worth most
is chosen, exactly, of the strategy's first three times as many: each molecule is worth its place in that order, from
1 (the first) to 0 (the last). A favourite is so forgone only for several others that cost as much together. Molecules
that the strategy draws uniformly (`judged`) are the same share of what is bought as without a sum, whatever they cost.
Prices stand in the column `price` of `--csv`. They are read anew by each `suggest` and may change at any time.

{prices}
"""

EXAMPLE = """\
name: egfr # of the results; else the file's name
seed: 1
starting_molecules: {file: egfr.csv, skip_bad: true, values: {potency: pChEMBL Value}}
reference: {erlotinib: 'COCCOc1cc2ncnc(Nc3cccc(C#C)c3)c2cc1OCCOC'}
objective:
  aggregate: geometric_mean
  properties:
    - name: potency # what the file does not say, the model does
      oracle: ./egfr.py:Potency
      transform: {type: linear, low: 6, high: 9}
      weight: 2
    - name: solubility
      oracle: esol
      transform: {type: sigmoid, low: -6, high: -3}
strategy:
  name: property_loss
  elites: 100
filters:
  require_smarts: ['c1ccc2c(c1)ncnc2N'] # a core to keep
  forbid_smarts: ['[CX3H1]=O']
  descriptors: {logp: [1, 4.5], rotatable_bonds: [null, 8]}
diversity: {per_scaffold: 3, min_distance: 0.2}
batch_size: 20
evaluation: {workers: 2, timeout: 120}
prices: {oracle: sa_score, spend: 60} # for `suggest`, where a laboratory measures
budget: {oracle_calls: 500, patience: 0}
"""
"""A campaign file with every section; a test holds that it can be read."""

_SECTIONS = ("objective", "strategy", "filters", "diversity", "evaluation", "budget", "prices")


def to_markdown() -> str:
    """The page."""
    keys = [card for card in setting_cards(Campaign) if card.name.partition(".")[0] not in _SECTIONS]
    keys[0] = replace(keys[0], default="the file's name")
    descriptors = [f"`{card.name}`" for card in catalogue.descriptors() if card.name.islower()]
    codec = zinc_codec()
    return _PAGE.format(
        example=EXAMPLE,
        model=DEFAULT_MODEL,
        longest=codec.greatest_length,
        symbols=len(codec.symbols),
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
        prices=_table(setting_cards(Prices)),
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
