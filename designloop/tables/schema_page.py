"""``docs/schema.md``, made from the columns: ``python -m designloop.tables.schema_page > docs/schema.md``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from designloop.tables.durable import SCHEMA_VERSION
from designloop.tables.file_columns import BEST_FILE, SCORED_FILE
from designloop.tables.schema import CANDIDATES, DETAILS, RESULTS, ROUNDS, RUNS, Column

_PAGE = """\
# The schema of a campaign's tables

Version {version}. Made of `designloop/tables/schema.py`: `python -m designloop.tables.schema_page > docs/schema.md`.

`designloop query` and `open_candidates(folder).query(sql)` answer SQL (DuckDB's) over three views. They only read, see
every round that was committed when they were asked, and never hinder a campaign that runs. Several folders may be
opened at once. No order of rows is promised without `ORDER BY`.

## View `candidates`

A row for each molecule charged to a campaign's budget.

{candidates}
| `NAME` | double | Raw value of the property NAME, in its oracle's unit; null where there is none. |
| `NAME_desirability` | double | That value transformed to 0..1; null where there is none. |

A property may not take a name of this list, in upper or lower case. Where several campaigns are opened, the columns
are those of all; a campaign without a property has null there.

A round of kind `amendment` (failed molecules run again by `designloop retry`, measured values that `designloop tell`
corrects) adds no row: its {results}, values and
desirabilities stand in the molecule's own row instead of the old ones.

## View `rounds`

A row for each committed round.

{rounds}
| `METRIC` | double or text | A column for each metric that any round has, in the order of first appearance. |

## View `runs`

A row for each oracle run and output in the ledgers of the opened campaigns. Runs that other campaigns made in the same
ledger are included: their results are used, not paid for again.

{runs}

## Files for other programs

`designloop top --csv` and `--sdf` write a row or a record a molecule, best first. An SDF has no field for what is
empty.

{best_file}
| `NAME` | double | Raw value of the property NAME, in its oracle's unit. |
| `NAME_desirability` | double | That value transformed to 0..1. |

`designloop score --csv` writes a row for each molecule of yours, in your order.

{scored_file}
| `NAME`, `NAME_desirability` | double | As above. |
| `YOURS` | text | Each other column of your file, as it stands there. |

A property or a column of yours that is called as one of these gets a number: `rank_2`. `query --csv` writes a list,
such as `parents`, as a JSON list.

## Files of the output folder

| file | holds |
|---|---|
| `campaign.json` | the campaign's id, settings, oracle fingerprints and environment, and each later change of them |
| `rounds/NNNNN.parquet` | the rows: `kind`, then the columns of `candidates` from `round` on |
| `details/NNNNN.parquet` | {details}: a row a molecule and property |
| `states/NNNNN.safetensors`, `.json` | the strategy's state after the round; those of the last two rounds are kept |
| `manifests/NNNNN.json` | commits the round: its metrics, its digest, the SHA-256 of the files above |
| `head.json` | the round that was committed last, so that the loss of its manifest is noticed |
| `finished.json` | why, and after which round, the campaign ended |
| `suggestions.json` | what was suggested to a laboratory, in that order; it only grows |
| `references.json` | the scores of the molecules to compare with |
| `campaign.log` | what was said while the campaign ran, with the time |
| `best.svg`, `progress.svg`, `front.svg` | pictures, drawn anew after rounds; the front of a Pareto campaign |
| `.lock` | which process writes |

A round without a manifest did not happen. Every JSON file holds its own checksum, so none can be edited by hand. Files
that are not named here are never touched.
"""

_WORDS = {"string": "text", "list<element: string>": "list of text", "list<item: string>": "list of text"}


def to_markdown() -> str:
    """The page."""
    return _PAGE.format(
        version=SCHEMA_VERSION,
        candidates=_table(CANDIDATES),
        rounds=_table(ROUNDS),
        runs=_table(RUNS),
        best_file=_table(BEST_FILE),
        scored_file=_table(SCORED_FILE),
        results=", ".join(f"`{name}`" for name in RESULTS),
        details=", ".join(f"`{name}`" for name in DETAILS.names),
    )


def _table(columns: Sequence[Column]) -> str:
    lines = [
        f"| `{column.name}` | {_WORDS.get(str(column.type), str(column.type).partition('[')[0])} | {column.meaning} |"
        for column in columns
    ]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *lines])


if __name__ == "__main__":
    sys.stdout.write(to_markdown())
