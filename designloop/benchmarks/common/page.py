"""``docs/benchmarks.md``, made from the records: ``python -m designloop.benchmarks.common.page docs/benchmarks``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from designloop.benchmarks.common import registry
from designloop.benchmarks.common.records import Record, read_records

PENDING = "*pending*"
"""What stands where nothing was measured yet."""

_HEAD = """\
# Benchmarks

Made of the records in `benchmarks/`; none of the numbers was typed. With each stands the command that wrote it, with
code, date and machine: of a record that was put together of several runs those of the last one.
`python -m designloop.benchmarks.common.page docs/benchmarks` makes this page anew. Times hold for the machine that is
named; its two calibrations were taken in the same run. What was not measured is told where it would stand; what was
tried without gain stands in [decisions.md](decisions.md), beside what was done instead.
"""


def to_markdown(records: Sequence[Record]) -> str:
    """Returns the page of all records."""
    recorded = {record.benchmark for record in records}
    lacking = [name for name in registry.available() if name not in recorded]
    parts = [_HEAD, *map(_section, records)]
    if lacking:
        parts.append("## Not recorded yet\n")
        parts.append("".join(f"- `designloop benchmark {name}`: {registry.load(name).SUMMARY}\n" for name in lacking))
    return "\n".join(parts)


def make_pages(folder: Path) -> dict[Path, str]:
    """Makes every page of the records in a folder: the page of all, which lies beside it, and benchmarks' own pages."""
    records = read_records(folder)
    results = {record.benchmark: record.results for record in records}
    pages = {folder.parent / f"{folder.name}.md": to_markdown(records)}
    for name in registry.available():
        pages_of = getattr(registry.load(name), "pages", None)
        if pages_of is not None:
            pages |= {folder.parent / path: text for path, text in pages_of(results).items()}
    return pages


def write_pages(folder: Path) -> list[Path]:
    """Writes all pages of a folder's records and returns their paths."""
    pages = make_pages(folder)
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(pages)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Returns a Markdown table; numbers have three decimals, and None is an empty cell."""
    lines = [list(columns), ["---"] * len(columns), *(list(map(cell, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value: object) -> str:
    """Returns a value as the text of a cell; a vertical bar, as of |x|, is escaped, since it would end the cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:.3f}" if isinstance(value, float) else str(value).replace("|", "\\|")


def _section(record: Record) -> str:
    benchmark = registry.load(record.benchmark)
    machine, speed = record.machine, record.calibrations
    seeds = f", seeds {', '.join(map(str, record.seeds))}" if record.seeds else ""
    code = f", code {record.code}" if record.code else ""
    unknown = "" if record.code else " By what code it was made was not kept."
    return "\n".join(
        [
            f"## {record.benchmark}\n",
            f"{benchmark.SUMMARY}\n",
            f"`{record.command}`, designloop {record.designloop}{code}, {record.date}{seeds}. {machine['cpu']}, "
            f"{machine['cores']} cores, {machine['memory_gb']:.0f} GB, {'AMX' if machine['amx'] else 'no AMX'}: "
            f"{speed['fp32_matmul_tflops']:.3f} TFLOP/s in fp32, {speed['rdkit_parses_per_second']:,.0f} RDKit parses "
            f"a second. torch {machine['torch']}, RDKit {machine['rdkit']}.{unknown}\n",
            benchmark.report(record.results),
        ]
    )


if __name__ == "__main__":
    sys.stdout.write(f"Wrote {', '.join(map(str, write_pages(Path(sys.argv[1]))))}\n")
